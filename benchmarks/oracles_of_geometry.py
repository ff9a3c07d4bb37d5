"""Oracles of the geometry of decoders, whose rows `oracles.py` writes."""

import os

import numpy as np
from oracle_rows import largest, oracle

# Geometry of a decoder: the sphere, from the plane.


def sphere():
    from keras import layers, ops

    class Stereographic(layers.Layer):
        def call(self, codes):
            square = ops.sum(ops.square(codes), axis=-1, keepdims=True)
            return ops.concatenate([2 * codes, square - 1], axis=-1) / (square + 1)

    return Stereographic()


def great_circles(rng, count, size):
    """Codes of pairs on the sphere in R^size, up to 2.8 rad apart, and their angles."""
    starts, stops, angles = [], [], []
    while len(starts) < count:
        a, t = np.linalg.qr(rng.normal(size=(size, 2)))[0].T
        angle = rng.uniform(0.2, 2.8)
        b = np.cos(angle) * a + np.sin(angle) * t
        if max(a[-1], b[-1]) < 0.8:
            starts, stops, angles = [*starts, a], [*stops, b], [*angles, angle]
    ends = [np.array(points) for points in (starts, stops)]
    codes = [(p[:, :-1] / (1 - p[:, -1:])).astype("float32") for p in ends]
    return *codes, np.array(angles)


def adam_on_great_circles(size):
    def peer(rng):
        start, stop, angles = great_circles(rng, 20, size)
        share = np.linspace(0, 1, 65)[:, None]
        curves = start[:, None] + share * (stop - start)[:, None].astype("float64")
        first, second = np.zeros_like(curves), np.zeros_like(curves)
        for step in range(1, 1001):
            outputs, pull = sphere_in_numpy(curves)
            steps = np.diff(outputs, axis=1)
            ends = np.zeros_like(outputs)
            ends[:, 1:] += 2 * steps
            ends[:, :-1] -= 2 * steps
            slope = pull(ends)
            slope[:, [0, -1]] = 0
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            scale = np.sqrt(second / (1 - 0.999**step)) + 1e-8
            curves = curves - 0.01 * first / (1 - 0.9**step) / scale
        steps = np.diff(sphere_in_numpy(curves)[0], axis=1)
        return largest(np.linalg.norm(steps, axis=2).sum(axis=1), angles)

    peer.__doc__ = "1,000 steps of Adam on the energy, rate 0.01, by us"
    return peer


def sphere_in_numpy(codes):
    """Outputs, and the product with the transposed Jacobian."""
    below = np.square(codes).sum(axis=-1, keepdims=True) + 1
    outputs = np.concatenate([2 * codes, below - 2], axis=-1) / below

    def pull(vectors):
        sides, last = vectors[..., :-1], vectors[..., -1:]
        inner = (codes * sides).sum(axis=-1, keepdims=True)
        return 2 * sides / below + 4 * codes * (last - inner) / below**2

    return outputs, pull


def stochman_on_great_circles(rng):
    """Stochman 0.3.0, `connecting_geodesic`, by its curve at 1,000 points."""
    import torch
    from stochman.manifold import EmbeddedManifold

    class Sphere(EmbeddedManifold):
        def embed(self, points, jacobian=False):
            below = (points**2).sum(-1, keepdim=True) + 1
            return torch.cat([2 * points, below - 2], -1) / below

    start, stop, angles = great_circles(rng, 20, 3)
    manifold = Sphere()
    curve, _ = manifold.connecting_geodesic(torch.tensor(start), torch.tensor(stop))
    with torch.no_grad():
        lengths = manifold.curve_length(curve(torch.linspace(0, 1, 1000)))
    return largest(lengths.numpy(), angles)


def latent_geometry_on_great_circles(rng):
    """Latent-geometry 1.1.0, `shortest_path`, by its curve at 1,000 points."""
    import torch
    from latent_geometry.manifold import LatentManifold
    from latent_geometry.mapping import TorchModelMapping
    from latent_geometry.metric import EuclideanMetric

    class Sphere(torch.nn.Module):
        def forward(self, points):
            below = (points**2).sum(-1, keepdim=True) + 1
            return torch.cat([2 * points, below - 2], -1) / below

    start, stop, angles = great_circles(rng, 20, 3)
    mapping = TorchModelMapping(Sphere(), (2,), (3,))
    manifold = LatentManifold(mapping, EuclideanMetric())
    lengths = []
    for a, b in zip(start, stop):
        path = manifold.shortest_path(a, b)
        points = np.array([path(t) for t in np.linspace(0, 1, 1000)])
        outputs = sphere_in_numpy(points)[0]
        lengths.append(np.linalg.norm(np.diff(outputs, axis=0), axis=1).sum())
    return largest(np.array(lengths), angles)


