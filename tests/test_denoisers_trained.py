"""Networks that learn to denoise, against the score and the dimension that are true."""

import functools

import keras
import numpy as np
import pytest

import keras_manifold as km

STDDEV = 0.2
# Spread of the data across their curves.
SPREAD = 0.03


def circle():
    angles = 2 * np.pi * np.arange(300) / 300
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def two_moons():
    angles = np.pi * (np.arange(150) + 0.5) / 150
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([upper, np.array([1.0, 0.5]) - upper])


def log_density_and_score(x, centers, stddev):
    """Of equal Gaussians around the centers."""
    away = centers - x[:, None]
    exponents = -np.square(away).sum(-1) / (2 * stddev**2)
    highest = exponents.max(axis=1, keepdims=True)
    shares = np.exp(exponents - highest)
    total = shares.sum(axis=1, keepdims=True)
    log_density = highest[:, 0] + np.log(total[:, 0])
    return log_density, (shares[..., None] * away).sum(1) / total / stddev**2


def trained(x, noise, steps, seed):
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        x.shape[1:], 128, units=(128,), output_activation=None, noise=noise
    )
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    rng = np.random.default_rng(seed)
    passes = -(-steps * 128 // len(x))  # in one epoch, as each costs a moment
    many = np.concatenate([x[rng.permutation(len(x))] for _ in range(passes)])
    model.fit(many, batch_size=128, shuffle=False, verbose=0)
    return model


def median_angle(centers, count, steps, seed):
    """In degrees, where half the mass of the noisy data is, and arrows are not short."""
    rng = np.random.default_rng(seed)
    x = centers[rng.integers(len(centers), size=count)]
    x = (x + SPREAD * rng.normal(size=x.shape)).astype("float32")
    model = trained(x, km.NoiseInjection("gaussian", STDDEV, seed=seed), steps, seed)
    at = centers[rng.integers(len(centers), size=4000)]
    width = np.hypot(SPREAD, STDDEV)
    at = (at + width * rng.normal(size=at.shape)).astype("float32")
    log_density, true = log_density_and_score(at.astype("float64"), centers, width)
    lengths = np.linalg.norm(true, axis=1)
    # Shorter ones hardly have a direction.
    kept = (log_density > np.median(log_density)) & (lengths > 0.25 / STDDEV)
    assert kept.mean() > 0.15
    learned = km.score(model, at[kept])
    products = (learned * true[kept]).sum(axis=1)
    cosines = products / np.linalg.norm(learned, axis=1) / lengths[kept]
    return np.degrees(np.median(np.arccos(np.clip(cosines, -1, 1))))


# Degrees: three seeds gave 10.8 to 13.9 for two moons after 400 steps, and 2.5 to 2.9 for
# the circle and 3.5 to 4.3 for two moons after 2,000; the bounds are about three spreads
# beyond the mean. Chance is 90.


def test_the_learned_score_points_where_the_true_one_does():
    assert median_angle(two_moons(), count=4000, steps=400, seed=0) < 18


@pytest.mark.slow
@pytest.mark.parametrize(
    ("centers", "most"), [(circle(), 3.7), (two_moons(), 5.3)], ids=["circle", "two moons"]
)
def test_the_learned_score_comes_close_with_more_data_and_steps(centers, most):
    angles = [median_angle(centers, count=10000, steps=2000, seed=s) for s in range(3)]
    assert np.mean(angles) < most


def product_of_circles():
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, (4000, 3))
    rest = np.zeros((4000, 4))
    return np.hstack([np.cos(angles), np.sin(angles), rest]).astype("float32")


def swiss_roll():
    options = {"scale": 0.15, "height": 14.0, "ambient_dim": 10, "seed": 0}
    return km.manifolds.swiss_roll(4000, **options).x


def sphere(dimension):
    return km.manifolds.sphere(4000, dimension=dimension, ambient_dim=10, seed=0).x


MANIFOLDS = {
    "sphere 2": (lambda: sphere(2), 2),
    "sphere 5": (lambda: sphere(5), 5),
    "circles": (product_of_circles, 3),
    "Swiss roll": (swiss_roll, 2),
}
LEVELS = (0.05, 0.4)
SCALES = np.geomspace(*LEVELS, 6)
SEEDS = (0, 1)


@functools.cache
def trained_on(name, seed):
    x = MANIFOLDS[name][0]()
    noise = km.NoiseInjection("gaussian", LEVELS, seed=seed)
    return trained(x, noise, 1500, seed), x[:64]


def medians(name, estimator, seed):
    """Over 64 samples: the dimension at each of `SCALES`, and that of the plateau."""
    model, x = trained_on(name, seed)
    curve = km.dimension_curve(model, x, SCALES, estimator=estimator, seed=seed)
    return np.median(curve.dimensions, axis=1), np.median(curve.plateau())


# How the tolerances were measured: five seeds, of training and of noise, on JAX (the test
# takes two, each of which has to hold). They gave at the three largest scales and in the
# plateau 1.98 to 2.01, 4.84 to 4.99 and 3.03 to 3.16 of 2, 5 and 3; 0.25 is the largest
# deviation of their means, 0.13, and three standard deviations of 0.036. So a sphere of one
# dimension more or less is refused.


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["sphere 2", "sphere 5", "circles"])
def test_flipd_reads_known_dimensions_off_a_short_training_over_scales(name, seed):
    true = MANIFOLDS[name][1]
    over_scales, plateau = medians(name, "flipd", seed)
    np.testing.assert_allclose(over_scales[3:], true, atol=0.25)
    assert plateau == pytest.approx(true, abs=0.25)


# Five seeds gave 2.44 to 2.73 at these scales and in the plateau with "flipd", mean 2.59;
# 2.15 to 2.45 with "stein", mean 2.29; both with a standard deviation of 0.09. The
# tolerances are about three of it, and hold no 2: the estimate is wrong, and known to be.


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("estimator", "found", "tolerance"), [("flipd", 2.59, 0.3), ("stein", 2.29, 0.28)]
)
def test_of_a_swiss_roll_a_trained_denoiser_says_too_much(
    estimator, found, tolerance, seed
):
    over_scales, plateau = medians("Swiss roll", estimator, seed)
    np.testing.assert_allclose(over_scales[3:], found, atol=tolerance)
    assert plateau == pytest.approx(found, abs=tolerance)
    assert found - tolerance > MANIFOLDS["Swiss roll"][1], "what it says is too much"


# At the least scale five seeds gave 5.84 to 6.03 with "flipd", 4.52 to 4.78 with "stein";
# the tolerance is three standard deviations of the mean of two.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "found", "tolerance"), [("flipd", 5.92, 0.16), ("stein", 4.65, 0.27)]
)
def test_below_the_spacing_of_samples_flipd_says_too_much_and_stein_too_little(
    estimator, found, tolerance
):
    """4,000 samples of a sphere of five dimensions lie 0.25 apart, in the median."""
    least = [medians("sphere 5", estimator, seed)[0][0] for seed in SEEDS]
    assert np.mean(least) == pytest.approx(found, abs=tolerance)
