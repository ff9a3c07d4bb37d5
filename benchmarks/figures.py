"""Five figures that a change should not make worse.

    python benchmarks/figures.py          # measures, and keeps the result
    python benchmarks/figures.py --check  # measures, and fails at 1.5 × the least so far

A training step with one random probe, one with the exact penalty, 100 tangent spaces, a
snapshot of a callback with its page, and the import. Each is a ratio: the first four to a
plain training step in the same rounds (a dense network, 784-256-32, batches of 128), the
import to that of Keras alone. They are compared with those of the same processor. The
results go to `benchmarks/results/history/DATE_TIME_BACKEND.json`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from workers import RESULTS, machine

HISTORY = RESULTS / "history"
ALERT = 1.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the last")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    found = measured(arguments.rounds)
    for name, of_name in found["figures"].items():
        print("{}: {ratio:.2f} ({low:.2f} to {high:.2f})".format(name, **of_name))
    if not arguments.check:
        HISTORY.mkdir(parents=True, exist_ok=True)
        file = HISTORY / f"{found['date']}_{time.strftime('%H%M')}_{found['backend']}.json"
        file.write_text(json.dumps(found, indent=1) + "\n")
        return
    before = kept(HISTORY, found["backend"], found["processor"])
    if not before:
        sys.exit(
            f"Nothing to compare with in {HISTORY} for {found['backend']} on "
            f"{found['processor']}: keep a result first."
        )
    found_worse = alerts(before, found)
    print("\n".join(found_worse) or f"None is {ALERT} × the least of {len(before)}.")
    sys.exit(bool(found_worse))


def kept(folder: Path, backend: str, processor: str):
    """All results of a backend on a processor, by age: another one has other ratios."""
    every = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [
        one for one in every if (one["backend"], one["processor"]) == (backend, processor)
    ]


def alerts(before, after):
    """A line for each figure that is `ALERT` times the least that it was, or more."""
    lines = []
    for name, of_name in after["figures"].items():
        was = [one["figures"][name]["ratio"] for one in before if name in one["figures"]]
        if was and of_name["ratio"] >= ALERT * min(was):
            change = of_name["ratio"] / min(was)
            lines.append(
                f"ALERT: {name} is {of_name['ratio']:.2f}, {change:.1f} × the least so "
                f"far, {min(was):.2f}."
            )
    return lines


def measured(rounds):
    import keras

    tasks = made()
    plain = tasks.pop("plain step")
    taken = {name: [] for name in ("plain step", *tasks)}
    for _ in range(rounds):
        taken["plain step"].append(least(plain))
        for name, task in tasks.items():
            taken[name].append(least(task))
    references = dict.fromkeys(tasks, taken["plain step"])
    taken["import"], references["import"] = imports(max(3, rounds // 5))
    figures = {}
    for name, reference in references.items():
        # Least over least: other work on the machine only ever adds.
        ratios = np.array(taken[name]) / reference
        figures[name] = {
            "ratio": float(min(taken[name]) / min(reference)),
            "low": float(ratios.min()),
            "high": float(ratios.max()),
            "seconds": float(min(taken[name])),
        }
    return {
        "date": time.strftime("%Y-%m-%d"),
        "backend": keras.backend.backend(),
        **machine(),
        "rounds": rounds,
        "figures": figures,
    }


def least(task, repeats=3):
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def made():
    """What is timed, by name, after a first call of each."""
    import keras

    import keras_manifold as km

    x = np.random.default_rng(0).uniform(size=(128, 784)).astype("float32")

    def model(probes=None):
        penalty = probes and km.ContractivePenalty(0.1, probes=probes)
        made = km.AutoEncoder.dense(
            (784,), latent_dim=32, units=(256,), contractive_penalty=penalty
        )
        made.compile("adam", loss="mse")
        return made

    batch = keras.ops.convert_to_tensor(x)
    steps = {
        "plain step": model(),
        "step with one probe": model(1),
        "step with the exact penalty": model("exact"),
    }
    tasks = {name: lambda m=m: m.train_on_batch(batch) for name, m in steps.items()}
    encoder = steps["plain step"].encoder
    tasks["100 tangent spaces"] = lambda: km.tangent_space(encoder, x[:100], verbose=0)
    analyzer = km.TangentAnalyzer(
        x[:8], directory=tempfile.mkdtemp(), overwrite=True, say_where=False
    )
    watching = keras.callbacks.CallbackList(
        [analyzer], model=steps["plain step"], epochs=1, steps=1
    )

    def snapshot():
        # Pictures and page are made beside the training, for whose end they are awaited.
        watching.on_train_begin()
        watching.on_epoch_begin(0)
        watching.on_epoch_end(0, {})
        watching.on_train_end()

    tasks["a snapshot and its page"] = snapshot
    for task in tasks.values():
        task()
    return tasks


def imports(rounds):
    """Seconds of the imports of the package, and of Keras alone."""
    taken = {"keras_manifold": [], "keras": []}
    for _ in range(rounds):
        for name, seconds in taken.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            seconds.append(time.perf_counter() - started)
    return taken["keras_manifold"], taken["keras"]


if __name__ == "__main__":
    main()
