"""Networks that learn to denoise, against the score and the dimension that are true."""

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


def trained(x, noise, steps, seed, units=(128,)):
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        x.shape[1:], 128, units=units, output_activation=None, noise=noise
    )
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    model.fit(x, epochs=-(-steps * 128 // len(x)), batch_size=128, verbose=0)
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


@pytest.mark.parametrize("centers", [circle(), two_moons()], ids=["circle", "two moons"])
def test_the_learned_score_points_where_the_true_one_does(centers):
    assert median_angle(centers, count=3000, steps=400, seed=0) < 12


@pytest.mark.slow
@pytest.mark.parametrize("centers", [circle(), two_moons()], ids=["circle", "two moons"])
def test_the_learned_score_comes_close_with_more_data_and_steps(centers):
    """The tolerance is three times the spread over the seeds, and at least a degree."""
    angles = [median_angle(centers, count=10000, steps=2000, seed=s) for s in range(3)]
    print("median angles", np.round(angles, 2))
    assert np.mean(angles) < 4 + 3 * np.std(angles)


def product_of_circles(count):
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, (count, 3))
    rest = np.zeros((count, 4))
    return np.hstack([np.cos(angles), np.sin(angles), rest]).astype("float32")


def swiss_roll(count):
    roll = km.manifolds.swiss_roll(count, scale=0.15, height=14.0, ambient_dim=10, seed=0)
    return roll.x


def sphere(dimension):
    def drawn(count):
        options = {"dimension": dimension, "ambient_dim": 10, "seed": 0}
        return km.manifolds.sphere(count, **options).x

    return drawn


def plateau(x, levels, steps, estimator, units=(128,)):
    noise = km.NoiseInjection("gaussian", levels, seed=0)
    model = trained(x, noise, steps, seed=0, units=units)
    scales = np.geomspace(*levels, 5)
    curve = km.dimension_curve(model, x[:200], scales, estimator=estimator, seed=0)
    print(estimator, np.round(np.median(curve.dimensions, axis=1), 2))
    return np.median(curve.plateau())


def test_the_dimension_of_a_sphere_is_read_off_a_short_training():
    found = plateau(sphere(2)(2000), (0.1, 0.4), 500, "flipd")
    assert found == pytest.approx(2, abs=0.6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drawn", "true", "levels"),
    [
        (sphere(2), 2, (0.05, 0.4)),
        (sphere(5), 5, (0.05, 0.4)),
        (swiss_roll, 2, (0.1, 0.4)),
        (product_of_circles, 3, (0.05, 0.4)),
    ],
    ids=["sphere 2", "sphere 5", "Swiss roll", "circles"],
)
def test_dimensions_of_known_manifolds_are_read_off_beside_other_estimators(
    drawn, true, levels
):
    x = drawn(4000)
    found = plateau(x, levels, 3000, "flipd", units=(256,))
    skdim = pytest.importorskip("skdim")
    others = [getattr(skdim.id, name)().fit(x).dimension_ for name in ("TwoNN", "MLE")]
    print("others", np.round(others, 2), "ours", round(found, 2))
    worst = max(abs(other - true) for other in others)
    assert abs(found - true) < max(0.25 * true, worst)
