"""Dimension over scales against closed forms, with bounds from the number of draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import keras_manifold as km

# Gaussian data along no axis of the samples.

VARIANCES = np.array([4.0, 1.0, 0.25, 0.0])
AXES, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(4, 4)))
STDDEV = 0.5
SHARES = VARIANCES / (VARIANCES + STDDEV**2)
GAINS = AXES @ np.diag(SHARES) @ AXES.T
COUNT, DRAWS = 2000, 5


def best_denoiser(x):
    """Of N(0, Σ): r(x) = Σ (Σ + σ² I)⁻¹ x."""
    return x @ ops.convert_to_tensor(GAINS.astype("float32"))


def correlated(rng, count=COUNT):
    return rng.normal(size=(count, 4)) * np.sqrt(VARIANCES) @ AXES.T


def curve_of_gaussian(x, estimator, **arguments):
    arguments |= {"estimator": estimator, "batch_size": DRAWS * COUNT}
    return km.dimension_curve(best_denoiser, x, [STDDEV], **arguments).dimensions[0]


def test_flipd_of_correlated_gaussian_data_is_its_closed_form_at_each_sample(rng):
    """Tr G + ‖(G - I) x‖² / σ²."""
    x = correlated(rng, 5)
    found = curve_of_gaussian(x, "flipd")
    moved = x @ (GAINS - np.eye(4))
    expected = SHARES.sum() + (moved**2).sum(1) / STDDEV**2
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_stein_of_correlated_gaussian_data_is_the_trace_within_its_standard_error(rng):
    """Noise of covariance σ² I gives tr G with a variance of 2 tr G² / (m - 1) per sample.

    The mean square of all the noise, by which it is divided, adds its own error.
    """
    found = curve_of_gaussian(correlated(rng), "stein", draws=DRAWS, seed=0)
    trace, squares = SHARES.sum(), (SHARES**2).sum()
    error = np.sqrt(2 * squares / (DRAWS - 1) / COUNT)
    error += trace * np.sqrt(2 / (COUNT * DRAWS * 4))
    assert abs(found.mean() - trace) < 5 * error
    # The formula itself; heavy tails leave the spread of 2,000 uncertain by 3 %.
    assert found.std() == pytest.approx(np.sqrt(2 * squares / (DRAWS - 1)), rel=0.15)


@pytest.mark.parametrize("draws", [1, DRAWS])
def test_loss_of_correlated_gaussian_data_is_the_trace_within_its_standard_error(
    draws, rng
):
    """The residual along an axis is a + b z, with a drawn per sample and z per draw.

    E a² = g (1 - g) and b = g in units of σ. By the variances of chi-square, a² varies by
    2 (E a²)² over samples, and (a + b z)² by 2 b⁴ + 4 a² b² over draws.
    """
    found = curve_of_gaussian(correlated(rng), "loss", draws=draws, seed=0)
    over_samples = 2 * (SHARES * (1 - SHARES)) ** 2
    over_draws = 2 * SHARES**4 + 4 * SHARES * (1 - SHARES) * SHARES**2
    variance = (over_samples + over_draws / draws).sum()
    assert abs(found.mean() - SHARES.sum()) < 5 * np.sqrt(variance / COUNT)
    # The formula itself; heavy tails leave the spread of 2,000 uncertain by 3 %.
    assert found.std() == pytest.approx(np.sqrt(variance), rel=0.15)


# Circle and sphere, uniform, with the exact denoisers: radial, ρ(‖x‖) x / ‖x‖.

SCALES = (0.03, 0.06, 0.12)


def on_circle(stddev):
    """The mean of 256 points of the circle behind a noisy one: I₁ / I₀ by no formula."""
    angles = 2 * np.pi * np.arange(256) / 256
    points = np.stack([np.cos(angles), np.sin(angles)]).astype("float32")

    def denoise(x):
        on_it = ops.convert_to_tensor(points)
        return ops.softmax(x @ on_it / stddev**2) @ ops.transpose(on_it)

    return denoise


def on_sphere(stddev):
    def denoise(x):
        length = ops.sqrt(ops.sum(x**2, axis=1, keepdims=True))
        at = length / stddev**2
        return (1 / ops.tanh(at) - 1 / at) * x / length

    return denoise


def moments(dimension, stddev, estimator):
    """Mean and variance of one draw's share, at x = e₁, by Gauss-Hermite quadrature."""
    from scipy.special import ive

    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    size = dimension + 1
    noise = np.stack(np.meshgrid(*[stddev * nodes] * size), -1).reshape(-1, size)
    weights = np.stack(np.meshgrid(*[weights] * size), -1).reshape(-1, size).prod(1)
    weights /= weights.sum()
    clean = np.eye(size)[0]
    noisy = clean + noise
    length = np.linalg.norm(noisy, axis=1, keepdims=True)
    at = length / stddev**2
    ratio = ive(1, at) / ive(0, at) if dimension == 1 else 1 / np.tanh(at) - 1 / at
    denoised = ratio * noisy / length
    if estimator == "stein":
        share = (noise * (denoised - weights @ denoised)).sum(1) / stddev**2
    else:
        share = ((denoised - clean) ** 2).sum(1) / stddev**2
    mean = weights @ share
    return mean, weights @ (share - mean) ** 2


