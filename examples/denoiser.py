"""What a denoiser knows of a circle and a sphere: where they are, and their dimension.

    python examples/denoiser.py --out runs/denoiser

Draws the field of a plain and of a denoising autoencoder side by side, holds the learned
score against the true one, reads the dimension off over scales, and compares three chains
by how close they stay and how well they cover. Takes less than a minute on two cores.
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import keras_manifold as km

NOISE = 0.2
AMBIENT = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/denoiser"))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=100, help="of each chain")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    fields(arguments.out, arguments.epochs)
    chains(arguments.out, arguments.epochs, arguments.steps)


def trained(x, epochs, noise):
    """An autoencoder that is wide enough to be no bottleneck."""
    size = x.shape[1]
    model = km.AutoEncoder.dense(
        size, 128, units=(128,), output_activation=None, noise=noise
    )
    steps = epochs * -(-len(x) // 128)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)  # the last steps matter
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    model.fit(x, epochs=epochs, batch_size=128, verbose=0)
    return model


def fields(out, epochs):
    circle = km.manifolds.circle(3000, noise=0.02, seed=0)
    models = {
        "plain": trained(circle.x, epochs, None),
        "denoising": trained(circle.x, epochs, km.NoiseInjection("gaussian", NOISE)),
    }
    figure = km.plot.denoising_field(models, circle.x[:500], points=21)
    figure.savefig(out / "field.png")

    # Where samples of the training lay: the circle with its noise.
    noisy = circle.x[:1000] + NOISE * np.random.default_rng(0).normal(size=(1000, 2))
    learned, true = km.score(models["denoising"], noisy), true_score(noisy)
    lengths = np.linalg.norm(true, axis=1)
    is_long = lengths > 0.5 / NOISE  # shorter ones have hardly a direction
    cosine = np.sum(learned * true, axis=1) / (np.linalg.norm(learned, axis=1) * lengths)
    cosine = cosine[is_long]
    angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    print(f"angle of learned and true score on the circle: median {np.median(angles):.1f}°")


def true_score(x):
    """Of the circle under noise: radial, by the mean of many points behind each sample."""
    angles = 2 * np.pi * np.arange(720) / 720
    points = np.stack([np.cos(angles), np.sin(angles)], -1)
    shares = np.exp((x @ points.T - np.linalg.norm(x, axis=1, keepdims=True)) / NOISE**2)
    return (shares @ points / shares.sum(1, keepdims=True) - x) / NOISE**2


def chains(out, epochs, steps):
    sphere = km.manifolds.sphere(3000, ambient_dim=AMBIENT, seed=0)
    levels = km.NoiseInjection("gaussian", (0.05, 0.5))
    model = trained(sphere.x, epochs, levels)
    curves = {
        estimator: km.dimension_curve(
            model, sphere.x[:64], np.geomspace(0.05, 0.5, 7), estimator=estimator, seed=0
        )
        for estimator in ("stein", "flipd", "loss")
    }
    figure = km.plot.dimension_curve(curves, dimension=sphere.dimension)
    figure.savefig(out / "dimension.png")
    for estimator, curve in curves.items():
        print(f"dimension by {estimator}: median {np.median(curve.plateau()):.2f}")

    model = trained(sphere.x, epochs, km.NoiseInjection("gaussian", 0.1))
    start = np.repeat(sphere.x[:1], 300, axis=0)
    print("chain        off the sphere   Kolmogorov-Smirnov distance to uniform")
    for method in ("tangent", "denoising", "langevin"):
        found = km.sample(model, start, steps, method=method, seed=0, verbose=0)
        inside = found @ sphere.embedding
        radius = np.linalg.norm(inside, axis=1, keepdims=True)
        off = np.linalg.norm(found - (inside / radius) @ sphere.embedding.T, axis=1)
        print(f"{method:12} {off.mean():14.3f}   {coverage(inside / radius):.3f}")


def coverage(points):
    """Each coordinate of a uniform point on the 2-sphere is uniform in [-1, 1]."""
    heights = np.sort(points, axis=0)
    expected = (heights + 1) / 2
    count = len(points)
    above = (np.arange(1, count + 1)[:, None] / count - expected).max()
    below = (expected - np.arange(count)[:, None] / count).max()
    return max(above, below)


if __name__ == "__main__":
    main()
