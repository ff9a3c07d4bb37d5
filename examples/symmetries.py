"""Do the learned tangents know that a shifted shirt is a shirt?

A shirt stays a shirt when it is shifted, turned, scaled, sheared or drawn bolder. These
directions in pixel space are known without learning. Trains plain, denoising and
contractive autoencoders on images and measures, on images that they have not seen, how much
of each known direction lies in the span of the eight strongest learned tangents: those of
the encoder (what the code follows), of the decoder (where the reconstruction can go) and of
the reconstruction by the input. Beside them stand directions that take no network: random
ones, and the principal components of all training images and of each image's 50 nearest.

    python examples/symmetries.py                   # Fashion-MNIST, minutes on two cores
    python examples/symmetries.py --dataset digits  # 8×8 digits, no network, a minute
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

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
    print(f"{arguments.dataset}: {count} images, {arguments.epochs} epochs, {K} tangents")

    # Captured shares by side and model, a row a seed, a column a kind.
    shares = {side: {model: [] for model in MODELS} for side in SIDES}
    shares["no network"] = {name: [] for name in REFERENCES}
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
        shares["no network"]["random"].append(np.full(len(KINDS), K / x[0].size))
    shares = {
        side: {name: np.array(rows) for name, rows in of_side.items()}
        for side, of_side in shares.items()
    }

    print(
        f"\nShare of each known direction in the span of the {K} strongest tangents, in %, "
        f"on {len(x_test)} test\nimages, and how many times that of the plain model: mean "
        f"± standard deviation over {arguments.seeds} seed(s)"
    )
    for side, of_side in shares.items():
        print_table(side, of_side)
    print("\n" + conclusion(shares))
    arguments.out.mkdir(parents=True, exist_ok=True)
    shown = 4 if arguments.dataset == "fashion_mnist" else 0  # a shirt
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
    latent_dim = 32 if shape[0] == 28 else 16
    model = km.AutoEncoder.convolutional(shape, latent_dim, **options)
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
    rows = [*enumerate(KINDS), (slice(None), "all")]
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

    A ratio counts as different from 1 where it is so by two standard deviations.
    """
    sentences = []
    for side in SIDES:
        whole = {name: rows.mean(axis=1) for name, rows in shares[side].items()}
        parts = []
        for name in MODELS[1:]:
            ratios = whole[name] / whole["plain"]
            beyond = len(ratios) > 1 and abs(ratios.mean() - 1) > 2 * ratios.std(ddof=1)
            verdict = ("more" if ratios.mean() > 1 else "less") if beyond else "about equal"
            parts.append(f"{name} {verdict} ({spread(ratios, 2)} times)")
        sentences.append(f"{side} tangents, against plain: {', '.join(parts)}.")
    means = {
        f"the {name} {side}" if side in SIDES else name: rows.mean()
        for side, of_side in shares.items()
        for name, rows in of_side.items()
    }
    best = max((name for name in means if name not in REFERENCES), key=means.get)
    sentences.append(
        f"Of all models' tangents those of {best} capture most, {means[best]:.1%}; "
        f"without a network local PCA captures {means['local PCA']:.1%}, "
        f"random directions {means['random']:.1%}."
    )
    return "\n".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def figure_of(shares, spaces, known, x_test, shown):
    figure = Figure(figsize=(14, 7.6), layout="constrained", dpi=100)
    axes = figure.subplots(2, 2, sharey="row", height_ratios=(1, 0.98))
    for column, side in enumerate(SIDES[:2]):
        draw_bars(axes[0, column], shares, side)
        nearest = [projected(known[shown], spaces[m][side].vectors[shown]) for m in MODELS]
        draw_images(axes[1, column], x_test[shown], known[shown], nearest)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6
    )
    return figure


def draw_bars(ax, shares, side):
    places = np.arange(len(KINDS) + 1)
    for i, name in enumerate(MODELS):
        means, deviations = with_mean_of_kinds(shares[side][name])
        ax.bar(places + 0.27 * (i - 1), means, 0.25, yerr=deviations, capsize=3, label=name)
    for name, style in (("local PCA", "-"), ("PCA", ":")):
        means, _ = with_mean_of_kinds(shares["no network"][name])
        ax.hlines(means, places - 0.42, places + 0.42, "k", style, lw=1.5, label=name)
    random = 100 * shares["no network"]["random"].mean()
    ax.axhline(random, color="0.5", lw=1, ls="--", label="random directions")
    ax.set_title(f"{side} tangents")
    ax.set_ylabel(f"captured by {K} tangents, %")
    ax.set_xticks(places, ["mean", *KINDS])


def with_mean_of_kinds(rows):
    """Means and standard deviations over the seeds in percent, of all kinds first."""
    rows = 100 * np.column_stack([rows.mean(axis=1), rows])
    deviations = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(rows.shape[1])
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
            ax.text(place + 0.43, row + 0.42, f"{share:.0%}", ha="right", fontsize=8)
    ax.set(xlim=(-0.5, len(known) + 0.5), ylim=(len(nearest) + 0.5, -0.5))
    ax.set_yticks(range(len(nearest) + 1), ["known", *MODELS])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_signed(ax, direction, row, place):
    limit = np.abs(direction).max()
    draw_cell(ax, direction, row, place, cmap="RdBu_r", vmin=-limit, vmax=limit)


def draw_cell(ax, image, row, place, **colours):
    extent = (place - 0.46, place + 0.46, row + 0.46, row - 0.46)
    ax.imshow(image[..., 0], extent=extent, aspect="auto", **colours)


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
    parser.add_argument("--epochs", type=int, help="default: 8, on digits 60")
    parser.add_argument("--weight", type=float, default=0.1, help="of the penalty")
    parser.add_argument("--out", type=Path, default=Path("runs/symmetries"))
    arguments = parser.parse_args()
    if arguments.epochs is None:
        arguments.epochs = 8 if arguments.dataset == "fashion_mnist" else 60
    return arguments


if __name__ == "__main__":
    main()