def lengths_of_great_circles(rng, size, steps=64):
    import keras_manifold as km

    start, stop, angles = great_circles(rng, 20, size)
    curves = km.geodesics(sphere(), start, stop, steps=steps, verbose=0)
    return largest(curves.lengths, angles)


@oracle(
    "`geodesics`",
    case="sphere in 3 dimensions, 64 steps, 20 pairs up to 2.8 rad apart",
    closed_form=r"$\arccos \langle a, b \rangle$",
    peers=(
        adam_on_great_circles(3),
        stochman_on_great_circles,
        latent_geometry_on_great_circles,
    ),
)
def great_circles_in_3(rng):
    return lengths_of_great_circles(rng, 3)


@oracle(
    "`geodesics`",
    case="the same with 16 steps: the error falls with their square",
    closed_form=r"$\arccos \langle a, b \rangle$",
)
def great_circles_in_16_steps(rng):
    return lengths_of_great_circles(rng, 3, steps=16)


@oracle(
    "`geodesics`",
    case="sphere in 20 dimensions, 64 steps, 20 pairs up to 2.8 rad apart",
    closed_form=r"$\arccos \langle a, b \rangle$",
    peers=(adam_on_great_circles(20),),
)
def great_circles_in_20(rng):
    return lengths_of_great_circles(rng, 20)


@oracle(
    "`geodesics`",
    case="sphere by polar angle and longitude, 64 steps, 20 pairs",
    closed_form=r"$\arccos \langle a, b \rangle$",
)
def great_circles_by_angles(rng):
    from keras import layers, ops

    import keras_manifold as km

    class Angles(layers.Layer):
        def call(self, codes):
            polar, longitude = codes[:, :1], codes[:, 1:]
            across = [ops.cos(longitude), ops.sin(longitude)]
            ring = ops.sin(polar) * ops.concatenate(across, axis=-1)
            return ops.concatenate([ring, ops.cos(polar)], axis=-1)

    *ends, angles = great_circles(rng, 20, 3)
    points = [sphere_in_numpy(codes.astype("float64"))[0] for codes in ends]
    start, stop = (
        np.stack([np.arccos(p[:, 2]), np.arctan2(p[:, 1], p[:, 0])], 1) for p in points
    )
    # The way around that is the shorter one.
    stop[:, 1] -= 2 * np.pi * np.round((stop - start)[:, 1] / (2 * np.pi))
    return largest(km.geodesics(Angles(), start, stop, verbose=0).lengths, angles)


def rolled(kind):
    """A surface that is bent without being stretched."""
    from keras import layers, ops

    class Rolled(layers.Layer):
        def call(self, codes):
            first, second = codes[:, 0], codes[:, 1]
            if kind == "cylinder":
                return ops.stack([ops.cos(first), ops.sin(first), second], axis=-1)
            if kind == "torus":
                return ops.concatenate([ops.cos(codes), ops.sin(codes)], axis=-1)
            return ops.stack([first * ops.cos(first), second, first * ops.sin(first)], -1)

    return Rolled()


def straight_when_unrolled(rng, kind):
    import keras_manifold as km

    low, high = ((4.5, 0.0), (13.0, 15.0)) if kind == "roll" else ((-1, -1), (1.1, 1.1))
    start, stop = rng.uniform(low, high, (2, 20, 2))
    unrolled = [start, stop]
    if kind == "roll":
        t = [codes[:, 0] for codes in unrolled]
        along = [0.5 * (t * np.sqrt(1 + t**2) + np.arcsinh(t)) for t in t]
        unrolled = [np.stack([a, c[:, 1]], 1) for a, c in zip(along, unrolled)]
    lengths = np.linalg.norm(unrolled[1] - unrolled[0], axis=1)
    return largest(km.geodesics(rolled(kind), start, stop, verbose=0).lengths, lengths)


@oracle(
    "`geodesics`",
    case="cylinder, 64 steps, 20 pairs",
    closed_form=r"$\lVert z - z' \rVert$",
)
def lines_of_the_cylinder(rng):
    return straight_when_unrolled(rng, "cylinder")


@oracle(
    "`geodesics`",
    case="flat torus in 4 dimensions, 64 steps, 20 pairs",
    closed_form=r"$\lVert z - z' \rVert$",
)
def lines_of_the_torus(rng):
    return straight_when_unrolled(rng, "torus")


