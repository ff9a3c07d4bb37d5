"""Do the learned tangents know that a shifted shirt is a shirt?

A shirt stays a shirt when it is shifted, turned, scaled, sheared or drawn bolder. These
directions in pixel space are known without learning. Trains plain, denoising and
contractive autoencoders on images and measures, on images that they have not seen, how much
of each known direction lies in the span of the eight strongest learned tangents: those of
the encoder (what the code follows), of the decoder (where the reconstruction can go) and of
the reconstruction by the input. Beside them stand directions that take no network: random
ones, and the principal components of all training images and of each image's 50 nearest.

    python examples/symmetries.py                   # Fashion-MNIST: 6 to 9 min, two cores
    python examples/symmetries.py --dataset digits  # 8×8 digits, no network, half a minute
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import ttest_1samp

import keras_manifold as km

KINDS = km.symmetries.KINDS
MODELS = ("plain", "denoising", "contractive")
SIDES = ("encoder", "decoder", "reconstruction")
REFERENCES = ("random", "PCA", "local PCA")
K = 8
NEIGHBOURS = 50


def main():
    arguments = parsed_arguments()
    started = time.perf_counter()
    x, x_test = loaded(arguments.dataset)
    known = km.symmetries.image_tangents(x_test, KINDS)
    count = min(arguments.images, len(x))
    print(
        f"{arguments.dataset}: {count} images, {arguments.epochs} epochs, penalty weight "
        f"{arguments.weight:g}, seeds: {arguments.seeds}"
    )

    # Captured shares by side and model, a row a seed, a column a kind.
    shares = {side: {model: [] for model in MODELS} for side in SIDES}
    shares["no network"] = {name: [] for name in REFERENCES}
    shares["no network"]["random"] = [np.full(len(KINDS), K / x[0].size)]  # expected
    spaces = {}
    for seed in range(arguments.seeds):
        x_train = np.random.default_rng(seed).permutation(x)[:count]
        for name, vectors in references(x_train, x_test).items():
            shares["no network"][name].append(captured(vectors, known))
        for name in MODELS:
            model, loss = trained(name, x_train, x_test, seed, arguments)
            found = {
                side: km.tangent_space(model, x_test, of=side, k=K, verbose=0)
                for side in SIDES
            }
            for side, space in found.items():
                shares[side][name].append(captured(space, known))
            if seed == 0:
                spaces[name] = found
            print(
                f"seed {seed}, {name:<11}  reconstruction loss {loss:.4f}  "
                f"{time.perf_counter() - started:4.0f} s",
                flush=True,
            )
    shares = {
        side: {name: np.array(rows) for name, rows in of_side.items()}
        for side, of_side in shares.items()
    }

    print(
        f"\nShare of each known direction in the span of the {K} strongest tangents, in %, "
        f"on {len(x_test)} test\nimages, and how many times that of the plain model (×): "
        "mean ± standard deviation over seeds"
    )
    for side, of_side in shares.items():
        print_table(side, of_side)
    print("\n" + conclusion(shares))
    arguments.out.mkdir(parents=True, exist_ok=True)
    shown = 4 if arguments.dataset == "fashion_mnist" else 0  # the first shirt
    figure = figure_of(shares, spaces, known, x_test, shown)
    figure.savefig(arguments.out / "symmetries.png")
    print(
        f"\n{time.perf_counter() - started:.0f} s. Figure: {arguments.out}/symmetries.png"
    )


def trained(name, x_train, x_test, seed, arguments):
    """An autoencoder, and its reconstruction loss on clean test images.

    The three models of a seed start from the same weights and see the same images.
    """
    keras.utils.set_random_seed(seed)
    options = {
        "plain": {},
        "denoising": {"noise": km.NoiseInjection("gaussian", 0.4, clip=(0, 1), seed=seed)},
        "contractive": {
            "contractive_penalty": km.ContractivePenalty(arguments.weight, seed=seed)
        },
    }[name]
    shape = x_train.shape[1:]
    if shape[0] == 28:
        model = km.AutoEncoder.convolutional(shape, latent_dim=32, **options)
    else:
        model = km.AutoEncoder.dense(shape, latent_dim=16, units=(128,), **options)
    model.compile("adam", loss="binary_crossentropy")
    model.fit(x_train, epochs=arguments.epochs, batch_size=64, verbose=0)
    losses = model.evaluate(x_test, verbose=0, return_dict=True)
    return model, losses["reconstruction_loss"]


def captured(space, known):
    return km.captured_energy(space, known).mean(axis=0)


def references(x_train, x_test):
    """Directions at each test image that take no network, `(n, K, *input_shape)`."""
    train, test = (images.reshape(len(images), -1) for images in (x_train, x_test))
    of_all = np.broadcast_to(components(train), (len(test), K, test.shape[1]))
    distances = (train**2).sum(axis=1) - 2 * test @ train.T
    nearest = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    of_nearest = components(train[nearest])
    shape = (len(test), K, *x_test.shape[1:])
    return {"PCA": of_all.reshape(shape), "local PCA": of_nearest.reshape(shape)}


def components(x):
    centred = x - x.mean(axis=-2, keepdims=True)
    return np.linalg.svd(centred, full_matrices=False)[2][..., :K, :]


def print_table(side, of_side):
    others = [name for name in of_side if name in MODELS[1:]]
    print(
        f"\n{side:<15}"
        + "".join(f"{name:>14}" for name in of_side)
        + "".join(f"{name + ' ×':>15}" for name in others)
    )
    rows = [*enumerate(KINDS), (slice(None), "mean")]
    for columns, kind in rows:
        values = {
            name: rows[:, columns].reshape(len(rows), -1).mean(axis=1)
            for name, rows in of_side.items()
        }
        print(
            f"{kind:<15}"
            + "".join(f"{spread(100 * v, 1):>14}" for v in values.values())
            + "".join(f"{spread(values[name] / values['plain'], 2):>15}" for name in others)
        )


def spread(values, digits):
    mean = f"{np.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def conclusion(shares):
    """What the numbers say, in words.

    A ratio counts as different from 1 where a t test of its logarithm over the seeds gives
    p < 0.05; that of one seed is taken as it is.
    """
    lines = ["Does regularisation help? Mean over the kinds:"]
    for side in SIDES:
        whole = {name: rows.mean(axis=1) for name, rows in shares[side].items()}
        parts = []
        for name in MODELS[1:]:
            ratios = whole[name] / whole["plain"]
            is_clear = len(ratios) == 1 or ttest_1samp(np.log(ratios), 0).pvalue < 0.05
            verdict = "about as much"
            if is_clear:
                verdict = "more" if ratios.mean() > 1 else "less"
            parts.append(f"{name} {verdict} (× {spread(ratios, 2)})")
        lines.append(f"{side} tangents capture, against plain: {', '.join(parts)}")
    means = {
        f"{name} {side}": rows.mean()
        for side in SIDES
        for name, rows in shares[side].items()
    }
    best = max(means, key=means.get)
    others = ", ".join(
        f"{name} {rows.mean():.1%}" for name, rows in shares["no network"].items()
    )
    lines.append(f"most of all: {best}, {means[best]:.1%}; without a network: {others}")
    return "\n".join(lines)


def figure_of(shares, spaces, known, x_test, shown):
    figure = Figure(figsize=(14, 7.8), layout="constrained", dpi=100)
    axes = figure.subplots(2, 2, sharex="col", sharey="row", height_ratios=(1, 1.04))
    for (bars, images), side in zip(axes.T, SIDES):
        draw_bars(bars, shares, side)
        nearest = [projected(known[shown], spaces[m][side].vectors[shown]) for m in MODELS]
        draw_images(images, x_test[shown], known[shown], nearest)
    axes[0, 0].set_ylabel(f"captured by {K} tangents, %")
    handles, _ = axes[0, 0].get_legend_handles_labels()  # lines, then bars
    figure.legend(
        handles=handles[-3:] + handles[:-3],
        loc="outside upper center",
        ncols=6,
        frameon=False,
    )
    return figure


def draw_bars(ax, shares, side):
    places = np.arange(len(KINDS) + 1)
    for i, name in enumerate(MODELS):
        means, deviations = with_mean_of_kinds(shares[side][name])
        ax.bar(places + 0.27 * (i - 1), means, 0.25, yerr=deviations, capsize=3, label=name)
    for name, style in (("local PCA", "-"), ("PCA", ":")):
        means, _ = with_mean_of_kinds(shares["no network"][name])
        ax.hlines(
            means,
            places - 0.42,
            places + 0.42,
            "k",
            style,
            lw=1.5,
            label=f"{name}, no network",
        )
    random = 100 * shares["no network"]["random"].mean()
    ax.axhline(random, color="0.5", lw=1, ls="--", label="random directions, expected")
    ax.set_title(f"{side} tangents: share of known directions that they capture")
    ax.set_xticks(places, ["mean", *KINDS])
    ax.tick_params(labelbottom=True)


def with_mean_of_kinds(rows):
    """Means and standard deviations over the seeds in percent, of all kinds first."""
    rows = 100 * np.column_stack([rows.mean(axis=1), rows])
    deviations = rows.std(axis=0, ddof=1) if len(rows) > 1 else None
    return rows.mean(axis=0), deviations


def projected(directions, vectors):
    """Nearest directions in the span of the vectors, at unit length, and their share."""
    flat, basis = (v.reshape(len(v), -1) for v in (directions, vectors))
    nearest = flat @ basis.T @ basis
    lengths = np.linalg.norm(nearest, axis=1)
    unit = nearest / np.maximum(lengths, 1e-12)[:, None]
    return unit.reshape(directions.shape), lengths**2


def draw_images(ax, image, known, nearest):
    """The image and its known tangents; below them what is nearest to each in each span."""
    draw_cell(ax, image, 0, 0, cmap="gray")
    ax.text(0, 0.5, "the image", ha="center", va="top", fontsize=9)
    for place, direction in enumerate(known, 1):
        draw_signed(ax, direction, 0, place)
    for row, (directions, shares) in enumerate(nearest, 1):
        for place, (direction, share) in enumerate(zip(directions, shares), 1):
            draw_signed(ax, direction, row, place)
            ax.text(
                place + 0.42,
                row + 0.4,
                f"{share:.0%}",
                ha="right",
                fontsize=8,
                bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 0.8},
            )
    ax.set_title("below a known direction: the nearest in the span of a model's tangents")
    ax.set(xlim=(-0.5, len(known) + 0.5), ylim=(len(nearest) + 0.5, -0.5))
    ax.set_yticks(range(len(nearest) + 1), ["known", *MODELS])
    ax.tick_params(length=0, labelbottom=False)
    ax.spines[:].set_visible(False)


def draw_signed(ax, direction, row, place):
    limit = np.abs(direction).max()
    draw_cell(ax, direction, row, place, cmap="RdBu_r", vmin=-limit, vmax=limit)


def draw_cell(ax, image, row, place, **colours):
    extent = (place - 0.46, place + 0.46, row + 0.46, row - 0.46)
    ax.imshow(
        image[..., 0], extent=extent, aspect="auto", interpolation="nearest", **colours
    )


def loaded(dataset):
    """Images to train on and to test on in [0, 1], `(n, height, width, 1)`."""
    if dataset == "digits":
        from sklearn.datasets import load_digits

        x = (load_digits().images[..., None] / 16).astype("float32")
        x = np.random.default_rng(0).permutation(x)
        return x[:1597], x[1597:]
    try:
        (x, _), (x_test, _) = keras.datasets.fashion_mnist.load_data()
    except Exception as error:
        raise SystemExit(
            f"Fashion-MNIST could not be loaded ({error}): take --dataset digits, which "
            "needs no network."
        ) from error
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x, x_test))
    return x, x_test[:200]


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dataset", choices=["fashion_mnist", "digits"], default="fashion_mnist"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=10_000, help="to train on")
    parser.add_argument("--epochs", type=int, help="default: 8, on digits 30")
    parser.add_argument("--weight", type=float, help="of the penalty; 0.1, on digits 0.01")
    parser.add_argument("--out", type=Path, default=Path("runs/symmetries"))
    arguments = parser.parse_args()
    lab = arguments.dataset == "fashion_mnist"
    if arguments.epochs is None:
        arguments.epochs = 8 if lab else 30
    if arguments.weight is None:
        # 0.1: the largest share of the encoder on other images, of 0.01 to 100, one seed.
        arguments.weight = 0.1 if lab else 0.01
    return arguments


if __name__ == "__main__":
    main()
