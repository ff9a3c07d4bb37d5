"""Lengths and geodesics against closed forms."""

import keras
import numpy as np
import pytest
from decoders import (
    Angles,
    Cylinder,
    FlatTorus,
    Linear,
    Paraboloid,
    Stereographic,
    SwissRoll,
    great_circles,
    small_decoder,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import keras_manifold as km

# One of each, whose compiled functions all tests share.
SPHERE, ROLL, SMALL = Stereographic(), SwissRoll(), small_decoder()


@pytest.fixture
def sphere():
    return SPHERE


@pytest.mark.parametrize("size", [3, 20])
def test_geodesics_of_the_sphere_are_great_circles(size, rng):
    start, stop, angles = great_circles(rng, 12, size)
    ends = Stereographic.codes(start), Stereographic.codes(stop)
    decoder = SPHERE if size == 3 else Stereographic()
    curves = km.geodesics(decoder, *ends)
    assert curves.converged.all()
    np.testing.assert_allclose(curves.lengths, angles, rtol=2e-4)
    back = km.geodesics(decoder, *ends[::-1])
    np.testing.assert_allclose(back.lengths, curves.lengths, rtol=1e-5)
    # Each point is in the plane of both ends, at an equal share of the angle.
    share = np.linspace(0, 1, 65)[:, None, None]
    weights = [np.sin((1 - share) * angles[:, None]), np.sin(share * angles[:, None])]
    expected = (weights[0] * start + weights[1] * stop) / np.sin(angles)[:, None]
    points = ops.convert_to_numpy(decoder(curves.codes.reshape(-1, size - 1)))
    points = points.reshape(len(start), 65, size)
    assert np.abs(points - expected.swapaxes(0, 1)).max() < 5e-3


def test_the_error_of_a_length_falls_with_the_square_of_the_steps(sphere, rng):
    # n chords of an arc: 2n sin(angle / 2n) = angle (1 - angle² / 24n² + ...).
    start, stop, angles = great_circles(rng, 12, 3)
    ends = Stereographic.codes(start), Stereographic.codes(stop)
    for steps in (8, 16):
        lengths = km.geodesics(sphere, *ends, steps=steps, tolerance=1e-7).lengths
        chords = 2 * steps * np.sin(angles / (2 * steps))
        np.testing.assert_allclose(lengths, chords, rtol=5e-5)


def test_geodesics_do_not_depend_on_the_chart(sphere, rng):
    start, stop, angles = great_circles(rng, 20, 3, most=2.0)
    north = np.minimum(np.abs(start), np.abs(stop))[:, 2] < 0.8
    ends = Angles.codes(start), Angles.codes(stop)
    near = north & (np.abs(ends[0] - ends[1])[:, 1] < np.pi)  # else around the other side
    ends = ends[0][near], ends[1][near]
    assert near.sum() > 5
    lengths = km.geodesics(Angles(), *ends).lengths
    np.testing.assert_allclose(lengths, angles[near], rtol=2e-4)


def test_geodesics_of_an_affine_decoder_are_straight_and_exact(rng):
    matrix, bias = rng.normal(size=(3, 7)), rng.normal(size=7)
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(7)])
    decoder.set_weights([matrix, bias])
    start, stop = rng.normal(size=(2, 5, 3)).astype("float32")
    curves = km.geodesics(decoder, start, stop, steps=8)
    expected = np.linalg.norm((stop - start) @ matrix, axis=1)
    np.testing.assert_allclose(curves.lengths, expected, rtol=1e-5)
    np.testing.assert_allclose(curves.straight_lengths, expected, rtol=1e-5)
    np.testing.assert_allclose(curves.energies, expected**2 / 8, rtol=1e-5)
    assert curves.converged.all()
    line = start[:, None] + np.linspace(0, 1, 9)[:, None] * (stop - start)[:, None]
    np.testing.assert_allclose(curves.codes, line, atol=2e-3)