@pytest.mark.parametrize("estimator", ["stein", "loss"])
@pytest.mark.parametrize(("denoiser", "dimension"), [(on_circle, 1), (on_sphere, 2)])
def test_stein_and_loss_are_those_of_circle_and_sphere_over_scales_and_in_the_plateau(
    denoiser, dimension, estimator, rng
):
    count, draws, size = 500, 10, dimension + 1
    units = rng.normal(size=(count, size))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    curve = km.dimension_curve(
        [denoiser(stddev) for stddev in SCALES],
        units,
        SCALES,
        estimator=estimator,
        draws=draws,
        seed=0,
        batch_size=count * draws,
    )
    means, variances = np.transpose([moments(dimension, s, estimator) for s in SCALES])
    error = np.sqrt(variances / (count * (draws - 1)))
    if estimator == "stein":  # it divides by the mean square of the noise
        error += means * np.sqrt(2 / (count * draws * size))
    assert (np.abs(curve.dimensions.mean(1) - means) < 5 * error).all()
    # The bend of the manifold: what quadrature leaves of the dimension at these scales.
    bend = np.abs(means.mean() - dimension)
    assert bend < 0.02 * dimension
    plateau = curve.plateau().mean()
    assert plateau == pytest.approx(dimension, abs=5 * error.max() + bend)


# Properties.

WEIGHTS = np.random.default_rng(1).normal(size=(4, 4)).astype("float32")


def bent(x):
    """Of no particular shape, with a Jacobian that is not symmetric."""
    return ops.tanh(x @ ops.convert_to_tensor(WEIGHTS))


@given(batch_size=st.sampled_from([1, 4]), seed=st.integers(0, 2**31))
@settings(max_examples=3)
def test_flipd_of_a_sample_is_the_same_in_any_batch_and_order(batch_size, seed):
    """The others draw noise for each place in `x`: a sample elsewhere meets other noise."""
    rng = np.random.default_rng(seed)
    x, order = rng.normal(size=(6, 4)), rng.permutation(6)
    whole = km.dimension_curve(bent, x, [0.5, 1.0], estimator="flipd").dimensions
    moved = km.dimension_curve(
        bent, x[order], [0.5, 1.0], estimator="flipd", batch_size=batch_size
    )
    np.testing.assert_allclose(moved.dimensions, whole[:, order], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("estimator", ["stein", "loss"])
@given(scale=st.floats(0.1, 10), seed=st.integers(0, 2**31))
@settings(max_examples=3)
def test_stein_and_loss_with_one_seed_are_the_same_in_other_units_and_from_elsewhere(
    estimator, scale, seed
):
    """y = a x + b, with σ a in place of σ. Rotations turn the data but not the draws."""
    rng = np.random.default_rng(seed)
    shift, x = rng.normal(size=4).astype("float32"), rng.normal(size=(5, 4))

    def moved(y):
        origin = ops.convert_to_tensor(shift)
        return scale * bent((y - origin) / scale) + origin

    arguments = {"estimator": estimator, "draws": 4, "seed": seed}
    here = km.dimension_curve(bent, x, [0.5], **arguments).dimensions
    there = km.dimension_curve(moved, scale * x + shift, [0.5 * scale], **arguments)
    np.testing.assert_allclose(there.dimensions, here, rtol=1e-3, atol=1e-3)
