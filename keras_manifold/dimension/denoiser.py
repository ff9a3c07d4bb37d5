"""Local dimension from what a denoiser makes of noise."""

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def denoiser_dimension(
    noise: ArrayLike, denoised: ArrayLike
) -> Annotated[NDArray[np.float64], "n"]:
    r"""Local dimension from what a denoiser makes of Gaussian noise around a sample.

    $d(x) = \mathrm{tr}\,\mathrm{Cov}(r(x + \varepsilon), \varepsilon) / s^2$ for noise
    $\varepsilon$ of variance $s^2$ in each entry, which by Stein's lemma is the mean
    divergence of the denoiser $r$ around $x$. A denoiser that removes the noise across the
    manifold and keeps the noise along it is there an orthogonal projection, whose
    divergence is the dimension; a blurred one counts each direction by the share of the
    noise that it keeps. It needs no Jacobian, only predictions. Its standard error is about
    $\sqrt{2 d / m}$ for `m` draws. Cost: one inner product a draw.

    Args:
        noise: What was added, $\varepsilon$: `m` independent draws around each of `n`
            samples, all of one variance, shape `(m, n, *input_shape)`, with `m` at least 2.
        denoised: What the denoiser made of $x + \varepsilon$, the same shape.

    Returns:
        NumPy array of shape `(n,)`. About [0, size of a sample]; by chance, or where the
        denoiser turns directions round, also below 0.

    Raises:
        ValueError: If one of the two is no array of numbers, the two differ in shape, there
            are fewer than two draws, or the noise is 0 or not finite.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> noise = 0.1 * np.random.default_rng(0).normal(size=(20000, 1, 5))
        >>> keeps_two = noise * [1, 1, 0, 0, 0]
        >>> km.denoiser_dimension(noise, 3 + keeps_two).round(1).tolist()
        [2.0]

    References:
        Stein (1981), Estimation of the mean of a multivariate normal distribution, The
        Annals of Statistics 9. Alain and Bengio (2014), What regularized auto-encoders
        learn from the data-generating distribution, JMLR 15.
    """
    noise, denoised = _as_array("noise", noise), _as_array("denoised", denoised)
    if noise.shape != denoised.shape or noise.ndim < 3 or len(noise) < 2:
        raise ValueError(
            "`noise` and `denoised` must be of one shape (m, n, *input_shape) with at "
            f"least two draws. Received: noise of shape {noise.shape}, denoised of shape "
            f"{denoised.shape}."
        )
    with np.errstate(over="ignore"):
        variance = np.square(noise).mean()
    if not 0 < variance < np.inf:
        raise ValueError(
            f"`noise` must be finite and other than 0. Received: mean square {variance}."
        )
    draws = ((slice(None), *pair) for pair in zip(noise, denoised))
    return share_kept(draws, denoised[0], len(noise))


def share_kept(
    batches: Iterable[tuple[Any, np.ndarray, np.ndarray]], centre: np.ndarray, draws: int
) -> np.ndarray:
    r"""$\mathrm{tr}\,\mathrm{Cov}(\text{denoised}, \text{noise}) / s^2$ of each sample.

    Args:
        batches: Index of some samples, none of them twice, the noise around them and what
            the denoiser made of it, both `(b, *input_shape)`.
        centre: Taken off what is denoised, so that sums keep its digits: something near,
            `(n, *input_shape)`.
        draws: Draws around each sample that the batches hold, at least 2.
    """
    noises, changes = np.zeros(centre.shape), np.zeros(centre.shape)
    products, squares = np.zeros(len(centre)), 0.0
    for index, noise, denoised in batches:
        change = np.subtract(denoised, centre[index], dtype="float64")
        noise = noise.astype("float64")
        products[index] += sums_of_entries(noise * change)
        noises[index] += noise
        changes[index] += change
        squares += np.square(noise).sum()
    products -= sums_of_entries(noises * changes) / draws
    variance = squares / (draws * noises.size)
    return products / ((draws - 1) * variance)


def sums_of_entries(values: np.ndarray) -> np.ndarray:
    """The sum over the entries of each sample, `(n,)`."""
    return values.sum(axis=tuple(range(1, values.ndim)))


def _as_array(name: str, values: ArrayLike) -> np.ndarray:
    try:
        return np.asarray(values, "float64")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of numbers of shape (m, n, *input_shape). "
            f"Received: {name} of type {type(values).__name__}, which does not convert: "
            f"{error}"
        ) from error