@pytest.mark.parametrize("decoder", [Cylinder(), FlatTorus()], ids=["cylinder", "torus"])
def test_geodesics_of_what_is_rolled_without_stretching_are_straight(decoder, rng):
    start, stop = rng.uniform(-2, 2, size=(2, 8, 2)).astype("float32")
    # Begun on a detour, which has to be taken back.
    share = np.linspace(0, 1, 65)[:, None]
    line = start[:, None] + share * (stop - start)[:, None]
    detour = line + np.sin(np.pi * share) * [0.3, -0.5]
    curves = km.geodesics(decoder, start, stop, initial=detour.astype("float32"))
    expected = np.linalg.norm(stop - start, axis=1)
    np.testing.assert_allclose(curves.lengths, expected, rtol=4e-4)
    assert (km.curve_lengths(decoder, detour) > 1.01 * expected).all()


def test_geodesics_of_the_swiss_roll_are_straight_lines_unrolled(rng):
    t, height = rng.uniform(4, 9, size=(2, 8)), rng.uniform(0, 6, size=(2, 8))
    start, stop = np.stack([t, height], axis=-1).astype("float32")
    curves = km.geodesics(ROLL, start, stop)
    expected = np.linalg.norm(SwissRoll.unrolled(start) - SwissRoll.unrolled(stop), axis=1)
    np.testing.assert_allclose(curves.lengths, expected, rtol=2e-3)  # turns of 5 rad
    assert (curves.straight_lengths > curves.lengths * (1 - 1e-6)).all()


def test_geodesics_of_the_paraboloid_obey_clairaut(rng):
    nearest, reach = rng.uniform(0.8, 2.0, 12), rng.uniform(0.5, 1.2, 12)
    start, stop, lengths = Paraboloid.geodesic(nearest, reach)
    curves = km.geodesics(Paraboloid(), start, stop)
    np.testing.assert_allclose(curves.lengths, lengths, rtol=2e-4)
    assert (curves.straight_lengths > 1.001 * lengths).any(), "it is bent"
    # The middle is the point nearest to the axis.
    middle = np.linalg.norm(curves.codes[:, 32], axis=1)
    np.testing.assert_allclose(middle, nearest, rtol=2e-3)
    down, up = np.array([[0.3, 0.4]]), np.array([[1.2, 1.6]])  # along a meridian
    arc = [0.5 * (r * np.sqrt(1 + r * r) + np.arcsinh(r)) for r in (0.5, 2.0)]
    found = km.geodesics(Paraboloid(), down, up).lengths
    np.testing.assert_allclose(found, arc[1] - arc[0], rtol=2e-4)


def test_a_geodesic_is_the_same_under_other_codes_rotated_and_scaled(sphere, rng):
    class Curved(layers.Layer):
        """The sphere in codes that are bent, rotated and three times as large."""

        def call(self, codes):
            bent = codes + ops.stack([0 * codes[:, 0], 0.3 * ops.square(codes[:, 0])], -1)
            return 3 * ops.matmul(sphere(bent), rotation)

    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype("float32")
    start, stop, angles = great_circles(rng, 12, 3, most=2.0)
    ends = [Stereographic.codes(points) for points in (start, stop)]
    others = [np.stack([e[:, 0], e[:, 1] - 0.3 * e[:, 0] ** 2], axis=1) for e in ends]
    curves = km.geodesics(Curved(), *others)
    np.testing.assert_allclose(curves.lengths, 3 * angles, rtol=2e-4)
    bent = curves.codes + np.stack(
        [0 * curves.codes[..., 0], 0.3 * curves.codes[..., 0] ** 2], axis=-1
    )
    same = km.geodesics(sphere, *ends).codes
    points = [ops.convert_to_numpy(sphere(c.reshape(-1, 2))) for c in (bent, same)]
    assert np.abs(points[0] - points[1]).max() < 2e-2


