import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_swiss_roll

from keras_manifold import manifolds
from keras_manifold.manifolds import Manifold

PI = np.pi
lengths = st.floats(0.01, 100.0)
seeds = st.integers(0, 2**32)


# The formulas of the docstrings, written again: (n, p) parameters to (n, natural_dim).


def line_points(p):
    return p


def circle_points(p, radius):
    return radius * np.hstack([np.cos(p), np.sin(p)])


def helix_points(p, radius, pitch):
    return np.hstack([radius * np.cos(p), radius * np.sin(p), pitch * p / (2 * PI)])


def sphere_points(p, radius):
    n, d = p.shape
    y = np.full((n, d + 1), radius)
    for j in range(d + 1):
        for i in range(min(j, d)):
            y[:, j] *= np.sin(p[:, i])
        if j < d:
            y[:, j] *= np.cos(p[:, j])
    return y


def torus_points(p, major, minor):
    u, v = p.T
    tube = major + minor * np.cos(v)
    return np.array([tube * np.cos(u), tube * np.sin(u), minor * np.sin(v)]).T


def swiss_roll_points(p, scale):
    t, h = p.T
    return scale * np.array([t * np.cos(t), h, t * np.sin(t)]).T


def mobius_points(p, radius):
    u, w = p.T
    outwards = radius + w * np.cos(u / 2)
    return np.array([outwards * np.cos(u), outwards * np.sin(u), w * np.sin(u / 2)]).T


# name: (function, its arguments, formula, the formula's arguments)
CASES = {
    "line": (manifolds.line, {"length": 3.0}, line_points, ()),
    "circle": (manifolds.circle, {"radius": 2.5}, circle_points, (2.5,)),
    "helix": (
        manifolds.helix,
        {"radius": 1.5, "pitch": 2.0, "turns": 2.5},
        helix_points,
        (1.5, 2.0),
    ),
    "sphere of dimension 1": (
        manifolds.sphere,
        {"dimension": 1, "radius": 3.0},
        sphere_points,
        (3.0,),
    ),
    "sphere": (manifolds.sphere, {"radius": 0.5}, sphere_points, (0.5,)),
    "sphere of dimension 4": (
        manifolds.sphere,
        {"dimension": 4, "radius": 2.0},
        sphere_points,
        (2.0,),
    ),
    "torus": (
        manifolds.torus,
        {"major_radius": 3.0, "minor_radius": 1.2},
        torus_points,
        (3.0, 1.2),
    ),
    "swiss roll": (
        manifolds.swiss_roll,
        {"turns": 2.0, "height": 10.0, "scale": 0.2},
        swiss_roll_points,
        (0.2,),
    ),
    "mobius band": (
        manifolds.mobius_band,
        {"radius": 2.0, "width": 1.5},
        mobius_points,
        (2.0,),
    ),
}
DIMENSION = dict.fromkeys(("line", "circle", "helix", "sphere of dimension 1"), 1)
DIMENSION |= dict.fromkeys(("sphere", "torus", "swiss roll", "mobius band"), 2)
DIMENSION |= {"sphere of dimension 4": 4}
cases = pytest.mark.parametrize("name", CASES)
ambient_dims = pytest.mark.parametrize("ambient_dim", [None, 5, 12])


def drawn(name, n=60, **options):
    function, arguments, formula, constants = CASES[name]
    samples = function(n, **arguments, **options)
    return samples, lambda p: formula(p, *constants)


def in_ambient_space(y, samples):
    return y if samples.embedding is None else y @ samples.embedding.T


def central_differences(formula, p, step=1e-5):
    """(n, p, natural_dim), in float64: errors of about step², and of 1e-16 / step."""
    steps = step * np.eye(p.shape[1])
    return np.stack([(formula(p + s) - formula(p - s)) / (2 * step) for s in steps], 1)


def normals(samples):
    return np.cross(samples.tangents[:, 0], samples.tangents[:, 1])


def assert_distributed(values, cdf):
    """By the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart, at 1e-6."""
    n = len(values)
    at_values = cdf(np.sort(values))
    ranks = np.arange(n)
    distance = max(np.max(at_values - ranks / n), np.max((ranks + 1) / n - at_values))
    assert distance < np.sqrt(np.log(2 / 1e-6) / (2 * n))


def assert_uniform(values, low, high):
    assert low <= values.min()
    assert values.max() <= high
    assert_distributed(values, lambda v: (v - low) / (high - low))


