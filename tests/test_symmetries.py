import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import CubicSpline

from keras_manifold.symmetries import KINDS, image_tangents

LINEAR = tuple(kind for kind in KINDS if kind != "thickness")

# Matrices that move a column (y, x), seen from the centre, at the rate t = 1.
GENERATORS = {
    "rotation": [[0.0, -1.0], [1.0, 0.0]],
    "scaling": [[1.0, 0.0], [0.0, 1.0]],
    "shear_y": [[0.0, 1.0], [0.0, 0.0]],
    "shear_x": [[0.0, 0.0], [1.0, 0.0]],
}


def unit(tangent):
    return tangent / np.linalg.norm(tangent)


def cosine(a, b):
    return float(np.sum(unit(a.astype("float64")) * unit(b.astype("float64"))))


def tangent_of(image, kind):
    return image_tangents(image[None, ..., None], [kind])[0, 0, ..., 0]


def coordinates(height, width):
    """y down and x to the right in pixels from the centre of the image."""
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    return np.meshgrid(y, x, indexing="ij")


def blob_and_its_tangents(height, width):
    """An oblique Gaussian blob off the centre, 0 at the border, and its derivatives."""
    y, x = coordinates(height, width)
    size = height / 18
    shape = np.array([[1.0, 0.4], [0.4, 0.7]]) / size**2
    dy, dx = y - size, x + size
    by_y, by_x = shape[0, 0] * dy + shape[0, 1] * dx, shape[1, 0] * dy + shape[1, 1] * dx
    blob = np.exp(-(dy * by_y + dx * by_x) / 2)
    slope_y, slope_x = -by_y * blob, -by_x * blob
    return blob, {
        "shift_y": -slope_y,
        "shift_x": -slope_x,
        "rotation": x * slope_y - y * slope_x,
        "scaling": -(y * slope_y + x * slope_x),
        "shear_y": -x * slope_y,
        "shear_x": -y * slope_x,
        "thickness": np.sqrt(slope_y**2 + slope_x**2),
    }


def transformed(image, kind, t):
    """The image with its content moved by t, read from splines of order 5 by SciPy."""
    if kind.startswith("shift"):
        by = (t, 0) if kind == "shift_y" else (0, t)
        return ndimage.shift(image, by, order=5, mode="nearest")
    back = np.eye(2) - t * np.array(GENERATORS[kind])
    centre = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(
        image, back, centre - back @ centre, order=5, mode="nearest"
    )


def changed(image, kind, t=1e-3):
    return (transformed(image, kind, t) - transformed(image, kind, -t)) / (2 * t)


@pytest.fixture
def framed_digits(digits):
    """A 0, a 3 and a 4 at three times their size, inside a black frame."""
    return [
        np.pad(ndimage.zoom(digits[i, ..., 0].astype("float64"), 3, order=3), 4)
        for i in (0, 3, 4)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_tangents_of_a_gaussian_blob_are_its_derivatives(kind):
    # Slopes by a cubic spline are off by f^(5) / 180. For a Gaussian of deviation s that
    # is up to 10 / s^4 / 180 of the largest slope; here s = 3 pixels.
    blob, derivatives = blob_and_its_tangents(54, 66)
    expected = unit(derivatives[kind])
    np.testing.assert_allclose(tangent_of(blob, kind), expected, atol=7e-4 * expected.max())


@pytest.mark.parametrize("kind", KINDS)
def test_errors_fall_by_the_fourth_power_of_the_size_of_a_pixel(kind):
    errors = []
    for side in (54, 108):
        blob, derivatives = blob_and_its_tangents(side, side)
        errors.append(np.linalg.norm(tangent_of(blob, kind) - unit(derivatives[kind])))
    assert 13 < errors[0] / errors[1] < 20


def test_slopes_are_those_of_the_natural_cubic_spline_of_scipy(rng):
    image = rng.normal(size=(7, 12))
    for axis, kind in enumerate(["shift_y", "shift_x"]):
        grid = np.arange(image.shape[axis])
        slopes = CubicSpline(grid, image, axis=axis, bc_type="natural")(grid, 1)
        np.testing.assert_allclose(tangent_of(image, kind), unit(-slopes), atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5)])
def test_linear_ramps_have_exact_tangents_on_the_smallest_images(shape):
    y, x = coordinates(*shape)
    ramp = 2 * y - 3 * x + 1
    expected = {
        "shift_y": np.full(shape, -2.0),
        "shift_x": np.full(shape, 3.0),
        "rotation": 2 * x + 3 * y,
        "scaling": -2 * y + 3 * x,
        "shear_y": -2 * x,
        "shear_x": 3 * y,
        "thickness": np.full(shape, np.sqrt(13)),
    }
    for kind in KINDS:
        np.testing.assert_allclose(
            tangent_of(ramp, kind), unit(expected[kind]), atol=1e-6, err_msg=kind
        )


