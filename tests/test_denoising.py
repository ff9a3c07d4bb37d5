import functools
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import keras_manifold as km

VARIANCES = np.array([4.0, 1.0, 0.25, 0.04], "float32")


def best_denoiser_of_gaussian(variances, stddev):
    """E[x | x + noise] of N(0, diag(variances))."""
    gains = (variances / (variances + stddev**2)).astype("float32")
    return lambda x: x * ops.convert_to_tensor(gains)


def denoising_model(level=0.3, kind="gaussian", **settings):
    noise = km.NoiseInjection(kind, level, **settings)
    return small_model(noise)


def small_model(noise=None):
    return km.AutoEncoder.dense(4, 2, units=(8,), output_activation=None, noise=noise)


def as_layer(variances, stddev):
    """The same denoiser as a Keras model with weights."""
    gains = variances / (variances + stddev**2)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, use_bias=False)])
    model.set_weights([np.diag(gains)])
    return model


@pytest.mark.parametrize("stddev", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("make", [best_denoiser_of_gaussian, as_layer])
def test_score_of_gaussian_data_is_that_of_the_gaussian_with_noise(make, stddev, rng):
    x = rng.normal(size=(50, 4)).astype("float32")
    found = km.score(make(VARIANCES, stddev), x, stddev=stddev)
    # float32 outputs, divided by a small variance
    expected = -x / (VARIANCES + stddev**2)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def in_other_coordinates(inner, scale, seed):
    """The denoiser after y = a Q x + b, that map of samples, and Q."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    q, shift = q.astype("float32"), rng.normal(size=4).astype("float32")

    def moved(y):
        x = (y - ops.convert_to_tensor(shift)) @ ops.convert_to_tensor(q) / scale
        return scale * inner(x) @ ops.convert_to_tensor(q.T) + ops.convert_to_tensor(shift)

    return moved, lambda x: (scale * x @ q.T + shift).astype("float32"), q


@pytest.fixture(scope="module")
def denoiser():
    return denoising_model()


def mixture(x, means, variance):
    """Log-density, up to a constant, and posterior mean of each centre's share, float64."""
    squares = ((x[:, None] - means) ** 2).sum(-1) / (2 * variance)
    shares = np.exp(squares.min(1, keepdims=True) - squares)
    return shares / shares.sum(1, keepdims=True)


def test_score_of_a_mixture_is_the_gradient_of_its_log_density(rng):
    """Points of equal weight: p_σ is a mixture, r the posterior mean over the points."""
    means = rng.normal(size=(7, 3))
    stddev = 0.4

    def posterior_mean(x):
        squares = ops.sum((x[:, None] - ops.convert_to_tensor(means, "float32")) ** 2, -1)
        shares = ops.softmax(-squares / (2 * stddev**2))
        return shares @ ops.convert_to_tensor(means, "float32")

    x = rng.normal(size=(20, 3)).astype("float32")
    found = km.score(posterior_mean, x, stddev=stddev)
    shares = mixture(x.astype("float64"), means, stddev**2)
    gradient = (shares[..., None] * (means - x[:, None])).sum(1) / stddev**2
    np.testing.assert_allclose(found, gradient, atol=1e-4)
    # and the same by differences of log p_σ, which uses no formula of the mean
    step = 1e-4

    def log_density(x):
        squares = ((x[:, None] - means) ** 2).sum(-1) / (2 * stddev**2)
        return np.log(np.exp(-squares).sum(1))

    for axis in range(3):
        shift = step * np.eye(3)[axis]
        slope = (log_density(x + shift) - log_density(x - shift)) / (2 * step)
        np.testing.assert_allclose(found[:, axis], slope, atol=1e-3)


def test_score_around_a_circle_points_along_the_radius_by_bessel_functions(rng):
    """p_σ ∝ exp(-r²/2σ²) I₀(r/σ²): the score is radial, (I₁/I₀(r/σ²) - r)/σ²."""
    from scipy.special import ive

    stddev = 0.3
    angles = 2 * np.pi * np.arange(512) / 512
    points = np.stack([np.cos(angles), np.sin(angles)], -1).astype("float32")

    def posterior_mean(x):
        return ops.softmax(x @ ops.transpose(points) / stddev**2) @ ops.convert_to_tensor(
            points
        )

    radii, directions = rng.uniform(0.3, 2, size=(30, 1)), rng.uniform(0, 7, size=30)
    units = np.stack([np.cos(directions), np.sin(directions)], -1)
    found = km.score(posterior_mean, (radii * units).astype("float32"), stddev=stddev)
    at = radii / stddev**2
    expected = (ive(1, at) / ive(0, at) - radii) / stddev**2 * units
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_score_reads_the_level_of_gaussian_noise(rng):
    x = rng.normal(size=(5, 4)).astype("float32")
    model = denoising_model(0.3)
    expected = (ops.convert_to_numpy(model(x)) - x) / 0.3**2
    np.testing.assert_allclose(km.score(model, x), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        km.score(lambda x: model(x), x, stddev=0.6), expected / 4, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("level", "stddev", "is_other"),
    [
        (0.3, 0.6, True),
        (0.3, 0.295, True),
        (0.3, 0.302, False),
        ((0.1, 0.5), 0.05, True),
        ((0.1, 0.5), 0.2, False),
        (0.0, 0.6, False),
    ],
)
@pytest.mark.parametrize(
    "use", [km.score, lambda *args, **options: km.sample(*args, 1, **options)]
)
def test_another_level_than_that_of_the_noise_costs_one_warning(
    use, level, stddev, is_other, recwarn
):
    use(denoising_model(level), np.ones((2, 4), "float32"), stddev=stddev)
    found = [w for w in recwarn if "says little of the density" in str(w.message)]
    assert len(found) == is_other
    for warning in found:
        assert f"level={level}" in str(warning.message)
        assert f"stddev={stddev}" in str(warning.message)
        assert "keras_manifold" not in Path(warning.filename).parts


@given(n=st.integers(1, 9), batch_size=st.integers(1, 10), seed=st.integers(0, 2**31))
@settings(max_examples=5)
def test_score_of_a_sample_is_that_of_the_sample_alone_and_of_any_order(
    denoiser, n, batch_size, seed
):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype("float32")
    whole = km.score(denoiser, x)
    found = km.score(denoiser, x, batch_size=batch_size)
    np.testing.assert_allclose(found, whole, atol=1e-4)
    order = rng.permutation(n)
    np.testing.assert_allclose(km.score(denoiser, x[order]), whole[order], atol=1e-4)


@given(scale=st.floats(0.1, 10), stddev=st.floats(0.2, 2), seed=st.integers(0, 2**31))
def test_score_changes_with_the_coordinates_as_a_gradient_does(scale, stddev, seed):
    """y = a Q x + b: the denoiser moves along, the score is Q s / a at σ a."""
    inner = best_denoiser_of_gaussian(VARIANCES, stddev)
    moved, there, q = in_other_coordinates(inner, scale, seed)
    x = np.random.default_rng(seed).normal(size=(6, 4)).astype("float32")
    found = km.score(moved, there(x), stddev=stddev * scale) * scale
    np.testing.assert_allclose(found, km.score(inner, x, stddev=stddev) @ q.T, atol=5e-4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: denoising_model(kind="masking"), "kind='masking'"),
        (lambda: denoising_model(kind="salt_and_pepper"), "kind='salt_and_pepper'"),
        (lambda: denoising_model(clip=(0, 1)), r"clip=\(0.0, 1.0\)"),
        (lambda: denoising_model(0.0), r"level=0.0, no noise \(a schedule"),
        (lambda: small_model(), "a model without `noise`"),
        (lambda: lambda x: x, "a model without `noise`"),
        (
            lambda: small_model(keras.layers.GaussianNoise(0.1)),
            "type GaussianNoise",
        ),
    ],
    ids=["masking", "salt", "clip", "zero", "no noise", "callable", "foreign"],
)
def test_a_standard_deviation_that_nobody_knows_is_asked_for(model, message):
    x = np.full((2, 4), 0.5, "float32")
    with pytest.raises(ValueError, match=f"`stddev=None` reads.*{message}"):
        km.score(model(), x)
    assert km.score(model(), x, stddev=0.1).shape == (2, 4)