@oracle(
    "`geodesics`",
    case="Swiss roll, 64 steps, 20 pairs up to a turn and a half apart",
    closed_form=r"$\lVert u - u' \rVert$, $u = (\tfrac12 (t \sqrt{1 + t^2} + "
    r"\operatorname{asinh} t), h)$",
)
def lines_of_the_swiss_roll(rng):
    return straight_when_unrolled(rng, "roll")


@oracle(
    "`geodesics`",
    case="affine decoder of 5 codes, 64 steps, 20 pairs",
    closed_form=r"$\lVert A (z - z') \rVert$",
)
def lines_of_an_affine_decoder(rng):
    from keras import layers

    import keras_manifold as km

    matrix, shift = rng.normal(size=(5, 9)), rng.normal(size=9)
    decoder = layers.Dense(9)
    decoder.build((None, 5))
    decoder.set_weights([matrix, shift])
    start, stop = rng.normal(size=(2, 20, 5))
    lengths = np.linalg.norm((stop - start) @ matrix, axis=1)
    return largest(km.geodesics(decoder, start, stop, verbose=0).lengths, lengths)


def log_of_the_sphere(start, stop, angles):
    """Directions in codes, of the length of the angle, from start to stop."""
    a, b = (sphere_in_numpy(codes.astype("float64"))[0] for codes in (start, stop))
    toward = (b - np.cos(angles)[:, None] * a) * (angles / np.sin(angles))[:, None]
    _, pull = sphere_in_numpy(start.astype("float64"))
    factor = 4 / (1 + np.square(start).sum(axis=1)) ** 2
    return pull(toward) / factor[:, None]


def geomstats_along_great_circles(rng):
    """Geomstats 2.8.0, `PullbackMetric.exp`, 5 of the pairs."""
    os.environ["GEOMSTATS_BACKEND"] = "pytorch"
    import geomstats.backend as gs
    from geomstats.geometry.base import ImmersedSet
    from geomstats.geometry.euclidean import Euclidean
    from geomstats.geometry.pullback_metric import PullbackMetric

    class Plane(ImmersedSet):
        def __init__(self):
            super().__init__(dim=2, equip=False)

        def _define_embedding_space(self):
            return Euclidean(3)

        def immersion(self, point):
            below = gs.sum(point**2, axis=-1, keepdims=True) + 1
            return gs.concatenate([2 * point, below - 2], axis=-1) / below

    start, stop, angles = (part[:5] for part in great_circles(rng, 20, 3))
    velocities = log_of_the_sphere(start, stop, angles)
    plane = Plane()
    plane.equip_with_metric(PullbackMetric)
    ends = [
        plane.metric.exp(gs.array(v), gs.array(z.astype("float64")))
        for v, z in zip(velocities, start)
    ]
    found = sphere_in_numpy(np.array([end.detach().numpy() for end in ends]))[0]
    return largest(found, sphere_in_numpy(stop.astype("float64"))[0])


@oracle(
    "`exponential`",
    case="sphere in 3 dimensions, 64 steps, 20 pairs: points at the end",
    closed_form=r"$\cos \theta \, a + \sin \theta \, v / \theta$",
    peers=(geomstats_along_great_circles,),
)
def ends_of_great_circles(rng):
    import keras_manifold as km

    start, stop, angles = great_circles(rng, 20, 3)
    velocities = log_of_the_sphere(start, stop, angles)
    ends = km.exponential(sphere(), start, velocities).codes[:, -1]
    found, expected = (sphere_in_numpy(c.astype("float64"))[0] for c in (ends, stop))
    return largest(found, expected)


@oracle(
    "`Curves.velocities`",
    case="sphere in 3 dimensions, 64 steps, 20 pairs",
    closed_form=r"$\theta (b - \cos \theta \, a) / \sin \theta$, as codes",
)
def logarithms_of_the_sphere(rng):
    import keras_manifold as km

    start, stop, angles = great_circles(rng, 20, 3)
    curves = km.geodesics(sphere(), start, stop, tolerance=1e-9, verbose=0)
    return largest(curves.velocities, log_of_the_sphere(start, stop, angles))


@oracle(
    '`distances`, `"geodesic"`',
    case="sphere in 3 dimensions, all pairs of 8 codes, 64 steps",
    closed_form=r"$\arccos \langle a, b \rangle$",
)
def angles_between_all(rng):
    import keras_manifold as km

    codes = great_circles(rng, 8, 3)[0]
    points = sphere_in_numpy(codes.astype("float64"))[0]
    found = km.distances(sphere(), codes, edge_steps=64, method="geodesic", verbose=0)
    return largest(found, np.arccos(np.clip(points @ points.T, -1, 1)))