def assert_mean(values, expected, low, high):
    """By Hoeffding's inequality for values in [low, high], at 1e-6."""
    bound = (high - low) * np.sqrt(np.log(2 / 1e-6) / (2 * len(values)))
    np.testing.assert_allclose(values.mean(0), expected, rtol=0, atol=bound)


@ambient_dims
@cases
def test_samples_are_the_formula_of_their_parameters(name, ambient_dim):
    samples, formula = drawn(name, ambient_dim=ambient_dim, seed=3)
    expected = in_ambient_space(formula(samples.parameters), samples)
    np.testing.assert_allclose(
        samples.x, expected, rtol=0, atol=1e-6 * np.abs(expected).max()
    )


@ambient_dims
@cases
def test_tangents_are_the_derivatives_by_the_parameters(name, ambient_dim):
    samples, formula = drawn(name, ambient_dim=ambient_dim, seed=4)
    derivatives = central_differences(formula, samples.parameters)
    # Those of all these formulas are orthogonal: each has its own unit vector.
    expected = derivatives / np.linalg.norm(derivatives, axis=-1, keepdims=True)
    expected = in_ambient_space(expected, samples)
    np.testing.assert_allclose(samples.tangents, expected, rtol=0, atol=1e-6)


@ambient_dims
@cases
def test_shapes_and_types(name, ambient_dim):
    samples, formula = drawn(name, n=7, ambient_dim=ambient_dim, seed=0)
    natural_dim = formula(samples.parameters).shape[1]
    d, ambient = DIMENSION[name], ambient_dim or natural_dim
    assert isinstance(samples, Manifold)
    assert samples.dimension == d
    assert type(samples.dimension) is int
    assert samples.x.shape == (7, ambient)
    assert samples.parameters.shape == (7, d)
    assert samples.tangents.shape == (7, d, ambient)
    assert samples.x.dtype == samples.tangents.dtype == np.float32
    assert samples.parameters.dtype == np.float64
    assert samples.parts is None
    if ambient_dim is None:
        assert samples.embedding is None
    else:
        assert samples.embedding.shape == (ambient_dim, natural_dim)


@ambient_dims
@cases
def test_tangents_are_orthonormal(name, ambient_dim):
    samples, _ = drawn(name, ambient_dim=ambient_dim, seed=5)
    t = samples.tangents.astype("float64")
    gram = np.einsum("nai,nbi->nab", t, t)
    expected = np.broadcast_to(np.eye(samples.dimension), gram.shape)
    np.testing.assert_allclose(gram, expected, rtol=0, atol=1e-6)


@cases
def test_one_sample_can_be_drawn(name):
    samples, _ = drawn(name, n=1, seed=0)
    assert len(samples.x) == len(samples.parameters) == len(samples.tangents) == 1


@cases
@given(extra=st.integers(0, 20), seed=seeds)
def test_embedding_keeps_distances(name, extra, seed):
    natural, formula = drawn(name, n=12, seed=seed)
    natural_dim = natural.x.shape[1]
    samples, _ = drawn(name, n=12, ambient_dim=natural_dim + extra, seed=seed)
    np.testing.assert_allclose(
        samples.embedding.T @ samples.embedding, np.eye(natural_dim), atol=1e-12
    )
    y = formula(samples.parameters)
    expected = np.linalg.norm(y[:, None] - y, axis=-1)
    x = samples.x.astype("float64")
    distances = np.linalg.norm(x[:, None] - x, axis=-1)
    np.testing.assert_allclose(
        distances, expected, rtol=0, atol=1e-6 * (1 + np.abs(y).max())
    )


def test_embedding_has_no_favoured_direction():
    # The mean over 4000 seeds of a uniform direction's coordinates, each in [-1, 1].
    columns = [
        manifolds.line(1, ambient_dim=3, seed=s).embedding[:, 0] for s in range(4000)
    ]
    assert_mean(np.array(columns), np.zeros(3), -1, 1)
    assert_mean(np.square(columns), np.full(3, 1 / 3), 0, 1)


