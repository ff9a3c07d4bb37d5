"""What a denoiser says of the density: where it points, and how far."""

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import check_count, check_number
from keras_manifold._map.budget import samples_held
from keras_manifold._map.checks import check_eager, warn_where_not_finite
from keras_manifold._map.compiled import (
    ONE_AT_A_TIME,
    SAMPLES_CHECKED,
    Products,
    ShorterSide,
)
from keras_manifold._map.function import Map
from keras_manifold._storage.streams import floating_samples, padded
from keras_manifold.noise import NoiseInjection

__all__ = ["score"]


class TransientError(ValueError):
    """Noise of level 0, or numbers that are not finite: both may go while `fit` runs."""


def score(
    model: Any, x: Any, *, stddev: float | None = None, batch_size: int = 32
) -> Annotated[NDArray[np.floating], "n *input_shape"]:
    r"""Score of the smoothed density, from a denoiser: $(r(x) - x) / \sigma^2$.

    The best denoiser of Gaussian noise of standard deviation $\sigma$ is the mean of the
    clean samples that may lie behind a noisy one, and by Tweedie's formula
    $r(x) - x = \sigma^2 \nabla \log p_\sigma(x)$, where $p_\sigma$ is the density of the
    data with that noise added. It points back to the manifold. A trained network comes
    close to it where noisy samples of its training lay, some $\sigma$ around the data;
    farther out its direction means nothing. Cost: one prediction, after a check of the
    model with five samples, which for a small network takes longer.

    Args:
        model: `AutoEncoder` trained with Gaussian noise, or another Keras model or
            callable, from noisy samples `(batch, *input_shape)` to clean ones.
        x: Where, `(n, *input_shape)`. Noisy samples are what the network knows best.
        stddev: $\sigma$, above 0, in the units of `x`. `None` reads it from the `noise` of
            an `AutoEncoder`: Gaussian, of one level, not clipped. Another than that of the
            noise costs a warning.
        batch_size: Samples in a batch, at least 1.

    Returns:
        NumPy array of shape `(n, *input_shape)`, in one over the units of `x`; float32, or
            float64 where `floatx` is. One warning says of how many samples it is NaN or
            infinite, as the outputs of the model are.

    Raises:
        ValueError: If `stddev` is not above 0, so small or large that float32 does not hold
            its square, or `None` where the model has no such noise; if `x` has no samples,
            has another shape than the model takes, or lies outside the clip of the noise;
            or if outputs are not of the shape of the samples.
        FloatingPointError: If an entry of `x` is NaN or infinite.
        TypeError: If `model` can't be called, or does not take and return one tensor.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> best_denoiser = lambda x: x / (1 + 0.5**2)  # of N(0, 1) under noise of 0.5
        >>> x = np.array([[1.25], [2.5]])
        >>> km.score(best_denoiser, x, stddev=0.5).ravel().round(3).tolist()
        [-1.0, -2.0]

    References:
        Alain and Bengio (2014), What regularized auto-encoders learn from the
        data-generating distribution, JMLR 15. Vincent (2011), A connection between score
        matching and denoising autoencoders, Neural Computation 23.
    """
    check_eager()
    stddev = noise_stddev(model, stddev)
    x = floating_samples(x)
    denoised = Denoiser(model, x, batch_size=batch_size)(x)
    with np.errstate(over="ignore"):
        found = (denoised - x) / x.dtype.type(stddev**2)
    warn_where_not_finite(found, stacklevel=2)
    return found


def noise_stddev(model: Any, stddev: float | None) -> float:
    """The standard deviation that was given, or else that of the model's noise.

    It warns, at the line that called its caller, where the noise has another one.

    Raises:
        ValueError: If it is not above 0, or the noise is not Gaussian of one level without
            clip; by the reason. `TransientError` if the level of the noise is 0.
    """
    if stddev is None:
        stddev = _level_of(getattr(model, "noise", None))
    stddev = check_number("stddev", stddev, positive=True)
    if not have_squares(stddev):
        raise ValueError(
            "`stddev` must have a square that float32 can hold: from about 1e-22 to 1e19. "
            f"Received: stddev={stddev}. Scale the samples, and `stddev` with them."
        )
    if unknown_levels(model, np.array([stddev])).size:
        warnings.warn(
            f"The model was trained with noise of level={model.noise.level!r}, and what it "
            f"makes of other noise says little of the density. Received: stddev={stddev}. "
            "Train with NoiseInjection(level=(low, high)), or with that level.",
            stacklevel=3,
        )
    return stddev


