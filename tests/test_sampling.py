import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import ops

import keras_manifold as km

VARIANCES = np.array([2.0, 0.5, 0.05])
STDDEV = 0.4
GAINS = VARIANCES / (VARIANCES + STDDEV**2)
CHAINS = 4000
METHODS = ("tangent", "denoising", "langevin")


def best_denoiser(x):
    """Of N(0, diag(VARIANCES)) under noise of STDDEV."""
    return x * ops.convert_to_tensor(GAINS.astype("float32"))


def on_circle(x, stddev=0.1):
    """The mean of what may lie behind a noisy point: 64 points of the unit circle."""
    angles = 2 * np.pi * np.arange(64) / 64
    points = np.stack([np.cos(angles), np.sin(angles)], -1).astype("float32")
    points = ops.convert_to_tensor(points)
    return ops.softmax(x @ ops.transpose(points) / stddev**2) @ points


def chains_of(method, steps, **settings):
    start = np.zeros((CHAINS, 3), "float32")
    settings = {"stddev": STDDEV, "seed": 1, "batch_size": CHAINS, "verbose": 0} | settings
    return km.sample(best_denoiser, start, steps, method=method, **settings)


def assert_variances(samples, expected):
    """Variance of n normal draws: relative standard error √(2/n), five of them."""
    found = np.cov(samples.T.astype("float64"))
    np.testing.assert_allclose(np.diag(found), expected, rtol=5 * np.sqrt(2 / CHAINS))
    correlation = np.corrcoef(samples.T) - np.eye(3)
    assert np.abs(correlation).max() < 5 / np.sqrt(CHAINS)
    error = np.abs(samples.mean(0)) / np.sqrt(expected)
    assert error.max() < 5 / np.sqrt(CHAINS)


@pytest.mark.parametrize("output_stddev", [0.0, 0.3])
@pytest.mark.parametrize("steps", [1, 4, 40])
def test_denoising_chains_have_the_covariance_of_their_recursion(steps, output_stddev):
    """C ← G (C + σ² I) Gᵀ + o² I, from C = 0."""
    variances = np.zeros(3)
    for _ in range(steps):
        variances = GAINS**2 * (variances + STDDEV**2) + output_stddev**2
    found = chains_of("denoising", steps, output_stddev=output_stddev)
    assert_variances(found, variances)


def test_a_denoising_chain_with_the_spread_that_is_left_has_the_variance_of_the_data():
    """One entry: p(x | x̃) is normal, of variance λσ²/(λ+σ²)."""
    spread = np.sqrt(0.5 * STDDEV**2 / (0.5 + STDDEV**2))
    found = chains_of("denoising", 60, output_stddev=spread)
    assert np.var(found[:, 1]) == pytest.approx(0.5, rel=5 * np.sqrt(2 / CHAINS))


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_tangent_chains_of_a_linear_map_have_the_covariance_of_their_recursion(steps):
    """x ← G (x + s G ε): C ← G C Gᵀ + s² G² G²ᵀ."""
    variances = np.zeros(3)
    for _ in range(steps):
        variances = GAINS**2 * variances + 0.7**2 * GAINS**4
    assert_variances(chains_of("tangent", steps, scale=0.7), variances)


def test_noise_of_tangent_chains_is_three_standard_deviations_unless_a_scale_is_given():
    default = chains_of("tangent", 3)
    np.testing.assert_array_equal(default, chains_of("tangent", 3, scale=3 * STDDEV))