@cases
def test_the_same_seed_gives_the_same_samples(name):
    options = {"ambient_dim": 6, "noise": 0.1}
    first, second = (drawn(name, seed=7, **options)[0] for _ in range(2))
    other, _ = drawn(name, seed=8, **options)
    for field in ("x", "parameters", "tangents", "embedding"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert not np.array_equal(first.x, other.x)
    assert not np.array_equal(first.parameters, other.parameters)
    assert not np.array_equal(first.embedding, other.embedding)


@cases
def test_without_a_seed_samples_differ(name):
    assert not np.array_equal(drawn(name)[0].x, drawn(name)[0].x)


@cases
def test_noise_and_embedding_leave_the_parameters_alone(name):
    plain, _ = drawn(name, seed=9)
    noisy, _ = drawn(name, seed=9, noise=0.5)
    embedded, _ = drawn(name, seed=9, ambient_dim=8)
    fewer, _ = drawn(name, n=20, seed=9, ambient_dim=8)
    np.testing.assert_array_equal(noisy.parameters, plain.parameters)
    np.testing.assert_array_equal(noisy.tangents, plain.tangents)
    np.testing.assert_array_equal(embedded.parameters, plain.parameters)
    np.testing.assert_array_equal(embedded.embedding, fewer.embedding)


@cases
def test_noise_has_its_standard_deviation_in_every_ambient_direction(name):
    n, stddev = 2000, 0.3
    samples, formula = drawn(name, n=n, ambient_dim=6, noise=stddev, seed=10)
    clean = in_ambient_space(formula(samples.parameters), samples)
    noise = (samples.x - clean) / stddev
    # The covariance of n standard normal vectors: each entry's standard deviation is at
    # most sqrt(2 / n); 21 entries stay within 5 of them but once in 10^5.
    np.testing.assert_allclose(
        np.cov(noise.T, bias=True), np.eye(6), rtol=0, atol=5 * np.sqrt(2 / n)
    )
    np.testing.assert_allclose(noise.mean(0), 0, rtol=0, atol=5 / np.sqrt(n))


@given(length=lengths, seed=seeds)
def test_line_stays_within_its_length(length, seed):
    samples = manifolds.line(20, length=length, seed=seed)
    assert np.abs(samples.x).max() <= length / 2 * (1 + 1e-6)


def test_line_is_uniform():
    assert_uniform(manifolds.line(4000, length=3.0, seed=0).parameters[:, 0], -1.5, 1.5)


@given(radius=lengths, seed=seeds)
def test_circle_has_its_radius_and_tangents_across_it(radius, seed):
    samples = manifolds.circle(20, radius=radius, ambient_dim=4, seed=seed)
    np.testing.assert_allclose(np.linalg.norm(samples.x, axis=1), radius, rtol=1e-6)
    along = np.einsum("ni,nai->na", samples.x, samples.tangents) / radius
    np.testing.assert_allclose(along, 0, atol=1e-6)


def test_circle_is_uniform():
    assert_uniform(manifolds.circle(4000, seed=0).parameters[:, 0], 0, 2 * PI)


def test_helix_winds_on_a_cylinder_at_a_constant_slope():
    samples = manifolds.helix(200, radius=2.0, pitch=3.0, turns=1.5, seed=0)
    np.testing.assert_allclose(np.hypot(samples.x[:, 0], samples.x[:, 1]), 2.0, rtol=1e-6)
    assert samples.x[:, 2].min() >= 0
    assert samples.x[:, 2].max() <= 3.0 * 1.5
    # Unrolled, a turn is a straight line: 2 pi r across, one pitch up.
    slope = 3.0 / np.hypot(3.0, 2 * PI * 2.0)
    np.testing.assert_allclose(samples.tangents[:, 0, 2], slope, rtol=1e-6)


def test_helix_is_uniform():
    samples = manifolds.helix(4000, pitch=2.0, turns=3.0, seed=0)
    assert_uniform(samples.parameters[:, 0], 0, 6 * PI)
    assert_uniform(samples.x[:, 2].astype("float64"), 0, 6)


@given(dimension=st.integers(1, 12), radius=lengths, seed=seeds)
def test_sphere_has_its_radius_and_tangents_across_it(dimension, radius, seed):
    samples = manifolds.sphere(10, dimension=dimension, radius=radius, seed=seed)
    np.testing.assert_allclose(np.linalg.norm(samples.x, axis=1), radius, rtol=1e-6)
    along = np.einsum("ni,nai->na", samples.x, samples.tangents) / radius
    np.testing.assert_allclose(along, 0, atol=1e-6)
    assert (samples.parameters >= 0).all()
    assert (samples.parameters[:, :-1] <= PI).all()
    assert (samples.parameters[:, -1] < 2 * PI).all()


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_sphere_is_uniform(dimension):
    n, radius = 4000, 2.0
    x = manifolds.sphere(n, dimension=dimension, radius=radius, seed=0).x / radius
    x = x.astype("float64")
    assert_mean(x, np.zeros(dimension + 1), -1, 1)
    second_moments = np.einsum("ni,nj->nij", x, x)
    assert_mean(second_moments, np.eye(dimension + 1) / (dimension + 1), -1, 1)
    if dimension == 2:  # Archimedes: the height on a sphere is uniform.
        for axis in range(3):
            assert_uniform(x[:, axis], -1 - 1e-6, 1 + 1e-6)


def test_tangents_of_a_sphere_are_orthonormal_in_many_dimensions():
    samples = manifolds.sphere(5, dimension=120, seed=0)
    gram = np.einsum("nai,nbi->nab", samples.tangents, samples.tangents)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(120), gram.shape), atol=1e-6)


