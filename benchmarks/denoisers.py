"""What do trained denoisers know: the score, the dimension, samples of digits?

    python benchmarks/denoisers.py score      # angles to the true score of two curves
    python benchmarks/denoisers.py dimension  # known manifolds, beside scikit-dimension
    python benchmarks/denoisers.py chains     # circle and sphere: off, and uncovered
    python benchmarks/denoisers.py samples    # digits, beside copies, a mixture and noise
    python benchmarks/denoisers.py            # all

`dimension` needs `pip install --no-deps scikit-dimension` for the estimators beside
ours. The backend is JAX. Results go to `benchmarks/results/denoisers_*.md`.
"""

import json
import sys

import numpy as np
from workers import said_by, written

SEEDS = (0, 1, 2)
BATCH = 128


def main():
    if sys.argv[1:2] == ["--measure"]:
        part, unit = sys.argv[2:]
        return print(json.dumps(MEASURES[part](unit)))
    parts = {
        "score": score,
        "dimension": dimension,
        "chains": chains,
        "samples": samples,
    }
    for part in sys.argv[1:] or parts:
        parts[part]()


def measured(part, units):
    """What a process per unit finds: lists of values, by the names of their rows."""
    found = {}
    for unit in units:
        values_of = said_by(__file__, part, unit, backend="jax")
        for name, values in values_of.items():
            found.setdefault(name, []).append(values)
    return found


def repeated(x, steps, seed):
    """As many samples as the steps see, each pass in an order of its own."""
    rng = np.random.default_rng(seed)
    passes = -(-steps * BATCH // len(x))
    return np.concatenate([x[rng.permutation(len(x))] for _ in range(passes)])


def trained(x, level, *, steps, seed, units=(128,), rate=3e-3):
    """A denoiser that is wide enough to be no bottleneck."""
    import keras

    import keras_manifold as km

    keras.utils.set_random_seed(seed)
    noise = km.NoiseInjection("gaussian", level, seed=seed)
    model = km.AutoEncoder.dense(
        x.shape[1:], units[0], units=units, output_activation=None, noise=noise
    )
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    model.fit(repeated(x, steps, seed), batch_size=BATCH, shuffle=False, verbose=0)
    return model


def spread(values, digits=2):
    return (
        f"{np.mean(values):.{digits}f} "
        f"({np.min(values):.{digits}f} to {np.max(values):.{digits}f})"
    )


# The score of curves in the plane


def curves():
    """Points along each curve, as centers of Gaussians."""
    angles = 2 * np.pi * np.arange(300) / 300
    yield "circle", np.stack([np.cos(angles), np.sin(angles)], axis=1)
    angles = np.pi * (np.arange(150) + 0.5) / 150
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    yield "two moons", np.concatenate([upper, np.array([1.0, 0.5]) - upper])


def log_density_and_score(x, centers, stddev):
    """Of equal Gaussians around the centers."""
    away = centers - x[:, None]
    exponents = -np.square(away).sum(-1) / (2 * stddev**2)
    highest = exponents.max(axis=1, keepdims=True)
    shares = np.exp(exponents - highest)
    total = shares.sum(axis=1, keepdims=True)
    log_density = highest[:, 0] + np.log(total[:, 0])
    return log_density, (shares[..., None] * away).sum(1) / total / stddev**2


ACROSS = 0.03  # spread of the samples across their curve
TRAINED = ((1000, 0.2), (10_000, 0.1), (10_000, 0.2), (10_000, 0.4))
SCORE_STEPS = 1500


def angles_to_the_true_score(centers, count, stddev, seed):
    """Degrees at noisy samples where half the mass is and arrows have a direction."""
    import keras_manifold as km

    rng = np.random.default_rng(seed)
    x = centers[rng.integers(len(centers), size=count)]
    x = (x + ACROSS * rng.normal(size=x.shape)).astype("float32")
    model = trained(x, stddev, steps=SCORE_STEPS, seed=seed)
    width = np.hypot(ACROSS, stddev)
    at = centers[rng.integers(len(centers), size=2000)]
    at = (at + width * rng.normal(size=at.shape)).astype("float32")
    log_density, true = log_density_and_score(at.astype("float64"), centers, width)
    lengths = np.linalg.norm(true, axis=1)
    kept = (log_density > np.median(log_density)) & (lengths > 0.25 / stddev)
    learned = km.score(model, at[kept], batch_size=512)
    products = (learned * true[kept]).sum(axis=1)
    cosines = products / np.linalg.norm(learned, axis=1) / lengths[kept]
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def measure_score(seed):
    found = {}
    for name, centers in curves():
        for count, stddev in TRAINED:
            angles = angles_to_the_true_score(centers, count, stddev, int(seed))
            row = f"| {name} | {stddev} | {count:,} |"
            found[row] = [float(np.median(angles)), float(np.quantile(angles, 0.9))]
    return found


def score():
    lines = [
        "| curve | σ | samples | median angle, degrees | 90 % within, degrees |",
        "|---|--:|--:|--:|--:|",
        *(
            f"{row} {spread(medians, 1)} | {spread(most, 1)} |"
            for row, (medians, most) in columns(measured("score", SEEDS))
        ),
    ]
    how = (
        f"Dense networks with hidden layers of 128, {SCORE_STEPS:,} steps, three seeds: "
        "mean and range. Angle of the learned score to the true one at noisy samples, in "
        "the region that holds half the mass of their density, where the true score is at "
        "least a quarter of one over σ (shorter arrows have hardly a direction)."
    )
    written("denoisers_score.md", "Learned and true score", how, lines)


def columns(found):
    return ((name, [*zip(*rows)]) for name, rows in found.items())


# Dimension of known manifolds

AMBIENT, POINTS = 10, 4000
LEVELS = (0.05, 0.4)
SCALES = np.geomspace(*LEVELS, 6)
DIMENSION_STEPS = 1500
MANIFOLDS = ("sphere, d = 2", "sphere, d = 5", "Swiss roll, d = 2", "three circles, d = 3")


def samples_of(manifold):
    import keras_manifold as km

    drawn = {"ambient_dim": AMBIENT, "seed": 0}
    if manifold.startswith("sphere"):
        return km.manifolds.sphere(POINTS, dimension=int(manifold[-1]), **drawn).x
    if manifold.startswith("Swiss"):
        return km.manifolds.swiss_roll(POINTS, scale=0.15, height=14.0, **drawn).x
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, (POINTS, 3))
    rest = np.zeros((POINTS, AMBIENT - 6))
    return np.hstack([np.cos(angles), np.sin(angles), rest]).astype("float32")


