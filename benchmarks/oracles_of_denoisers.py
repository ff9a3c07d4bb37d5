"""Oracles of denoisers, whose rows `oracles.py` writes."""

import functools

import numpy as np
from oracle_rows import largest, oracle

# Denoisers of Gaussian data N(0, Σ), along no axis of the samples.

VARIANCES = np.array([4.0, 1.0, 0.25, 0.04])
AXES, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(4, 4)))
SIGMA = AXES @ np.diag(VARIANCES) @ AXES.T
STDDEV = 0.5
SMOOTHED = SIGMA + STDDEV**2 * np.eye(4)
GAINS = SIGMA @ np.linalg.inv(SMOOTHED)


def linear(matrix):
    """r(x) = A x, of samples as rows."""
    from keras import ops

    transposed = np.asarray(matrix.T, "float32")
    return lambda x: x @ ops.convert_to_tensor(transposed)


def correlated(rng, count):
    return rng.normal(size=(count, 4)) * np.sqrt(VARIANCES) @ AXES.T


@oracle(
    "`score`",
    case="correlated Gaussian data, best denoiser",
    closed_form=r"$-(\Sigma + \sigma^2 I)^{-1} x$",
)
def score_of_a_gaussian(rng):
    import keras_manifold as km

    x = rng.normal(size=(200, 4)).astype("float32")
    found = km.score(linear(GAINS), x, stddev=STDDEV)
    return largest(found, -x @ np.linalg.inv(SMOOTHED))


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
    "`score`",
    case="3 Gaussians with covariances in 2 dimensions, posterior mean",
    closed_form=r"$\nabla \log \sum_k w_k \, \mathcal{N}(x; m_k, \Sigma_k + \sigma^2 I)$",
)
def score_of_a_mixture_with_covariances(rng):
    from keras import ops

    import keras_manifold as km

    weights, means = np.array([0.5, 0.3, 0.2]), rng.normal(size=(3, 2))
    roots = rng.normal(size=(3, 2, 2))
    sigmas = roots @ roots.transpose(0, 2, 1) / 2
    smoothed = sigmas + STDDEV**2 * np.eye(2)
    inverses = np.linalg.inv(smoothed)
    logs = np.log(weights) - np.log(np.linalg.det(smoothed)) / 2

    def posterior_mean(x):
        centers, gains, precisions, constants = (
            ops.convert_to_tensor(part.astype("float32"))
            for part in (means, sigmas @ inverses, inverses, logs)
        )
        away = x[:, None] - centers
        squares = ops.sum(away * ops.einsum("kij,nkj->nki", precisions, away), -1)
        parts = centers + ops.einsum("kij,nkj->nki", gains, away)
        return ops.einsum("nk,nki->ni", ops.softmax(constants - squares / 2), parts)

    x = 1.5 * rng.normal(size=(200, 2))
    found = km.score(posterior_mean, x.astype("float32"), stddev=STDDEV)
    away = x[:, None] - means
    shares = np.exp(logs - np.einsum("nki,kij,nkj->nk", away, inverses, away) / 2)
    shares /= shares.sum(1, keepdims=True)
    return largest(found, -np.einsum("nk,kij,nkj->ni", shares, inverses, away))


# Circle and sphere with their best denoisers: radial, ρ(‖x‖) x / ‖x‖.

PLATEAU = np.array([0.03, 0.06, 0.12])


def mean_on(points, weights, stddev):
    """The mean of the points behind a noisy one; they integrate exactly over the curve."""
    from keras import ops

    points = points.astype("float32")
    logs = np.log(weights).astype("float32")

    def denoise(x):
        products = x @ ops.convert_to_tensor(points.T / np.float32(stddev**2))
        shares = ops.softmax(products + ops.convert_to_tensor(logs))
        return shares @ ops.convert_to_tensor(points)

    return denoise


def on_circle(stddev, count=512):
    angles = 2 * np.pi * np.arange(count) / count
    points = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return mean_on(points, np.ones(count), stddev)


