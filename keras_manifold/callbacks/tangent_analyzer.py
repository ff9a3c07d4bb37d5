"""Tangent vectors and spectrum, while `fit` runs."""

import contextlib
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from types import SimpleNamespace
from typing import Any, Literal, get_args

import numpy as np

from keras_manifold import plot
from keras_manifold._arguments import Part, Unit, check_choice, check_count
from keras_manifold._map.blas import ONE_BLAS_THREAD
from keras_manifold._map.decomposition import Decomposition, takes_lanczos
from keras_manifold._map.function import Map
from keras_manifold._storage.snapshots import (
    CODE_VECTORS,
    CODES,
    DECODER_DISTORTION,
    DENOISER_DIMENSION,
    DIMENSION,
    DRIFT,
    INPUT,
    METRIC,
    NORM,
    NORM_ERROR,
    SINGULAR_VALUES,
    SPECTRUM,
    TOP,
    VECTORS,
    Drawing,
    Snapshot,
    space_name,
)
from keras_manifold.callbacks._watch import Watch
from keras_manifold.denoising import TransientError, noise_stddev
from keras_manifold.dimension.curve import dimension_curve
from keras_manifold.dimension.spectrum import local_dimension
from keras_manifold.metric import pullback_metric
from keras_manifold.noise import NoiseInjection
from keras_manifold.sinks.protocol import Sink
from keras_manifold.subspaces import principal_angles
from keras_manifold.tangent import TangentSpace, is_whole, tangent_space, warn_of_whole

OfModel = Literal["decoder_distortion", "denoiser_dimension"]
# Draws of noise around each sample, and their seed: the same at all snapshots.
_DRAWS, _SEED = 8, 0
# Entries of a code up to which the metric is kept: that of more would fill the files.
_MOST_CODES = 16