def test_a_pair_of_equal_ends_has_length_zero_beside_others(sphere):
    start = np.array([[0.5, 0.5], [0.5, 0.5]], "float32")
    stop = np.array([[0.5, 0.5], [-0.5, 0.2]], "float32")
    curves = km.geodesics(sphere, start, stop, steps=8)
    assert curves.lengths[0] == 0 == curves.iterations[0]
    assert curves.lengths[1] > 0
    assert curves.converged.all()


def test_antipodal_points_are_joined_by_some_half_circle(sphere):
    start = np.array([[1.0, 0.0], [0.0, 2.0], [0.6, 0.8]], "float32")
    stop = -start / np.square(start).sum(axis=1, keepdims=True)
    curves = km.geodesics(sphere, start, stop, max_iterations=200)
    assert np.isfinite(curves.codes).all()
    np.testing.assert_allclose(curves.lengths, np.pi, rtol=2e-4)


def test_codes_that_the_decoder_ignores_do_no_harm(rng):
    class OfTwo(layers.Layer):
        def call(self, codes):
            return Stereographic().call(codes[:, :2])

    start, stop, angles = great_circles(rng, 6, 3)
    ends = [np.pad(Stereographic.codes(p), [[0, 0], [0, 1]]) for p in (start, stop)]
    ends[1][:, 2] = 5.0
    curves = km.geodesics(OfTwo(), *ends)
    assert np.isfinite(curves.codes).all()
    np.testing.assert_allclose(curves.lengths, angles, rtol=2e-4)
    constant = km.geodesics(Linear(np.zeros((3, 4))), *ends, steps=4)
    assert (constant.lengths == 0).all()


def test_an_unfinished_run_says_so_with_its_number(sphere, rng):
    start, stop, _ = great_circles(rng, 4, 3)
    with pytest.warns(
        RuntimeWarning, match=r"[1-4] of 4 curves did not converge in 1 iter"
    ):
        curves = km.geodesics(
            sphere,
            Stereographic.codes(start),
            Stereographic.codes(stop),
            max_iterations=1,
        )
    assert not curves.converged.all()
    assert (curves.iterations <= 1).all()
    assert (curves.lengths <= curves.straight_lengths * (1 + 1e-6)).all()


@pytest.mark.filterwarnings("ignore:.*did not converge in")  # of others among them
def test_curves_that_stop_at_a_kink_are_not_told_to_take_more_iterations():
    # A few of so many do, others on each backend.
    rng = np.random.default_rng(0)
    inner, outer = (
        rng.normal(size=(3, 8)).astype("float32"),
        rng.normal(size=(8, 6)).astype("float32"),
    )
    codes = rng.normal(size=(600, 3)).astype("float32")

    def of_relu(codes):
        return ops.matmul(ops.relu(ops.matmul(codes, inner)), outer)

    with pytest.warns(RuntimeWarning, match="curves stopped where no step lowers") as told:
        curves = km.geodesics(of_relu, codes, 2 * codes[::-1], steps=4)
    is_stuck = ~curves.converged & (curves.iterations < 100)
    texts = [str(warning.message) for warning in told]
    assert any(text.startswith(f"{is_stuck.sum()} of 600 curves stopped") for text in texts)


DECODERS = [small_decoder(seed) for seed in range(2)]


@settings(max_examples=8)
@given(seed=st.integers(0, 2**20), which=st.integers(0, 1))
def test_a_geodesic_is_never_longer_than_the_straight_line(seed, which):
    start, stop = np.random.default_rng(seed).normal(size=(2, 3, 2)).astype("float32")
    curves = km.geodesics(DECODERS[which], start, stop, steps=12)
    assert curves.converged.all()
    assert (curves.lengths <= curves.straight_lengths * (1 + 1e-5)).all()
    assert (curves.energies >= curves.lengths**2 / 12 * (1 - 1e-5)).all()  # Cauchy-Schwarz


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="compiles nothing")
def test_other_pairs_of_about_that_number_compile_nothing(rng):
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, codes):
            if len(codes.shape) == 2 and (codes.shape[0] or 0) > 5:  # no check
                traced.append(codes.shape)
            return keras.ops.concatenate([codes, keras.ops.square(codes)], axis=-1)

    decoder = Counted()
    for count, steps in ((40, 8), (50, 8), (56, 8), (30, 12)):
        start, stop = rng.normal(size=(2, count, 2))
        km.geodesics(decoder, start, stop, steps=steps)
        km.curve_lengths(decoder, rng.normal(size=(count, steps, 2)))
        if count == 40:
            first = len(traced)
    assert 0 < first <= 8, "once for each derivative"
    assert len(traced) == first


