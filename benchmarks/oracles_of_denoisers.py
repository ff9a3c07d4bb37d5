"""Oracles of denoisers, whose rows `oracles.py` writes."""

import numpy as np
from oracle_rows import largest, oracle

# Denoisers of Gaussian data with variances λ, which the best denoiser keeps the shares of.

VARIANCES = np.array([4.0, 1.0, 0.25, 0.04])
STDDEV = 0.5
GAINS = VARIANCES / (VARIANCES + STDDEV**2)


def best_denoiser(x):
    from keras import ops

    return x * ops.convert_to_tensor(GAINS.astype("float32"))


@oracle(
    "`score`",
    case="Gaussian data, best denoiser",
    closed_form=r"$-(\Sigma + \sigma^2 I)^{-1} x$",
)
def score_of_a_gaussian(rng):
    import keras_manifold as km

    x = rng.normal(size=(200, 4)).astype("float32")
    found = km.score(best_denoiser, x, stddev=STDDEV)
    return largest(found, -x / (VARIANCES + STDDEV**2))


@oracle(
    "`score`",
    case="7 points in 3 dimensions, posterior mean",
    closed_form=r"$\nabla \log \sum_i e^{-\lVert x - m_i \rVert^2 / 2 \sigma^2}$",
)
def score_of_a_mixture(rng):
    from keras import ops

    import keras_manifold as km

    means = rng.normal(size=(7, 3))
    x = rng.normal(size=(200, 3)).astype("float32")

    def posterior_mean(x):
        points = ops.convert_to_tensor(means.astype("float32"))
        squares = ops.sum((x[:, None] - points) ** 2, -1)
        return ops.softmax(-squares / (2 * STDDEV**2)) @ points

    squares = ((x[:, None].astype("float64") - means) ** 2).sum(-1) / (2 * STDDEV**2)
    shares = np.exp(squares.min(1, keepdims=True) - squares)
    shares /= shares.sum(1, keepdims=True)
    expected = (shares[..., None] * (means - x[:, None])).sum(1) / STDDEV**2
    return largest(km.score(posterior_mean, x, stddev=STDDEV), expected)


@oracle(
    '`dimension_curve`, `"flipd"`',
    case="Gaussian data, at the mean",
    closed_form=r"$\sum \lambda / (\lambda + \sigma^2)$",
)
def flipd_of_a_gaussian(rng):
    import keras_manifold as km

    curve = km.dimension_curve(best_denoiser, np.zeros((1, 4)), [STDDEV], estimator="flipd")
    return largest(curve.dimensions, GAINS.sum())


def dimension_by_draws(rng, estimator):
    import keras_manifold as km

    x = rng.normal(size=(5000, 4)) * np.sqrt(VARIANCES)
    curve = km.dimension_curve(
        best_denoiser, x, [STDDEV], estimator=estimator, draws=20, seed=0
    )
    return largest(curve.dimensions.mean(), GAINS.sum())


@oracle(
    '`dimension_curve`, `"stein"`',
    case="Gaussian data, mean over 5,000 samples and 20 draws",
    closed_form=r"$\sum \lambda / (\lambda + \sigma^2)$",
)
def stein_of_a_gaussian(rng):
    return dimension_by_draws(rng, "stein")


@oracle(
    '`dimension_curve`, `"loss"`',
    case="Gaussian data, mean over 5,000 samples and 20 draws",
    closed_form=r"$\sum \lambda / (\lambda + \sigma^2)$",
)
def loss_of_a_gaussian(rng):
    return dimension_by_draws(rng, "loss")


def variances_of_chains(method, steps, **settings):
    import keras_manifold as km

    start = np.zeros((200_000, 4), "float32")
    settings |= {"stddev": STDDEV, "seed": 0, "batch_size": len(start), "verbose": 0}
    return km.sample(best_denoiser, start, steps, method=method, **settings).var(
        axis=0, dtype="float64"
    )


@oracle(
    '`sample`, `"denoising"`',
    case="Gaussian data, variances of 200,000 chains after 20 steps",
    closed_form=r"$C \leftarrow G (C + \sigma^2 I) G^\top$",
)
def denoising_chains(rng):
    variances = np.zeros(4)
    for _ in range(20):
        variances = GAINS**2 * (variances + STDDEV**2)
    return largest(variances_of_chains("denoising", 20), variances)


@oracle(
    '`sample`, `"tangent"`',
    case="Gaussian data, variances of 200,000 chains after 20 steps",
    closed_form=r"$C \leftarrow G C G^\top + s^2 G^2 G^{2\top}$",
)
def tangent_chains(rng):
    variances = np.zeros(4)
    for _ in range(20):
        variances = GAINS**2 * variances + (3 * STDDEV) ** 2 * GAINS**4
    return largest(variances_of_chains("tangent", 20), variances)


@oracle(
    '`sample`, `"langevin"`',
    case="Gaussian data, variances of 200,000 chains after 200 steps",
    closed_form=r"$s / (1 - \eta / 2 s)$, $s = \lambda + \sigma^2$",
)
def langevin_chains(rng):
    s, size = VARIANCES + STDDEV**2, STDDEV**2 / 2
    found = variances_of_chains("langevin", 200, denoise_last=False)
    return largest(found, s / (1 - size / (2 * s)))
