"""What does a geodesic cost beside Adam on the energy, and what does it buy on digits?

    python benchmarks/geodesics.py speed   # 50 pairs, 64 steps, 16 codes
    python benchmarks/geodesics.py digits  # ratios, retrainings, nearest neighbours
    python benchmarks/geodesics.py         # both

Adam is 1,000 compiled steps in one loop on JAX, at the better of two rates. Both take
turns, so that they see the same machine. Results go to `benchmarks/results/geodesics_*.md`.
"""

import os
import sys
import time

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from workers import written

import keras_manifold as km

PAIRS, STEPS, CODES, ROUNDS = 50, 64, 16, 3


def main():
    for part in sys.argv[1:] or ["speed", "digits"]:
        {"speed": speed, "digits": digits}[part]()


def data():
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    return (found.images / 16).astype("float32")[order][..., None], found.target[order]


def trained(x, seed, codes=CODES, penalties=()):
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        x.shape[1:], codes, units=(128, 128), activation="elu", penalties=penalties
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    model.fit(x[:1500], epochs=60, batch_size=64, verbose=0)
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
    x, _ = data()
    model = trained(x, 0)
    codes = model.encode(x[:1500])
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


# Digits


def digits():
    x, labels = data()
    pairs = pairs_of(60)
    rows = {"plain": [], "isometry": []}
    lengths = {"geodesic": [], "codes": []}
    for seed in range(5):
        for name in rows:
            penalties = [km.IsometryPenalty(0.01)] if name == "isometry" else ()
            model = trained(x, seed, penalties=penalties)
            codes = np.asarray(model.encode(x[:1500]))
            curves = km.geodesics(model, *codes[pairs], steps=32, verbose=0)
            error = float(np.mean((model.predict(x[1500:], verbose=0) - x[1500:]) ** 2))
            ratio = float(np.mean(curves.straight_lengths / curves.lengths))
            gram = km.pullback_metric(model, codes[:200])
            spectra = np.sqrt(np.linalg.eigvalsh(gram))
            rows[name].append([ratio, error, np.median(spectra[:, -1] / spectra[:, 0])])
            if name == "plain":
                lengths["geodesic"].append(curves.lengths)
                euclidean = np.linalg.norm(codes[pairs[0]] - codes[pairs[1]], axis=1)
                lengths["codes"].append(euclidean)
    how = (
        f"Dense autoencoders of digits (8×8), {CODES} codes, five trainings, 60 pairs, 32 "
        "steps: mean over the trainings, and their range."
    )
    lines = [
        "| | straight / geodesic | held-out error | largest / smallest stretch, median |",
        "|---|--:|--:|--:|",
    ]
    for name, found in rows.items():
        cells = [spread(column) for column in zip(*found)]
        title = "no penalty" if name == "plain" else "`IsometryPenalty(0.01)`"
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Variation of a pair's distance over five trainings, standard deviation over mean, "
        "each training scaled to mean 1; median of the pairs: "
        + ", ".join(f"{name} {variation(v):.3f}" for name, v in lengths.items())
        + ".",
        "",
        *neighbours(x, labels),
    ]
    written("geodesics_digits.md", "What geodesics say of digits", how, lines)


def spread(values):
    return f"{np.mean(values):.3g} ({np.min(values):.3g} to {np.max(values):.3g})"


def variation(lengths):
    scaled = np.array([v / v.mean() for v in lengths])
    return float(np.median(scaled.std(axis=0) / scaled.mean(axis=0)))


def neighbours(x, labels):
    """Errors of three nearest neighbours with two codes, by each distance."""
    found = {"codes": [], "decoder, graph": []}
    for seed in range(5):
        model = trained(x, seed, codes=2)
        codes = np.asarray(model.encode(x))
        test, train = codes[1500:], codes[:1500]
        graph = km.distances(model, train, test, neighbors=10, verbose=0).T
        within = np.zeros((1500, 1500))
        for name in found:
            metric = "euclidean" if name == "codes" else "precomputed"
            data, queries = (train, test) if name == "codes" else (within, graph)
            classifier = KNeighborsClassifier(3, metric=metric).fit(data, labels[:1500])
            found[name].append(1 - classifier.score(queries, labels[1500:]))
    cells = [f"{name} {100 * np.mean(v):.1f} %" for name, v in found.items()]
    ranges = [f"{100 * min(v):.1f} to {100 * max(v):.1f}" for v in found.values()]
    both = ", ".join(f"{a} ({b})" for a, b in zip(cells, ranges))
    return [f"Errors of three nearest neighbours with two codes, five trainings: {both}."]


if __name__ == "__main__":
    main()