def on_sphere(stddev, heights=24, turns=48):
    """By Gauss's rule along the axis: for noise of at least 0.3."""
    z, weights = np.polynomial.legendre.leggauss(heights)
    angles = 2 * np.pi * np.arange(turns) / turns
    z, angles = (part.ravel() for part in np.meshgrid(z, angles, indexing="ij"))
    across = np.sqrt(1 - z**2)
    points = np.stack([across * np.cos(angles), across * np.sin(angles), z], axis=-1)
    return mean_on(points, np.repeat(weights, turns), stddev)


def on_sphere_by_formula(stddev):
    from keras import ops

    def denoise(x):
        length = ops.sqrt(ops.sum(x**2, axis=1, keepdims=True))
        at = length / stddev**2
        return (1 / ops.tanh(at) - 1 / at) * x / length

    return denoise


def units(rng, count, size):
    x = rng.normal(size=(count, size))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def score_along_radii(rng, denoiser, size, ratio, stddev=0.3):
    import keras_manifold as km

    towards, radii = units(rng, 200, size), rng.uniform(0.3, 2, size=(200, 1))
    found = km.score(denoiser(stddev), (radii * towards).astype("float32"), stddev=stddev)
    return largest(found, (ratio(radii / stddev**2) - radii) / stddev**2 * towards)


@oracle(
    "`score`",
    case="circle, posterior mean over 512 points, noise of 0.3",
    closed_form=r"$(I_1(k) / I_0(k) - r) / \sigma^2$ along the radius, $k = r / \sigma^2$",
)
def score_around_a_circle(rng):
    from scipy.special import ive

    return score_along_radii(rng, on_circle, 2, lambda k: ive(1, k) / ive(0, k))


@oracle(
    "`score`",
    case="sphere, posterior mean over 1,152 points, noise of 0.3",
    closed_form=r"$(\coth k - 1 / k - r) / \sigma^2$ along the radius, $k = r / \sigma^2$",
)
def score_around_a_sphere(rng):
    return score_along_radii(rng, on_sphere, 3, lambda k: 1 / np.tanh(k) - 1 / k)


@oracle(
    '`dimension_curve`, `"flipd"`',
    case="correlated Gaussian data, 200 samples",
    closed_form=r"$\sum \lambda / (\lambda + \sigma^2) + \lVert (G - I) x \rVert^2 / "
    r"\sigma^2$",
)
def flipd_of_a_gaussian(rng):
    import keras_manifold as km

    x = correlated(rng, 200)
    curve = km.dimension_curve(linear(GAINS), x, [STDDEV], estimator="flipd")
    away = np.square(x @ (GAINS - np.eye(4))).sum(axis=1)
    return largest(curve.dimensions[0], np.trace(GAINS) + away / STDDEV**2)


def dimension_by_draws(rng, estimator):
    import keras_manifold as km

    curve = km.dimension_curve(
        linear(GAINS),
        correlated(rng, 5000),
        [STDDEV],
        estimator=estimator,
        draws=20,
        seed=0,
    )
    return largest(curve.dimensions.mean(), np.trace(GAINS))


@oracle(
    '`dimension_curve`, `"stein"`',
    case="correlated Gaussian data, mean over 5,000 samples and 20 draws",
    closed_form=r"$\sum \lambda / (\lambda + \sigma^2)$",
)
def stein_of_a_gaussian(rng):
    return dimension_by_draws(rng, "stein")


@oracle(
    '`dimension_curve`, `"loss"`',
    case="correlated Gaussian data, mean over 5,000 samples and 20 draws",
    closed_form=r"$\sum \lambda / (\lambda + \sigma^2)$",
)
def loss_of_a_gaussian(rng):
    return dimension_by_draws(rng, "loss")