@pytest.mark.parametrize("kind", LINEAR)
def test_tangents_of_digits_agree_with_small_transforms_by_scipy(kind, framed_digits):
    for digit in framed_digits:
        assert cosine(tangent_of(digit, kind), changed(digit, kind)) > 0.995


@pytest.mark.parametrize("kind", LINEAR)
def test_tangents_of_a_photograph_hold_up_to_its_border(kind):
    # SciPy sees what is beyond the border of the crop, we do not. An image taken as 0
    # there gives cosines of about 0.4.
    photograph = pytest.importorskip("sklearn.datasets").load_sample_image("china.jpg")
    photograph = ndimage.gaussian_filter(photograph.mean(-1), 4)[::4, ::4]
    for top, left in [(30, 30), (60, 100)]:
        larger = photograph[top - 20 : top + 52, left - 20 : left + 52]
        expected = changed(larger, kind)[20:-20, 20:-20]
        assert cosine(tangent_of(larger[20:-20, 20:-20], kind), expected) > 0.98


def test_rotation_is_counter_clockwise_as_displayed(framed_digits):
    y, x = coordinates(15, 15)
    at_the_right = np.exp(-(y**2 + (x - 4) ** 2) / 4)
    tangent = tangent_of(at_the_right, "rotation")
    assert tangent[5, 11] > 0.1  # brighter above
    assert tangent[9, 11] < -0.1
    digit = framed_digits[0]
    # The sense of SciPy's angle, checked against the one of NumPy's quarter turns.
    np.testing.assert_allclose(ndimage.rotate(digit, 90), np.rot90(digit), atol=1e-9)
    turned = [ndimage.rotate(digit, a, reshape=False, order=5) for a in (0.1, -0.1)]
    assert cosine(tangent_of(digit, "rotation"), turned[0] - turned[1]) > 0.995


def test_a_blob_about_the_centre_does_not_change_by_rotation():
    # To see that its tangent is about 0 before the division by the norm, a faint image
    # is added: the tangent of the sum must be that of the faint image alone.
    y, x = coordinates(41, 41)
    symmetric = np.exp(-(y**2 + x**2) / 32)
    faint, derivatives = blob_and_its_tangents(41, 41)
    tangent = tangent_of(symmetric + 0.02 * faint, "rotation")
    assert cosine(tangent, derivatives["rotation"]) > 0.9999


def test_rotation_that_changes_only_roundings_is_zero():
    image = np.array([[0.1, 0.3, 0.1], [0.3, 0.7, 0.3], [0.1, 0.3, 0.1]])
    np.testing.assert_array_equal(tangent_of(image, "rotation"), np.zeros((3, 3)))