def told(x, *, steps, seed):
    """A denoiser per scale, of one network that is given the logarithm of σ."""
    import keras

    keras.utils.set_random_seed(seed)
    noisy, level = keras.Input(x.shape[1:]), keras.Input((1,))
    hidden = keras.layers.Concatenate()([noisy, level])
    for _ in range(3):
        hidden = keras.layers.Dense(128, "relu")(hidden)
    network = keras.Model([noisy, level], keras.layers.Dense(x.shape[1])(hidden))
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    network.compile(keras.optimizers.Adam(schedule), "mse")
    clean = repeated(x, steps, seed)
    rng = np.random.default_rng(seed)
    logs = rng.uniform(*np.log(LEVELS), (len(clean), 1)).astype("float32")
    noise = np.exp(logs) * rng.standard_normal(clean.shape, "float32")
    network.fit([clean + noise, logs], clean, batch_size=BATCH, shuffle=False, verbose=0)

    def at(scale):
        log = float(np.log(scale))
        return lambda x: network([x, keras.ops.full((x.shape[0], 1), log)])

    return [at(scale) for scale in SCALES]


def measure_dimension(unit):
    import keras_manifold as km

    manifold, _, seed = unit.rpartition(", seed ")
    x, seed, found = samples_of(manifold), int(seed), {}
    models = {
        "": trained(x, LEVELS, steps=DIMENSION_STEPS, seed=seed),
        ", told σ": told(x, steps=DIMENSION_STEPS, seed=seed),
    }
    for estimator in ("flipd", "stein", "loss"):
        for kind, model in models.items():
            curve = km.dimension_curve(model, x[:128], SCALES, estimator=estimator, seed=0)
            row = [*np.median(curve.dimensions, axis=1), np.median(curve.plateau())]
            found[f"| {manifold} | `{estimator}`{kind} |"] = [float(v) for v in row]
    return found | ({f"peers of {manifold}": peers(x)} if seed == 0 else {})


