"""Does an autoencoder find a manifold whose tangents and dimension are known?

Draws a circle, a sphere and a Swiss roll in 20 dimensions, with a little noise, and trains
autoencoders on them whose code has 6 entries: more than the 1 or 2 that the manifold needs,
so that its dimension is to be found. On points that they have not seen it compares what
each Jacobian says (of the encoder, of the decoder, and of the reconstruction) with the
truth: the angle between the leading tangent vectors and the true ones, and the local
dimension by each rule. Local PCA of the nearest points shows what one gets without a model.

    python examples/manifolds.py  # two to three minutes on two cores
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from sklearn.neighbors import NearestNeighbors

import keras_manifold as km

AMBIENT, LATENT, HELD_OUT, NEIGHBOURS = 20, 6, 500, 100
DRAWN = {"ambient_dim": AMBIENT, "noise": 0.05, "seed": 0}
MANIFOLDS = {
    "circle": lambda n: km.manifolds.circle(n, radius=3.0, **DRAWN),
    "sphere": lambda n: km.manifolds.sphere(n, radius=3.0, **DRAWN),
    "swiss_roll": lambda n: km.manifolds.swiss_roll(n, scale=0.5, **DRAWN),
}
# Well above the noise of the data, and well below the radii and the 3.1 between the turns
# of the roll. The penalty of the reconstruction has the weight that small noise of this
# size amounts to, as the loss is a mean over the coordinates; under that of the code,
# weights ten times smaller or larger count as many dimensions by the gap.
NOISE = 0.5
WEIGHTS = {"code": 1.0, "reconstruction": NOISE**2 / AMBIENT}
SIDES = ("encoder", "decoder", "reconstruction")
RULES = ("participation_ratio", "entropy", "gap", "energy")
STROKES = {"circle": 0.5, "sphere": 0.2, "swiss_roll": 0.4}  # half a side, in the figure
REFERENCE = f"local PCA, {NEIGHBOURS} neighbours"
BEST = "contractive, reconstruction"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--samples", type=int, default=4000, help="to train on")
    parser.add_argument("--manifolds", nargs="+", choices=MANIFOLDS, default=[*MANIFOLDS])
    parser.add_argument("--out", type=Path, default=Path("runs/manifolds"))
    arguments = parser.parse_args()

    started = time.perf_counter()
    print(
        "angle: the largest between the leading tangent vectors, as many as the manifold\n"
        "has dimensions, and the true tangent space; mean, median and 95th percentile\n"
        f"over {HELD_OUT} held-out points. local dimension: the median over these points,\n"
        "by participation ratio, entropy, gap and energy."
    )
    found = {}
    for name in arguments.manifolds:
        samples = MANIFOLDS[name](arguments.samples + HELD_OUT)
        print(f"\n{name}, {samples.dimension}-dimensional\n{headline()}")
        found[name] = samples, compared(samples, arguments.epochs)
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure_of(found).savefig(arguments.out / "manifolds.png", dpi=80)
    print(f"\n{time.perf_counter() - started:.0f} s. Figure: {arguments.out}/manifolds.png")


def compared(samples, epochs):
    """Angles in degrees and `TangentSpace`s at the held-out points, by model and side."""
    x_train, x_test = samples.x[:-HELD_OUT], samples.x[-HELD_OUT:]
    spaces = {}
    for name, options in models().items():
        model = trained(x_train, epochs, **options)
        for side in SIDES:
            space = km.tangent_space(model, x_test, of=side, batch_size=250, verbose=0)
            spaces[name, side] = space.vectors, space.singular_values
            print_row(name if side == SIDES[0] else "", side, *spaces[name, side], samples)
    spaces[REFERENCE, ""] = local_pca(x_train, x_test)
    print_row(REFERENCE, "", *spaces[REFERENCE, ""], samples)
    return spaces


def models():
    return {
        "plain": {},
        "denoising": {"noise": km.NoiseInjection("gaussian", NOISE, seed=0)},
        **{
            f"contractive, {of}": {
                "contractive_penalty": km.ContractivePenalty(weight, of=of, seed=0)
            }
            for of, weight in WEIGHTS.items()
        },
    }


def trained(x, epochs, **options):
    keras.utils.set_random_seed(0)
    model = km.AutoEncoder.dense(
        (AMBIENT,),
        latent_dim=LATENT,
        units=(128, 128, 128),
        activation="gelu",
        output_activation=None,
        **options,
    )
    batch_size = 128
    steps = epochs * -(-len(x) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x, epochs=epochs, batch_size=batch_size, verbose=0)
    return model


def local_pca(x_train, x_test):
    """Principal directions of the nearest training points, and their singular values."""
    neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(x_train))).fit(x_train)
    clouds = x_train[neighbours.kneighbors(x_test, return_distance=False)]
    clouds = clouds - clouds.mean(axis=1, keepdims=True)
    _, sigma, vectors = np.linalg.svd(clouds, full_matrices=False)
    return vectors, sigma


def angles(vectors, samples):
    """The largest angle to the true tangent space at each held-out point, in degrees."""
    leading, true = vectors[:, : samples.dimension], samples.tangents[-HELD_OUT:]
    return np.degrees(km.principal_angles(leading, true)[:, -1])


def headline():
    return (
        f"{'':<27} {'':<14} {'angle, degrees':>20}  {'local dimension':>30}\n"
        f"{'model':<27} {'tangents of':<14} {'mean':>6} {'median':>6} {'95 %':>6}  "
        f"{'ratio':>6} {'entropy':>7} {'gap':>7} {'energy':>7}"
    )


def print_row(model, side, vectors, sigma, samples):
    degrees = angles(vectors, samples)
    dimensions = [np.median(km.local_dimension(sigma, rule)) for rule in RULES]
    print(
        f"{model:<27} {side:<14} {degrees.mean():6.1f} {np.median(degrees):6.1f} "
        f"{np.percentile(degrees, 95):6.1f}  {dimensions[0]:6.2f} {dimensions[1]:7.2f} "
        f"{dimensions[2]:7.0f} {dimensions[3]:7.0f}",
        flush=True,
    )


def figure_of(found):
    figure = Figure(figsize=(13, 3.7 * len(found) + 0.4), layout="constrained")
    grid = figure.add_gridspec(len(found), 3, width_ratios=(1.1, 1, 1))
    for row, (name, (samples, spaces)) in enumerate(found.items()):
        is_flat = samples.embedding.shape[1] == 2
        space = figure.add_subplot(grid[row, 0], projection=None if is_flat else "3d")
        spectrum, shares = (figure.add_subplot(grid[row, i]) for i in (1, 2))
        vectors, _ = spaces[BEST, "reconstruction"]
        patches = draw_tangents(space, samples, vectors, STROKES[name])
        bar = figure.colorbar(patches, ax=space, shrink=0.7, extend="both")
        bar.set_label("angle to the true tangents, degrees")
        bar.set_ticks([1, 3, 10, 30], labels=["1", "3", "10", "30"])
        space.set_title(f"{name}: tangents found ({BEST})", fontsize="medium")
        draw_spectra(spectrum, samples, spaces)
        draw_shares(shares, samples, spaces)
    handles = shares.get_legend_handles_labels()[0]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
    )
    return figure


def draw_tangents(ax, samples, vectors, size):
    """Found tangent spaces as strokes or tiles, in the manifold's own 2 or 3 dimensions."""
    d = samples.dimension
    order = np.argsort(samples.parameters[-HELD_OUT:, 0])
    some = order[:: 8 if d == 1 else 1]
    true, leading = samples.tangents[-HELD_OUT:], vectors[:, :d]
    # Turned within the space that was found so as to lie along the true vectors.
    sides = true @ leading.swapaxes(1, 2) @ leading @ samples.embedding * size
    centres = samples.x[-HELD_OUT:] @ samples.embedding
    signs = [(-1,), (1,)] if d == 1 else [(-1, -1), (-1, 1), (1, 1), (1, -1)]
    corners = [centres + np.einsum("a,nai->ni", sign, sides) for sign in signs]
    corners = np.stack(corners, axis=1)
    if d == 1:
        patches = LineCollection(corners[some], linewidth=2)
        ax.plot(*centres.T, ".", color="0.8", markersize=2)
    else:
        patches = Poly3DCollection(corners[some], edgecolor="white", linewidth=0.3)
        ax.view_init(elev=18, azim=-65)
        ax.set_axis_off()
    patches.set(array=angles(vectors, samples)[some], cmap="viridis", norm=LogNorm(0.5, 50))
    ax.add_collection(patches)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    for axis, limits in zip("xyz", zip(low, high)):
        ax.set(**{f"{axis}lim": limits})
    if d == 1:
        ax.set_aspect("equal")
    else:
        ax.set_box_aspect(high - low, zoom=1.25)
    return patches


