"""What our penalties have in common: a weight that may change while `fit` runs."""

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import check_number
from keras_manifold._settings import assign, refuse_change


class WeightedPenalty(keras.layers.Layer):
    """A layer that is called with a function and points, with a weight in the loss.

    A subclass sets `built` at the end of its `__init__`; its `fixed` attributes stay what
    they are from then on.

    Args:
        weight: At least 0 and finite.
        **kwargs: Of the layer.
    """

    fixed: ClassVar[tuple[str, ...]] = ()

    def __init__(self, weight: float, **kwargs: Any):
        is_double = keras.config.floatx() == "float64"
        kwargs.setdefault("dtype", "float64" if is_double else "float32")
        super().__init__(**kwargs)
        self._initial_weight = _checked_weight(weight)
        self._weight = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._initial_weight),
            trainable=False,
            name="weight",
        )

    def __setattr__(self, name, value):
        refuse_change(self, name, value, self.fixed)
        super().__setattr__(name, value)

    @property
    def weight(self) -> Any:
        """Factor of the penalty in the loss, a `keras.Variable` that may be assigned."""
        return self._weight

    @weight.setter
    def weight(self, value):
        assign(self._weight, _checked_weight(value), "weight")

    @property
    def weights(self):
        # `weight` is a setting, such as a learning rate: `get_weights` is the same with and
        # without a penalty.
        return []

    def save_own_variables(self, store):
        store["initial_weight"] = np.float64(self._initial_weight)
        store["weight"] = ops.convert_to_numpy(self.weight.value)

    def load_own_variables(self, store):
        # A run that is resumed goes on with the weight that a schedule had reached; weights
        # of a model that was made with another one leave it alone.
        initial = store["initial_weight"] if "weight" in store.keys() else None  # noqa: SIM118
        if initial is not None and float(np.asarray(initial)) == self._initial_weight:
            self.weight = float(np.asarray(store["weight"]))

    def __call__(self, function, x):
        return super().__call__(x, function=function)

    def compute_output_spec(self, x, function=None):
        return keras.KerasTensor((x.shape[0],), dtype=self.compute_dtype)

    def get_config(self):
        weight = float(ops.convert_to_numpy(self.weight.value))
        return {**super().get_config(), "weight": weight}


def squared_norms(vectors: Any, kept: int = 1) -> Any:
    """Squared norm of each sample: `(batch, ...)` to `(batch,)`, or of more `kept` axes."""
    return ops.sum(ops.square(vectors), axis=tuple(range(kept, len(vectors.shape))))


def _checked_weight(weight):
    check_number("weight", weight)
    if weight > float(np.finfo("float32").max):
        raise ValueError(
            "`weight` must be a number that float32 can hold, below 3.4e38. "
            f"Received: weight={weight!r}."
        )
    return float(weight)