def test_thickness_is_the_derivative_of_dilation_by_a_disc():
    finer, t = 16, 3 / 16
    blob, _ = blob_and_its_tangents(28 * finer, 28 * finer)
    y, x = coordinates(7, 7)
    dilated = ndimage.grey_dilation(blob, footprint=y**2 + x**2 <= (t * finer) ** 2)
    eroded = ndimage.grey_erosion(blob, footprint=y**2 + x**2 <= (t * finer) ** 2)
    sampled = (slice(finer // 2, None, finer),) * 2
    assert (
        cosine(tangent_of(blob[sampled], "thickness"), (dilated - eroded)[sampled]) > 0.99
    )


def test_thickness_is_how_a_stroke_changes_when_drawn_thicker():
    y, x = coordinates(28, 28)
    from_the_ring = np.abs(np.hypot(y, x) - 7)  # an o, drawn with a soft pen
    sharpness = 1.0
    level = np.tanh(sharpness * (from_the_ring - 2))
    by_width = sharpness * (1 - level**2)  # of (1 - level), for 2 + t in place of 2
    tangent = tangent_of(1 - level, "thickness")
    assert np.all(tangent >= 0)
    assert cosine(tangent, by_width) > 0.98
    np.testing.assert_array_equal(tangent, tangent_of(level - 1, "thickness"))


def test_every_tangent_has_norm_one_over_rows_columns_and_channels(rng):
    x = rng.normal(size=(3, 6, 9, 2))
    tangents = image_tangents(x, KINDS)
    assert tangents.shape == (3, 7, 6, 9, 2)
    assert tangents.dtype == np.float32
    norms = np.sqrt(np.sum(tangents.astype("float64") ** 2, axis=(2, 3, 4)))
    np.testing.assert_allclose(norms, 1, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.1, 255.0])
def test_constant_images_have_zero_tangents(level):
    x = np.full((2, 5, 6, 1), level)
    x[1, 1, 1] += 1
    tangents = image_tangents(x, KINDS)
    np.testing.assert_array_equal(tangents[0], 0)
    assert np.all(np.any(tangents[1] != 0, axis=(1, 2, 3)))


def test_stripes_do_not_change_when_moved_along_themselves(rng):
    stripes = np.broadcast_to(rng.uniform(size=7), (9, 7))
    np.testing.assert_array_equal(tangent_of(stripes, "shift_y"), 0)
    np.testing.assert_array_equal(tangent_of(stripes.T, "shift_x"), 0)


def test_channels_are_treated_alike_and_share_one_norm(digits):
    one = digits[:2]
    alone = image_tangents(one, KINDS)
    three = image_tangents(np.concatenate([one, one, 2 * one], axis=-1), KINDS)
    for channel, weight in enumerate([1, 1, 2]):
        expected = alone[..., 0] * weight / np.sqrt(6)
        np.testing.assert_allclose(three[..., channel], expected, atol=1e-6)


def test_samples_do_not_mix_and_kinds_come_in_the_order_asked_for(digits):
    all_kinds = image_tangents(digits[:3], KINDS)
    for i in range(3):
        single = image_tangents(digits[i : i + 1], KINDS[::-1])
        np.testing.assert_allclose(single[0, ::-1], all_kinds[i], atol=1e-7)
    np.testing.assert_array_equal(image_tangents(digits[:3]), all_kinds[:, :4])


@pytest.mark.parametrize("kind", LINEAR)
@given(seed=st.integers(0, 99), scale=st.floats(0.01, 100), offset=st.floats(-10, 10))
def test_tangents_are_linear_in_the_image_before_normalisation(kind, seed, scale, offset):
    a, b = np.random.default_rng(seed).normal(size=(2, 6, 5))
    np.testing.assert_allclose(
        tangent_of(-scale * a + offset, kind), -tangent_of(a, kind), atol=1e-5
    )
    parts = np.stack([tangent_of(a, kind), tangent_of(b, kind)]).reshape(2, -1).T
    total = tangent_of(a + scale * b, kind).ravel()
    weights = np.linalg.lstsq(parts, total)[0]
    np.testing.assert_allclose(parts @ weights, total, atol=1e-5)


# Sign of each tangent when the image is flipped and its tangent with it.
FLIPPED = {"shift_x": -1, "rotation": -1, "shear_y": -1, "shear_x": -1}
TRANSPOSED = {
    "shift_y": ("shift_x", 1),
    "shift_x": ("shift_y", 1),
    "rotation": ("rotation", -1),
    "shear_y": ("shear_x", 1),
    "shear_x": ("shear_y", 1),
}


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 99), height=st.integers(2, 9), width=st.integers(2, 9))
def test_flips_and_transposes_of_an_image_give_those_of_its_tangents(
    kind, seed, height, width
):
    image = np.random.default_rng(seed).normal(size=(height, width))
    flipped = FLIPPED.get(kind, 1) * tangent_of(image[:, ::-1], kind)
    np.testing.assert_allclose(flipped, tangent_of(image, kind)[:, ::-1], atol=1e-6)
    other, sign = TRANSPOSED.get(kind, (kind, 1))
    np.testing.assert_allclose(
        sign * tangent_of(image.T, other), tangent_of(image, kind).T, atol=1e-6
    )


def test_scale_and_dtype_of_the_images_do_not_matter(digits):
    expected = image_tangents(digits[:2], KINDS)
    whole = np.round(16 * digits[:2])
    for x in (whole.astype("uint8"), whole.astype("float16"), whole.tolist()):
        np.testing.assert_allclose(image_tangents(x, KINDS), expected, atol=1e-6)
    for scale in (1e-300, 1e300):
        tangents = image_tangents(digits[:2].astype("float64") * scale, KINDS)
        np.testing.assert_allclose(tangents, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((28, 28), r"\(28, 28\).*x\[None, \.\.\., None\]"),
        ((8, 28, 28), r"\(8, 28, 28\).*x\[\.\.\., None\]; for a single .*x\[None\]"),
        ((8, 784, 1, 1, 1), "channels last"),
        ((0, 28, 28, 1), r"at least one sample. Received: x of shape \(0, 28, 28, 1\)"),
        ((2, 8, 8, 0), r"shape \(2, 8, 8, 0\)"),
        ((2, 1, 28, 28), r"at least 2 pixels a side.*\(2, 1, 28, 28\).*np\.moveaxis"),
        ((2, 8, 1, 1), r"at least 2 pixels a side.*\(2, 8, 1, 1\)"),
    ],
)
def test_images_of_the_wrong_shape_are_refused_with_advice(shape, message):
    with pytest.raises(ValueError, match=message):
        image_tangents(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite_are_refused_and_named(value):
    x = np.zeros((4, 5, 5, 1))
    x[2:, 1, 1] = value
    with pytest.raises(ValueError, match=r"must be finite.*2 of 4 images.*x\[2\]"):
        image_tangents(x)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ("shift_x", "kinds='shift_x'. For one kind pass a list of one"),
        (None, "kinds=None"),
        ((), r"must hold any of .*'thickness'.*kinds=\(\)"),
        (["shift_x", "translation"], "Received: 'translation' in it"),
    ],
)
def test_unknown_and_empty_kinds_are_refused(kinds, message):
    with pytest.raises(ValueError, match=message):
        image_tangents(np.zeros((1, 4, 4, 1)), kinds)
