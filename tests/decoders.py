"""Decoders of known geometry, for several tests; none of it stands on the package."""

import keras
import numpy as np
from keras import layers, ops


class Stereographic(layers.Layer):
    """The sphere in R^(d + 1) without its pole, from the plane. Conformal."""

    def call(self, codes):
        square = ops.sum(ops.square(codes), axis=-1, keepdims=True)
        return ops.concatenate([2 * codes, square - 1], axis=-1) / (square + 1)

    @staticmethod
    def codes(points):
        return (points[:, :-1] / (1 - points[:, -1:])).astype("float32")


class Angles(layers.Layer):
    """The sphere in R^3 by polar angle and longitude."""

    def call(self, codes):
        polar, longitude = codes[:, :1], codes[:, 1:]
        ring = ops.sin(polar)
        return ops.concatenate(
            [ring * ops.cos(longitude), ring * ops.sin(longitude), ops.cos(polar)], axis=-1
        )

    @staticmethod
    def codes(points):
        longitude = np.arctan2(points[:, 1], points[:, 0])
        return np.stack([np.arccos(points[:, 2]), longitude], axis=1).astype("float32")


class Cylinder(layers.Layer):
    """A flat strip, rolled up; geodesics are straight lines in the codes."""

    def call(self, codes):
        return ops.stack([ops.cos(codes[:, 0]), ops.sin(codes[:, 0]), codes[:, 1]], axis=-1)


class FlatTorus(layers.Layer):
    """Two circles in R^4."""

    def call(self, codes):
        return ops.concatenate([ops.cos(codes), ops.sin(codes)], axis=-1)


class SwissRoll(layers.Layer):
    """(t cos t, h, t sin t); arc length along t is (t√(1 + t²) + asinh t) / 2."""

    def call(self, codes):
        t, height = codes[:, 0], codes[:, 1]
        return ops.stack([t * ops.cos(t), height, t * ops.sin(t)], axis=-1)

    @staticmethod
    def unrolled(codes):
        t = codes[:, 0].astype("float64")
        along = 0.5 * (t * np.sqrt(1 + t**2) + np.arcsinh(t))
        return np.stack([along, codes[:, 1]], axis=1)


class Linear(layers.Layer):
    """codes @ matrix."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = np.asarray(matrix, "float32")

    def call(self, codes):
        return ops.matmul(codes, self.matrix)


def great_circles(rng, count, size, most=2.8, pole=0.8):
    """Pairs on the sphere in R^size with their angles, away from the pole."""
    starts, stops, angles = [], [], []
    while len(starts) < count:
        a, t = np.linalg.qr(rng.normal(size=(size, 2)))[0].T
        angle = rng.uniform(0.2, most)
        b = np.cos(angle) * a + np.sin(angle) * t
        if max(a[-1], b[-1]) < pole:
            starts, stops, angles = [*starts, a], [*stops, b], [*angles, angle]
    return np.array(starts), np.array(stops), np.array(angles)


def small_decoder(seed=0, code_size=2, outputs=6):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((code_size,)),
            layers.Dense(16, "tanh", kernel_initializer="glorot_normal"),
            layers.Dense(outputs),
        ]
    )
    model.layers[0].kernel.assign(2.0 * model.layers[0].kernel)
    return model