@pytest.mark.parametrize("stddev", [0, -1.0, np.nan, "0.1", True])
def test_standard_deviations_that_are_none_are_refused(stddev):
    with pytest.raises(ValueError, match="`stddev` must be a finite number above 0"):
        km.score(lambda x: x, np.ones((2, 4)), stddev=stddev)


@pytest.mark.parametrize("method", ["langevin", "denoising", None])
@pytest.mark.parametrize("stddev", [1e-25, 1e-200, 1e25, 1e200])
def test_standard_deviations_whose_square_float32_cannot_hold_are_refused(method, stddev):
    x = np.ones((2, 4))
    use = functools.partial(km.sample, steps=2, method=method) if method else km.score
    received = re.escape(f"stddev={stddev}")
    with pytest.raises(ValueError, match=rf"`stddev` must have a square.*{received}"):
        use(lambda x: x, x, stddev=stddev)


def test_outputs_that_are_not_finite_cost_one_warning_that_counts_samples(recwarn):
    x = np.array([[1.0, 2], [-1, 2], [0, -3]], "float32")
    found = km.score(lambda x: ops.sqrt(x), x, stddev=0.1)
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, False]
    (warned,) = [w for w in recwarn if "at 2 of 3 samples" in str(w.message)]
    assert "keras_manifold" not in Path(warned.filename).parts


