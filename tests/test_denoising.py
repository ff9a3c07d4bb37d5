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
        km.score(model, x, stddev=0.6), expected / 4, rtol=1e-4, atol=1e-4
    )


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
    ],
    ids=["shape", "two outputs", "two inputs", "no function", "mixes"],
)
def test_what_is_no_denoiser_is_refused(model, error, message):
    with pytest.raises(error, match=message):
        km.score(model(), np.ones((3, 4), "float32"), stddev=0.1)
