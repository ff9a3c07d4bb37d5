"""What does a geodesic cost beside Adam on the energy, and what does it buy on data?

    python benchmarks/geodesics.py speed    # 50 pairs, 64 steps, 16 codes
    python benchmarks/geodesics.py growth   # with pairs, steps, codes and outputs
    python benchmarks/geodesics.py memory   # compilation, and the peak of 1,000 pairs
    python benchmarks/geodesics.py digits   # ratios, retrainings, nearest neighbours
    python benchmarks/geodesics.py fashion  # the same of Fashion-MNIST
    python benchmarks/geodesics.py          # all

Adam is 1,000 compiled steps in one loop on JAX, at the better of two rates. Both take
turns, so that they see the same machine. Results go to `benchmarks/results/geodesics_*.md`.
"""

import os
import resource
import subprocess
import sys
import time
import warnings

if sys.argv[1:2] != ["--peak"]:
    os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from workers import written

import keras_manifold as km

PAIRS, STEPS, CODES, ROUNDS = 50, 64, 16, 3


def main():
    if sys.argv[1:2] == ["--peak"]:
        return peak()
    for part in sys.argv[1:] or ["speed", "growth", "memory", "digits", "fashion"]:
        if part in DATA:
            buys(part)
        else:
            {"speed": speed, "growth": growth, "memory": memory}[part]()


def digits():
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    return (found.images / 16).astype("float32")[order][..., None], found.target[order]


def fashion():
    (x, labels), _ = keras.datasets.fashion_mnist.load_data()
    return (x[:6000] / 255).astype("float32")[..., None], labels[:6000]


# Where it comes from, samples for training, epochs, units.
DATA = {
    "digits": (digits, 1500, 60, (128, 128)),
    "fashion": (fashion, 5000, 10, (256, 128)),
}


def trained(x, seed, codes=CODES, penalties=(), epochs=60, units=(128, 128)):
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        x.shape[1:], codes, units=units, activation="elu", penalties=penalties
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    model.fit(x, epochs=epochs, batch_size=64, verbose=0)
    return model


def pairs_of(count, n=1500):
    return np.random.default_rng(1).choice(n, (2, count), replace=False)


# Speed


def adam_of(decoder):
    """1,000 steps of Adam on the energy of inner points, compiled."""
    import jax
    from jax import numpy as jnp

    # Copies: Keras gives the memory of its own away.
    weights = [jnp.array(v.value) for v in decoder.trainable_variables]
    others = [jnp.array(v.value) for v in decoder.non_trainable_variables]

    def energies(inner, start, stop):
        curves = jnp.concatenate([start[:, None], inner, stop[:, None]], axis=1)
        flat = curves.reshape(-1, curves.shape[-1])
        outputs = decoder.stateless_call(weights, others, flat, training=False)[0]
        steps = jnp.diff(outputs.reshape(*curves.shape[:2], -1), axis=1)
        return jnp.sum(steps**2, axis=(1, 2))

    gradient = jax.grad(lambda *arguments: energies(*arguments).sum())

    @jax.jit
    def run(inner, start, stop, rate, count):
        def step(i, state):
            inner, first, second = state
            slope = gradient(inner, start, stop)
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            scale = jnp.sqrt(second / (1 - 0.999 ** (i + 1))) + 1e-8
            return inner - rate * first / (1 - 0.9 ** (i + 1)) / scale, first, second

        state = inner, jnp.zeros_like(inner), jnp.zeros_like(inner)
        inner = jax.lax.fori_loop(0, count, step, state)[0]
        return energies(inner, start, stop)

    return run


def timed(function):
    """What it returns, seconds on the clock, and seconds of all threads together."""
    clock, work = time.perf_counter(), time.process_time()
    found = function()
    return found, time.perf_counter() - clock, time.process_time() - work


def speed():
    x = digits()[0][:1500]
    model = trained(x, 0)
    codes = model.encode(x)
    start, stop = (np.asarray(codes[part], "float32") for part in pairs_of(PAIRS))
    share = np.linspace(0, 1, STEPS + 1, dtype="float32")[1:-1, None]
    inner = start[:, None] + share * (stop - start)[:, None]
    run = adam_of(model.decoder)

    def ours(tolerance=1e-6):
        return km.geodesics(model, start, stop, steps=STEPS, tolerance=tolerance, verbose=0)

    def adam(rate, count=1000):
        return np.asarray(run(inner, start, stop, rate, count))

    first = timed(ours)[1], timed(lambda: adam(0.01, count=1))[1]
    found = {rate: adam(rate) for rate in (0.003, 0.01)}
    best = min(found, key=lambda rate: found[rate].sum())
    curves = {tolerance: ours(tolerance) for tolerance in TOLERANCES}
    loose = loosest(curves, found[best])
    ways = ours, lambda: ours(loose), lambda: adam(best)
    rounds = np.array([[timed(way)[1:] for way in ways] for _ in range(ROUNDS)])
    of_speed(curves, first, found, best, rounds)


TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-6)


def loosest(curves, energies):
    """The tolerance with which no curve has more energy than Adam leaves it."""
    return max(t for t, found in curves.items() if (found.energies <= energies).all())


def of_speed(curves, first, found, best, rounds):
    loose = loosest(curves, found[best])
    how = (
        f"{PAIRS} pairs, {STEPS} steps, {CODES} codes, a dense decoder of digits (8×8, two "
        f"hidden layers of 128), JAX. Least of {ROUNDS} rounds in turn, without "
        "compilation. Seconds of work are those of all threads together: other work on the "
        "machine, of which there was much, changes them less than those of the clock. "
        "Ratios within a round, and their range. The looser tolerance is the loosest of "
        f"{', '.join(map(str, TOLERANCES))} with which no curve has more energy than Adam "
        "leaves it."
    )
    lines = [
        "| | iterations: median, most | work, s | Adam / it | clock, s | Adam / it | "
        "energy beyond the least known, at most, in all |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    lowest = np.minimum(found[best], curves[1e-6].energies)
    rows = [
        ("`geodesics`", curves[1e-6].iterations, curves[1e-6].energies),
        (
            f"`geodesics(tolerance={loose})`",
            curves[loose].iterations,
            curves[loose].energies,
        ),
        (f"Adam, rate {best}", np.array([1000]), found[best]),
    ]
    for i, (name, iterations, energies) in enumerate(rows):
        clock, work = rounds[:, i].T
        excess = (energies / lowest - 1).max(), energies.sum() / lowest.sum() - 1
        cells = [
            f"{np.median(iterations):.0f}, {iterations.max()}",
            f"{work.min():.2f}",
            of_ratios(rounds[:, 2, 1] / work),
            f"{clock.min():.2f}",
            of_ratios(rounds[:, 2, 0] / clock),
            f"{excess[0]:.1e}, {excess[1]:.1e}",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    exact = curves[1e-6]
    lines += [
        "",
        f"The first call, with compilation: {first[0]:.1f} s of `geodesics`, "
        f"{first[1]:.1f} s of Adam for one step. "
        f"{int(exact.converged.sum())} of {PAIRS} pairs converged. Straight lines are "
        f"{np.mean(exact.straight_lengths / exact.lengths):.3f} times as long.",
    ]
    written("geodesics_speed.md", "Geodesics beside Adam on the energy", how, lines)


def of_ratios(ratios):
    if ratios.max() == ratios.min():
        return f"{ratios.max():.0f}"
    return f"{np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})"


# Growth


def dense_decoder(codes, outputs):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(128, "elu"), keras.layers.Dense(outputs)]
    return keras.Sequential([keras.Input((codes,)), *layers])


def seconds_per_iteration(pairs, steps, codes, outputs):
    """Work of one iteration, as the difference of runs of three and of one."""
    decoder = dense_decoder(codes, outputs)
    start, stop = np.random.default_rng(0).normal(size=(2, pairs, codes)).astype("float32")

    def run(iterations):
        settings = {"max_iterations": iterations, "tolerance": 1e-12, "verbose": 0}
        km.geodesics(decoder, start, stop, steps=steps, **settings)

    with warnings.catch_warnings(action="ignore"):  # that these are too few
        run(1)
        found = [timed(lambda: run(3))[2] - timed(lambda: run(1))[2] for _ in range(2)]
    return min(found) / 2


def growth():
    base = {"pairs": 50, "steps": 64, "codes": 16, "outputs": 64}
    ladders = {
        "pairs": (25, 50, 100, 200),
        "steps": (32, 64, 128),
        "codes": (2, 16, 64),
        "outputs": (64, 784, 3072),
    }
    lines = ["| what grows | from, s per iteration | |", "|---|---|---|"]
    for name, values in ladders.items():
        found = [seconds_per_iteration(**base | {name: value}) for value in values]
        cells = [f"{value:,}: {s:.3f}" for value, s in zip(values, found)]
        power = np.log(found[-1] / found[-2]) / np.log(values[-1] / values[-2])
        lines.append(f"| {name} | {', '.join(cells)} | last step: power {power:.1f} |")
    how = (
        "Seconds of work (all threads together) per iteration of all pairs; 50 pairs, 64 "
        "steps, 16 codes and 64 outputs but for what grows; one hidden layer of 128, JAX."
    )
    written("geodesics_growth.md", "What an iteration of geodesics costs", how, lines)


# Memory


def memory():
    lines = [
        "| backend | first call of 50 pairs, s | second call, s | peak of 1,000 pairs "
        "beyond that of a prediction, MiB | seconds of work |",
        "|---|--:|--:|--:|--:|",
    ]
    for backend in ("tensorflow", "jax", "torch"):
        command = [sys.executable, __file__, "--peak"]
        run = subprocess.run(
            command,
            env=os.environ | {"KERAS_BACKEND": backend},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        cells = run.stdout.splitlines()[-1].split()
        lines.append(f"| {backend} | " + " | ".join(cells) + " |")
    how = (
        f"{CODES} codes, 784 outputs, a dense decoder with 128 hidden units, 32 steps, two "
        "iterations at most: more need no more memory. A process each, on a machine with "
        "other work: the first call compiles. Resident memory at its peak, less that after "
        "one prediction."
    )
    written("geodesics_memory.md", "Compilation and memory of geodesics", how, lines)


def peak():
    """Prints seconds of two calls, and MiB and seconds of 1,000 pairs in this process."""
    decoder = dense_decoder(CODES, 784)
    start, stop = np.random.default_rng(0).normal(size=(2, 1000, CODES)).astype("float32")
    decoder.predict(start, verbose=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run(pairs):
        with warnings.catch_warnings(action="ignore"):  # two iterations are too few
            ends = start[:pairs], stop[:pairs]
            km.geodesics(decoder, *ends, steps=32, max_iterations=2, verbose=0)

    first, second = (timed(lambda: run(50))[1] for _ in range(2))
    work = timed(lambda: run(1000))[2]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{first:.1f} {second:.1f} {(after - before) / 1024:.0f} {work:.1f}")


# What they buy


def buys(name):
    load, n, epochs, units = DATA[name]
    x, labels = load()
    pairs = pairs_of(60)
    rows = {"plain": [], "isometry": []}
    lengths = {"geodesic": [], "codes": []}
    models = []
    for seed in range(5):
        for kind in rows:
            penalties = [km.IsometryPenalty(0.01)] if kind == "isometry" else ()
            settings = {"penalties": penalties, "epochs": epochs, "units": units}
            model = trained(x[:n], seed, **settings)
            codes = np.asarray(model.encode(x[:1500]))
            curves = km.geodesics(model, *codes[pairs], steps=32, verbose=0)
            error = float(np.mean((model.predict(x[n:], verbose=0) - x[n:]) ** 2))
            ratio = float(np.mean(curves.straight_lengths / curves.lengths))
            gram = km.pullback_metric(model, codes[:200])
            spectra = np.sqrt(np.linalg.eigvalsh(gram))
            rows[kind].append([ratio, error, np.median(spectra[:, -1] / spectra[:, 0])])
            if kind == "plain":
                models.append(model)
                lengths["geodesic"].append(curves.lengths)
                euclidean = np.linalg.norm(codes[pairs[0]] - codes[pairs[1]], axis=1)
                lengths["codes"].append(euclidean)
    how = (
        f"Dense autoencoders of {n:,} samples of shape {x.shape[1:3]}, {CODES} codes, "
        f"{epochs} epochs, five trainings, 60 pairs, 32 steps: mean over the trainings, "
        "and their range."
    )
    lines = [
        "| | straight / geodesic | held-out error | largest / smallest stretch, median |",
        "|---|--:|--:|--:|",
    ]
    for kind, found in rows.items():
        cells = [spread(column) for column in zip(*found)]
        title = "no penalty" if kind == "plain" else "`IsometryPenalty(0.01)`"
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Variation of a pair's distance over five trainings, standard deviation over mean, "
        "each training scaled to mean 1; median of the pairs: "
        + ", ".join(f"{kind} {variation(v):.3f}" for kind, v in lengths.items())
        + ".",
        "",
        neighbours(models, CODES, x, labels, n),
    ]
    if name == "digits":
        models = [trained(x[:n], seed, codes=2) for seed in range(5)]
        lines += ["", neighbours(models, 2, x, labels, n)]
    title = f"What geodesics say of {name}"
    written(f"geodesics_{name}.md", title, how, lines)


def spread(values):
    return f"{np.mean(values):.3g} ({np.min(values):.3g} to {np.max(values):.3g})"


def variation(lengths):
    scaled = np.array([v / v.mean() for v in lengths])
    return float(np.median(scaled.std(axis=0) / scaled.mean(axis=0)))


def neighbours(models, size, x, labels, n, most=2000):
    """Errors of three nearest neighbours by each distance."""
    first = min(n, most)  # samples that are known: the graph is of all, and of the others
    known = labels[:first]
    found = {"codes": [], "decoder, graph": []}
    for model in models:
        train, test = np.asarray(model.encode(x[:first])), np.asarray(model.encode(x[n:]))
        graph = km.distances(model, test, train, neighbors=10, verbose=0)
        classifier = KNeighborsClassifier(3).fit(train, known)
        found["codes"].append(1 - classifier.score(test, labels[n:]))
        given = KNeighborsClassifier(3, metric="precomputed")
        given.fit(np.zeros((first, first)), known)
        found["decoder, graph"].append(1 - given.score(graph, labels[n:]))
    cells = [
        f"{name} {100 * np.mean(v):.1f} % ({100 * min(v):.1f} to {100 * max(v):.1f})"
        for name, v in found.items()
    ]
    return (
        f"Errors of three nearest neighbours among {first:,} with {size} codes, five "
        "trainings: " + ", ".join(cells) + "."
    )


if __name__ == "__main__":
    main()