@pytest.mark.parametrize("shape", [(5,), (4, 2)])
def test_samples_of_another_shape_than_the_model_takes_are_refused_by_shape(shape):
    x = np.ones((2, *shape))
    message = rf"takes inputs of shape \(None, 4\).*samples of shape \({shape[0]},"
    for use in (
        lambda model: km.score(model, x),
        lambda model: km.sample(model, x, 2),
        lambda model: model.reconstruction_errors(x),
        lambda model: km.jacobian(model, x),
    ):
        with pytest.raises(ValueError, match=message):
            use(denoising_model())


def test_samples_outside_the_clip_or_not_finite_are_refused():
    model = denoising_model(clip=(0, 1))
    with pytest.raises(ValueError, match=r"within the clip.*x in \[0, 255\]"):
        km.score(model, np.array([[0, 255, 3, 4.0]]), stddev=0.1)
    with pytest.raises(FloatingPointError, match=r"`x` must be finite.*x\[0\]"):
        km.score(model, np.array([[0, np.nan, 0, 0]]), stddev=0.1)


def two_inputs():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, keras.layers.Add()(inputs))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: lambda x: x[:, :2], ValueError, r"shape \(None, 2\) for samples .*4"),
        (lambda: lambda x: (x, x), TypeError, "must return one tensor.*tuple"),
        (two_inputs, TypeError, "a model of 2 inputs"),
        (lambda: "denoiser", TypeError, "`model` must be a Keras model, or a callable"),
        (lambda: lambda x: x - ops.mean(x, 0), ValueError, "each sample on its own"),
        (lambda: lambda a, b: a, TypeError, r"`model` must take one tensor.*\(a, b\)"),
    ],
    ids=["shape", "two outputs", "two inputs", "no function", "mixes", "two arguments"],
)
def test_what_is_no_denoiser_is_refused(model, error, message):
    with pytest.raises(error, match=message):
        km.score(model(), np.ones((3, 4), "float32"), stddev=0.1)


def test_score_of_correlated_gaussian_data_is_that_of_the_gaussian_with_noise(rng):
    """Σ along no axis: r(x) = Σ (Σ + σ² I)⁻¹ x, score -(Σ + σ² I)⁻¹ x."""
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    stddev, sigma = 0.5, q @ np.diag(VARIANCES.astype("float64")) @ q.T
    inverse = np.linalg.inv(sigma + stddev**2 * np.eye(4))
    gains = (sigma @ inverse).astype("float32")
    x = rng.normal(size=(50, 4)).astype("float32")
    found = km.score(lambda x: x @ ops.convert_to_tensor(gains.T), x, stddev=stddev)
    np.testing.assert_allclose(found, -x @ inverse, atol=1e-3)