class TangentAnalyzer(Watch):
    r"""Watches the tangent space at a few samples while `fit` trains.

    It takes a snapshot before training and then every `every` epochs or batches. Four
    scalars of the Jacobian that `of` names, by default that of the encoder, each a mean
    over the samples, go into Keras's `logs` at the end of each epoch, so that `History`,
    the progress bar and the callbacks that come after this one in `callbacks=[...]` see
    them:

    - `tangent_norm`: $\|J\|_F$, how strongly the code follows the input;
    - `tangent_dimension`: the participation ratio of the singular values;
    - `tangent_top`: the largest singular value;
    - `tangent_drift`: the mean principal angle, in radians, in [0, π/2], between the
      leading `k` directions and those of the snapshot before; 0 at the first. Take `k` no
      larger than the rank of $J$: the directions left over are arbitrary, and so are their
      angles.

    Two more, of the model rather than of its tangents, are there where `also` asks:

    - `decoder_distortion`: $\overline{\mathrm{tr}\,G^2} / (\overline{\mathrm{tr}\,G})^2$
      of the decoder's metric $G = J^\top J$, means over the codes of the samples: what
      [`IsometryPenalty`][keras_manifold.IsometryPenalty] estimates (with `mixing=None`). At
      least one over the entries of a code, and that of an isometry up to scale. Costs a
      pass per entry of a code. For codes of 2 to 16 entries the page then draws an ellipse
      of the metric around each: from centre to edge the decoder's output moves by one
      length; points grow with the area that the decoder gives to a small square there.
      The npz files have it as `metric`, `(n, size, size)`.
    - `denoiser_dimension`: the local dimension at the scale of the model's noise, by
      `"stein"` of [`dimension_curve`][keras_manifold.dimension_curve] from 8 draws, the
      same at all snapshots. The noise must be Gaussian, not clipped. Of a pair of levels
      the scale is their geometric mean, the middle of those drawn; NaN where a schedule has
      set the level to 0.

    On epochs without a snapshot the last values are repeated. Callbacks that come before
    this one (EarlyStopping, CSVLogger, ...) can't see them: Keras hands one `logs` down the
    list. Otherwise the order does not matter. Put `BackupAndRestore` last: if it comes
    earlier and the process is killed between the two writes, that epoch's `loss` is lost.

    Where $J$ is so large that `tangent_space` takes block Lanczos (a side above 1,024
    and above 32 times `k + 8`), a snapshot costs little more than `tangent_space(k=k)`: the
    norm and the dimension are then estimated by `k + 8` random probes beyond the leading
    directions, and `tangent_norm_error` is the standard error of the norm. One warning says
    when a snapshot takes longer than its epoch (and 10 s).

    `history` holds the scalars of every snapshot, the first one too. Figures show the first
    16 samples, npz files hold all. Where the weights are not finite the scalars are NaN,
    with one warning. Where `keras.distribution` joins several processes, all of them take
    snapshots and only the first one writes. Cost of a snapshot: one `tangent_space` of the
    samples, compiled at the first snapshot for layers and models, at each snapshot for
    other callables, and the figures if they go anywhere.

    After [`keras.callbacks.BackupAndRestore`][], or with `initial_epoch`, results and
    `history` continue what `directory` holds, even if the process was killed. A new run is
    refused there; but `fit` with the same callback object, from epoch 0, replaces what that
    object wrote. One callback at a time may write under a `prefix` in a
    directory.

    Args:
        x: Samples to watch, `(n, *input_shape)`; copied, integers as floating point.
            Of a data set of batches that can be read again, the first 16.
        k: Leading directions to keep, at least 1; more than there are means all.
        of: `"encoder"`, `"decoder"` or `"reconstruction"`: see
            [`tangent_space`][keras_manifold.tangent_space].
        every: Epochs or batches between two snapshots, at least 1.
        unit: `"epoch"` or `"batch"`: what `every` and all steps count. Batches are those
            trained since epoch 0, also after a resume (of data of unknown length the
            optimizer's count is taken then). Where `steps_per_execution` hides the batch,
            the snapshot is of the next that can be seen.
        directory: Folder for `<prefix>_vectors_<step>.png`,
            `<prefix>_spectrum_<step>.png`, `<prefix>_space_<step>.npz` (which
            `TangentSpace.load` reads; also with `spectrum`, all singular values, `codes`
            and `input`) `<prefix>_scalars.csv`, with the numbers of Keras too, `run.json`,
            with what the model, its noise, penalties and optimizer were, versions and
            seconds, and the page `index.html`; made if missing. `None` for no files.
        log_dir: Folder for TensorBoard, made if missing: see
            [`TensorBoardSink`][keras_manifold.sinks.TensorBoardSink]. May be the same
            for several callbacks. `None` for none.
        sinks: Callables `(name, value, step)` that get each number, figure and mapping of
            arrays, and the numbers in Keras's `logs` at the end of each epoch, under their
            Keras names; with `unit="batch"` also `epoch`, the epochs trained. They may
            have methods `begin`, `flush` and `close`: see
            [`RunSink`][keras_manifold.sinks.RunSink].
        prefix: First part of all names.
        encoder: Layer, model or callable from samples to codes `(n, *code_shape)`. `None`
            for `encoder` of the trained model.
        decoder: The same from codes to reconstructions. `None` for `decoder` of the trained
            model. With `of="reconstruction"`, a model without the two is taken whole.
        also: Names of further scalars, `"decoder_distortion"` and `"denoiser_dimension"`:
            see above. They bear another `prefix` than `"tangent"` like all names.
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
        ValueError: If `x`, `k`, `of`, `every`, `unit` or `also` is out of range; before the
            first batch, if the encoder or decoder that `of` or `also` needs is missing, the
            noise is not of the kind that `also` needs, or `directory` holds another run or
            is in use.
        TypeError: If a sink, `encoder` or `decoder` can't be called.
        OSError: At the start of `fit`, if `directory` or `log_dir` can't be made or
            written.
        ImportError: At the start of `fit`, with `log_dir`, if tensorboardX is missing.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> watch = km.TangentAnalyzer(x[:4], k=2)
        >>> history = model.fit(x, epochs=2, callbacks=[watch], verbose=0)
        >>> len(history.history["tangent_dimension"])
        2
        >>> watch.history["step"]
        [0, 1, 2]
    """

    scalars: tuple[str, ...] = (NORM, DIMENSION, TOP, DRIFT)
    in_logs = True

    def __init__(
        self,
        x: Any,
        *,
        k: int = 16,
        of: Part = "encoder",
        every: int = 1,
        unit: Unit = "epoch",
        directory: str | PathLike[str] | None = None,
        log_dir: str | PathLike[str] | None = None,
        sinks: Sequence[Sink] = (),
        prefix: str = "tangent",
        encoder: Callable | None = None,
        decoder: Callable | None = None,
        also: Sequence[OfModel] = (),
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
        self.k: int = check_count("k", k)
        self.of: Part = check_choice("of", of, Part)
        self.encoder: Callable | None = _checked_callable("encoder", encoder)
        self.decoder: Callable | None = _checked_callable("decoder", decoder)
        self.also: tuple[OfModel, ...] = _checked_names(also)
        self.scalars = (*type(self).scalars, *self.also)

    def _prepare(self):
        if DENOISER_DIMENSION in self.also:
            with contextlib.suppress(TransientError):  # the noise may rise from 0
                _scale_of_noise(self.model)
        self._last_space = None
        self._most = None
        self._has_warned = False
        self._watched()  # a part that is missing is reported now

    def _resume(self, arrays):
        found = arrays(space_name(self.prefix))
        if found is not None and np.array_equal(found.get(INPUT, ()), self.x):
            names = (VECTORS, SINGULAR_VALUES, CODE_VECTORS)
            self._last_space = TangentSpace(**{name: found[name] for name in names})

    def _snapshot(self, step):
        try:
            watched = self._watched()
            # All directions, as the norm and the dimension need every singular value; where
            # that takes too many passes, the leading ones and an estimate of the rest.
            k = self.k if self._takes_lanczos(watched) else None
            space = tangent_space(
                watched, self.x, of=self.of, k=k, batch_size=len(self.x), verbose=0
            )
            metric = self._decoder_metric(watched)
            also: dict[str, Any] = {}
            if metric is not None:
                also[DECODER_DISTORTION] = _distortion(metric)
            if DENOISER_DIMENSION in self.also:
                also[DENOISER_DIMENSION] = self._denoiser_dimension()
        except FloatingPointError as error:
            if not self._has_warned:
                warnings.warn(
                    f"No tangent space {self._when(step)}: {error} Its scalars are NaN; "
                    "further such snapshots are not reported.",
                    stacklevel=2,
                )
            self._has_warned = True
            return self._of(step, dict.fromkeys(self.scalars, np.nan))
        sigma = space.singular_values
        leading = space.leading(min(self.k, sigma.shape[1]))
        drift = 0.0
        if self._last_space is not None:
            # Beside the threads of the backend, those of BLAS wait for a core: 200 times as
            # long as the small products take on one.
            with ONE_BLAS_THREAD:
                drift = principal_angles(self._last_space, leading).mean()
        self._last_space = leading
        scalars = {
            NORM: np.sqrt(np.square(sigma).sum(axis=1)).mean(),
            DIMENSION: local_dimension(sigma).mean(),
            TOP: sigma[:, 0].mean(),
            DRIFT: drift,
            **also,
        }
        if k is not None:
            scalars |= self._estimated(watched, space)
        if not self._has_recipients:
            return self._of(step, scalars)
        arrays = {
            **leading.arrays(),
            SPECTRUM: sigma,
            **self._codes(),
            **self._samples.arrays(),
        }
        arrays.pop("inputs", None)  # the samples, which all snapshots share
        if metric is not None and 2 <= metric.shape[1] <= _MOST_CODES:
            arrays[METRIC] = metric.astype("float32")
        return self._of(step, scalars, arrays, self._drawings(leading, sigma, step))

    def _takes_lanczos(self, watched):
        """Whether the leading `k` directions alone are computed."""
        if self._most is None:
            options = {"of": self.of, "k": None, "method": "auto", "seed": None}
            decomposition = Decomposition(watched, self.x, **options)
            self._most = decomposition.k
            given = self.encoder if self.of == "encoder" else None
            if is_whole(given) and decomposition.is_square:
                warn_of_whole(given)
        return takes_lanczos(self._most, self.k)

    def _estimated(self, watched, space):
        """Norm and dimension, and the standard error of the norm, by random probes."""
        options = {"of": self.of, "k": self.k, "method": "auto", "seed": None}
        decomposition = Decomposition(watched, self.x, **options)
        squares, fourths = decomposition.remainders(self.x, space.arrays())
        sigma = space.singular_values.astype("float64")
        total = np.square(sigma).sum(axis=1) + squares.mean(axis=1)
        norms = np.sqrt(total)
        spread = squares.std(axis=1, ddof=1) / np.sqrt(squares.shape[1]) / (2 * norms)
        fourth = (sigma**4).sum(axis=1) + fourths.mean(axis=1)
        return {
            NORM: norms.mean(),
            DIMENSION: (total**2 / fourth).mean(),
            NORM_ERROR: np.sqrt(np.square(spread).sum()) / len(norms),
        }

    def _watched(self):
        """The parts of the model, or a function without parts, for `tangent_space`."""
        model = self.model  # which reads the present weights, on JAX too
        encoder = self.encoder or getattr(model, "encoder", None)
        decoder = self.decoder or getattr(model, "decoder", None)
        asks = f'of="{self.of}"'
        if DECODER_DISTORTION in self.also:
            asks += f" and also={list(self.also)}"
        elif self.of == "reconstruction" and encoder is None and decoder is None:
            return model
        needed = {"encoder": encoder}
        if self.of != "encoder" or DECODER_DISTORTION in self.also:
            needed["decoder"] = decoder
        for name, part in needed.items():
            if part is None:
                raise ValueError(
                    f"TangentAnalyzer with {asks} needs {_ARTICLED[name]}. "
                    f"Received: a model {model.name!r} of type {type(model).__name__} "
                    f"without the attribute `{name}`, and {name}=None. Pass "
                    f"{name}=..., a layer, a model or a callable."
                )
        return SimpleNamespace(encoder=encoder, decoder=decoder)

    def _decoder_metric(self, watched):
        """The decoder's metric at the codes of the samples, where it is asked for."""
        if DECODER_DISTORTION not in self.also:
            return None
        codes = Map(watched.encoder).values(self.x).astype("float32")
        if not np.isfinite(codes).all():
            raise FloatingPointError("the codes are not finite.")
        return pullback_metric(watched.decoder, codes)

    def _denoiser_dimension(self):
        model = self.model
        if not np.min(model.noise.level) > 0:
            return np.nan
        scales = [_scale_of_noise(model)]
        curve = dimension_curve(
            model, self.x, scales, draws=_DRAWS, seed=_SEED, batch_size=len(self.x)
        )
        return curve.dimensions.mean()

    def _full_name(self, name):
        # What is of the model is no part of its tangents.
        is_bare = name in get_args(OfModel) and self.prefix == "tangent"
        return name if is_bare else super()._full_name(name)

    def _codes(self):
        """Codes of the samples, where there is an encoder."""
        encoder = getattr(self._watched(), "encoder", None)
        if encoder is None:
            return {}
        return {CODES: Map(encoder).values(self.x).astype("float32")}

    def _drawings(self, space, spectrum, step):
        when = self._when(step)
        drawings = {
            SPECTRUM: Drawing(
                plot.spectrum,
                spectrum,
                title=f"Singular values of the {self.of}, {when}",
            )
        }
        images = self._samples.shown(self.x)
        if space.vectors.shape[2:] == self.x.shape[1:]:
            drawings[VECTORS] = Drawing(
                plot.tangents,
                replace(space, vectors=self._samples.shown(space.vectors), inputs=images),
                index=range(len(images)),
                labels=self._samples.labels_of(images),
                title=f"Tangent vectors of the {self.of}, {when}",
                **self._samples.look,
            )
        return {self._full_name(name): drawing for name, drawing in drawings.items()}

    def _of(self, step, scalars, arrays=None, drawings=None):
        scalars = self._full_scalars(scalars)
        name = space_name(self.prefix)
        return Snapshot(name, step, arrays or {}, drawings or {}, scalars)


def _scale_of_noise(model):
    """Standard deviation of its Gaussian noise; of a pair of levels the geometric mean."""
    noise: Any = getattr(model, "noise", None)
    is_gaussian = isinstance(noise, NoiseInjection) and noise.kind == "gaussian"
    if is_gaussian and noise.clip is None and isinstance(noise.level, tuple):
        return math.sqrt(math.prod(noise.level))
    return noise_stddev(model, None)


def _distortion(metric):
    stretch = np.trace(metric, axis1=1, axis2=2).mean()
    return np.square(metric).sum(axis=(1, 2)).mean() / stretch**2 if stretch else 0.0


_ARTICLED = {"encoder": "an `encoder`", "decoder": "a `decoder`"}


def _checked_callable(name, value):
    if value is not None and not callable(value):
        raise TypeError(
            f"`{name}` must be a Keras layer or model, another callable, or None. "
            f"Received: {name}={value!r}."
        )
    return value


def _checked_names(also):
    names = (also,) if isinstance(also, str) else tuple(also)
    for name in names:
        check_choice("also", name, OfModel)
    return tuple(dict.fromkeys(names))
