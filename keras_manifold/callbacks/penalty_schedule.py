"""The weight of the contractive penalty, epoch by epoch."""

from keras import ops

from keras_manifold._arguments import check_number
from keras_manifold.callbacks._scheduled import Scheduled


class PenaltySchedule(Scheduled):
    """Sets the weight of the contractive penalty at the beginning of every epoch.

    What [`keras.callbacks.LearningRateScheduler`][] is for the learning rate. The weight is
    a variable: nothing is compiled again. It is in `logs` as `penalty_weight`, so that
    History and the progress bar show it, and the last one stays after `fit`.

    Args:
        schedule: Callable from the epoch (from 0) and the present weight to the weight of
            the epoch, at least 0 and finite.
        verbose: 0 for silence, 1 to print each weight.

    Raises:
        TypeError: If `schedule` can't be called.
        ValueError: At the start of `fit`, if the model has no contractive penalty; later,
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
    logged = ("penalty_weight",)

    def _check(self):
        if getattr(self.model, "contractive_penalty", None) is None:
            raise ValueError(
                "PenaltySchedule needs a model with a contractive penalty. "
                f"Received: model={self.model!r}. Give AutoEncoder a "
                "`contractive_penalty`; its weight may be 0 to begin with."
            )

    def _get(self):
        return float(ops.convert_to_numpy(self.model.contractive_penalty.weight.value))

    def _set(self, value, name):
        check_number(name, value)
        self.model.contractive_penalty.weight = value