@pytest.mark.parametrize("step_size", [None, 0.02])
def test_langevin_chains_come_to_their_discrete_stationary_law(step_size):
    """x ← (1 - η/s) x + √(2η) ε, s = λ + σ²: variance s / (1 - η / 2s), not s."""
    size = STDDEV**2 / 2 if step_size is None else step_size
    s = VARIANCES + STDDEV**2
    steps = 300
    slow = (1 - size / s) ** 2
    variances = 2 * size * (1 - slow**steps) / (1 - slow)
    found = chains_of("langevin", steps, step_size=step_size, denoise_last=False)
    assert_variances(found, variances)
    if step_size is None:
        np.testing.assert_allclose(variances, s / (1 - size / (2 * s)), rtol=1e-4)
    last = chains_of("langevin", steps, step_size=step_size)
    np.testing.assert_allclose(last, GAINS * found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_gives_the_same_bits_and_another_gives_others(method):
    first = chains_of(method, 3)
    np.testing.assert_array_equal(first, chains_of(method, 3))
    assert np.abs(first - chains_of(method, 3, seed=2)).max() > 0.1
    assert np.abs(first - chains_of(method, 3, seed=None)).max() > 0.1


@pytest.mark.parametrize("method", METHODS)
@given(n=st.integers(1, 9), batch_size=st.integers(1, 10))
@example(n=7, batch_size=3)
@example(n=2, batch_size=9)
@settings(max_examples=2)
def test_batches_change_nothing(method, n, batch_size):
    x = np.random.default_rng(n).normal(size=(n, 2)).astype("float32")
    runs = [
        km.sample(
            on_circle, x, 3, method=method, stddev=0.1, seed=0, batch_size=size, verbose=0
        )
        for size in (n, batch_size)
    ]
    np.testing.assert_allclose(*runs, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_trace_holds_all_states_from_the_start_to_the_result(method):
    trace = chains_of(method, 4, trace=True)
    assert trace.shape == (5, CHAINS, 3)
    assert trace.dtype == np.float32
    np.testing.assert_array_equal(trace[0], 0)
    np.testing.assert_array_equal(trace[-1], chains_of(method, 4))
    settings = {"denoise_last": False} if method == "langevin" else {}
    np.testing.assert_array_equal(trace[2], chains_of(method, 2, **settings))


def coverage(samples):
    """Kolmogorov-Smirnov distance of the angles from uniform ones."""
    angles = np.sort(np.arctan2(samples[:, 1], samples[:, 0]) / (2 * np.pi) % 1)
    n = len(angles)
    above, below = np.arange(1, n + 1) / n - angles, angles - np.arange(n) / n
    return max(above.max(), below.max())


def test_tangent_chains_cover_the_circle_and_stay_on_it():
    """All begin at one point, on which a chain that stands still has distance 0."""
    start = np.tile(np.array([[1.0, 0.0]], "float32"), (400, 1))
    found = {
        method: km.sample(
            on_circle,
            start,
            120,
            method=method,
            stddev=0.1,
            seed=0,
            batch_size=400,
            verbose=0,
        )
        for method in METHODS
    }
    distances = {
        method: np.abs(np.linalg.norm(samples, axis=1) - 1).mean()
        for method, samples in found.items()
    }
    critical = 1.95 / np.sqrt(400)  # exceeded by chance once in a thousand
    assert coverage(start) > 0.5, "the test of coverage can fail"
    assert coverage(found["tangent"]) < critical
    assert coverage(found["tangent"]) < coverage(found["denoising"])
    assert max(distances["tangent"], distances["denoising"]) < 0.02
    assert distances["langevin"] < 0.1


def on_sphere(x, stddev=0.1):
    """The mean of what may lie behind a noisy point: the 2-sphere, by coth t - 1/t."""
    length = ops.sqrt(ops.sum(x**2, axis=1, keepdims=True))
    at = length / stddev**2
    return (1 / ops.tanh(at) - 1 / at) * x / length


def uncovered(samples):
    """Largest Kolmogorov-Smirnov distance of the angle or the coordinates from uniform."""
    if samples.shape[1] == 2:
        return coverage(samples)
    units = samples / np.linalg.norm(samples, axis=1, keepdims=True)
    heights = np.sort((units + 1) / 2, axis=0)  # Archimedes: each of them is uniform
    ranks = np.arange(len(units))[:, None] / len(units)
    return max((heights - ranks).max(), (ranks + 1 / len(units) - heights).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("denoiser", "dimension"), [(on_circle, 1), (on_sphere, 2)])
def test_chains_with_noise_enough_cover_circle_and_sphere(denoiser, dimension, method):
    """A mean behind noise lies within the curve by about d σ²/2, where r moves nothing."""
    stddev, count = 0.3, 400
    start = np.eye(1, dimension + 1, dtype="float32").repeat(count, axis=0)
    samples = km.sample(
        lambda x: denoiser(x, stddev),
        start,
        100,
        method=method,
        stddev=stddev,
        seed=0,
        batch_size=count,
        verbose=0,
    )
    critical = 1.95 / np.sqrt(count)
    assert uncovered(start) > 0.5, "a chain that stands still fails"
    assert uncovered(samples) < critical
    off = np.abs(np.linalg.norm(samples, axis=1) - 1)
    assert off.mean() < 1.5 * dimension * stddev**2 / 2


def test_chains_of_a_keras_model_are_those_of_its_function():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, use_bias=False)])
    model.set_weights([np.diag(GAINS)])
    start = np.ones((5, 3), "float32")
    for method in METHODS:
        settings = {"method": method, "stddev": STDDEV, "seed": 0, "verbose": 0}
        found = km.sample(model, start, 3, **settings)
        expected = km.sample(best_denoiser, start, 3, **settings)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_images_keep_their_shape_and_the_standard_deviation_is_that_of_the_noise(rng):
    noise = km.NoiseInjection("gaussian", 0.2)
    model = km.AutoEncoder.dense((4, 4, 1), 2, units=(8,), noise=noise)
    x = rng.uniform(size=(3, 4, 4, 1))
    found = km.sample(model, x, 2, seed=0, verbose=0)
    assert found.shape == (3, 4, 4, 1)
    np.testing.assert_array_equal(
        found, km.sample(model, x, 2, stddev=0.2, seed=0, verbose=0)
    )