@given(major=lengths, share=st.floats(0.01, 0.99), seed=seeds)
def test_torus_satisfies_its_equation_and_its_normals_are_the_gradient(major, share, seed):
    minor = share * major
    samples = manifolds.torus(20, major_radius=major, minor_radius=minor, seed=seed)
    x, y, z = samples.x.T.astype("float64") / major
    from_axis = np.hypot(x, y)
    np.testing.assert_allclose((from_axis - 1) ** 2 + z**2, share**2, atol=1e-6)
    towards_tube = (from_axis - 1) / from_axis
    gradient = np.array([towards_tube * x, towards_tube * y, z]).T / share
    along = np.einsum("ni,nai->na", gradient, samples.tangents)
    # The gradient is taken at x in float32, whose error it divides by the tube's radius.
    np.testing.assert_allclose(along, 0, atol=1e-6 / share)


def test_torus_is_uniform_by_area():
    samples = manifolds.torus(4000, major_radius=2.0, minor_radius=1.5, seed=0)
    u, v = samples.parameters.T
    ratio = 1.5 / 2.0
    assert_uniform(u, 0, 2 * PI)
    assert_distributed(v, lambda v: (v + ratio * np.sin(v)) / (2 * PI))
    assert_mean(np.cos(v), ratio / 2, -1, 1)
    assert_mean(np.cos(u) * np.cos(v), 0, -1, 1)


def swiss_roll_residuals(points):
    """Of the surface on which the distance from the second axis is the angle about it."""
    x, _, z = points.T.astype("float64")
    t = np.hypot(x, z)
    return np.array([x - t * np.cos(t), z - t * np.sin(t)])


def test_swiss_roll_lies_on_the_surface_of_scikit_learn():
    theirs, t = make_swiss_roll(2000, random_state=0)
    ours = manifolds.swiss_roll(2000, seed=0)
    np.testing.assert_allclose(swiss_roll_residuals(theirs), 0, atol=1e-10)
    # float32: 1e-6 of a distance of 14, which is the angle too, and so counts 14 times.
    np.testing.assert_allclose(swiss_roll_residuals(ours.x), 0, atol=2e-5)
    for low, high, their_values, our_values in [
        (1.5 * PI, 4.5 * PI, t, ours.parameters[:, 0]),
        (0, 21, theirs[:, 1], ours.x[:, 1]),
    ]:
        for values in (their_values, our_values):
            assert low <= values.min() < low + 0.05 * (high - low)
            assert high - 0.05 * (high - low) < values.max() <= high


def test_swiss_roll_is_uniform_by_area():
    samples = manifolds.swiss_roll(4000, turns=1.0, height=5.0, scale=0.3, seed=0)
    t, h = samples.parameters.T

    def arc_length(t):
        return (t * np.sqrt(1 + t**2) + np.arcsinh(t)) / 2

    start, end = arc_length(1.5 * PI), arc_length(3.5 * PI)
    assert_distributed(t, lambda t: (arc_length(t) - start) / (end - start))
    assert_uniform(h, 0, 5)


def test_scale_of_a_swiss_roll_is_a_factor():
    small, large = (manifolds.swiss_roll(50, scale=s, seed=0) for s in (0.1, 1.0))
    np.testing.assert_allclose(10 * small.x, large.x, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(small.tangents, large.tangents)


def test_rulings_of_a_mobius_band_start_on_its_centre_line():
    samples = manifolds.mobius_band(200, radius=2.0, width=1.0, seed=0)
    w = samples.parameters[:, 1:]
    assert np.abs(w).max() <= 0.5
    centre = samples.x - w * samples.tangents[:, 1]
    np.testing.assert_allclose(np.hypot(centre[:, 0], centre[:, 1]), 2.0, atol=1e-6)
    np.testing.assert_allclose(centre[:, 2], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "sides"),
    [
        (manifolds.mobius_band(500, radius=1.0, width=0.1, seed=0), 1),
        (manifolds.torus(500, major_radius=1.0, minor_radius=0.01, seed=0), 2),
    ],
    ids=["mobius band", "torus"],
)
def test_a_mobius_band_has_one_side_and_a_torus_two(samples, sides):
    keep = np.ones(500, dtype=bool)
    if sides == 2:  # Go round the outside of the torus: its normals there change slowly.
        keep = np.cos(samples.parameters[:, 1]) > 0.9
    order = np.argsort(samples.parameters[keep, 0])
    path = normals(samples)[keep][order]
    carried = path[0]
    for normal in [*path[1:], path[0]]:
        overlap = normal @ carried
        assert abs(overlap) > 0.3  # Neighbours are near enough to say which way is up.
        carried = normal * np.sign(overlap)
    assert np.sign(carried @ path[0]) == (-1 if sides == 1 else 1)


