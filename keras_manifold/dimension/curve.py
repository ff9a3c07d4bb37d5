"""Local dimension over scales, from denoisers."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from keras_manifold._arguments import check_choice, check_count
from keras_manifold._map.checks import warn_where_not_finite
from keras_manifold._storage.streams import floating_samples
from keras_manifold.denoising import Denoiser, have_squares, unknown_levels
from keras_manifold.dimension.denoiser import share_kept, sums_of_entries
from keras_manifold.noise import NoiseInjection

Estimator = Literal["stein", "flipd", "loss"]

# Scales in the window that `plateau` moves over the curve.
_WINDOW = 3


@dataclass(frozen=True, eq=False)
class DimensionCurve:
    """Local dimension of each sample at each scale.

    Attributes:
        stddevs: Scales, ascending, in the units of the samples, float64, shape `(s,)`.
        dimensions: Dimension of each sample at each scale, float64, shape `(s, n)`. Both
            are made NumPy arrays of what is given.
        estimator: `"stein"`, `"flipd"` or `"loss"`.

    Raises:
        ValueError: If `stddevs` are not ascending and above 0, the shapes do not match, or
            `estimator` is unknown.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> curve = km.DimensionCurve(np.array([0.1, 0.2, 0.4, 0.8]),
        ...                           np.array([[3.0], [2.1], [1.9], [2.0]]), "stein")
        >>> curve.plateau().tolist()
        [2.0]
    """

    stddevs: Annotated[NDArray[np.float64], "s"]
    dimensions: Annotated[NDArray[np.float64], "s n"]
    estimator: Estimator

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, Estimator)
        stddevs = _as_stddevs(self.stddevs)
        try:
            dimensions = np.asarray(self.dimensions, "float64")
        except (TypeError, ValueError):
            raise ValueError(
                "`dimensions` must be numbers of shape (s, n). Received: "
                f"dimensions={self.dimensions!r}."
            ) from None
        if dimensions.ndim != 2 or len(dimensions) != len(stddevs):
            raise ValueError(
                "`dimensions` must be of shape (s, n) for `stddevs` of shape (s,). "
                f"Received: shapes {dimensions.shape} and {stddevs.shape}."
            )
        object.__setattr__(self, "stddevs", stddevs)  # the class is frozen
        object.__setattr__(self, "dimensions", dimensions)

    def plateau(self) -> Annotated[NDArray[np.float64], "n"]:
        """Dimension of each sample where its curve is flattest.

        The mean over the three neighbouring scales whose values differ least for their
        distance in the logarithm of the scale. Curves are flat elsewhere too: far above the
        size of the manifold, where they count no direction, and often below the spacing of
        the training samples, where they are wrong. Give scales in between, and look at the
        curve. With one or two scales, their mean.

        Returns:
            NumPy array of shape `(n,)`, float64.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> flat = np.ones((4, 2))
            >>> km.DimensionCurve(np.arange(1.0, 5.0), flat, "loss").plateau().tolist()
            [1.0, 1.0]
        """
        width = min(_WINDOW, len(self.stddevs))
        windows = np.lib.stride_tricks.sliding_window_view(self.dimensions, width, axis=0)
        if width == 1:
            return self.dimensions[0]
        scale = np.log(np.asarray(self.stddevs, "float64"))
        widths = scale[width - 1 :] - scale[: 1 - width]
        flattest = np.argmin(np.ptp(windows, axis=-1) / widths[:, None], axis=0)
        return windows.mean(axis=-1)[flattest, np.arange(windows.shape[1])]

    def __repr__(self) -> str:
        scales, count = self.dimensions.shape
        return (
            f"DimensionCurve({self.estimator}, {count} samples at {scales} scales from "
            f"{self.stddevs[0]:g} to {self.stddevs[-1]:g})"
        )


def dimension_curve(
    model: Any,
    x: Any,
    stddevs: ArrayLike,
    *,
    estimator: Estimator = "stein",
    draws: int = 8,
    seed: int | None = None,
    batch_size: int = 128,
) -> DimensionCurve:
    r"""Local dimension of each sample over scales, from what a denoiser makes of noise.

    A denoiser removes noise across the manifold and keeps noise along it. At a scale
    $\sigma$ between the spacing of the training samples and the bends of the manifold, the
    share that it keeps is the dimension. With noise $\varepsilon$ of variance $\sigma^2$:

    - `"stein"`: $\mathrm{tr}\,\mathrm{Cov}(r(x + \varepsilon), \varepsilon) / \sigma^2$,
      the mean divergence of $r$ around $x$: see `denoiser_dimension`, its short form.
      Standard error about $\sqrt{2 d / \text{draws}}$ per sample.
    - `"flipd"`: $\mathrm{tr}\, J_r(x) + \|r(x) - x\|^2 / \sigma^2$, exactly, without
      `draws` and `seed`. The second term counts the distance from the manifold.
    - `"loss"`: $E \|r(x + \varepsilon) - x\|^2 / \sigma^2$, the loss of denoising.

    The best denoiser of Gaussian data of variances $\lambda$ has
    $\sum \lambda / (\lambda + \sigma^2)$ under all three: `"stein"` everywhere, `"loss"` on
    average over the data, `"flipd"` at their mean. **A network that was trained with noise
    of one level knows that scale only**: train with `NoiseInjection(level=(low, high))`,
    which draws a level per sample, or pass a list of models, one per scale. Where a model
    has a `noise`, other levels cost a warning, and so do no noise, noise that is not
    Gaussian, and a clip. Below the spacing of the training samples networks
    err either way: of a sphere of dimension 5, at the least scale, `"flipd"` said 5.9,
    `"loss"` 5.7 and `"stein"` 4.6. Images of digits have no plateau. Cost per scale:
    `draws` predictions, or for `"flipd"` one and a pass for each entry of a sample. Memory:
    a few times that of `x`, and one batch.

    Args:
        model: `AutoEncoder`, or another Keras model or callable, from noisy samples to
            clean ones; or a list of them, one per scale.
        x: Clean samples, `(n, *input_shape)`.
        stddevs: Scales $\sigma$ in the units of `x`, above 0, ascending, shape `(s,)`.
            Float32 must hold their squares: from about 1e-22 to 1e19.
        estimator: `"stein"`, `"flipd"` or `"loss"`.
        draws: Draws of noise around each sample, at least 1; at least 2 for `"stein"`. They
            have the same directions at every scale.
        seed: Integer of at least 0 for the same draws at each call, or `None`.
        batch_size: Samples in a batch, at least 1.

    Returns:
        A `DimensionCurve`. NaN or infinite, with one warning that counts the samples, where
            the outputs of the model are.

    Raises:
        ValueError: If `stddevs` are not ascending and above 0, if another argument is out
            of range, for the samples and models that `score` refuses, or if a list holds
            another number of models.
        TypeError: If `model` can't be called, or does not take and return one tensor.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> keeps_two = lambda x: x * keras.ops.array([1.0, 1.0, 0.0, 0.0])
        >>> curve = km.dimension_curve(
        ...     keeps_two, np.zeros((3, 4)), [0.1, 0.2, 0.4], estimator="flipd")
        >>> curve.plateau().tolist()
        [2.0, 2.0, 2.0]

    References:
        Stein (1981), Estimation of the mean of a multivariate normal distribution, The
        Annals of Statistics 9. Kamkari et al. (2024), A geometric view of data complexity:
        efficient local intrinsic dimension estimation with diffusion models, NeurIPS
        (`"flipd"`). Yeats et al. (2025), on the denoising loss as a bound of the dimension
        (`"loss"`).
    """
    stddevs = _as_stddevs(stddevs)
    check_choice("estimator", estimator, Estimator)
    draws = check_count("draws", draws, least=2 if estimator == "stein" else 1)
    if seed is not None:
        check_count("seed", seed, least=0, note="or None")
    models = _one_per_scale(model, stddevs)
    x = floating_samples(x)
    # The same directions at every scale: differences along the curve are no chance.
    seed = np.random.SeedSequence(seed).entropy  # type: ignore[assignment]
    denoisers = {
        key: Denoiser(one, x, batch_size=batch_size)
        for key, one in {id(one): one for one in models}.items()
    }
    _warn_of_other_noise(models, stddevs)
    dimensions = np.empty((len(stddevs), len(x)))
    for i, (one, stddev) in enumerate(zip(models, stddevs)):
        rng = np.random.default_rng(seed)
        with np.errstate(invalid="ignore", over="ignore"):
            dimensions[i] = _ESTIMATORS[estimator](
                denoisers[id(one)], x, stddev, draws, rng
            )
    warn_where_not_finite(dimensions.T, stacklevel=2)
    return DimensionCurve(stddevs, dimensions, estimator)


def _draws(denoiser, x, stddev, draws, rng):
    """Index of some samples, noise around them and what is made of it, by batches."""
    total, size = draws * len(x), denoiser.batch_size
    for start in range(0, total, size):
        index = np.arange(start, min(start + size, total)) % len(x)
        noise = rng.standard_normal((len(index), *x.shape[1:]), "float32")
        noise *= np.float32(stddev)
        yield index, noise, denoiser(x[index] + noise)


def _stein(denoiser, x, stddev, draws, rng):
    return share_kept(_draws(denoiser, x, stddev, draws, rng), x, draws)


def _loss(denoiser, x, stddev, draws, rng):
    losses = np.zeros(len(x))
    for index, _, denoised in _draws(denoiser, x, stddev, draws, rng):
        losses[index] += _squares(denoised - x[index])
    return losses / (draws * stddev**2)


def _flipd(denoiser, x, stddev, draws, rng):
    return denoiser.divergence(x) + _squares(denoiser(x) - x) / stddev**2


def _squares(values):
    return sums_of_entries(np.square(values.astype("float64")))


_ESTIMATORS: dict[str, Callable] = {"stein": _stein, "flipd": _flipd, "loss": _loss}


def _one_per_scale(model, stddevs) -> Sequence[Any]:
    if isinstance(model, (list, tuple)):
        if len(model) != len(stddevs):
            raise ValueError(
                "A list of models must hold one per scale. Received: "
                f"{len(model)} models for {len(stddevs)} stddevs."
            )
        return model
    return [model] * len(stddevs)


def _warn_of_other_noise(models, stddevs):
    """One warning per noise that a model has in place of that of its scale."""
    unknown: dict[str, list[float]] = {}
    for model, stddev in zip(models, stddevs):
        how = _other_noise(model, stddev)
        if how is not None:
            unknown.setdefault(how, []).append(stddev)
    for how, scales in unknown.items():
        warnings.warn(
            f"The model was trained {how}, and what it makes of other noise says little of "
            f"the dimension. Received: stddevs {np.array(scales)}. Train with "
            "NoiseInjection(level=(low, high)), or pass a list of models, one per scale.",
            stacklevel=3,
        )


def _other_noise(model, stddev):
    """With what a model was trained, if not with Gaussian noise of that `stddev`."""
    noise = getattr(model, "noise", False)
    if noise is None and isinstance(model, keras.Model):
        return "without noise"
    if not isinstance(noise, NoiseInjection):
        return None
    if noise.kind != "gaussian":
        return f"with noise of kind={noise.kind!r}"
    if noise.clip is not None:
        return f"with noise of clip={noise.clip!r}, after which it is not Gaussian"
    is_silent = not np.max(noise.level) > 0
    if is_silent or unknown_levels(model, np.array([stddev])).size:
        return f"with noise of level={noise.level!r}"
    return None


def _as_stddevs(stddevs) -> np.ndarray:
    """Ascending, positive standard deviations as float64 `(s,)`."""
    is_list = isinstance(stddevs, (list, tuple))
    has_flags = is_list and any(isinstance(value, bool) for value in stddevs)
    try:
        values = ops.convert_to_numpy(stddevs) if ops.is_tensor(stddevs) else stddevs
        values = np.asarray(values)
    except (TypeError, ValueError):
        values = np.empty(0)
    are_numbers = values.ndim == 1 and values.dtype.kind in "fiu" and not has_flags
    values = values.astype("float64") if are_numbers else np.empty(0)
    is_fine = values.size > 0 and np.isfinite(values).all() and (values > 0).all()
    if not is_fine or (np.diff(values) <= 0).any():
        raise ValueError(
            "`stddevs` must be finite numbers above 0, each larger than the one before. "
            f"Received: stddevs={stddevs!r}. Pass for example np.geomspace(0.05, 1.0, 12); "
            "np.unique sorts numbers and drops repetitions."
        )
    if not have_squares(values):
        raise ValueError(
            "`stddevs` must have squares that float32 can hold: from about 1e-22 to 1e19. "
            f"Received: stddevs={stddevs!r}. Scale the samples, and `stddevs` with them."
        )
    return values