def have_squares(stddevs: Any) -> bool:
    """Whether float32 holds the squares of all of them, neither 0 nor infinite."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.square(np.asarray(stddevs, "float32"))
    return bool(np.all((squares > 0) & (squares < np.inf)))


def unknown_levels(model: Any, stddevs: np.ndarray) -> np.ndarray:
    """Those of the standard deviations that a model's Gaussian noise does not have.

    They differ by more than 1 % from its level, or from all in its range. None are unknown
    where its noise is not Gaussian or clipped, or has level 0, where a schedule may have
    ended.
    """
    noise: Any = getattr(model, "noise", None)
    is_gaussian = isinstance(noise, NoiseInjection) and noise.kind == "gaussian"
    if not is_gaussian or noise.clip is not None:
        return stddevs[:0]
    low, high = np.broadcast_to(noise.level, (2,))
    return stddevs[(high > 0) & ((stddevs < 0.99 * low) | (stddevs > 1.01 * high))]


def _level_of(noise):
    reason, error = _why_no_stddev(noise), ValueError
    if reason is None and not noise.level > 0:
        reason = f"level={noise.level!r}, no noise (a schedule may have ended there)"
        error = TransientError
    if reason is None:
        return noise.level
    raise error(
        "`stddev=None` reads the standard deviation from an AutoEncoder's Gaussian "
        f"NoiseInjection of one level without clip. Received: {reason}. Pass stddev=..., "
        "the standard deviation of the noise that the model removes."
    )


def _why_no_stddev(noise):
    if noise is None:
        return "a model without `noise`"
    if not isinstance(noise, NoiseInjection):
        return f"noise of type {type(noise).__name__}, which need not be Gaussian"
    if noise.kind != "gaussian":
        return f"noise of kind={noise.kind!r}, whose denoiser has no such formula"
    if np.ndim(noise.level):
        return f"level={noise.level!r}, noise of many levels"
    if noise.clip is not None:
        return f"clip={noise.clip!r}, after which the noise is not Gaussian"
    return None


class Denoiser:
    """A function from noisy to clean samples, checked once, in batches of one size.

    Args:
        model: Keras model or callable.
        x: The first samples, `(n, *input_shape)`, with which it is checked.
        batch_size: Samples in a batch.
        are_data: Whether `x` are data of a user, which lie within the clip of the noise.

    Raises:
        ValueError, TypeError: What is wrong with the model or the samples.
    """

    def __init__(
        self,
        model: Callable,
        x: np.ndarray,
        *,
        batch_size: int = 32,
        are_data: bool = True,
    ):
        self.batch_size: int = min(check_count("batch_size", batch_size), len(x))
        if not callable(model):
            raise TypeError(
                "`model` must be a Keras model, or a callable from noisy to clean samples. "
                f"Received: model={model!r}."
            )
        self._samples = x[:SAMPLES_CHECKED]
        if are_data:
            check_within_clip(model, x)
        with ONE_AT_A_TIME:
            self.map: Map = Map(model, "model").checked(self._samples)
        if self.map.output_shape != x.shape[1:]:
            raise ValueError(
                "A denoiser returns samples of the shape that it takes. Received: outputs "
                f"of shape {(None, *self.map.output_shape)} for samples of shape "
                f"{(None, *x.shape[1:])}. Pass samples of the shape that the model "
                "returns, the whole autoencoder, or a callable that reshapes its outputs."
            )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Clean samples, of the shape and dtype of `x`."""
        return self._by_batches(self._outputs, x)

    def push(self, x: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """$J_r(x) v$ of a vector at each sample, of the shape and dtype of `x`."""
        return self._by_batches(self._pushed, x, vectors)

    def divergence(self, x: np.ndarray) -> np.ndarray:
        r"""$\mathrm{tr} J_r(x)$, exactly: a pass for each entry of a sample. `(n,)`."""
        sides = ShorterSide.of(self.map, x[:SAMPLES_CHECKED])
        size = min(self.batch_size, samples_held(sides.entries))
        traces = [
            np.trace(
                sides.predict_on_batch(padded(batch, size)).reshape(size, sides.passes, -1),
                axis1=1,
                axis2=2,
            )[: len(batch)]
            for batch in _batches(x, size)
        ]
        return np.concatenate(traces).astype("float64")

    @functools.cached_property
    def _products(self):  # compiled at the first call, and kept here for plain callables
        return Products.of(self.map, self._samples, forwards=True)

    def _pushed(self, x, vectors):
        return self._products.predict_on_batch([x, vectors.reshape(len(x), 1, -1)])

    def _outputs(self, x):
        with ONE_AT_A_TIME:
            return np.asarray(self.map.values(x))

    def _by_batches(self, function, *arrays):
        size = self.batch_size
        results = np.empty_like(arrays[0])
        for start in range(0, len(results), size):
            parts = [array[start : start + size] for array in arrays]
            count = len(parts[0])
            outputs = function(*(padded(part, size) for part in parts))
            results[start : start + count] = outputs.reshape(size, *results.shape[1:])[
                :count
            ]
        return results


def _batches(x, size) -> Iterator[np.ndarray]:
    return (x[start : start + size] for start in range(0, len(x), size))


def check_within_clip(model: Any, x: np.ndarray) -> None:
    """Refuses samples outside the clip of a model's noise."""
    noise = getattr(model, "noise", None)
    clip = noise.clip if isinstance(noise, NoiseInjection) else None
    if clip is not None and (x.min() < clip[0] or x.max() > clip[1]):
        raise ValueError(
            f"Samples must lie within the clip of the model's noise, {clip}, as the model "
            f"has seen none outside. Received: x in [{x.min():g}, {x.max():g}]. Scale them "
            "as in training."
        )
