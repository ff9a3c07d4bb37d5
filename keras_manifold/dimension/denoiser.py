"""Local dimension from what a denoiser makes of noise."""

from typing import Annotated

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
        ValueError: If the two differ in shape, there are fewer than two draws, or the noise
            is 0.

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
    noise, denoised = (np.asarray(values, "float64") for values in (noise, denoised))
    if noise.shape != denoised.shape or noise.ndim < 3 or len(noise) < 2:
        raise ValueError(
            "`noise` and `denoised` must be of one shape (m, n, *input_shape) with at "
            f"least two draws. Received: noise of shape {noise.shape}, denoised of shape "
            f"{denoised.shape}."
        )
    variance = np.square(noise).mean()
    if not variance > 0:
        raise ValueError(
            f"`noise` must be finite and other than 0. Received: mean square {variance}."
        )
    around = denoised - denoised.mean(axis=0)
    axes = tuple(range(2, noise.ndim))
    return (noise * around).sum(axis=(0, *axes)) / ((len(noise) - 1) * variance)