def by_scikit_dimension(name, dimension):
    """That estimator's error, of 4,000 samples of the circle or sphere in 10 dimensions."""

    def peer(rng):
        import skdim

        axes, _ = np.linalg.qr(rng.normal(size=(10, dimension + 1)))
        x = units(rng, 4000, dimension + 1) @ axes.T
        return largest(getattr(skdim.id, name)().fit(x).dimension_, dimension)

    peer.__doc__ = f"Scikit-dimension 0.5.0, `{name}`"
    return peer


def peers_of(dimension):
    return [by_scikit_dimension(name, dimension) for name in ("lPCA", "MLE", "TwoNN")]


def error_of_plateau(rng, estimator, denoiser, dimension):
    """Of the mean over 1,000 samples, as the draws of one sample say little."""
    import keras_manifold as km

    curve = km.dimension_curve(
        [denoiser(stddev) for stddev in PLATEAU],
        units(rng, 1000, dimension + 1),
        PLATEAU,
        estimator=estimator,
        draws=20,
        seed=0,
    )
    return largest(curve.plateau().mean(), dimension)


def add_plateaus():
    for denoiser, name, dimension in (
        (on_circle, "circle", 1),
        (on_sphere_by_formula, "sphere", 2),
    ):
        for estimator in ("flipd", "stein", "loss"):
            error = functools.partial(
                error_of_plateau,
                estimator=estimator,
                denoiser=denoiser,
                dimension=dimension,
            )
            drawn = "" if estimator == "flipd" else " and 20 draws"
            add = oracle(
                f'`dimension_curve`, `"{estimator}"`',
                case=f"{name}, best denoiser, plateau of scales from 0.03 to 0.12, mean "
                f"over 1,000 samples{drawn}",
                closed_form=f"${dimension}$, up to about $\\sigma^2$",
                peers=peers_of(dimension),
            )
            add(error)


add_plateaus()


def covariance_of_chains(matrix, method, steps, **settings):
    import keras_manifold as km

    start = np.zeros((200_000, len(matrix)), "float32")
    settings |= {"stddev": STDDEV, "seed": 0, "batch_size": len(start), "verbose": 0}
    samples = km.sample(linear(matrix), start, steps, method=method, **settings)
    return np.cov(samples.T.astype("float64"))


@oracle(
    '`sample`, `"denoising"`',
    case="correlated Gaussian data, covariance of 200,000 chains after 20 steps",
    closed_form=r"$C \leftarrow G (C + \sigma^2 I) G^\top$",
)
def denoising_chains(rng):
    covariance = np.zeros((4, 4))
    for _ in range(20):
        covariance = GAINS @ (covariance + STDDEV**2 * np.eye(4)) @ GAINS.T
    return largest(covariance_of_chains(GAINS, "denoising", 20), covariance)


@oracle(
    '`sample`, `"tangent"`',
    case="a linear map that is not symmetric, covariance of 200,000 chains after 20 steps",
    closed_form=r"$C \leftarrow A C A^\top + s^2 A A A^\top A^\top$",
)
def tangent_chains(rng):
    a, covariance = np.array([[0.9, 0.5], [0.0, 0.3]]), np.zeros((2, 2))
    for _ in range(20):
        covariance = a @ covariance @ a.T + (3 * STDDEV) ** 2 * a @ a @ a.T @ a.T
    return largest(covariance_of_chains(a, "tangent", 20), covariance)


@oracle(
    '`sample`, `"langevin"`',
    case="correlated Gaussian data, covariance of 200,000 chains after 200 steps",
    closed_form=r"$S (I - \tfrac12 \eta S^{-1})^{-1}$, $S = \Sigma + \sigma^2 I$",
)
def langevin_chains(rng):
    size = STDDEV**2 / 2
    found = covariance_of_chains(GAINS, "langevin", 200, denoise_last=False)
    stationary = np.linalg.inv(np.eye(4) - size * np.linalg.inv(SMOOTHED) / 2)
    return largest(found, SMOOTHED @ stationary)
