"""The tangents of `manifolds` against decoders written in Keras from their formulas."""

from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

import keras_manifold as km
from keras_manifold import manifolds
from keras_manifold.dimension.spectrum import RULES

N = 100
SPARE = 3  # Entries of the code that the decoders ignore.


# The formulas of the docstrings, from parameters to natural coordinates: differentiated by
# the backend, where `manifolds` has derivatives of its own.


def line_points(t):
    return [t]


def circle_points(t):
    return [2.5 * ops.cos(t), 2.5 * ops.sin(t)]


def helix_points(t):
    return [1.5 * ops.cos(t), 1.5 * ops.sin(t), 2.0 * t / (2 * np.pi)]


def sphere_points(*angles):
    points, radius = [], 2.0
    for angle in angles:
        points.append(radius * ops.cos(angle))
        radius = radius * ops.sin(angle)
    return [*points, radius]


def torus_points(u, v):
    from_axis = 3.0 + 1.2 * ops.cos(v)
    return [from_axis * ops.cos(u), from_axis * ops.sin(u), 1.2 * ops.sin(v)]


def swiss_roll_points(t, h):
    return [0.2 * t * ops.cos(t), 0.2 * h, 0.2 * t * ops.sin(t)]


def mobius_points(u, w):
    outwards = 2.0 + w * ops.cos(u / 2)
    return [outwards * ops.cos(u), outwards * ops.sin(u), w * ops.sin(u / 2)]


def linear_points(*y):
    return list(y)


DRAWN = {"ambient_dim": 20, "seed": 0}
CASES = {
    "line": (manifolds.line(N, length=3.0, **DRAWN), line_points),
    "circle": (manifolds.circle(N, radius=2.5, **DRAWN), circle_points),
    "helix": (manifolds.helix(N, radius=1.5, pitch=2.0, **DRAWN), helix_points),
    "sphere": (manifolds.sphere(N, radius=2.0, **DRAWN), sphere_points),
    "sphere of dimension 3": (
        manifolds.sphere(N, dimension=3, radius=2.0, **DRAWN),
        sphere_points,
    ),
    "torus": (
        manifolds.torus(N, major_radius=3.0, minor_radius=1.2, **DRAWN),
        torus_points,
    ),
    "swiss roll": (manifolds.swiss_roll(N, scale=0.2, **DRAWN), swiss_roll_points),
    "mobius band": (
        manifolds.mobius_band(N, radius=2.0, width=1.5, **DRAWN),
        mobius_points,
    ),
    "linear subspace": (
        manifolds.linear_subspace(N, dimension=4, **DRAWN),
        linear_points,
    ),
}
DIMENSION = {"sphere of dimension 3": 3, "linear subspace": 4}
DIMENSION |= dict.fromkeys(("line", "circle", "helix"), 1)
DIMENSION |= dict.fromkeys(("sphere", "torus", "swiss roll", "mobius band"), 2)


def embedding_of(samples):
    return samples.embedding.astype("float32")


def decoder_of(samples, points):
    """From codes `(n, d + SPARE)`, the parameters first, to `(n, 20)`."""

    def decode(codes):
        parameters = [codes[:, i] for i in range(samples.dimension)]
        return ops.matmul(ops.stack(points(*parameters), axis=-1), embedding_of(samples).T)

    return decode


def codes_of(samples):
    parameters = samples.parameters
    spare = np.random.default_rng(1).normal(size=(len(parameters), SPARE))
    return np.hstack([parameters, spare]).astype("float32")


def assert_recovered(decode, samples):
    """The decoder's image is the samples, and its tangents are theirs.

    Why 1e-4 rad: float32 rounds a code of at most 15 rad, and with it the entries of the
    Jacobian, to 1e-6 of the largest. A tangent is off by this times the ratio of the
    largest to the smallest singular value, which is below 50 at all these samples. It has
    no bound near the poles of a sphere, where the derivative by the later angles vanishes.
    """
    codes = codes_of(samples)
    d = samples.dimension
    images = ops.convert_to_numpy(decode(ops.convert_to_tensor(codes)))
    np.testing.assert_allclose(
        images, samples.x, rtol=0, atol=2e-6 * np.abs(samples.x).max()
    )
    space = km.tangent_space(decode, codes, of="decoder", batch_size=N, verbose=0)
    sigma = space.singular_values
    assert (sigma[:, 0] < 50 * sigma[:, d - 1]).all()
    assert (km.principal_angles(space.leading(d), samples.tangents) < 1e-4).all()
    # The spare entries of the code move nothing: the drop to them is the largest.
    assert (km.local_dimension(sigma, "gap") == d).all()


@pytest.mark.parametrize("name", CASES)
def test_a_decoder_by_the_formula_has_the_true_tangents_and_dimension(name):
    samples, points = CASES[name]
    assert samples.dimension == DIMENSION[name]
    assert_recovered(decoder_of(samples, points), samples)


@pytest.mark.parametrize("rotation", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_decoder_of_blobs_has_the_true_tangents_and_dimension(rotation):
    size, length, width = (16, 18), 2.5, 1.2
    samples = manifolds.blobs(
        N, image_size=size, length=length, width=width, rotation=rotation, seed=0
    )

    def decode(codes):
        cy, cx = codes[:, 0, None, None], codes[:, 1, None, None]
        t = codes[:, 2, None, None] if rotation else ops.zeros_like(cy)
        i = ops.arange(size[0], dtype="float32")[:, None]
        j = ops.arange(size[1], dtype="float32")[None, :]
        a = (j - cx) * ops.cos(t) + (i - cy) * ops.sin(t)
        b = (i - cy) * ops.cos(t) - (j - cx) * ops.sin(t)
        pixels = ops.exp(-(a**2) / (2 * length**2) - b**2 / (2 * width**2))
        return pixels[..., None]

    assert samples.dimension == (3 if rotation else 2)
    assert_recovered(decode, samples)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "gap"])
@pytest.mark.parametrize("name", ["line", "linear subspace"])
def test_an_isometric_decoder_has_the_true_dimension_by_every_rule(name, rule):
    samples, points = CASES[name]
    decode = decoder_of(samples, points)
    space = km.tangent_space(decode, codes_of(samples), of="decoder", verbose=0)
    # All singular values are 1, to the 1e-6 of float32.
    np.testing.assert_allclose(
        km.local_dimension(space.singular_values, rule), DIMENSION[name], atol=1e-5
    )


@pytest.mark.parametrize(
    ("of", "sigma"), [("encoder", 1 / 2.5), ("decoder", 2.5), ("reconstruction", 1.0)]
)
def test_each_jacobian_of_a_circle_and_its_angle_has_the_true_tangents(of, sigma):
    samples, points = CASES["circle"]

    def encode(x):
        y = ops.matmul(x, embedding_of(samples))
        return ops.arctan2(y[:, 1], y[:, 0])[:, None]

    model = SimpleNamespace(encoder=encode, decoder=decoder_of(samples, points))
    space = km.tangent_space(model, samples.x, of=of, batch_size=N, verbose=0)
    # Along the circle an arc of length s is an angle of s / 2.5, and back; across it the
    # angle does not change.
    assert space.singular_values.shape == (N, 1)
    np.testing.assert_allclose(space.singular_values, sigma, rtol=1e-5)
    # Here the largest and the smallest singular value are one: 1e-6 rad as above.
    assert (km.principal_angles(space, samples.tangents) < 1e-5).all()