def dimension():
    lines = [
        "| manifold | estimator | " + " | ".join(f"σ = {s:.2g}" for s in SCALES) + " | "
        "plateau |",
        "|---|---|" + "--:|" * (len(SCALES) + 1),
    ]
    others = []
    units = [f"{one}, seed {seed}" for one in MANIFOLDS for seed in SEEDS[:2]]
    for name, rows in measured("dimension", units).items():
        if name.startswith("peers"):
            found = ", ".join(f"{key} {value:.2f}" for key, value in rows[0].items())
            others.append(f"{name.removeprefix('peers of ')}: {found or 'not installed'}.")
            continue
        values = np.array(rows)
        cells = [f"{value:.1f}" for value in values[:, :-1].mean(axis=0)]
        lines.append(f"{name} {' | '.join(cells)} | {spread(values[:, -1])} |")
    lines += ["", "scikit-dimension on the same samples, its defaults. " + " ".join(others)]
    how = (
        f"{POINTS:,} samples in {AMBIENT} dimensions, dense networks, noise of levels "
        f"log-uniform from {LEVELS[0]} to {LEVELS[1]}, {DIMENSION_STEPS:,} steps, two "
        "seeds: medians over 128 samples, their mean over the seeds; of the plateau the "
        "range, too. *Told σ*: a network that is given the logarithm of the level."
    )
    written("denoisers_dimension.md", "Dimension of known manifolds", how, lines)


def peers(x):
    try:
        import skdim
    except ImportError:
        return {}
    return {
        name: float(getattr(skdim.id, name)().fit(x).dimension_)
        for name in ("TwoNN", "MLE", "lPCA")
    }


# Chains on circle and sphere


CHAIN_COUNT, CHAIN_STEPS, CHAIN_STDDEV = 500, 200, 0.1


def measure_chains(seed):
    import keras_manifold as km

    found, seed = {}, int(seed)
    drawn_as = {"ambient_dim": AMBIENT, "seed": 0}
    for name, data in {
        "circle": km.manifolds.circle(POINTS, **drawn_as),
        "sphere, d = 2": km.manifolds.sphere(POINTS, **drawn_as),
    }.items():
        model = trained(data.x, CHAIN_STDDEV, steps=1500, seed=seed)
        start = np.repeat(data.x[:1], CHAIN_COUNT, axis=0)
        drawn = {"standing still": start, "data": data.x[-CHAIN_COUNT:]}
        for method in ("tangent", "denoising", "langevin"):
            drawn[f"`{method}`"] = km.sample(
                model,
                start,
                CHAIN_STEPS,
                method=method,
                seed=seed,
                batch_size=CHAIN_COUNT,
                verbose=0,
            )
        for chain, x in drawn.items():
            found[f"| {name} | {chain} |"] = off_and_uncovered(x, data.embedding)
    return found


def chains():
    lines = [
        "| manifold | chain | off | uncovered |",
        "|---|---|--:|--:|",
        *(
            f"{row} {spread(off, 3)} | {spread(uncovered)} |"
            for row, (off, uncovered) in columns(measured("chains", SEEDS))
        ),
    ]
    how = (
        f"In {AMBIENT} dimensions, noise of {CHAIN_STDDEV}, {CHAIN_COUNT} chains of "
        f"{CHAIN_STEPS} steps that all begin at one point, three trainings: mean and "
        "range. Off: mean distance to the manifold. Uncovered: Kolmogorov-Smirnov distance "
        "of the angle, or of each coordinate, to uniform, the largest; of "
        f"{CHAIN_COUNT} true samples, one coordinate has at most "
        f"{1.36 / np.sqrt(CHAIN_COUNT):.2f} in 95 of 100 cases."
    )
    written("denoisers_chains.md", "Chains on circle and sphere", how, lines)


