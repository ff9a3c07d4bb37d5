"""What do trained denoisers say: how good are samples of digits, and which dimension?

    python benchmarks/denoisers.py samples    # digits, beside copies, a mixture and noise
    python benchmarks/denoisers.py dimension  # known manifolds, beside scikit-dimension
    python benchmarks/denoisers.py            # both

`dimension` needs `pip install --no-deps scikit-dimension` for the estimators beside
ours. The backend is JAX. Results go to `benchmarks/results/denoisers_*.md`.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, NearestNeighbors
from workers import written

import keras_manifold as km

SEEDS = (0, 1, 2)


def main():
    for part in sys.argv[1:] or ["samples", "dimension"]:
        {"samples": samples, "dimension": dimension}[part]()


def trained(x, noise, *, steps, seed, units=(256,), rate=2e-3):
    """A denoiser that is wide enough to be no bottleneck."""
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        x.shape[1:], units[0], units=units, output_activation=None, noise=noise
    )
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    epochs = -(-steps * 128 // len(x))
    model.fit(x, epochs=epochs, batch_size=128, verbose=0)
    return model


# Samples of digits

STDDEV, STEPS, COUNT = 0.3, 300, 400
CHAINS = {
    '`"tangent"`, scale 2 σ': ("tangent", {"scale": 2 * STDDEV}),
    '`"denoising"`': ("denoising", {}),
    '`"langevin"`': ("langevin", {}),
}


def samples():
    images = (load_digits().images / 16).astype("float32").reshape(-1, 64)
    found = {}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        x = images[rng.permutation(len(images))]
        train, chosen, test = x[:1000], x[1000:1397], x[1397:]
        noise = rng.uniform(size=(COUNT, 64)).astype("float32")
        mixture = GaussianMixture(20, reg_covar=1e-2, random_state=seed).fit(train)
        drawn = {
            "copies of training images": train[:COUNT],
            "held-out images": chosen,
            "mixture of 20 Gaussians": mixture.sample(COUNT)[0],
            "uniform noise": noise,
        }
        model = trained(train, km.NoiseInjection("gaussian", STDDEV), steps=2500, seed=seed)
        for name, (method, settings) in CHAINS.items():
            drawn[name] = km.sample(
                model, noise, STEPS, method=method, seed=seed, verbose=0, **settings
            )
        for name, some in drawn.items():
            some = rng.permutation(np.asarray(some, "float32"))
            found.setdefault(name, []).append(scores(some, train, chosen, test))
    how = (
        f"Digits (8×8), 1,000 for training, noise of {STDDEV}, chains of {STEPS} steps "
        f"from uniform noise, about {COUNT} samples of each kind, three splits and "
        "trainings: mean and range."
    )
    lines = [
        "| samples | Parzen log-likelihood | precision | recall | distance to training |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {name} | " + " | ".join(spread(column) for column in zip(*rows)) + " |"
            for name, rows in found.items()
        ),
        "",
        "Parzen: mean logarithm of the density of 400 test images under Gaussians around "
        "the samples, whose width other held-out images choose. It is no judge of "
        "likelihood in 64 dimensions: it prefers samples that are too smooth, even to "
        "images (Theis et al. 2016). Precision: share of samples "
        "no farther from a test image than its third neighbour among them; recall: the "
        "same with both exchanged (Kynkäänniemi et al. 2019). Neither sees copying: the "
        "last column does, the median distance to the nearest training image.",
    ]
    written("denoisers_samples.md", "Samples of digits", how, lines)


def scores(drawn, train, chosen, test):
    to_train = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(drawn)[0]
    widths = np.geomspace(0.05, 1.0, 15)
    densities = [KernelDensity(bandwidth=width).fit(drawn) for width in widths]
    best = densities[int(np.argmax([density.score(chosen[:200]) for density in densities]))]
    return (
        best.score(test) / len(test),
        within(drawn, test),
        within(test, drawn),
        float(np.median(to_train)),
    )


def within(points, support):
    """Share of points that are no farther from a support than its third neighbour."""
    neighbors = NearestNeighbors(n_neighbors=4).fit(support)
    radii = neighbors.kneighbors(support)[0][:, 3]
    distances = np.linalg.norm(points[:, None] - support[None], axis=2)
    return float((distances <= radii).any(axis=1).mean())


def spread(values):
    return f"{np.mean(values):.2f} ({np.min(values):.2f} to {np.max(values):.2f})"


# Dimension of known manifolds

AMBIENT, POINTS = 10, 4000


def manifolds():
    """Samples by name."""
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, (POINTS, 3))
    circles = np.hstack([np.cos(angles), np.sin(angles), np.zeros((POINTS, AMBIENT - 6))])
    drawn = {"ambient_dim": AMBIENT, "seed": 0}
    roll = km.manifolds.swiss_roll(POINTS, scale=0.15, height=14.0, **drawn).x
    yield "sphere, d = 2", km.manifolds.sphere(POINTS, **drawn).x
    yield "sphere, d = 5", km.manifolds.sphere(POINTS, dimension=5, **drawn).x
    yield "Swiss roll, d = 2", roll
    yield "product of three circles, d = 3", circles.astype("float32")


def dimension():
    scales = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
    lines = [
        "| manifold | by | " + " | ".join(f"σ = {s:g}" for s in scales) + " | plateau |",
        "|---|---|" + "--:|" * (len(scales) + 1),
    ]
    others = []
    for name, x in manifolds():
        noise = km.NoiseInjection("gaussian", (0.02, 0.4))
        model = trained(x, noise, steps=4000, seed=0, units=(256, 256))
        for estimator in ("stein", "flipd", "loss"):
            curve = km.dimension_curve(model, x[:200], scales, estimator=estimator, seed=0)
            cells = [f"{value:.2f}" for value in np.median(curve.dimensions, axis=1)]
            plateau = np.median(curve.plateau())
            lines.append(f"| {name} | {estimator} | {' | '.join(cells)} | {plateau:.2f} |")
        found = ", ".join(f"{key} {value:.2f}" for key, value in peers(x))
        others.append(f"{name}: {found}.")
    lines += ["", "scikit-dimension on the same samples, its defaults. " + " ".join(others)]
    how = (
        f"{POINTS:,} samples in {AMBIENT} dimensions, one dense network per manifold, told "
        "noise of levels log-uniform from 0.02 to 0.4, 4,000 steps; medians over 200 "
        "samples. One training each: differences below about 0.2 mean nothing."
    )
    written("denoisers_dimension.md", "Dimension of known manifolds", how, lines)


def peers(x):
    try:
        import skdim
    except ImportError:
        return
    for name in ("TwoNN", "MLE", "lPCA"):
        yield name, float(getattr(skdim.id, name)().fit(x).dimension_)


if __name__ == "__main__":
    main()