def test_mobius_band_is_uniform_by_area():
    radius, half = 1.0, 0.9
    samples = manifolds.mobius_band(10000, radius=radius, width=2 * half, seed=0)
    grid_u, grid_w = np.meshgrid(
        (np.arange(400) + 0.5) / 400 * 2 * PI, ((np.arange(400) + 0.5) / 200 - 1) * half
    )
    grid = np.stack([grid_u.ravel(), grid_w.ravel()], axis=1)
    derivatives = central_differences(lambda p: mobius_points(p, radius), grid)
    area = np.linalg.norm(np.cross(derivatives[:, 0], derivatives[:, 1]), axis=1)

    def outwards(p):
        return p[:, 1] * np.cos(p[:, 0] / 2)

    expected = np.average(outwards(grid), weights=area)
    assert expected > 0.1  # It is 0 where u and w are drawn uniformly.
    assert_mean(outwards(samples.parameters), expected, -half, half)
    assert_mean(np.cos(samples.parameters[:, 0]), 0.0, -1, 1)


@pytest.mark.parametrize("dimension", [1, 3, 8])
def test_linear_subspace_is_gaussian_on_the_columns_of_its_embedding(dimension):
    n, stddev = 4000, 1.7
    samples = manifolds.linear_subspace(
        n, dimension=dimension, ambient_dim=8, stddev=stddev, seed=0
    )
    columns = samples.embedding
    assert columns.shape == (8, dimension)
    np.testing.assert_allclose(columns.T @ columns, np.eye(dimension), atol=1e-12)
    np.testing.assert_allclose(samples.x, samples.parameters @ columns.T, atol=1e-5)
    assert samples.dimension == dimension
    for tangents in samples.tangents[:5]:
        np.testing.assert_allclose(tangents, columns.T, atol=1e-6)
    coordinates = samples.parameters / stddev
    np.testing.assert_allclose(
        np.cov(coordinates.T, bias=True).reshape(dimension, dimension),
        np.eye(dimension),
        rtol=0,
        atol=5 * np.sqrt(2 / n),
    )
    np.testing.assert_allclose(coordinates.mean(0), 0, atol=5 / np.sqrt(n))


def test_noise_of_a_linear_subspace_leaves_it():
    n, noise = 4000, 0.2
    samples = manifolds.linear_subspace(n, dimension=2, ambient_dim=5, noise=noise, seed=0)
    off = (samples.x - samples.parameters @ samples.embedding.T) / noise
    np.testing.assert_allclose(
        np.cov(off.T, bias=True), np.eye(5), rtol=0, atol=5 * np.sqrt(2 / n)
    )


def rendered(parameters, size, length, width):
    """Blobs by their covariance matrices, pixel by pixel: (n, H * W) in float64."""
    images = []
    for cy, cx, angle in parameters:
        axis = np.array([np.sin(angle), np.cos(angle)])  # row, column
        across = np.array([np.cos(angle), -np.sin(angle)])
        covariance = length**2 * np.outer(axis, axis) + width**2 * np.outer(across, across)
        precision = np.linalg.inv(covariance)
        offsets = np.array(list(np.ndindex(*size))) - [cy, cx]
        images.append(np.exp(-np.einsum("ki,ij,kj->k", offsets, precision, offsets) / 2))
    return np.array(images)


def projectors(rows):
    """On the span of `(n, d, m)` rows, `(n, m, m)`, by an SVD."""
    v = np.linalg.svd(rows, full_matrices=False)[2]
    return np.swapaxes(v, 1, 2) @ v