def test_codes_that_are_feature_maps_keep_their_shape(rng):
    matrix = rng.normal(size=(4, 5)).astype("float32")

    class OfMaps(layers.Layer):
        def call(self, codes):
            return ops.matmul(ops.reshape(codes, (-1, 4)), matrix)

    start, stop = rng.normal(size=(2, 3, 2, 2, 1)).astype("float32")
    curves = km.geodesics(OfMaps(), start, stop, steps=4)
    assert curves.codes.shape == (3, 5, 2, 2, 1)
    expected = np.linalg.norm((stop - start).reshape(3, 4) @ matrix, axis=1)
    np.testing.assert_allclose(curves.lengths, expected, rtol=1e-5)


def test_the_velocity_is_the_logarithm_on_the_sphere(sphere, rng):
    start, stop, angles = great_circles(rng, 12, 3, most=2.0)
    curves = km.geodesics(sphere, Stereographic.codes(start), Stereographic.codes(stop))
    tangents = stop - np.cos(angles)[:, None] * start
    tangents *= (angles / np.sin(angles))[:, None]
    # d/dt of x / (1 - x₃), the chart.
    below = 1 - start[:, 2:]
    expected = tangents[:, :2] / below + start[:, :2] * tangents[:, 2:] / below**2
    # Relative to the size of a velocity in the chart, which varies by its factor.
    scale = np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs((curves.velocities - expected) / scale).max() < 1e-2


def test_the_exponential_of_the_logarithm_comes_back(sphere, rng):
    start, stop, angles = great_circles(rng, 12, 3, most=2.0)
    codes = Stereographic.codes(start)
    curves = km.geodesics(sphere, codes, Stereographic.codes(stop), tolerance=1e-8)
    shot = km.exponential(sphere, codes, curves.velocities, steps=32)
    assert shot.converged.all()
    points = ops.convert_to_numpy(sphere(shot.codes[:, -1]))
    assert np.abs(points - stop).max() < 1e-2
    np.testing.assert_allclose(shot.lengths, angles, rtol=5e-3)


def test_the_exponential_follows_great_circles_with_an_error_of_steps_squared(sphere, rng):
    start, stop, angles = great_circles(rng, 12, 3, most=2.0)
    tangents = (stop - np.cos(angles)[:, None] * start) / np.sin(angles)[:, None]
    below = 1 - start[:, 2:]
    unit = tangents[:, :2] / below + start[:, :2] * tangents[:, 2:] / below**2
    velocities = unit * angles[:, None]
    errors = []
    for steps in (16, 32):
        shot = km.exponential(sphere, Stereographic.codes(start), velocities, steps=steps)
        points = ops.convert_to_numpy(sphere(shot.codes[:, -1]))
        errors.append(np.abs(points - stop).max())
    assert errors[-1] < 1e-2
    assert 3.5 < errors[0] / errors[1] < 4.5
    np.testing.assert_allclose(shot.lengths, angles, rtol=4e-3)


def test_a_code_without_velocity_stays(sphere):
    codes = np.array([[0.5, 0.5], [0.1, 0.2]], "float32")
    shot = km.exponential(sphere, codes, np.array([[0, 0], [1, 0]], "float32"), steps=8)
    assert (shot.codes[0] == codes[0]).all()
    assert shot.lengths[0] == 0 < shot.lengths[1]
    with pytest.raises(ValueError, match="`velocities` must be of the shape of `codes`"):
        km.exponential(sphere, codes, codes[:1])