def test_a_long_chain_shows_its_progress(capsys):
    km.sample(best_denoiser, np.ones((2, 3)), 60, stddev=0.1)
    shown = capsys.readouterr().out
    assert "60/60" in shown
    assert "/step" in shown
    assert "batch" not in shown
    km.sample(best_denoiser, np.ones((2, 3)), 60, stddev=0.1, verbose=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "`steps` must be a whole number of at least 1.*steps=0"),
        ({"steps": 2.5}, ValueError, r"steps=2\.5"),
        ({"method": "gibbs"}, ValueError, "`method` must be .*method='gibbs'"),
        ({"stddev": -0.1}, ValueError, r"stddev=-0\.1"),
        ({"stddev": None}, ValueError, "a model without `noise`"),
        ({"seed": -1}, ValueError, "`seed` must be .*or None.*seed=-1"),
        ({"seed": "a"}, ValueError, "seed='a'"),
        ({"scale": 0}, ValueError, "`scale` must be a finite number above 0.*scale=0"),
        (
            {"step_size": 0.1},
            TypeError,
            '"tangent"` takes the settings scale.*step_size=0.1',
        ),
        (
            {"method": "denoising", "output_stddev": -1},
            ValueError,
            "`output_stddev` must be a finite number of at least 0",
        ),
        (
            {"method": "denoising", "scale": 1},
            TypeError,
            "output_stddev. Received: scale=1",
        ),
        ({"method": "langevin", "step_size": 0}, ValueError, "step_size=0"),
        ({"method": "langevin", "denoise_last": 2}, ValueError, "denoise_last=2"),
        ({"x": np.ones((0, 3))}, ValueError, "at least one sample"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"trace": "yes"}, ValueError, "`trace` must be True or False.*trace='yes'"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else None,
)
def test_bad_input_is_refused_before_any_work(arguments, error, message):
    calls = []

    def model(x):
        calls.append(x)
        return best_denoiser(x)

    arguments = {"x": np.ones((2, 3)), "steps": 2, "stddev": 0.1, "verbose": 0} | arguments
    with pytest.raises(error, match=message):
        km.sample(model, **arguments)
    assert calls == []