@given(
    size=st.tuples(st.integers(9, 14), st.integers(9, 14)),
    length=st.floats(1.5, 4.0),
    width=st.floats(0.5, 1.4),
    rotation=st.booleans(),
    margin=st.sampled_from([0.0, 2.5]),
    seed=seeds,
)
def test_blobs_and_their_tangents_agree_with_a_plain_renderer(
    size, length, width, rotation, margin, seed
):
    d = 3 if rotation else 2
    samples = manifolds.blobs(
        5,
        image_size=size,
        length=length,
        width=width,
        rotation=rotation,
        margin=margin,
        seed=seed,
    )
    assert samples.dimension == d
    assert samples.x.shape == (5, *size, 1)
    assert samples.parameters.shape == (5, d)
    assert samples.tangents.shape == (5, d, *size, 1)
    assert samples.embedding is None
    full = np.zeros((5, 3))
    full[:, :d] = samples.parameters

    def formula(p):
        return rendered(p, size, length, width)

    np.testing.assert_allclose(samples.x.reshape(5, -1), formula(full), atol=1e-6)
    derivatives = central_differences(formula, full)[:, :d]
    tangents = samples.tangents.reshape(5, d, -1).astype("float64")
    gram = tangents @ np.swapaxes(tangents, 1, 2)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(d), gram.shape), atol=1e-6)
    by_row = derivatives[:, 0] / np.linalg.norm(derivatives[:, 0], axis=1, keepdims=True)
    np.testing.assert_allclose(tangents[:, 0], by_row, atol=1e-6)
    # In order: each tangent is in the span of the derivatives up to its own, on its side.
    overlaps = np.einsum("nai,nbi->nab", tangents, derivatives)
    assert (np.einsum("naa->na", overlaps) > 0).all()
    scale = np.linalg.norm(derivatives, axis=-1)[:, None, :]
    np.testing.assert_allclose(np.tril(overlaps / scale, -1), 0, atol=1e-6)
    # Nearly parallel derivatives divide the error of the differences by their angle.
    unit = derivatives / np.linalg.norm(derivatives, axis=-1, keepdims=True)
    smallest = np.linalg.svd(unit, compute_uv=False).min()
    np.testing.assert_allclose(
        projectors(tangents), projectors(unit), atol=1e-6 + 1e-9 / smallest
    )


def test_blobs_are_images_in_the_unit_range_and_peak_at_their_centres():
    samples = manifolds.blobs(300, seed=0)  # More than are rendered at once.
    assert samples.x.shape == (300, 28, 28, 1)
    assert samples.x.dtype == samples.tangents.dtype == np.float32
    assert samples.x.min() >= 0
    assert samples.x.max() <= 1
    for image, (cy, cx, _) in zip(samples.x[..., 0], samples.parameters):
        row, column = np.unravel_index(image.argmax(), image.shape)
        assert np.hypot(row - cy, column - cx) < 2


def test_blob_at_angle_zero_is_longer_along_its_row():
    image = manifolds.blobs(1, rotation=False, seed=0).x[0, ..., 0]
    rows, columns = np.indices(image.shape)
    row_mean, column_mean = (np.average(axis, weights=image) for axis in (rows, columns))
    # Moments of the whole Gaussian, short of what the border cuts.
    assert np.average((columns - column_mean) ** 2, weights=image) == pytest.approx(9, 0.3)
    assert np.average((rows - row_mean) ** 2, weights=image) == pytest.approx(2.25, 0.01)


def test_blobs_are_uniform_within_the_margin():
    options = {"image_size": (9, 12), "length": 2.0, "width": 1.0, "margin": 1.5, "seed": 0}
    cy, cx, angle = manifolds.blobs(4000, **options).parameters.T
    assert_uniform(cy, 1.5, 6.5)
    assert_uniform(cx, 1.5, 9.5)
    assert_uniform(angle, 0, PI)


