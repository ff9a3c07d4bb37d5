"""Inputs above their reconstructions, while `fit` runs."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import Unit
from keras_manifold._map.function import Map
from keras_manifold._storage.snapshots import (
    DENOISED,
    DENOISED_MSE,
    FIELD,
    INPUT,
    MSE,
    NOISY_INPUT,
    RECONSTRUCTION,
    Snapshot,
)
from keras_manifold.callbacks._watch import Watch
from keras_manifold.plot.denoisers import with_margin
from keras_manifold.sinks.protocol import Sink

# Points along each side of the grid around samples of two entries, and what it reaches
# beyond them, in shares of their extent.
_POINTS, _BEYOND = 15, 0.2


class ReconstructionGrid(Watch):
    """Watches the reconstructions of a few samples while `fit` trains.

    It takes a snapshot before training and then every `every` epochs or batches. With a
    model that has `noise`, the samples are also corrupted, once and for all, and what the
    model makes of the corrupted ones is shown too. Figures show the first 16 samples, npz
    files hold all; entries that are not finite are orange, with one warning.

    Where a sample has two entries, the page also draws arrows from the points of a grid
    around the samples towards what the model makes of them: a denoising model points back
    to the manifold. The npz files have them as `field`, `(225, 2, 2)`: of each point where
    it is, and where the model moves it.

    `history` holds `<prefix>_mse`, the mean squared error of the samples, for every
    snapshot, and with noise `<prefix>_denoised_mse`, that of what became of the corrupted
    ones. They go to the sinks, not into Keras's `logs`. What `TangentAnalyzer` says of the
    order of callbacks, of training that resumes and of directories holds here too. Cost of
    a snapshot: one to three predictions, and the figure if it goes anywhere.

    Args:
        x: Samples to watch, `(n, *input_shape)`; copied, integers as floating point.
            Of a data set of batches that can be read again, the first 16.
        every: Epochs or batches between two snapshots, at least 1.
        unit: `"epoch"` or `"batch"`: see `TangentAnalyzer`.
        directory: Folder for `<prefix>_<step>.png` (for images), `<prefix>_<step>.npz`,
            with arrays `input` and `reconstruction`, and with noise `noisy_input` and
            `denoised`, each of the shape of `x`, and `<prefix>_scalars.csv`, with the
            numbers of Keras too; made if missing. `None` for no files.
        log_dir: Folder for TensorBoard, made if missing: see `sinks.TensorBoardSink`.
            May be the same for several callbacks. `None` for none.
        sinks: Callables `(name, value, step)` that get each number, figure and mapping of
            arrays: see `TangentAnalyzer`.
        prefix: First part of all names.
        reconstruction: Model or callable from samples to their reconstructions. `None` for
            the output of the trained model.
        labels: One per sample, such as its class: on figures, in the files and on the page.
        image_shape: Shape of one sample as an image, such as `(28, 28)`, where samples are
            flattened: on figures and on the page. Files hold them as they are.
        bands: Which three channels of many are shown as red, green and blue, or which one
            as grey: on figures and on the page.
        feature_names: One name per entry of a table, such as `["age", "height"]`.
        channel_names: One name per channel of a series.
        overwrite: Whether a new run replaces what another one left under this `prefix` in
            `directory`, and nothing else; otherwise it is refused.
        say_where: Whether `fit` prints where the page is; `None` for as it prints its
            progress.

    Attributes:
        history: Mapping from `"step"` and the name of each scalar to the list of its values
            at all snapshots.

    Raises:
        ValueError: If `x`, `every` or `unit` is out of range; before the first batch, if
            reconstructions are not of the shape of `x`, or `directory` holds another run
            or is in use.
        TypeError: If a sink or `reconstruction` can't be called.
        OSError: At the start of `fit`, if `directory` or `log_dir` can't be made or
            written.
        ImportError: At the start of `fit`, with `log_dir`, if tensorboardX is missing.

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
        [0, 1, 2, 3, 4]
        >>> grid.history["step"]  # at the other steps, Keras's numbers came
        [0, 2, 4]
    """

    scalars: tuple[str, ...] = (MSE, DENOISED_MSE)

    def __init__(
        self,
        x: Any,
        *,
        every: int = 1,
        unit: Unit = "epoch",
        directory: str | PathLike[str] | None = None,
        log_dir: str | PathLike[str] | None = None,
        sinks: Sequence[Sink] = (),
        prefix: str = "reconstruction",
        reconstruction: Callable | None = None,
        labels: Sequence[Any] | None = None,
        image_shape: Sequence[int] | None = None,
        bands: Sequence[int] | int | None = None,
        feature_names: Sequence[str] | None = None,
        channel_names: Sequence[str] | None = None,
        overwrite: bool = False,
        say_where: bool | None = None,
    ):
        super().__init__(
            x,
            every=every,
            unit=unit,
            directory=directory,
            log_dir=log_dir,
            sinks=sinks,
            prefix=prefix,
            labels=labels,
            image_shape=image_shape,
            bands=bands,
            feature_names=feature_names,
            channel_names=channel_names,
            overwrite=overwrite,
            say_where=say_where,
        )
        if reconstruction is not None and not callable(reconstruction):
            raise TypeError(
                "`reconstruction` must be a Keras model, another callable, or None. "
                f"Received: reconstruction={reconstruction!r}."
            )
        self.reconstruction = reconstruction

    def _prepare(self):
        self._has_warned = False
        self._grid = _grid_around(self.x) if self.x[0].size == 2 else None
        self._noisy = None
        noise = getattr(self.model, "noise", None)
        if isinstance(noise, keras.Layer):
            # A draw from the model's own layer would change the training after it, but a
            # layer without a config can't be copied, nor can one with a lambda in it.
            with contextlib.suppress(NotImplementedError, TypeError, ValueError):
                noise = noise.__class__.from_config(noise.get_config())
            self._noisy = _as_float32(noise(self.x, training=True))

    def _resume(self, arrays):
        found = arrays(self.prefix) or {}
        same_samples = np.array_equal(found.get(INPUT, ()), self.x)
        if self._noisy is not None and same_samples:
            self._noisy = found.get(NOISY_INPUT, self._noisy)  # the same corruption

    def _snapshot(self, step):
        rows = {INPUT: self.x, RECONSTRUCTION: self._reconstructed(self.x)}
        scalars = {MSE: _mean_square(rows[RECONSTRUCTION], self.x)}
        if self._noisy is not None:
            rows[NOISY_INPUT] = self._noisy
            rows[DENOISED] = self._reconstructed(self._noisy)
            scalars[DENOISED_MSE] = _mean_square(rows[DENOISED], self.x)
        if not np.isfinite(list(scalars.values())).all() and not self._has_warned:
            warnings.warn(
                f"Reconstructions {self._when(step)} have NaN or infinite entries (orange "
                "in the figures); further such snapshots are not reported.",
                stacklevel=2,
            )
            self._has_warned = True
        drawings = self._drawings(rows, step)
        arrays = {**rows, **self._field(), **self._samples.arrays()}
        return Snapshot(self.prefix, step, arrays, drawings, self._full_scalars(scalars))

    def _drawings(self, rows, step):
        row_labels = [name.replace("_", " ") for name in rows]
        title = f"Reconstructions, {self._when(step)}"
        return {self.prefix: self._samples.grid(rows.values(), row_labels, title)}

    def _field(self):
        if self._grid is None:
            return {}
        made = self._reconstructed(self._grid)
        return {FIELD: np.stack([self._grid, made], axis=1).reshape(-1, 2, 2)}

    def _reconstructed(self, x):
        model = self.model  # which reads the present weights, on JAX too
        outputs = Map(self.reconstruction or model).values(x)
        shape = tuple(getattr(outputs, "shape", ()))
        if shape != x.shape:
            raise ValueError(
                "ReconstructionGrid needs outputs of the shape of its inputs. Received: "
                f"{_described(outputs)} for inputs of shape {x.shape}. Pass "
                "reconstruction=..., a callable from inputs to their reconstructions."
            )
        return _as_float32(outputs)


def _grid_around(x):
    """Points of the plane around samples of two entries, `(points, *input_shape)`.

    Its margin is a share of the larger extent, so that it shows what lies off a thin line;
    or of each extent, where they are too unlike to be in one unit.
    """
    flat = x.reshape(-1, 2)
    low, high = with_margin(flat, _BEYOND, is_of_entries=True).T
    sides = np.linspace(low, high, _POINTS, axis=1)
    return np.stack(np.meshgrid(*sides), -1).reshape(-1, *x.shape[1:]).astype("float32")


def _described(outputs):
    if hasattr(outputs, "shape"):
        return f"outputs of shape {tuple(outputs.shape)}"
    return f"outputs of type {type(outputs).__name__}"


def _mean_square(a, b):
    return np.square(a.astype("float64") - b).mean()


def _as_float32(values):
    """NumPy array of a dtype that every reader of npz files knows."""
    return ops.convert_to_numpy(values).astype("float32")
