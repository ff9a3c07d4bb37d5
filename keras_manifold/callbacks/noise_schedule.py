"""The level of the noise, epoch by epoch."""

import numpy as np

from keras_manifold._arguments import check_number
from keras_manifold.callbacks._scheduled import Scheduled
from keras_manifold.noise import NoiseInjection


class NoiseSchedule(Scheduled):
    """Sets the level of the noise at the beginning of every epoch.

    What [`PenaltySchedule`][keras_manifold.PenaltySchedule] is for the penalty: nothing is
    compiled again. The level is in `logs` as `noise_level`, so that History and the
    progress bar show it, and the last one stays after `fit`. Of noise with a pair of levels
    it sets the pair, which is in `logs` as `noise_level_low` and `noise_level_high`.

    Args:
        schedule: Callable from the epoch (from 0) and the present level to the level of the
            epoch, in the range of the kind of noise; from a pair to a pair where the noise
            has one.
        verbose: 0 for silence, 1 to print each level.

    Raises:
        TypeError: If `schedule` can't be called.
        ValueError: At the start of `fit`, if the `noise` of the model is no
            `NoiseInjection`; later, if the schedule returns a level out of range, or a pair
            for a number, or a number for a pair.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2, noise=0.5)
        >>> model.compile("adam", loss="mse")
        >>> less = km.NoiseSchedule(lambda epoch, level: level / 2)
        >>> history = model.fit(x, epochs=3, callbacks=[less], verbose=0)
        >>> history.history["noise_level"]
        [0.25, 0.125, 0.0625]
    """

    argument = "level"
    logged: tuple[str, ...] = ("noise_level",)

    def _check(self):
        noise = getattr(self.model, "noise", None)
        if not isinstance(noise, NoiseInjection):
            raise ValueError(
                "NoiseSchedule needs a model whose `noise` is a NoiseInjection. Received: "
                f"noise={noise!r}. Give AutoEncoder one; its level may be 0 to begin with."
            )
        names = ("noise_level_low", "noise_level_high")
        self.logged = names if isinstance(noise.level, tuple) else ("noise_level",)

    def _get(self):
        return self.model.noise.level

    def _set(self, value, name):
        if np.ndim(self._get()) == 0:
            check_number(name, value)
        self.model.noise.level = value