def test_blobs_are_the_same_for_the_same_seed():
    first, second, other = (manifolds.blobs(10, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.tangents, second.tangents)
    assert not np.array_equal(first.x, other.x)


def test_round_blobs_move_but_do_not_turn():
    samples = manifolds.blobs(5, length=2.0, width=2.0, rotation=False, seed=0)
    assert samples.dimension == 2


def parts_for_union():
    return [
        manifolds.line(20, ambient_dim=6, seed=0),
        manifolds.sphere(30, dimension=3, ambient_dim=6, seed=1),
        manifolds.torus(40, ambient_dim=6, noise=0.1, seed=2),
    ]


def test_union_keeps_every_sample_with_its_tangents_and_parameters():
    parts = parts_for_union()
    both = manifolds.union(*parts, seed=3)
    assert both.x.shape == (90, 6)
    assert both.parameters.shape == (90, 3)
    assert both.tangents.shape == (90, 3, 6)
    assert both.dimension.shape == both.parts.shape == (90,)
    assert np.issubdtype(both.dimension.dtype, np.integer)
    assert both.x.dtype == both.tangents.dtype == np.float32
    assert both.embedding is None
    for i, part in enumerate(parts):
        d = part.dimension
        rows = np.flatnonzero(both.parts == i)
        assert len(rows) == len(part.x)
        ours = rows[np.argsort(both.x[rows, 0])]
        theirs = np.argsort(part.x[:, 0])
        assert (both.dimension[ours] == d).all()
        np.testing.assert_array_equal(both.x[ours], part.x[theirs])
        np.testing.assert_array_equal(both.tangents[ours, :d], part.tangents[theirs])
        assert (both.tangents[ours, d:] == 0).all()
        np.testing.assert_array_equal(both.parameters[ours, :d], part.parameters[theirs])
        assert np.isnan(both.parameters[ours, d:]).all()


def test_union_shuffles_by_its_seed():
    parts = parts_for_union()
    first, second, other = (manifolds.union(*parts, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(first.x, second.x)
    assert not np.array_equal(first.x, other.x)
    # Left in order, the parts would change twice; 90 shuffled ones do so far more often.
    assert np.count_nonzero(np.diff(first.parts)) > 20


def test_union_of_a_union_keeps_each_dimension():
    inner = manifolds.union(*parts_for_union(), seed=0)
    outer = manifolds.union(inner, manifolds.circle(10, ambient_dim=6, seed=9), seed=1)
    counts = dict(zip(*np.unique(outer.dimension, return_counts=True)))
    assert counts == {1: 20 + 10, 2: 40, 3: 30}
    norms = np.linalg.norm(outer.tangents, axis=-1)
    expected = np.arange(3) < outer.dimension[:, None]
    np.testing.assert_allclose(norms, expected, atol=1e-6)


def test_union_mixes_images():
    still = manifolds.blobs(4, rotation=False, seed=0)
    turning = manifolds.blobs(6, seed=1)
    both = manifolds.union(still, turning, seed=2)
    assert both.x.shape == (10, 28, 28, 1)
    assert both.tangents.shape == (10, 3, 28, 28, 1)
    assert sorted(both.dimension) == [2] * 4 + [3] * 6


def test_union_of_one_is_that_one_shuffled():
    part = manifolds.circle(10, seed=0)
    alone = manifolds.union(part, seed=0)
    np.testing.assert_array_equal(np.sort(alone.x[:, 0]), np.sort(part.x[:, 0]))
    np.testing.assert_array_equal(alone.dimension, np.ones(10))


def test_a_manifold_is_replaced_not_changed():
    samples = manifolds.circle(5, seed=0)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        samples.x = samples.x + 1
    moved = dataclasses.replace(samples, x=samples.x + 1)
    np.testing.assert_array_equal(moved.tangents, samples.tangents)


ALL = {
    "line": manifolds.line,
    "circle": manifolds.circle,
    "helix": manifolds.helix,
    "sphere": manifolds.sphere,
    "torus": manifolds.torus,
    "swiss_roll": manifolds.swiss_roll,
    "mobius_band": manifolds.mobius_band,
    "linear_subspace": lambda n, **options: manifolds.linear_subspace(
        n, **{"dimension": 2, "ambient_dim": 4} | options
    ),
    "blobs": manifolds.blobs,
}
EMBEDDED = [name for name in ALL if name != "blobs"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [0, -3, 2.0, True, "5", None])
def test_numbers_of_samples_that_are_none_are_refused(name, n):
    with pytest.raises(ValueError, match=rf"`n` must be .* at least 1.*Received: n={n!r}"):
        ALL[name](n)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", [-1, 1.5, True, "a"])
def test_seeds_that_are_none_are_refused(name, seed):
    with pytest.raises(ValueError, match=f"`seed` must be .*or None.*seed={seed!r}"):
        ALL[name](5, seed=seed)
    with pytest.raises(ValueError, match=f"`seed` must be .*or None.*seed={seed!r}"):
        manifolds.union(manifolds.circle(5), seed=seed)


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf"), True, "0.1", None])
def test_noise_out_of_range_is_refused(name, noise):
    message = f"`noise` must be a finite number of at least 0.*noise={noise!r}"
    with pytest.raises(ValueError, match=message):
        ALL[name](5, noise=noise)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("line", 1),
        ("circle", 2),
        ("helix", 3),
        ("sphere", 3),
        ("torus", 3),
        ("swiss_roll", 3),
        ("mobius_band", 3),
        ("linear_subspace", 2),
    ],
)
def test_spaces_too_small_for_the_manifold_are_refused(name, least):
    assert ALL[name](5, ambient_dim=least).x.shape == (5, least)
    for ambient_dim in (least - 1, -1, float(least), True):
        message = f"`ambient_dim` must be .*at least {least}, .*ambient_dim={ambient_dim!r}"
        if ambient_dim is True and least == 1:
            message = "`ambient_dim` must be .*ambient_dim=True"
        with pytest.raises(ValueError, match=message):
            ALL[name](5, ambient_dim=ambient_dim)


SIZES = [
    ("line", "length"),
    ("circle", "radius"),
    ("helix", "radius"),
    ("helix", "pitch"),
    ("helix", "turns"),
    ("sphere", "radius"),
    ("torus", "major_radius"),
    ("torus", "minor_radius"),
    ("swiss_roll", "turns"),
    ("swiss_roll", "height"),
    ("swiss_roll", "scale"),
    ("mobius_band", "radius"),
    ("mobius_band", "width"),
    ("linear_subspace", "stddev"),
    ("blobs", "length"),
    ("blobs", "width"),
]


@pytest.mark.parametrize(
    ("where", "value"),
    list(itertools.product(SIZES, [0.0, -1.0, float("nan"), float("inf"), True, "1"])),
)
def test_sizes_that_are_not_above_zero_are_refused(where, value):
    name, size = where
    message = f"`{size}` must be a finite number above 0.*{size}={value!r}"
    with pytest.raises(ValueError, match=message):
        ALL[name](5, **{size: value})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sphere", {"dimension": 0}, "`dimension` must be .*dimension=0"),
        ("sphere", {"dimension": 2.0}, "`dimension` must be .*dimension=2.0"),
        ("sphere", {"dimension": 5, "ambient_dim": 5}, "at least 6, .*ambient_dim=5"),
        ("linear_subspace", {"dimension": True}, "`dimension` must be .*dimension=True"),
        (
            "linear_subspace",
            {"dimension": 5},
            "at least 5, which .*ambient_dim=4",
        ),
        ("linear_subspace", {"ambient_dim": None}, "ambient_dim=None"),
        (
            "torus",
            {"minor_radius": 2.0},
            "smaller than.*minor_radius=2.0, major_radius=2.0",
        ),
        (
            "torus",
            {"major_radius": 0.5},
            "smaller than.*minor_radius=1.0, major_radius=0.5",
        ),
        ("mobius_band", {"width": 2.0}, "less than twice.*width=2.0, radius=1.0"),
        ("blobs", {"width": 0.4}, "at least 0.5 pixels.*width=0.4"),
        ("blobs", {"length": 1.0}, "above `width`.*length=1.0, width=1.5, rotation=True"),
        ("blobs", {"length": 1.5}, "above `width`.*length=1.5, width=1.5, rotation=True"),
        ("blobs", {"length": 1, "rotation": False}, "above `width`.*rotation=False"),
        ("blobs", {"rotation": "free"}, "`rotation` must be.*rotation='free'"),
        ("blobs", {"rotation": 1}, "`rotation` must be.*rotation=1"),
        ("blobs", {"margin": -1.0}, "`margin` must be .* at least 0.*margin=-1.0"),
        ("blobs", {"margin": 13.5}, r"less than 13.5 .*\(28, 28\).*margin=13.5"),
        ("blobs", {"image_size": (12, 30)}, r"less than 5.5 .*\(12, 30\).*margin=6.0"),
        ("blobs", {"image_size": (28, 28, 1)}, r"pair .*\(28, 28, 1\).*one channel"),
        ("blobs", {"image_size": 28}, "pair .*image_size=28"),
        ("blobs", {"image_size": (28, 2)}, "at least 3, in each entry.*image_size=2"),
        ("blobs", {"image_size": (28.0, 28)}, "in each entry.*image_size=28.0"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        ALL[name](5, **options)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "one or more Manifolds. Received: none"),
        (
            ([manifolds.circle(5)],),
            r"Received: list at position 0.*union\(\*manifolds\)",
        ),
        (
            (manifolds.circle(5), manifolds.circle(5).x),
            "Received: ndarray at position 1",
        ),
        (
            (manifolds.circle(5), manifolds.sphere(5)),
            r"one ambient space.*\(2,\), \(3,\).*`ambient_dim`",
        ),
    ],
)
def test_unions_of_what_does_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        manifolds.union(*parts)
