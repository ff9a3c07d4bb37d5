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


class Paraboloid(layers.Layer):
    """(x, y, (x² + y²) / 2)."""

    def call(self, codes):
        height = 0.5 * ops.sum(ops.square(codes), axis=-1, keepdims=True)
        return ops.concatenate([codes, height], axis=-1)

    @staticmethod
    def geodesic(nearest, reach):
        r"""Geodesics symmetric to their point nearest to the axis, by Clairaut's relation.

        With distance $c$ from the axis there, and $r = \sqrt{c^2 + u^2}$ elsewhere,
        $d\theta = c \sqrt{1 + r^2} / r^2 \, du$ and $ds = \sqrt{1 + r^2} \, du$. The
        length is closed; the angle a quadrature.

        Args:
            nearest: $c$, `(n,)`.
            reach: The largest $u$, `(n,)`.

        Returns:
            Codes of both ends, and lengths `(n,)`.
        """
        nodes, weights = np.polynomial.legendre.leggauss(60)
        u = 0.5 * reach[:, None] * (nodes + 1)
        square = nearest[:, None] ** 2 + u**2
        angle = 0.5 * reach * (nearest[:, None] * np.sqrt(1 + square) / square @ weights)
        a = np.sqrt(1 + nearest**2)
        lengths = reach * np.sqrt(a**2 + reach**2) + a**2 * np.arcsinh(reach / a)
        radius = np.sqrt(nearest**2 + reach**2)
        ends = [
            radius[:, None] * np.stack([np.cos(s * angle), np.sin(s * angle)], axis=1)
            for s in (-1, 1)
        ]
        return *(end.astype("float32") for end in ends), lengths


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