def test_the_length_of_any_curve_is_that_of_its_polyline(sphere):
    corner = np.array([[[0, 0], [1, 0], [1, 1]]], "float32")
    lengths = km.curve_lengths(Linear([[2, 0], [0, 1]]), corner)
    np.testing.assert_allclose(lengths, [3.0], rtol=1e-6)
    with pytest.raises(ValueError, match="at least two points"):
        km.curve_lengths(sphere, corner[:, :1])


def test_curves_are_sliced_iterated_saved_and_loaded(sphere, rng, tmp_path):
    start, stop = rng.normal(size=(2, 5, 2)).astype("float32")
    curves = km.geodesics(sphere, start, stop, steps=6)
    assert len(curves) == 5 == len(list(curves))
    assert np.array_equal(curves[1:3].codes, curves.codes[1:3])
    assert np.array_equal(curves[-1].lengths, curves.lengths[-1:])
    assert repr(curves).startswith("Curves(n=5, steps=6, code_shape=(2,), lengths ")
    with pytest.raises(IndexError, match="There are 5 curves"):
        curves[5]
    curves.save(tmp_path / "curves.npz")
    loaded = km.Curves.load(tmp_path / "curves.npz")
    assert np.array_equal(loaded.codes, curves.codes)
    assert np.array_equal(loaded.converged, curves.converged)
    np.savez(tmp_path / "other.npz", codes=np.zeros(3))
    with pytest.raises(ValueError, match="without lengths"):
        km.Curves.load(tmp_path / "other.npz")
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match="must be an npz file"):
        km.Curves.load(tmp_path / "text")


Z = np.zeros((3, 2), "float32")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": Z[:2]}, r"start of shape \(2, 2\) and stop of shape \(3, 2\)"),
        ({"start": Z[:, :1], "stop": Z[:, :1]}, r"takes codes of shape \(None, 2\)"),
        ({"stop": Z[0]}, r"stop of shape \(2,\)"),
        ({"start": Z[:0], "stop": Z[:0]}, "at least one sample"),
        ({"start": Z.astype("complex64")}, "dtype complex64"),
        ({"steps": 1}, "`steps` must be a whole number of at least 2.*steps=1"),
        ({"tolerance": 0}, "tolerance=0"),
        ({"max_iterations": 0}, "max_iterations=0"),
        ({"initial": np.zeros((3, 4, 2))}, r"here \(3, 65, 2\). Received: initial of"),
        ({"initial": np.ones((3, 65, 2))}, "must begin at `start`"),
        ({"model": []}, "at least one decoder"),
        ({"model": lambda z: ops.cast(z, "int32")}, "dtype int32"),
        ({"model": lambda z: z - ops.mean(z, axis=0)}, "must map each sample on its own"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(change, message):
    arguments = {"model": SMALL, "start": Z, "stop": Z + 1, **change}
    with pytest.raises(ValueError, match=message):
        km.geodesics(**arguments)


def test_codes_that_are_not_finite_are_named():
    with pytest.raises(FloatingPointError, match=r"infinite entries in start\[0\]"):
        km.geodesics(SMALL, Z * np.nan, Z)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (3, "has no decoder"),
        (lambda z: (z, z, z), "Received: a tuple of shapes"),
        (lambda z: {"a": z}, "Received: a dict"),
    ],
)
def test_what_is_no_decoder_of_one_output_is_refused(model, message):
    with pytest.raises(TypeError, match=message):
        km.geodesics(model, Z, Z + 1)


def test_outputs_that_are_not_finite_are_refused_with_their_curve():
    def decoder(codes):
        return 1 / ops.maximum(codes, 0.0)

    with pytest.raises(FloatingPointError, match="along curve 0"):
        km.geodesics(decoder, Z, Z + 1)
