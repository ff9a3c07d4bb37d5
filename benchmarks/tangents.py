"""How long do the tangent vectors of an image take, here and as people write it?

The lab's network (28×28×1, latent 32), all 32 tangents of each image, on TensorFlow:

    python benchmarks/tangents.py --images 1000

Prints milliseconds an image, compilation left out, and how many times longer than
`tangent_space` each way takes: the median over the rounds, and the range.
"""

import argparse
import os
import time

os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import tensorflow as tf

import keras_manifold as km
from keras_manifold.tangent import encoder_jacobian


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    encoder = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32).encoder
    x = np.random.default_rng(0).uniform(size=(arguments.images, 28, 28, 1))
    x = x.astype("float32")
    jacobians = encoder_jacobian(encoder, x[0])
    ways = {
        "keras_manifold.tangent_space": (
            lambda: km.tangent_space(jacobians, x, batch_size=128, verbose=0),
            len(x),
        ),
        "compiled batch_jacobian + tf.linalg.svd": (batch_jacobian(encoder, x), len(x)),
        "the lab: eager tape.jacobian + np.linalg.svd": (lab(encoder, x[:5]), 5),
    }
    for run, _ in ways.values():
        run()  # compile
    seconds = {name: [] for name in ways}
    for _ in range(arguments.rounds):  # in turn, so that all see the same machine
        for name, (run, images) in ways.items():
            started = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - started) / images)
    ours = np.array(seconds["keras_manifold.tangent_space"])
    for name, taken in seconds.items():
        ratios = np.array(taken) / ours
        print(
            f"{name:<46} {1e3 * np.median(taken):8.2f} ms an image   "
            f"{np.median(ratios):7.2f} × ({ratios.min():.2f} to {ratios.max():.2f})"
        )


def batch_jacobian(encoder, x, batch_size=128):
    @tf.function
    def decomposed(batch):
        with tf.GradientTape() as tape:
            tape.watch(batch)
            codes = encoder(batch)
        jacobian = tape.batch_jacobian(codes, batch)
        return tf.linalg.svd(tf.reshape(jacobian, (-1, 32, 784)))

    dataset = tf.data.Dataset.from_tensor_slices(x).batch(batch_size)
    return lambda: [[part.numpy() for part in decomposed(batch)] for batch in dataset]


def lab(encoder, x):
    def run():
        for image in x:
            batch = tf.convert_to_tensor(image[None])
            with tf.GradientTape() as tape:
                tape.watch(batch)
                codes = encoder(batch)
            jacobian = tape.jacobian(codes, batch)
            np.linalg.svd(jacobian.numpy().reshape(32, 784))

    return run


if __name__ == "__main__":
    main()
