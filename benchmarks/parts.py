"""Whose Jacobian finds a known manifold: the encoder's, decoder's or reconstruction's?

    python benchmarks/parts.py  # three seeds, five minutes on two cores
    python benchmarks/parts.py swiss_roll,contractive  # this row; the others stay

Trains the network of examples/manifolds.py, with fewer steps, on a circle, a sphere and a
Swiss roll in 20 dimensions, 6 codes, plainly, with noise, and with a penalty on the
encoder, and compares the leading tangent vectors and the local dimension with the truth at
points held out. Results go to
`benchmarks/results/parts.md`.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from workers import RESULTS, written

import keras_manifold as km

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import manifolds

TRAININGS = {
    "plain": {},
    "denoising": {"noise": manifolds.NOISE},
    "contractive": {"contractive_penalty": manifolds.WEIGHTS["code"]},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="manifold,training; all of them")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--samples", type=int, default=2000)
    arguments = parser.parse_args()
    known = {f"{name},{training}" for name in manifolds.MANIFOLDS for training in TRAININGS}
    if not known.issuperset(arguments.rows):
        parser.error(f"Expected rows of {sorted(known)}. Received: {arguments.rows}.")
    lines = [
        "| manifold, dimension | training | encoder | decoder | reconstruction |",
        "|---|---|--:|--:|--:|",
    ]
    earlier = (RESULTS / "parts.md").read_text().splitlines() if arguments.rows else []
    for name in manifolds.MANIFOLDS:
        true = manifolds.MANIFOLDS[name](8).dimension
        for training in TRAININGS:
            head = f"| {name}, {true} | {training} | "
            if arguments.rows and f"{name},{training}" not in arguments.rows:
                lines += [line for line in earlier if line.startswith(head)]
                continue
            seeds = range(arguments.seeds)
            found = [measured(name, training, seed, arguments) for seed in seeds]
            cells = [
                f"{angles.mean():.1f}° ± {angles.std():.1f}, "
                f"**{counts.mean():.2f}** ± {counts.std():.2f}"
                for angles, counts in np.transpose(found, (1, 2, 0))
            ]
            row = head + " | ".join(cells) + " |"
            print(row, flush=True)
            lines.append(row)
    written(
        "parts.md",
        "Whose tangent vectors, and whose dimension?",
        f"In each cell: the median over {manifolds.HELD_OUT} points of the largest angle "
        "between the leading tangent vectors and the true tangent space, and (bold) of the "
        "local dimension by the participation ratio; mean and standard deviation over "
        f"{arguments.seeds} seeds of model and data. {arguments.samples} samples, "
        f"{arguments.epochs} epochs, backend {keras.backend.backend()}."
        + (
            f" Measured after the others: {', '.join(arguments.rows)}."
            if arguments.rows
            else ""
        ),
        lines,
    )


def measured(name, training, seed, arguments):
    """Angle in degrees and dimension of each part, shape `(3, 2)`."""
    manifolds.DRAWN["seed"] = seed
    samples = manifolds.MANIFOLDS[name](arguments.samples + manifolds.HELD_OUT)
    x, held_out = samples.x[: -manifolds.HELD_OUT], samples.x[-manifolds.HELD_OUT :]
    model = trained(x, arguments.epochs, seed, **TRAININGS[training])
    spaces = [
        km.tangent_space(model, held_out, of=part, batch_size=250, verbose=0)
        for part in manifolds.SIDES
    ]
    return [
        (
            np.median(manifolds.angles(space.vectors, samples)),
            np.median(km.local_dimension(space)),
        )
        for space in spaces
    ]


def trained(x, epochs, seed, **options):
    keras.utils.set_random_seed(seed)
    model = km.AutoEncoder.dense(
        manifolds.AMBIENT,
        manifolds.LATENT,
        units=(128, 128, 128),
        activation="gelu",
        output_activation=None,
        **options,
    )
    rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(x) // 128))
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x, epochs=epochs, batch_size=128, verbose=0)
    return model


if __name__ == "__main__":
    main()
