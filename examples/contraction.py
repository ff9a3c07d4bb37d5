"""What does a contractive penalty buy?

Trains one autoencoder for each weight of the penalty on handwritten digits, and measures on
digits that it has not seen: how well it reconstructs, how far its code moves when the input
moves (the contraction ratio), how many directions it follows (the local dimension), and how
well a linear classifier reads noisy digits from codes that it learned on clean ones.

    python examples/contraction.py  # half a minute on two cores
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_manifold as km

WEIGHTS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
RADII = np.geomspace(0.1, 8, 12)
NOISE = 0.4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("runs/contraction"))
    arguments = parser.parse_args()

    started = time.perf_counter()
    x, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x = (x[order].reshape(-1, 8, 8, 1) / 16).astype("float32")
    labels = labels[order]

    print(
        f"{'weight':>7} {'reconstruction':>14} {'contraction':>12} {'local dimension':>16} "
        f"{'clean digits':>13} {'noisy digits':>13}"
    )
    found = {}
    for weight in WEIGHTS:
        model = trained(x[:1437], weight, arguments.epochs)
        found[weight] = measured(model, x, labels)
        values = found[weight]
        print(
            f"{weight:>7g} {values['reconstruction']:14.4f} "
            f"{values['contraction'][0]:12.3f} {values['dimension']:16.2f} "
            f"{values['clean']:13.1%} {values['noisy']:13.1%}",
            flush=True,
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure_of(found).savefig(arguments.out / "contraction.png")
    print(
        f"\n{time.perf_counter() - started:.0f} s. Figure: {arguments.out}/contraction.png"
    )


def trained(x, weight, epochs):
    keras.utils.set_random_seed(0)
    penalty = km.ContractivePenalty(weight, seed=0)
    model = km.AutoEncoder.dense(
        (8, 8, 1),
        latent_dim=16,
        units=(128,),
        activation="tanh",
        contractive_penalty=penalty,
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    model.fit(x, epochs=epochs, batch_size=64, verbose=0)
    return model


def measured(model, x, labels):
    x_train, x_test = x[:1437], x[1437:]
    noise = km.NoiseInjection("gaussian", NOISE, clip=(0, 1), seed=0)
    noisy = keras.ops.convert_to_numpy(noise(x_test, training=True))
    codes, test_codes, noisy_codes = (
        keras.ops.convert_to_numpy(model.encode(part)) for part in (x_train, x_test, noisy)
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    classifier.fit(codes, labels[:1437])
    sigma = km.tangent_space(model, x_test, verbose=0).singular_values
    losses = model.evaluate(x_test, verbose=0, return_dict=True)
    return {
        "reconstruction": losses["reconstruction_loss"],
        "contraction": contraction_ratios(model, x_test, test_codes),
        "dimension": km.local_dimension(sigma).mean(),
        "clean": classifier.score(test_codes, labels[1437:]),
        "noisy": classifier.score(noisy_codes, labels[1437:]),
    }


def contraction_ratios(model, x, codes):
    """How far codes move with the input, relative to how far different digits are apart.

    Rifai et al. (2011) draw such curves: the distance in code space over that in input
    space, at a distance of each radius in random directions. Here it is divided by the same
    ratio for pairs of different digits, so that shrinking all codes alike gains nothing.
    """
    rng = np.random.default_rng(0)
    directions = rng.normal(size=x.shape)
    directions /= np.sqrt((directions**2).sum(axis=(1, 2, 3), keepdims=True))
    others = rng.permutation(len(x))
    apart = distances(codes, codes[others]) / np.maximum(distances(x, x[others]), 1e-9)
    ratios = []
    for radius in RADII:
        moved = (x + radius * directions).astype("float32")
        moved_codes = keras.ops.convert_to_numpy(model.encode(moved))
        ratios.append(distances(codes, moved_codes).mean() / radius)
    return np.array(ratios) / apart[others != np.arange(len(x))].mean()


def distances(a, b):
    return np.sqrt(((a - b) ** 2).reshape(len(a), -1).sum(axis=1))


def figure_of(found):
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for weight, values in found.items():
        left.plot(RADII, values["contraction"], marker=".", label=f"{weight:g}")
    left.axhline(1, color="gray", lw=0.8, ls="--")
    left.set(
        xscale="log",
        xlabel="distance from the digit, in input space",
        ylabel="contraction ratio (1: as between digits)",
        title="How far the code moves in a random direction",
    )
    left.legend(title="weight", fontsize=8)
    places = np.arange(len(found))
    right.bar(places, [values["dimension"] for values in found.values()], color="C0")
    right.set_xticks(places, [f"{weight:g}" for weight in found])
    right.set(
        xlabel="weight of the penalty", title="Local dimension, and reading noisy digits"
    )
    right.set_ylabel("local dimension (bars)", color="C0")
    accuracy = right.twinx()
    for name, style in (("clean", "--"), ("noisy", "-")):
        shares = [100 * values[name] for values in found.values()]
        accuracy.plot(places, shares, "C1o" + style, label=f"{name} digits")
    accuracy.set_ylabel("digits classified rightly, %", color="C1")
    accuracy.legend(fontsize=8, loc="lower left")
    return figure


if __name__ == "__main__":
    main()
