"""Inputs above their reconstructions, while `fit` runs."""

import contextlib
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from keras import ops

from keras_manifold import plot
from keras_manifold.callbacks.watch import Watch


class ReconstructionGrid(Watch):
    """Watches the reconstructions of a few samples while `fit` trains.

    It looks once before training and then every `every` epochs. With a model that has
    `noise`, the samples are also corrupted, once and for all, and what the model makes of
    the corrupted ones is shown too. Figures show the first 16 samples, npz files hold all.

    Args:
        x: Samples to watch, `(n, *input_shape)`; copied, integers as floating point.
        every: Epochs between two looks, at least 1.
        directory: Folder for `<prefix>_<epoch>.png` (for images) and
            `<prefix>_<epoch>.npz`, with arrays `input` and `reconstruction`, and with noise
            `noisy_input` and `denoised`, each of the shape of `x`; made if missing. `None`
            for no files.
        sinks: Callables `(name, value, step)` that get each figure and mapping of arrays.
            `step` is the number of epochs trained.
        prefix: First part of all names.

    Raises:
        ValueError: If `x` or `every` is out of range.
        OSError: At the start of `fit`, if `directory` can't be made or written.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> steps = []
        >>> grid = km.ReconstructionGrid(
        ...     x[:4], every=2, sinks=[lambda name, value, step: steps.append(step)])
        >>> history = model.fit(x, epochs=4, callbacks=[grid], verbose=0)
        >>> sorted(set(steps))
        [0, 2, 4]
    """

    def __init__(
        self,
        x: Any,
        *,
        every: int = 1,
        directory: str | PathLike | None = None,
        sinks: Sequence[Callable[[str, Any, int], Any]] = (),
        prefix: str = "reconstruction",
    ):
        super().__init__(x, every=every, directory=directory, sinks=sinks, prefix=prefix)

    def begin(self):
        self._noisy = None
        noise = getattr(self.model, "noise", None)
        if noise is not None:
            # A draw from the model's own layer would change the training after it, but a
            # layer without a config can't be copied.
            with contextlib.suppress(NotImplementedError, TypeError):
                noise = noise.__class__.from_config(noise.get_config())
            self._noisy = _as_float32(noise(self.x, training=True))

    def look(self, step):
        if not self._open_sinks:
            return {}
        rows = {"input": self.x, "reconstruction": self._predicted(self.x)}
        if self._noisy is not None:
            rows["noisy_input"] = self._noisy
            rows["denoised"] = self._predicted(self._noisy)
        self.emit(self.prefix, rows, step)
        images = [self.shown(row) for row in rows.values()]
        if all(plot.are_images(row) for row in images):
            when = "before training" if step == 0 else f"after epoch {step}"
            figure = plot.image_grid(
                images,
                row_labels=[name.replace("_", " ") for name in rows],
                title=f"Reconstructions, {when}",
            )
            self.emit(self.prefix, figure, step)
        return {}

    def _predicted(self, x):
        return _as_float32(self.model.predict_on_batch(x))


def _as_float32(values):
    """NumPy array of a dtype that every reader of npz files knows."""
    return ops.convert_to_numpy(values).astype("float32")
