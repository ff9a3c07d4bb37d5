"""The weight of a penalty, epoch by epoch."""

from collections.abc import Callable

from keras import ops

from keras_manifold._arguments import check_number
from keras_manifold.callbacks._scheduled import Scheduled


class PenaltySchedule(Scheduled):
    """Sets the weight of a penalty at the beginning of every epoch.

    What [`keras.callbacks.LearningRateScheduler`][] is for the learning rate. The weight is
    a variable: nothing is compiled again. It is in `logs` as `penalty_weight`, so that
    History and the progress bar show it, and the last one stays after `fit`.

    Args:
        schedule: Callable from the epoch (from 0) and the present weight to the weight of
            the epoch, at least 0 and finite.
        verbose: 0 for silence, 1 to print each weight.
        penalty: Name of one of the model's `penalties`, such as `"isometry_penalty"`; its
            weight is in `logs` as `<name>_weight`. `None` for the contractive penalty.

    Raises:
        TypeError: If `schedule` can't be called.
        ValueError: At the start of `fit`, if the model has no such penalty; later,
            if the schedule returns a weight out of range.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2, contractive_penalty=0.0)
        >>> model.compile("adam", loss="mse")
        >>> warm_up = km.PenaltySchedule(lambda epoch, weight: 0.25 * min(epoch, 2))
        >>> history = model.fit(x, epochs=4, callbacks=[warm_up], verbose=0)
        >>> history.history["penalty_weight"]
        [0.0, 0.25, 0.5, 0.5]
    """

    argument = "weight"

    def __init__(
        self,
        schedule: Callable[[int, float], float],
        verbose: int = 0,
        *,
        penalty: str | None = None,
    ):
        super().__init__(schedule, verbose)
        self.penalty = penalty
        self.logged = (f"{penalty or 'penalty'}_weight",)

    def _check(self):
        if self.penalty is not None:
            self._penalty()
        elif getattr(self.model, "contractive_penalty", None) is None:
            raise ValueError(
                "PenaltySchedule needs a model with a contractive penalty. "
                f"Received: model={self.model!r}. Give AutoEncoder a "
                "`contractive_penalty`; its weight may be 0 to begin with."
            )

    def _get(self):
        weight = self._penalty().weight
        return float(ops.convert_to_numpy(getattr(weight, "value", weight)))

    def _set(self, value, name):
        check_number(name, value)
        self._penalty().weight = value

    def _penalty(self):
        if self.penalty is None:
            return self.model.contractive_penalty
        penalties = getattr(self.model, "penalties", ())
        for penalty in penalties:
            if penalty.name == self.penalty:
                return penalty
        raise ValueError(
            "`penalty` must be the name of one of the model's penalties, "
            f"{[penalty.name for penalty in penalties]}. Received: "
            f"penalty={self.penalty!r}."
        )
