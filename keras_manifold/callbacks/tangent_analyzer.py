"""Tangent vectors and spectrum, while `fit` runs."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from keras_manifold import plot
from keras_manifold.arguments import check_choice, check_count
from keras_manifold.callbacks.watch import Watch
from keras_manifold.dimension import local_dimension
from keras_manifold.tangent import principal_angles, tangent_space


class TangentAnalyzer(Watch):
    r"""Watches the tangent space at a few samples while `fit` trains.

    It looks once before training and then every `every` epochs. Four scalars, each a mean
    over the samples, go into Keras's `logs`, so that `History`, the progress bar and the
    callbacks that stand after this one in `callbacks=[...]` see them:

    - `tangent_norm`: $\|J\|_F$, how strongly the code follows the input;
    - `tangent_dimension`: the participation ratio of the singular values;
    - `tangent_top`: the largest singular value;
    - `tangent_drift`: the mean principal angle, in radians, in [0, π/2], between the
      leading `k` directions and those of the look before.

    On epochs without a look the last values stand. Figures show the first 16 samples, npz
    files hold all. Where `keras.distribution` joins several processes, all of them look and
    only the first one writes. Cost of a look: one `tangent_space` of the samples, compiled
    at the first, and the figures if they go anywhere.

    Args:
        x: Samples to watch, `(n, *input_shape)`; copied, integers as floating point.
        k: Leading directions to keep, at least 1; more than there are means all.
        of: `"encoder"`, `"decoder"` or `"reconstruction"`: see `tangent_space`.
        every: Epochs between two looks, at least 1.
        directory: Folder for `<prefix>_vectors_<epoch>.png`,
            `<prefix>_spectrum_<epoch>.png` and `<prefix>_space_<epoch>.npz` (which
            `TangentSpace.load` reads), made if missing. `None` for no files.
        sinks: Callables `(name, value, step)` that get each number, figure and mapping of
            arrays. `step` is the number of epochs trained.
        prefix: First part of all names.

    Raises:
        ValueError: If `x`, `k`, `of` or `every` is out of range; at the first look, if the
            model's codes are not of rank 2.
        OSError: At the start of `fit`, if `directory` can't be made or written.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> watch = km.TangentAnalyzer(x[:4], k=2)
        >>> history = model.fit(x, epochs=2, callbacks=[watch], verbose=0)
        >>> len(history.history["tangent_dimension"])
        2
    """

    def __init__(
        self,
        x: Any,
        *,
        k: int = 16,
        of: str = "encoder",
        every: int = 1,
        directory: str | PathLike | None = None,
        sinks: Sequence[Callable[[str, Any, int], Any]] = (),
        prefix: str = "tangent",
    ):
        super().__init__(x, every=every, directory=directory, sinks=sinks, prefix=prefix)
        self.k = check_count("k", k)
        self.of = check_choice("of", of, ("encoder", "decoder", "reconstruction"))

    def begin(self):
        self._last = None

    def look(self, step):
        try:
            # All directions: the norm and the dimension need every singular value.
            space = tangent_space(
                self.model, self.x, of=self.of, batch_size=len(self.x), verbose=0
            )
        except FloatingPointError as error:
            warnings.warn(f"No tangent space after epoch {step}: {error}", stacklevel=2)
            return self._report(
                step, norm=np.nan, dimension=np.nan, top=np.nan, drift=np.nan
            )
        sigma = space.singular_values
        leading = space.leading(min(self.k, sigma.shape[1]))
        drift = 0.0 if self._last is None else principal_angles(self._last, leading).mean()
        self._last = leading
        self._show(leading, sigma, step)
        return self._report(
            step,
            norm=np.sqrt((sigma**2).sum(axis=1)).mean(),
            dimension=local_dimension(sigma).mean(),
            top=sigma[:, 0].mean(),
            drift=drift,
        )

    def _report(self, step, **scalars):
        scalars = {f"{self.prefix}_{name}": float(value) for name, value in scalars.items()}
        for name, value in scalars.items():
            self.emit(name, value, step)
        return scalars

    def _show(self, space, spectrum, step):
        if not self._open_sinks:
            return
        self.emit(f"{self.prefix}_space", {**space.arrays(), "spectrum": spectrum}, step)
        when = "before training" if step == 0 else f"after epoch {step}"
        figure = plot.spectrum(spectrum, title=f"Singular values, {when}")
        self.emit(f"{self.prefix}_spectrum", figure, step)
        images = self.shown(self.x)
        if plot.are_images(images):
            figure = plot.tangents(
                replace(space, vectors=self.shown(space.vectors)),
                index=range(len(images)),
                images=images,
                title=f"Tangent vectors, {when}",
            )
            self.emit(f"{self.prefix}_vectors", figure, step)
