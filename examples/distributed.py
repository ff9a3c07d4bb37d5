"""Does an autoencoder trained by two processes become the one that a single process trains?

Starts a run in one process and the same run in two, which share each batch through
`keras.distribution.DataParallel` on JAX, on this machine's CPU, and compares the two.

    pip install -e ".[tensorflow,examples,jax]" && python examples/distributed.py
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

RUNS = ("plain", "denoising and contractive")


def main():
    arguments = parsed_arguments()
    if arguments.process is not None:
        return work(arguments)
    print(f"{arguments.epochs} epochs on 1,437 digits, batches of 64 in all\n")
    one, two = (finished(processes, arguments) for processes in (1, 2))
    for run in RUNS:
        print(f"{run}:")
        for name in ("loss", "largest_singular_value", "tangent_dimension"):
            alone, shared = one[0][run][name], two[0][run][name]
            difference = abs(alone - shared) / abs(alone)
            print(
                f"  {name:<22} one process {alone:8.4f}   two processes {shared:8.4f}   "
                f"relative difference {difference:.1e}"
            )
    for process, results in enumerate(two):
        print(f"results handed on by process {process} of 2: {results['handed_on']}")
    (Path(arguments.out) / "comparison.json").write_text(
        json.dumps({"one process": one, "two processes": two}, indent=2)
    )


def finished(processes, arguments):
    """What each process of a run reports, once all have ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
    }
    workers = [
        subprocess.Popen(
            [
                *(sys.executable, __file__, *sys.argv[1:]),
                *("--process", str(process), "--processes", str(processes)),
                *("--address", address),
            ],
            env=os.environ | settings,
        )
        for process in range(processes)
    ]
    try:
        failed = [worker.wait(timeout=600) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    if any(failed):
        raise SystemExit(f"The run on {processes} processes failed; see above.")
    return [
        json.loads(report(arguments.out, processes, process).read_text())
        for process in range(processes)
    ]


def report(out, processes, process):
    return Path(out) / f"process_{process}_of_{processes}.json"


def work(arguments):
    """The part of one process, which runs in each of them alike."""
    import keras

    if arguments.processes > 1:
        keras.distribution.initialize(
            arguments.address, arguments.processes, arguments.process
        )
        keras.distribution.set_distribution(keras.distribution.DataParallel())

    import tensorflow as tf
    from sklearn.datasets import load_digits

    import keras_manifold as km

    x = (load_digits().images[..., None] / 16).astype("float32")
    x_train, x_test = x[:1437], x[1437:]
    # Keras gives each process its share of each batch of a tf.data.Dataset.
    batches = tf.data.Dataset.from_tensor_slices(x_train).batch(64, drop_remainder=True)

    handed_on = []
    results = {}
    for run in RUNS:
        keras.utils.set_random_seed(0)
        regularisation = {}
        if run != "plain":
            regularisation["noise"] = km.NoiseInjection("gaussian", 0.4, clip=(0, 1))
            regularisation["contractive_penalty"] = 0.01
        model = km.AutoEncoder.dense(
            (8, 8, 1), latent_dim=16, units=(128,), **regularisation
        )
        model.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
        folder = Path(arguments.out) / f"{run} {arguments.processes}"
        if not arguments.process:
            for record in folder.glob("*_scalars.csv"):
                record.unlink()  # of an earlier run of this example, which this replaces
        watch = km.TangentAnalyzer(
            x_test[:8],
            every=arguments.epochs,
            directory=folder,
            sinks=[lambda name, value, step: handed_on.append(name)],
        )
        history = model.fit(
            batches, epochs=arguments.epochs, verbose=0, callbacks=[watch]
        ).history
        results[run] = {name: values[-1] for name, values in history.items()}
        space = km.tangent_space(model, x_test[:32])
        results[run]["largest_singular_value"] = float(space.singular_values.max())
    results["handed_on"] = len(handed_on)
    report(arguments.out, arguments.processes, arguments.process).write_text(
        json.dumps(results)
    )


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", default="runs/distributed", help="folder for the results")
    for name, kind in {"process": int, "processes": int, "address": str}.items():
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    Path(arguments.out).mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    main()
