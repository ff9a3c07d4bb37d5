"""What does a contractive penalty cost, here and as people write it?

    python benchmarks/penalty.py step    # a training step of the lab's network
    python benchmarks/penalty.py growth  # time and memory against codes and image size
    python benchmarks/penalty.py probes  # standard error of random probes
    python benchmarks/penalty.py codes   # exact, 8 to 512 codes, beside each backend's best
    python benchmarks/penalty.py compiled  # steps with jit_compile=True
    python benchmarks/penalty.py epoch   # `fit` with one probe, an epoch of many samples
    python benchmarks/penalty.py         # all six

Each way of writing the step runs in a process of its own with its own framework. The
processes take turns, so that all see the same machine. Results go to
`benchmarks/results/penalty_*.md` and `.png`.
"""

import argparse
import json
import os

import numpy as np
from penalty_steps import SAMPLES, step_of
from workers import RESULTS, Worker, in_turn, ratio, serve, written

# Way: backend of Keras, and how `step_of` makes its step.
WAYS = {
    "TensorFlow: Keras, no penalty": ("tensorflow", "keras plain"),
    "TensorFlow: keras_manifold, one probe": ("tensorflow", "keras 1"),
    "TensorFlow: keras_manifold, one probe, with noise": ("tensorflow", "keras noise 1"),
    "TensorFlow: keras_manifold, one probe of the reconstruction": (
        "tensorflow",
        "keras reconstruction 1",
    ),
    "TensorFlow: keras_manifold, one probe, with curvature": (
        "tensorflow",
        "keras curvature 1",
    ),
    "TensorFlow: keras_manifold, exact": ("tensorflow", "keras exact"),
    "TensorFlow: tape.batch_jacobian in train_step": ("tensorflow", "in batch_jacobian"),
    "TensorFlow: a loop of tape.gradient in train_step": ("tensorflow", "in tape loop"),
    "PyTorch: Keras, no penalty": ("torch", "keras plain"),
    "PyTorch: keras_manifold, one probe": ("torch", "keras 1"),
    "PyTorch: keras_manifold, one probe of the reconstruction": (
        "torch",
        "keras reconstruction 1",
    ),
    "PyTorch: keras_manifold, one probe, with curvature": ("torch", "keras curvature 1"),
    "PyTorch: keras_manifold, exact": ("torch", "keras exact"),
    "PyTorch: a loop of autograd.grad in train_step": ("torch", "in autograd loop"),
    # In torch.nn: PyTorch can't vmap the convolutions of Keras.
    "PyTorch: torch.func, vmap(jacrev)": ("torch", "bare torch jacrev"),
    "JAX: Keras, no penalty": ("jax", "keras plain"),
    "JAX: keras_manifold, one probe": ("jax", "keras 1"),
    "JAX: keras_manifold, one probe of the reconstruction": (
        "jax",
        "keras reconstruction 1",
    ),
    "JAX: keras_manifold, one probe, with curvature": ("jax", "keras curvature 1"),
    "JAX: keras_manifold, exact": ("jax", "keras exact"),
    "JAX: vmap(jacrev) of the encoder in train_step": ("jax", "in jax jacrev"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", help="step, growth, probes, codes, compiled, epoch", default=[]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--backend", choices=BEST, help="of `codes`; default: all")
    parser.add_argument("--network", choices=NETWORKS, help="of `codes`; default: all")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(**json.loads(arguments.worker))
    parts = {
        "step": steps,
        "growth": growth,
        "probes": probes,
        "codes": codes,
        "compiled": compiled,
        "epoch": epoch,
    }
    for part in arguments.parts or parts:
        chosen = {}
        if part == "codes" and arguments.backend:
            chosen["backends"] = [arguments.backend]
        if part == "codes" and arguments.network:
            chosen["networks"] = [arguments.network]
        parts[part](arguments.rounds, **chosen)


def started(way, *, backend="tensorflow", batch=128, latent_dim=32, size=28):
    """A process that trains in one way."""
    task = {"way": way, "batch": batch, "latent_dim": latent_dim, "size": size}
    return Worker(__file__, backend=backend, **task)


def ours_in_turn(backend, ways, rounds, count, size=0):
    """Seconds of our ways by round, taken in turn; of the dense network at size 0."""
    workers = [started(f"keras {way}", backend=backend, size=size) for way in ways]
    return in_turn(workers, rounds, count)


# A training step of the lab's network.


def steps(rounds):
    workers = {name: started(way, backend=backend) for name, (backend, way) in WAYS.items()}
    taken = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, worker in workers.items():
            taken[name].append(worker.seconds_a_step(5))
    for worker in workers.values():
        worker.stop()

    exact = np.array(taken["TensorFlow: keras_manifold, exact"])
    lines = [
        "| a step of 128 images, 28×28×1, 32 codes | ms | × plain step on its backend "
        "| × our exact step on TensorFlow |",
        "|---|--:|--:|--:|",
    ]
    for name, seconds in taken.items():
        own = np.array(taken[name.split(":")[0] + ": Keras, no penalty"])
        lines.append(
            f"| {name} | {1e3 * np.median(seconds):.1f} | {ratio(seconds, own)} "
            f"| {ratio(seconds, exact)} |"
        )
    written(
        "penalty_step.md",
        "A training step with a contractive penalty",
        f"Median of {rounds} rounds in turn, each the median of 5 steps, compilation "
        "not counted; ratios within a round, and their range.",
        lines,
    )


# The exact penalty beside the best way of each backend.

BEST = {
    "tensorflow": ("TensorFlow", {"tape.batch_jacobian": "batch_jacobian"}),
    "torch": (
        "PyTorch",
        {"vmap(jacrev)": "torch jacrev", "a loop of autograd.grad": "autograd loop"},
    ),
    "jax": ("JAX", {"vmap(jacrev)": "jax jacrev"}),
}


NETWORKS = {"dense": (0, 128), "convolutional": (28, 32)}  # size, batch
CODES = (8, 32, 128, 512)


def codes(rounds, backends=tuple(BEST), networks=tuple(NETWORKS)):
    """One table for each backend and network; convolutions take minutes on JAX."""
    for backend in backends:
        for network in networks:
            codes_of(rounds, backend, network)


def codes_of(rounds, backend, network):
    size, batch = NETWORKS[network]
    title, others = BEST[backend]
    lines = [
        "| codes | beside | ours, ms | theirs ÷ ours | ours, MiB | theirs, MiB "
        "| first step, ours, s | theirs, s |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for count in CODES:
        ways = {"ours": "keras exact"}
        for name, way in others.items():
            ways |= {f"{name}, bare": f"bare {way}"}
            if (way, network) != ("torch jacrev", "convolutional"):
                ways |= {name: f"in {way}"}  # vmap takes none of Keras's on PyTorch
        workers = {
            name: started(way, backend=backend, batch=batch, latent_dim=count, size=size)
            for name, way in ways.items()
        }
        taken = {name: [] for name in ways}
        for _ in range(rounds):
            for name, worker in workers.items():
                taken[name].append(worker.seconds_a_step(5 if count < 128 else 1))
        first = {name: worker.first for name, worker in workers.items()}
        memory = {name: worker.stop() for name, worker in workers.items()}
        for name in [name for name in ways if name != "ours"]:
            lines.append(
                f"| {count} | {name} | {1e3 * np.median(taken['ours']):.1f} "
                f"| {ratio(taken[name], np.array(taken['ours']))} "
                f"| {memory['ours']:.0f} | {memory[name]:.0f} "
                f"| {first['ours']:.1f} | {first[name]:.1f} |"
            )
            print(lines[-1], flush=True)
    shape = "28×28 images" if size else "784-256-codes, inputs of 784 entries"
    written(
        f"penalty_codes_{backend}_{network}.md",
        f"A training step with the exact penalty, {title}, {network}",
        f"{shape}, batches of {batch}. The others are a `train_step` of a Keras model, as "
        "ours is, or bare: without Keras's loop and metrics, and on PyTorch without its "
        f"layers and optimizer. Medians of {rounds} rounds in turn, and the range "
        "of the ratios within a round: above 1, ours is faster. Memory is what the process "
        "holds at its peak beyond what it held when its step was built. On a GPU: not "
        "measured.",
        lines,
    )


# Compiled steps.


def compiled(rounds):
    lines = [
        "| a step of 128 | of | ms | compiled, ms | compiled ÷ not |",
        "|---|---|--:|--:|--:|",
    ]
    for backend, title in (("tensorflow", "TensorFlow, XLA"), ("torch", "torch.compile")):
        ways = {"no penalty": "plain", "one probe": "1", "exact": "exact"}
        for name, way in ways.items():
            plain, jit = ours_in_turn(backend, (way, f"{way} compiled"), rounds, 5)
            lines.append(
                f"| {title} | {name} | {1e3 * np.median(plain):.1f} "
                f"| {1e3 * np.median(jit):.1f} | {ratio(jit, plain)} |"
            )
            print(lines[-1], flush=True)
    written(
        "penalty_compiled.md",
        "Steps that are compiled",
        f"784-256-32, batches of 128. Medians of {rounds} rounds in turn, without the "
        "compilation; ratios within a round, and their range: below 1, jit_compile=True is "
        "faster.",
        lines,
    )


# An epoch of `fit`.


def epoch(rounds):
    lines = [
        "| an epoch of | | no penalty, s | one probe, s | one probe ÷ none |",
        "|---|---|--:|--:|--:|",
    ]
    networks = {"784-256-32": (0, SAMPLES[2]), "28×28, convolutional": (28, SAMPLES[4])}
    for network, (size, count) in networks.items():
        for backend, (title, _) in BEST.items():
            ways = "plain epoch", "1 epoch"
            plain, probe = ours_in_turn(backend, ways, rounds, 1, size)
            lines.append(
                f"| {count:,}, {network} | {title} | {np.median(plain):.1f} "
                f"| {np.median(probe):.1f} | {ratio(probe, plain)} |"
            )
            print(lines[-1], flush=True)
    written(
        "penalty_epoch.md",
        "An epoch of `fit` with one probe",
        f"Batches of 128, samples in memory. Medians of {rounds} rounds in turn, "
        "compilation not counted; ratios within a round, and their range.",
        lines,
    )


# Time and memory against latent_dim and image size.


GROWING = ("keras plain", "keras 1", "keras exact", "in batch_jacobian", "in tape loop")


def growth(rounds):
    ways = {
        name: way
        for name, (backend, way) in WAYS.items()
        if backend == "tensorflow" and way in GROWING
    }
    ways["TensorFlow: keras_manifold, exact, chunk_size=8"] = "keras exact 8"
    grids = {
        "latent_dim": [{"latent_dim": m, "size": 28} for m in (8, 32, 128, 512)],
        "image size": [{"latent_dim": 32, "size": n} for n in (28, 56, 112, 224)],
    }
    lines = [
        "| a step of 32 images | latent_dim | image size | s | peak memory, MiB |",
        "|---|--:|--:|--:|--:|",
    ]
    found = {}
    for _axis, grid in grids.items():
        for point in grid:
            for name, way in ways.items():
                if way == "in tape loop" and point["latent_dim"] > 128:
                    continue  # its graph takes minutes to build
                key = (name, *point.values())
                if key not in found:
                    worker = started(way, batch=32, **point)
                    seconds = [worker.seconds_a_step(1) for _ in range(rounds)]
                    found[key] = np.median(seconds), worker.stop()
                    lines.append(
                        f"| {name} | {point['latent_dim']} | {point['size']} "
                        f"| {found[key][0]:.3f} | {found[key][1]:.0f} |"
                    )
                    print(lines[-1], flush=True)
    written(
        "penalty_growth.md",
        "Time and memory of a step with a contractive penalty",
        f"Median of {rounds} steps, each way in a fresh process. Memory is what the "
        "process holds at its peak beyond what it held when the model was built.",
        lines,
    )
    plot_growth(found, grids, ways)


def plot_growth(found, grids, ways):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex="col")
    for column, (_axis, grid) in enumerate(grids.items()):
        for row, quantity in enumerate(("seconds a step", "peak memory, MiB")):
            ax = axes[row, column]
            for name in ways:
                points = [point for point in grid if (name, *point.values()) in found]
                ax.plot(
                    [p["latent_dim" if column == 0 else "size"] for p in points],
                    [found[(name, *p.values())][row] for p in points],
                    marker="o",
                    label=name.removeprefix("TensorFlow: "),
                )
            ax.set(xscale="log", yscale="log", ylabel=quantity)
            ticks = [p["latent_dim" if column == 0 else "size"] for p in grid]
            ax.set_xticks(ticks, [str(tick) for tick in ticks])
            ax.minorticks_off()
            ax.grid(alpha=0.3)
        axes[1, column].set_xlabel(
            "latent_dim, at 28×28" if column == 0 else "height and width, at latent_dim 32"
        )
    axes[0, 0].legend(fontsize=8)
    figure.suptitle("A training step of 32 images on TensorFlow, two CPU cores")
    figure.savefig(RESULTS / "penalty_growth.png", dpi=110)


# The standard error of random probes.


def probes(rounds):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    from sklearn.datasets import load_digits

    import keras_manifold as km

    x = (load_digits().images[..., None] / 16).astype("float32")
    lines = [
        "| model | probes | 1 | 2 | 4 | 8 | 16 |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    draws = 400
    for model_name, penalty in (("plain", None), ("contractive, 0.01", 0.01)):
        keras.utils.set_random_seed(0)
        model = km.AutoEncoder.dense(
            (8, 8, 1), latent_dim=16, units=(128,), contractive_penalty=penalty
        )
        model.compile("adam", loss="binary_crossentropy")
        model.fit(x[:1437], epochs=30, verbose=0)
        watched = np.repeat(x[1437:1487], draws, axis=0)
        exact = values_of(
            km.ContractivePenalty(1.0, probes="exact"), model, watched[::draws]
        )
        ways = {
            "Rademacher, side of the code": {"probe_kind": "rademacher"},
            "orthogonal, side of the code": {"probe_kind": "orthogonal"},
        }
        for name, options in ways.items():
            errors = []
            for count in (1, 2, 4, 8, 16):
                found = values_of(
                    km.ContractivePenalty(1.0, probes=count, seed=0, **options),
                    model,
                    watched,
                ).reshape(-1, draws)
                deviation = np.sqrt(((found - exact[:, None]) ** 2).mean(axis=1))
                errors.append(f"{100 * (deviation / exact).mean():.1f} %")
            lines.append(f"| {model_name} | {name} | {' | '.join(errors)} |")
        errors = [
            f"{100 * error:.1f} %"
            for error in input_side_errors(model, x[1437:1487], exact, draws)
        ]
        lines.append(
            f"| {model_name} | Rademacher, side of the input | {' | '.join(errors)} |"
        )
    written(
        "penalty_probes.md",
        "Standard error of the estimated penalty of one sample",
        f"Relative to the exact penalty, mean over 50 test digits, {draws} draws each. "
        "16 codes, 64 pixels. The error of a batch of n samples is smaller by √n.",
        lines,
    )


def values_of(penalty, model, x):
    import keras

    return keras.ops.convert_to_numpy(penalty(model.encoder, x))


def input_side_errors(model, x, exact, draws):
    import keras_manifold as km

    jacobians = km.jacobian(model.encoder, x).reshape(len(x), 16, 64)
    rng = np.random.default_rng(0)
    for count in (1, 2, 4, 8, 16):
        signs = rng.choice([-1.0, 1.0], size=(draws, count, 64))
        images = np.einsum("nci,dpi->ndpc", jacobians, signs)
        found = (images**2).sum(-1).mean(-1)
        yield (np.sqrt(((found - exact[:, None]) ** 2).mean(1)) / exact).mean()


def work(way, batch, latent_dim, size):
    serve(step_of(way, batch, latent_dim, size))


if __name__ == "__main__":
    main()