def test_a_chain_that_leaves_the_finite_numbers_says_in_which_step():
    with pytest.raises(ValueError, match="left the finite numbers in step 2 of 5"):
        km.sample(
            lambda x: x * 1e30, np.ones((2, 3)), 5, method="denoising", stddev=1, verbose=0
        )


def rotated(variances, seed=3):
    """A covariance with these eigenvalues, along no axis of the samples."""
    size = len(variances)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return q @ np.diag(variances) @ q.T


def linear(matrix):
    """r(x) = A x, of samples as rows."""
    transposed = np.asarray(matrix.T, "float32")
    return lambda x: x @ ops.convert_to_tensor(transposed)


def sampled_by(matrix, steps, **settings):
    start = np.zeros((CHAINS, len(matrix)), "float32")
    settings = {"stddev": STDDEV, "seed": 1, "batch_size": CHAINS, "verbose": 0} | settings
    return km.sample(linear(matrix), start, steps, **settings)


def bound_of_covariance(expected, n=CHAINS):
    """Five standard errors of each entry, from n normal draws (Wishart)."""
    variances = np.diag(expected)
    return 5 * np.sqrt((np.outer(variances, variances) + expected**2) / n)


def assert_covariance(samples, expected):
    found = np.cov(samples.T.astype("float64"))
    assert (np.abs(found - expected) < bound_of_covariance(expected)).all()


@pytest.mark.parametrize("steps", [1, 3])
def test_tangent_chains_push_noise_by_the_jacobian_and_not_by_its_transpose(steps):
    """x ← A (x + s A ε): C ← A C Aᵀ + s² A A Aᵀ Aᵀ; by Aᵀ ε it were s² A Aᵀ A Aᵀ."""
    a, scale = np.array([[0.9, 0.5], [0.0, 0.3]]), 0.7
    covariance, transposed = np.zeros((2, 2)), np.zeros((2, 2))
    for _ in range(steps):
        covariance = a @ covariance @ a.T + scale**2 * a @ a @ a.T @ a.T
        transposed = a @ transposed @ a.T + scale**2 * a @ a.T @ a @ a.T
    away = np.abs(transposed - covariance)
    assert (away > bound_of_covariance(covariance)).all(), "the test can fail"
    assert_covariance(sampled_by(a, steps, method="tangent", scale=scale), covariance)


def test_denoising_chains_of_correlated_data_have_the_covariance_of_their_recursion():
    """C ← G (C + σ² I) Gᵀ + o² I with G = Σ (Σ + σ² I)⁻¹."""
    sigma, steps, spread = rotated(VARIANCES), 4, 0.2
    gains = sigma @ np.linalg.inv(sigma + STDDEV**2 * np.eye(3))
    covariance = np.zeros((3, 3))
    for _ in range(steps):
        covariance = gains @ (covariance + STDDEV**2 * np.eye(3)) @ gains.T
        covariance += spread**2 * np.eye(3)
    settings = {"method": "denoising", "output_stddev": spread}
    assert_covariance(sampled_by(gains, steps, **settings), covariance)


def test_langevin_chains_of_correlated_data_come_to_their_discrete_stationary_law():
    """S (I - η S⁻¹ / 2)⁻¹ with S = Σ + σ² I, and not S itself."""
    sigma, size = rotated(VARIANCES), 0.2
    smoothed = sigma + STDDEV**2 * np.eye(3)
    gains = sigma @ np.linalg.inv(smoothed)
    stationary = smoothed @ np.linalg.inv(np.eye(3) - size * np.linalg.inv(smoothed) / 2)
    away = np.abs(np.diag(stationary - smoothed))
    assert (away > np.diag(bound_of_covariance(stationary))).any(), "the test can fail"
    settings = {"method": "langevin", "step_size": size, "denoise_last": False}
    assert_covariance(sampled_by(gains, 100, **settings), stationary)
