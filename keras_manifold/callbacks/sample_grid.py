"""Samples that a denoiser draws, while `fit` runs."""

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from keras_manifold._arguments import Unit, check_choice, check_count
from keras_manifold._storage.snapshots import INPUT, MOVED, SAMPLE, Snapshot
from keras_manifold.callbacks._watch import Watch
from keras_manifold.denoising import Denoiser, TransientError, noise_stddev
from keras_manifold.sampling import BATCH_SIZE, Method, chains, check_settings
from keras_manifold.sinks.protocol import Sink


class SampleGrid(Watch):
    """Watches what `sample` draws from a denoiser while `fit` trains.

    It takes a snapshot before training and then every `every` epochs or batches: chains
    that begin at `x`, with the same noise at each snapshot, so that only the model differs.
    Figures show the first 16, beneath where they began; npz files hold all.

    `history` holds `<prefix>_moved`, the root mean square change of an entry from the start
    to the sample, for every snapshot: near 0 a chain stands still. It goes to the sinks,
    not into Keras's `logs`. It is NaN, with one warning and nothing else recorded, where a
    schedule has set the noise to 0, or a chain leaves the finite numbers. What
    `TangentAnalyzer` says of the order of callbacks, of training that resumes and of
    directories holds here too. Cost of a snapshot: that of `sample`, some predictions per
    step.

    Args:
        x: Where the chains begin, `(n, *input_shape)`: data, or noise; copied.
            Of a data set of batches that can be read again, the first 16.
        steps: Steps of each chain, at least 1.
        every: Epochs or batches between two snapshots, at least 1.
        unit: `"epoch"` or `"batch"`: see `TangentAnalyzer`.
        method: `"tangent"`, `"denoising"` or `"langevin"`: see `sample`.
        stddev: Standard deviation of the noise that the model removes. `None` reads it from
            the model's `noise` at each snapshot.
        seed: Integer of at least 0, of the noise of the chains.
        settings: Mapping of settings of the method.
        directory: Folder for `<prefix>_<step>.png`, `<prefix>_<step>.npz`, with arrays
            `input` and `sample` of the shape of `x`, and `<prefix>_scalars.csv`; made if
            missing. `None` for no files.
        log_dir: Folder for TensorBoard: see `sinks.TensorBoardSink`. `None` for none.
        sinks: Callables `(name, value, step)`: see `TangentAnalyzer`.
        prefix: First part of all names.
        denoiser: Model or callable from noisy to clean samples. `None` for the trained
            model.
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
        history: Mapping from `"step"` and the name of the scalar to the list of its values
            at all snapshots.

    Raises:
        ValueError: If an argument is out of range; before the first batch, if the model's
            noise does not tell `stddev`, or for what `sample` refuses.
        TypeError: If a sink or `denoiser` can't be called, `settings` is no mapping, or the
            method has no such setting.
        OSError: At the start of `fit`, if `directory` or `log_dir` can't be made or
            written.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2, noise=0.3)
        >>> model.compile("adam", loss="mse")
        >>> grid = km.SampleGrid(x[:4], steps=3, every=2)
        >>> history = model.fit(x, epochs=4, callbacks=[grid], verbose=0)
        >>> grid.history["step"]
        [0, 2, 4]
    """

    scalars: tuple[str, ...] = (MOVED,)

    def __init__(
        self,
        x: Any,
        *,
        steps: int = 50,
        every: int = 1,
        unit: Unit = "epoch",
        method: Method = "tangent",
        stddev: float | None = None,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        directory: str | PathLike[str] | None = None,
        log_dir: str | PathLike[str] | None = None,
        sinks: Sequence[Sink] = (),
        prefix: str = "samples",
        denoiser: Callable | None = None,
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
        if denoiser is not None and not callable(denoiser):
            raise TypeError(
                "`denoiser` must be a Keras model, another callable, or None. "
                f"Received: denoiser={denoiser!r}."
            )
        self.steps: int = check_count("steps", steps)
        self.method: Method = check_choice("method", method, Method)
        self.stddev: float | None = None if stddev is None else noise_stddev(None, stddev)
        self.seed: int = check_count("seed", seed, least=0)
        if settings is not None and not isinstance(settings, Mapping):
            raise TypeError(
                "`settings` must be a mapping from names of settings of the method to "
                f"their values, or None. Received: settings={settings!r}."
            )
        self.settings: dict[str, Any] = dict(settings or {})
        check_settings(self.method, self.settings)
        self.denoiser = denoiser

    def _prepare(self):
        self._has_warned = False
        with contextlib.suppress(TransientError):  # the noise may rise from 0
            noise_stddev(self.denoiser or self.model, self.stddev)

    def _snapshot(self, step):
        try:
            samples = self._drawn()
        except TransientError as error:
            if not self._has_warned:
                warnings.warn(
                    f"No samples {self._when(step)}: {error} Their scalar is NaN; further "
                    "such snapshots are not reported.",
                    stacklevel=2,
                )
            self._has_warned = True
            scalars = self._full_scalars({MOVED: np.nan})
            return Snapshot(self.prefix, step, {}, {}, scalars)
        moved = np.sqrt(np.square(samples.astype("float64") - self.x).mean())
        rows = {INPUT: self.x, SAMPLE: samples}
        title = f"Samples, {self._when(step)}"
        drawings = {
            self.prefix: self._samples.grid(rows.values(), ["start", "sample"], title)
        }
        arrays = {**rows, **self._samples.arrays()}
        scalars = self._full_scalars({MOVED: moved})
        return Snapshot(self.prefix, step, arrays, drawings, scalars)

    def _drawn(self):
        model = self.model  # which reads the present weights, on JAX too
        model = self.denoiser or model
        denoiser = Denoiser(model, self.x, batch_size=BATCH_SIZE)
        return chains(
            denoiser,
            self.x,
            self.steps,
            method=self.method,
            stddev=self.stddev or noise_stddev(model, None),
            seed=self.seed,
            settings=self.settings,
        )
