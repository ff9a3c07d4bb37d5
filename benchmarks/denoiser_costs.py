"""What does each call about a denoiser cost, beside one `predict` of the same samples?

    python benchmarks/denoiser_costs.py      # on all backends
    python benchmarks/denoiser_costs.py jax  # on those that are named

A process per backend; within one, all calls take turns with `predict`. Writes
benchmarks/results/denoisers_cost.md.
"""

import json
import sys
import time

import numpy as np
from workers import BACKENDS, ratio, said_by, written

COUNT, BATCH, ROUNDS, STEPS = 512, 128, 7, 10
STDDEV = 0.3


def main():
    if sys.argv[1:] == ["--measure"]:
        return print(json.dumps(measured()))
    backends = sys.argv[1:] or [*BACKENDS]
    found = {backend: said_by(__file__, backend=backend) for backend in backends}
    how = (
        f"{COUNT} digits of 8×8 pixels, a dense network of 64-512-512-512-64, batches of "
        f"{BATCH}; times of `model.predict`, median of {ROUNDS} rounds in turn, and range. "
        "After the first call, which compiles. The machine was shared with other work."
    )
    calls = found[backends[0]]
    lines = [
        "| call | " + " | ".join(BACKENDS[backend] for backend in backends) + " |",
        "|---|" + "--:|" * len(backends),
        *(
            f"| {call} | " + " | ".join(found[backend][call] for backend in backends) + " |"
            for call in calls
        ),
    ]
    written("denoisers_cost.md", "Cost of what a denoiser is asked", how, lines)


def measured():
    import keras
    from sklearn.datasets import load_digits

    import keras_manifold as km

    x = (load_digits().images[:COUNT] / 16).reshape(-1, 64).astype("float32")
    keras.utils.set_random_seed(0)
    noise = km.NoiseInjection("gaussian", STDDEV)
    model = km.AutoEncoder.dense(64, 512, units=(512,), noise=noise)
    model.compile("adam", "mse")
    few = x[:BATCH]  # for what takes a pass per entry

    def curve(estimator, x=x, draws=8):
        km.dimension_curve(
            model, x, [STDDEV], estimator=estimator, draws=draws, seed=0, batch_size=BATCH
        )

    def chain(method):
        km.sample(model, x, STEPS, method=method, seed=0, batch_size=BATCH, verbose=0)

    calls = {
        "`score`": (1, lambda: km.score(model, x, batch_size=BATCH)),
        "`reconstruction_errors`": (
            1,
            lambda: model.reconstruction_errors(x, batch_size=BATCH, verbose=0),
        ),
        '`dimension_curve`, `"stein"`, 8 draws, per scale': (1, lambda: curve("stein")),
        '`dimension_curve`, `"loss"`, 8 draws, per scale': (1, lambda: curve("loss")),
        '`dimension_curve`, `"flipd"`, 64 entries, per scale': (
            len(x) / len(few),
            lambda: curve("flipd", few),
        ),
        '`sample`, `"denoising"`, per step': (1 / STEPS, lambda: chain("denoising")),
        '`sample`, `"langevin"`, per step': (1 / STEPS, lambda: chain("langevin")),
        '`sample`, `"tangent"`, per step': (1 / STEPS, lambda: chain("tangent")),
    }
    reference = lambda: model.predict(x, batch_size=BATCH, verbose=0)  # noqa: E731
    seconds = {name: [] for name in calls}
    of_predict = []
    for round_of_all in range(ROUNDS + 1):
        for name, (factor, call) in calls.items():
            spent = [timed(reference), timed(call) * factor]
            if round_of_all:  # the first compiles
                seconds[name].append(spent[1] / spent[0])
                of_predict.append(spent[0])
    found = {name: ratio(np.array(values), 1.0) for name, values in seconds.items()}
    return {"`model.predict`, ms": f"{1e3 * np.median(of_predict):.0f}"} | found


def timed(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
