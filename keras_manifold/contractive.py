"""The contractive penalty: the squared Frobenius norm of a Jacobian."""

import math
import numbers
from typing import Any

import keras
from keras import ops

from keras_manifold import autodiff
from keras_manifold.arguments import check_count
from keras_manifold.jacobian import jacobian_rows


@keras.saving.register_keras_serializable(package="keras_manifold")
class ContractivePenalty(keras.layers.Layer):
    r"""Squared Frobenius norm of the Jacobian of a function, one value a sample.

    $$\|J(x)\|_F^2 = \sum_{ij} \left(\frac{\partial f_i}{\partial x_j}(x)\right)^2$$

    Right for a function of any depth and architecture. With `probes="exact"` every row
    of $J$ is computed, one backward pass each. With `probes=p` the estimate
    $\frac{1}{p} \sum_{s=1}^{p} \|J^\top u_s\|^2$ is used, with random signs
    $u_s \in \{-1, 1\}^m$: it is unbiased, as $E[u u^\top] = I$, and costs $p$ backward
    passes whatever the number of outputs $m$.

    In an `AutoEncoder` the loss becomes `reconstruction_loss + weight *
    contractive_penalty`, in training and in evaluation, where `contractive_penalty` is the
    mean over the samples, weighted by `sample_weight`, whatever the reduction of the loss.

    Args:
        weight: Factor of the penalty in the loss, at least 0 and finite. Calling the
            penalty gives it without this factor.
        probes: `"exact"`, or a number of random directions, at least 1. Random ones make
            `val_loss` vary from one evaluation to the next; where a callback decides by
            it, watch `val_reconstruction_loss`, or take `"exact"`.
        seed: Integer for the same random directions in every run; `None` otherwise.
        **kwargs: `name`, as for every Keras layer.

    Call arguments:
        function: Callable from one tensor `(batch, *input_shape)` to one tensor
            `(batch, *output_shape)`, each sample mapped on its own.
        x: Tensor of shape `(batch, *input_shape)`; integers are cast to floating point.

    Call returns:
        Tensor of shape `(batch,)`, not negative; 0 where the function does not depend on
        `x`. In float32, whatever the precision in which the function computes.

    Raises:
        ValueError: If `weight` or `probes` is out of range.

    Example:
        >>> import keras, numpy as np, keras_manifold as km
        >>> w = np.array([[1.0, -1.0], [0.0, 0.0]], "float32")
        >>> penalty = km.ContractivePenalty(0.1, probes="exact")
        >>> values = penalty(lambda x: keras.ops.matmul(x, w), np.ones((3, 2), "float32"))
        >>> keras.ops.convert_to_numpy(values).tolist()
        [2.0, 2.0, 2.0]

    References:
        Rifai, Vincent, Muller, Glorot and Bengio (2011), Contractive auto-encoders:
        explicit invariance during feature extraction, ICML.
    """

    def __init__(
        self,
        weight: float,
        *,
        probes: int | str = 1,
        seed: int | None = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        _check_weight(weight)
        self.weight = float(weight)
        self.probes: Any = probes
        if probes != "exact":
            self.probes = check_count("probes", probes, otherwise='"exact"')
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True  # no weights

    def __call__(self, function, x):
        return super().__call__(x, function=function)

    def call(self, x, function=None):
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
            x = ops.cast(x, self.compute_dtype)
        if self.probes == "exact":
            squares = jacobian_rows(function, x, transform=_squared_norms)
            return ops.sum(squares, axis=0)
        outputs, pullback = autodiff.vjp(function, x)
        estimates = [
            _squared_norms(pullback(self._random_signs(outputs))[None])[0]
            for _ in range(self.probes)
        ]
        return sum(estimates) / self.probes

    def _random_signs(self, like):
        uniform = keras.random.uniform(ops.shape(like), seed=self.seed_generator)
        return ops.cast(ops.where(uniform < 0.5, -1.0, 1.0), like.dtype)

    def compute_output_spec(self, x, function=None):
        return keras.KerasTensor((x.shape[0],), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "weight": self.weight,
            "probes": self.probes,
            "seed": self.seed,
        }


def _squared_norms(rows):
    """Squared norm of each sample's vectors: `(k, batch, ...)` to `(k, batch)`."""
    rows = ops.cast(rows, "float32")
    return ops.sum(ops.square(rows), axis=tuple(range(2, len(rows.shape))))


def _check_weight(weight):
    if not isinstance(weight, numbers.Real) or not math.isfinite(weight) or weight < 0:
        raise ValueError(
            f"`weight` must be a finite number of at least 0. Received: weight={weight!r}."
        )