def off_and_uncovered(x, embedding):
    inside = x @ embedding
    on = inside / np.linalg.norm(inside, axis=1, keepdims=True)
    off = np.linalg.norm(x - on @ embedding.T, axis=1).mean()
    if on.shape[1] == 2:
        uniform = (np.arctan2(on[:, 1], on[:, 0]) / (2 * np.pi) % 1)[:, None]
    else:
        uniform = (on + 1) / 2  # Archimedes: every coordinate of the 2-sphere is uniform
    ranks = np.arange(len(x))[:, None] / len(x)
    away = np.sort(uniform, axis=0) - ranks
    return [float(off), float(max(away.max(), (1 / len(x) - away).max()))]


# Samples of digits

STDDEV, STEPS, COUNT = 0.3, 300, 350
CHAINS = {
    '`"tangent"`': ("tangent", {}),
    '`"tangent"`, scale 2 σ': ("tangent", {"scale": 2 * STDDEV}),
    '`"denoising"`': ("denoising", {}),
    '`"langevin"`': ("langevin", {}),
}


def measure_samples(seed):
    from sklearn.datasets import load_digits
    from sklearn.mixture import GaussianMixture

    import keras_manifold as km

    images = (load_digits().images / 16).astype("float32").reshape(-1, 64)
    rng = np.random.default_rng(int(seed))
    x = images[rng.permutation(len(images))]
    train, chosen, held_out, test = np.split(x, [1000, 1097, 1447])
    noise = rng.uniform(size=(COUNT, 64)).astype("float32")
    mixture = GaussianMixture(20, reg_covar=1e-3, random_state=int(seed)).fit(train)
    drawn = {
        "held-out images": held_out,
        "copies of training images": train[:COUNT],
        "mixture of 20 Gaussians": mixture.sample(COUNT)[0],
        "uniform noise": noise,
    }
    model = trained(train, STDDEV, steps=2500, seed=int(seed), units=(256,))
    for name, (method, settings) in CHAINS.items():
        options = {"method": method, "seed": int(seed), "batch_size": COUNT, "verbose": 0}
        drawn[name] = km.sample(model, noise, STEPS, **options, **settings)
    return {
        name: scores(rng.permutation(np.asarray(some, "float32")), train, chosen, test)
        for name, some in drawn.items()
    }


def samples():
    how = (
        f"Digits (8×8), 1,000 for training, noise of {STDDEV}, chains of {STEPS} steps "
        f"from uniform noise, about {COUNT} samples of each kind, three splits and "
        "trainings: mean and range."
    )
    lines = [
        "| samples | Parzen log-likelihood | precision | recall | distance to training |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {name} | {spread(column[0], 1)} | "
            + " | ".join(spread(part) for part in column[1:])
            + " |"
            for name, column in columns(measured("samples", SEEDS))
        ),
        "",
        "Parzen: mean logarithm of the density of 350 test images under Gaussians around "
        "the samples, whose width 97 further images choose. It is no judge of "
        "likelihood in 64 dimensions: it prefers samples that are too smooth, even to "
        "images (Theis et al. 2016). Precision: share of samples "
        "no farther from a test image than its third neighbour among them; recall: the "
        "same with both exchanged (Kynkäänniemi et al. 2019). Neither sees copying: the "
        "last column does, the median distance to the nearest training image.",
    ]
    written("denoisers_samples.md", "Samples of digits", how, lines)


def scores(drawn, train, chosen, test):
    from sklearn.neighbors import KernelDensity, NearestNeighbors

    to_train = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(drawn)[0]
    widths = np.geomspace(0.05, 1.0, 15)
    densities = [KernelDensity(bandwidth=width).fit(drawn) for width in widths]
    best = densities[int(np.argmax([density.score(chosen) for density in densities]))]
    return [
        float(best.score(test) / len(test)),
        within(drawn, test),
        within(test, drawn),
        float(np.median(to_train)),
    ]


def within(points, support):
    """Share of points that are no farther from a support than its third neighbour."""
    from sklearn.neighbors import NearestNeighbors

    neighbors = NearestNeighbors(n_neighbors=4).fit(support)
    radii = neighbors.kneighbors(support)[0][:, 3]
    distances = np.linalg.norm(points[:, None] - support[None], axis=2)
    return float((distances <= radii).any(axis=1).mean())


MEASURES = {
    "score": measure_score,
    "dimension": measure_dimension,
    "chains": measure_chains,
    "samples": measure_samples,
}

if __name__ == "__main__":
    main()