def draw_spectra(ax, samples, spaces):
    index = np.arange(1, LATENT + 1)
    for colour, name in enumerate(models()):
        _, sigma = spaces[name, "reconstruction"]
        low, median, high = np.percentile(np.maximum(sigma, 1e-6), (5, 50, 95), axis=0)
        ax.plot(index, median, f"C{colour}.-")
        ax.fill_between(index, low, high, color=f"C{colour}", alpha=0.15, lw=0)
    ax.axvline(samples.dimension + 0.5, color="gray", ls="--", lw=1)
    ax.set(yscale="log", ylim=(3e-4, 2), ylabel="singular value")
    ax.set_xlabel("index (dashed: the true dimension ends; band: 90% of points)")
    ax.set_title("Spectrum of the reconstruction's Jacobian", fontsize="medium")
    ax.grid(alpha=0.3)


def draw_shares(ax, samples, spaces):
    shares = np.arange(1, HELD_OUT + 1) / HELD_OUT
    lines = {name: (name, "reconstruction") for name in models()}
    for colour, (name, key) in enumerate({**lines, REFERENCE: (REFERENCE, "")}.items()):
        style = "k:" if name == REFERENCE else f"C{colour}-"
        ax.plot(np.sort(angles(spaces[key][0], samples)), shares, style, label=name)
    ax.set(xscale="log", xlim=(0.5, 90), ylabel="share of points below")
    ax.set_xticks([1, 3, 10, 30, 90], labels=["1", "3", "10", "30", "90"])
    ax.minorticks_off()
    ax.set_xlabel("largest angle to the true tangents, degrees")
    ax.set_title("Tangents of the reconstruction", fontsize="medium")
    ax.grid(alpha=0.3)


if __name__ == "__main__":
    main()