def test_score_of_a_mixture_with_covariances_is_the_gradient_of_its_log_density(rng):
    """r mixes mₖ + Σₖ (Σₖ + σ² I)⁻¹ (x - mₖ) by what each part has of p_σ at x."""
    from scipy.stats import multivariate_normal

    stddev, weights, means = 0.4, np.array([0.5, 0.3, 0.2]), rng.normal(size=(3, 2))
    roots = rng.normal(size=(3, 2, 2))
    sigmas = roots @ roots.transpose(0, 2, 1) / 2
    smoothed = sigmas + stddev**2 * np.eye(2)
    inverses = np.linalg.inv(smoothed)
    logs = np.log(weights) - np.log(np.linalg.det(smoothed)) / 2

    # All parts side by side: columns of 3 × 2 entries.
    gains, whitening = sigmas @ inverses, np.linalg.cholesky(inverses)
    offsets = means - np.einsum("kij,kj->ki", gains, means)
    centers = np.einsum("kji,kj->ki", whitening, means)
    gains = gains.transpose(2, 0, 1).reshape(2, 6)
    whitening = whitening.transpose(1, 0, 2).reshape(2, 6)

    def posterior_mean(x):
        def tensor(values):
            return ops.convert_to_tensor(values.astype("float32"))

        away = x @ tensor(whitening) - tensor(centers.ravel())
        squares = ops.sum(ops.reshape(away**2, (-1, 3, 2)), -1)
        shares = ops.softmax(tensor(logs) - squares / 2)
        parts = x @ tensor(gains) + tensor(offsets.ravel())
        return ops.sum(shares[..., None] * ops.reshape(parts, (-1, 3, 2)), 1)

    def log_density(x):
        parts = [multivariate_normal(m, s).pdf(x) for m, s in zip(means, smoothed)]
        return np.log(weights @ parts)

    x = 1.5 * rng.normal(size=(30, 2))
    # Batches of the size of the check: JAX compiles no further shape.
    found = km.score(posterior_mean, x.astype("float32"), stddev=stddev, batch_size=5)
    away = x[:, None] - means
    squares = np.einsum("nki,kij,nkj->nk", away, inverses, away)
    shares = np.exp(logs - squares / 2)
    shares /= shares.sum(1, keepdims=True)
    expected = -np.einsum("nk,kij,nkj->ni", shares, inverses, away)
    # float32 outputs, divided by a variance of 0.16
    np.testing.assert_allclose(found, expected, atol=1e-4)
    step = 1e-4
    for axis in range(2):
        shift = step * np.eye(2)[axis]
        slope = (log_density(x + shift) - log_density(x - shift)) / (2 * step)
        np.testing.assert_allclose(found[:, axis], slope, atol=1e-3)


def points_of_the_sphere(heights=24, turns=48):
    """Points and weights that integrate polynomials over it (Gauss and trapezoids)."""
    z, weights = np.polynomial.legendre.leggauss(heights)
    angles = 2 * np.pi * np.arange(turns) / turns
    z, angles = (part.ravel() for part in np.meshgrid(z, angles, indexing="ij"))
    across = np.sqrt(1 - z**2)
    points = np.stack([across * np.cos(angles), across * np.sin(angles), z], -1)
    return points, np.repeat(weights, turns)


def test_score_around_a_sphere_points_along_the_radius_by_the_function_of_langevin(rng):
    """p_σ ∝ exp(-r²/2σ²) sinh(k)/k, k = r/σ²: radial, (coth k - 1/k - r)/σ²."""
    stddev = 0.3
    points, weights = (part.astype("float32") for part in points_of_the_sphere())
    towards, logs = points.T / np.float32(stddev**2), np.log(weights)

    def posterior_mean(x):  # by the points, and by no formula of the sphere
        products = x @ ops.convert_to_tensor(towards)
        shares = ops.softmax(products + ops.convert_to_tensor(logs))
        return shares @ ops.convert_to_tensor(points)

    radii, units = rng.uniform(0.3, 2, size=(30, 1)), rng.normal(size=(30, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    x = (radii * units).astype("float32")
    found = km.score(posterior_mean, x, stddev=stddev, batch_size=5)
    at = radii / stddev**2
    expected = (1 / np.tanh(at) - 1 / at - radii) / stddev**2 * units
    # float32 outputs, divided by a variance of 0.09
    np.testing.assert_allclose(found, expected, atol=1e-3)

    def log_density(r):
        at = r / stddev**2
        log_sinh = at + np.log1p(-np.exp(-2 * at)) - np.log(2)
        return -(r**2) / (2 * stddev**2) + log_sinh - np.log(at)

    slope = (log_density(radii + 1e-4) - log_density(radii - 1e-4)) / 2e-4
    np.testing.assert_allclose((found * units).sum(1, keepdims=True), slope, atol=1e-3)