@oracle(
    '`distances`, `"graph"`',
    case="sphere in 3 dimensions, 1,000 codes of a cap, 20 neighbors",
    closed_form=r"$\arccos \langle a, b \rangle$",
)
def paths_over_a_cap(rng):
    import keras_manifold as km

    radius, turn = np.sqrt(rng.uniform(0, 1, 1000)), rng.uniform(0, 2 * np.pi, 1000)
    codes = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    points = sphere_in_numpy(codes)[0]
    found = km.distances(sphere(), codes, neighbors=20, verbose=0)
    return largest(found, np.arccos(np.clip(points @ points.T, -1, 1)))


def paraboloid():
    from keras import layers, ops

    class Paraboloid(layers.Layer):
        def call(self, codes):
            height = 0.5 * ops.sum(ops.square(codes), axis=-1, keepdims=True)
            return ops.concatenate([codes, height], axis=-1)

    return Paraboloid()


@oracle(
    "`geodesics`",
    case="paraboloid, 64 steps, 20 pairs symmetric to their point nearest to the axis",
    closed_form=r"$U \sqrt{a^2 + U^2} + a^2 \operatorname{asinh}(U / a)$, $a^2 = 1 + c^2$",
)
def geodesics_of_the_paraboloid(rng):
    """Clairaut: angles by a quadrature, lengths closed."""
    import keras_manifold as km

    nearest, reach = rng.uniform(0.8, 2.0, (20, 1)), rng.uniform(0.5, 1.2, (20, 1))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    square = nearest**2 + (0.5 * reach * (nodes + 1)) ** 2
    angle = 0.5 * reach * (nearest * np.sqrt(1 + square) / square) @ weights[:, None]
    a = np.sqrt(1 + nearest**2)
    lengths = reach * np.sqrt(a**2 + reach**2) + a**2 * np.arcsinh(reach / a)
    radius = np.sqrt(nearest**2 + reach**2)
    start, stop = (
        (radius * np.hstack([np.cos(s * angle), np.sin(s * angle)])).astype("float32")
        for s in (-1, 1)
    )
    curves = km.geodesics(paraboloid(), start, stop, verbose=0)
    return largest(curves.lengths, lengths[:, 0])


@oracle(
    "`pullback_metric`",
    case="sphere, 50 codes",
    closed_form=r"$4 / (1 + \lVert z \rVert^2)^2 \, I$",
)
def metric_of_the_sphere(rng):
    import keras_manifold as km

    codes = rng.normal(size=(50, 2))
    factor = 4 / (1 + np.square(codes).sum(axis=1)) ** 2
    return largest(km.pullback_metric(sphere(), codes), factor[:, None, None] * np.eye(2))


@oracle(
    "`log_volume`",
    case="sphere, 50 codes",
    closed_form=r"$\log\, 4 / (1 + \lVert z \rVert^2)^2$",
)
def volume_of_the_sphere(rng):
    import keras_manifold as km

    codes = rng.normal(size=(50, 2))
    factor = 4 / (1 + np.square(codes).sum(axis=1)) ** 2
    return largest(km.log_volume(sphere(), codes), np.log(factor))


@oracle(
    "`project`",
    case="sphere, 20 points inside and outside",
    closed_form=r"$\lvert \lVert x \rVert - 1 \rvert$",
)
def nearest_points_of_the_sphere(rng):
    import keras_manifold as km

    start, stop, _ = great_circles(rng, 10, 3)
    codes = np.concatenate([start, stop])
    radius = rng.uniform(0.5, 1.8, size=(20, 1))
    x = radius * sphere_in_numpy(codes.astype("float64"))[0]
    _, distances = km.project(sphere(), x, codes + 0.2)
    return largest(distances, np.abs(radius[:, 0] - 1))


@oracle(
    "`IsometryPenalty`",
    case="scaled isometry of 5 codes",
    closed_form=r"$1 / d$",
)
def distortion_of_an_isometry(rng):
    from keras import ops

    import keras_manifold as km

    rows = 3 * np.linalg.qr(rng.normal(size=(9, 5)))[0].T.astype("float32")
    penalty = km.IsometryPenalty(1.0)
    values = penalty(lambda z: ops.matmul(z, rows), np.zeros((20, 5), "float32"))
    return largest(ops.convert_to_numpy(values), 0.2)
