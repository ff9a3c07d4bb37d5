import re

import matplotlib.quiver
import numpy as np
import pytest
from keras import ops

import keras_manifold as km
from keras_manifold import plot


def to_circle(x):
    return x / ops.sqrt(ops.sum(x**2, axis=1, keepdims=True))


def keeps(x):
    return 1.0 * x


def arrows_of(ax):
    (arrows,) = [c for c in ax.collections if isinstance(c, matplotlib.quiver.Quiver)]
    return arrows


def test_arrows_are_the_way_to_the_clean_sample_with_its_length_as_colour(is_complete):
    figure = plot.denoising_field(to_circle, ((-2, 2), (-1, 3)), points=6, title="Circle")
    arrows = arrows_of(figure.axes[0])
    grid = arrows.get_offsets()
    assert grid.shape == (36, 2)
    assert grid.min(0).tolist() == [-2, -1]
    assert grid.max(0).tolist() == [2, 3]
    lengths = np.linalg.norm(grid, axis=1, keepdims=True)
    expected = grid / lengths - grid
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], -1), expected, atol=1e-5)
    np.testing.assert_allclose(arrows.get_array(), np.abs(lengths[:, 0] - 1), atol=1e-5)
    # In units of the data, the longest is as long as the cells allow.
    longest = np.abs(lengths - 1).max() / arrows.scale
    assert longest == pytest.approx(1.4 * 0.8, rel=1e-4)
    assert (arrows.angles, arrows.scale_units) == ("xy", "xy")
    assert is_complete(figure)


def test_a_plain_and_a_denoising_model_stand_side_by_side_on_one_scale(rng, is_complete):
    data = rng.normal(size=(50, 2))
    figure = plot.denoising_field({"plain": keeps, "denoising": to_circle}, data, points=5)
    plain, denoising, bar = figure.axes
    assert [ax.get_title() for ax in (plain, denoising)] == ["plain", "denoising"]
    assert arrows_of(plain).get_array().max() == 0
    assert arrows_of(plain).get_clim() == arrows_of(denoising).get_clim()
    assert arrows_of(plain).scale == arrows_of(denoising).scale
    np.testing.assert_allclose(plain.lines[0].get_xydata(), data, rtol=1e-6)
    assert bar.get_ylabel() == "length of r(x) − x"
    assert is_complete(figure)


def test_a_plane_through_three_samples_holds_them_and_shows_what_lies_in_it():
    """r moves by 1 along x₁, which is in the plane, and by 3 along x₃, which is not."""
    data = np.array([[9.0, 9, 9], [0, 0, 1], [2, 0, 1], [1, 3, 1]])
    shift = np.array([1.0, 0, 3], "float32")
    figure = plot.denoising_field(
        lambda x: x + ops.convert_to_tensor(shift), data, plane=(1, 2, 3), points=4
    )
    ax = figure.axes[0]
    np.testing.assert_allclose(
        ax.lines[0].get_xydata(), [[0, 0], [2, 0], [1, 3]], atol=1e-9
    )
    arrows = arrows_of(ax)
    np.testing.assert_allclose(arrows.U, 1, atol=1e-5)
    np.testing.assert_allclose(arrows.V, 0, atol=1e-5)
    np.testing.assert_allclose(arrows.get_array(), np.sqrt(10), rtol=1e-5)
    assert ax.get_xlabel() == "towards sample 2, in the plane of samples (1, 2, 3)"


def test_entries_of_unlike_units_have_a_scale_each(rng):
    data = rng.uniform(size=(30, 2)) * [1, 1000]
    figure = plot.denoising_field(lambda x: x / 2, data, points=5)
    ax = figure.axes[0]
    low, high = data.min(axis=0), data.max(axis=0)
    np.testing.assert_allclose(ax.get_xlim()[0], low[0] - 0.15 * (high - low)[0], rtol=1e-5)
    assert ax.get_aspect() == "auto"
    arrows = arrows_of(ax)
    cells = (high - low) * 1.3 / 4
    drawn = np.stack([arrows.U, arrows.V], axis=-1) / arrows.scale / cells
    assert np.linalg.norm(drawn, axis=1).max() == pytest.approx(1.4, rel=1e-4)


def test_images_have_planes_too(rng):
    data = rng.uniform(size=(3, 4, 4, 1))
    figure = plot.denoising_field(keeps, data, points=3)
    assert arrows_of(figure.axes[0]).get_array().max() == 0


@pytest.mark.parametrize(
    ("where", "options", "message"),
    [
        (((0, 1), (2, 1)), {}, "low < high"),
        ([0, 1], {}, r"where=\[0, 1\].*np.asarray"),
        (np.ones((3, 1)), {}, "at least two entries"),
        (np.ones((3, 2)), {"plane": (0, 1, 2)}, "`plane` must be None"),
        (np.ones((5, 3)), {"plane": (0, 1, 1)}, "three different indices"),
        (np.ones((2, 3)), {}, "three different indices.* for 2 samples"),
        (np.ones((5, 3)), {}, "on one line"),
        (((0, 1), (0, 1)), {"points": 1}, "`points`.*points=1"),
    ],
    ids=["order", "list", "one", "plane", "twice", "two", "line", "points"],
)
def test_what_spans_no_plane_is_refused(where, options, message):
    with pytest.raises(ValueError, match=message):
        plot.denoising_field(keeps, where, **options)


@pytest.mark.parametrize("plane", [5, "abc", (0, 1, None), (0.0, 1.0, 2.0)])
def test_a_plane_is_of_three_indices(plane):
    message = re.escape(f"Received: plane={plane!r} for 5 samples")
    with pytest.raises(ValueError, match=f"three different indices.*{message}"):
        plot.denoising_field(keeps, np.ones((5, 3)), plane=plane)


@pytest.mark.parametrize("figsize", [3, "ab", (3, 0), (3, 4, 5)])
def test_the_size_of_a_figure_is_a_pair(figsize):
    message = re.escape(f"figsize={figsize!r}")
    with pytest.raises(ValueError, match=f"`figsize` must be a width and .*{message}"):
        plot.denoising_field(keeps, ((0, 1), (0, 1)), figsize=figsize)


def test_limits_have_no_plane():
    with pytest.raises(ValueError, match=r"`plane` must be None for limits.*\(0, 1, 2\)"):
        plot.denoising_field(keeps, ((0, 1), (0, 1)), plane=(0, 1, 2))


def test_a_mapping_of_no_models_is_refused():
    with pytest.raises(ValueError, match=r"names to at least one. Received: model=\{\}"):
        plot.denoising_field({}, ((0, 1), (0, 1)))


def clipped(input_shape):
    noise = km.NoiseInjection("gaussian", 0.2, clip=(0, 1))
    return km.AutoEncoder.dense(input_shape, 1, units=(4,), noise=noise)


@pytest.mark.parametrize("shape", [(2,), (4, 4, 1)])
def test_the_grid_may_reach_beyond_the_clip_of_the_noise_and_data_may_not(rng, shape):
    data = rng.uniform(size=(20, *shape))
    model = clipped(shape)
    for models in (model, {"plain": keeps, "denoising": model}):
        figure = plot.denoising_field(models, data, points=4)
        low, high = figure.axes[0].get_xlim()
        assert high - low > 1
    with pytest.raises(ValueError, match=r"within the clip.*x in \["):
        plot.denoising_field({"plain": keeps, "denoising": model}, 255 * data)


def test_limits_may_lie_beyond_the_clip_of_the_noise():
    figure = plot.denoising_field(clipped(2), ((-1, 2), (-1, 2)), points=4)
    assert arrows_of(figure.axes[0]).get_offsets().min() == -1


def test_points_without_a_finite_output_have_no_arrow_and_one_warning(recwarn):
    """The centre of the circle is 1 of 9 points."""
    limits = ((-2, 2), (-2, 2))
    figure = plot.denoising_field(to_circle, limits, points=3)
    (warned,) = [w for w in recwarn if "at 1 of 9 samples" in str(w.message)]
    assert warned.filename == __file__
    arrows = arrows_of(figure.axes[0])
    assert np.flatnonzero(arrows.Umask).tolist() == [4]
    assert arrows.get_clim() == (0, pytest.approx(np.sqrt(8) - 1, rel=1e-5))
    with pytest.warns(UserWarning, match="at 9 of 9 samples"):
        plot.denoising_field(lambda x: x * np.nan, limits, points=3)


def test_data_of_another_shape_than_the_model_takes_are_refused(rng):
    with pytest.raises(ValueError, match=r"`model` takes inputs of shape \(None, 2\).*3"):
        plot.denoising_field(clipped(2), rng.uniform(size=(5, 3)))


def test_a_dimension_curve_is_the_median_with_most_of_the_samples_around(is_complete):
    stddevs = np.array([0.1, 0.3, 1.0])
    dimensions = np.linspace(0, 1, 11) + np.array([[3.0], [2.0], [1.0]])
    curve = km.DimensionCurve(stddevs, dimensions, "stein")
    figure = plot.dimension_curve({"a": curve, "b": curve}, dimension=2, title="Sphere")
    ax = figure.axes[0]
    assert ax.get_xscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.c_[stddevs, [3.5, 2.5, 1.5]])
    (band, *_) = ax.collections
    vertices = band.get_paths()[0].vertices
    assert vertices[:, 1].min() == pytest.approx(1.1)
    assert vertices[:, 1].max() == pytest.approx(3.9)
    assert ax.lines[2].get_ydata() == [2, 2]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert is_complete(figure)
    assert plot.dimension_curve(curve).axes[0].get_legend() is None


def test_what_is_no_dimension_curve_is_refused():
    with pytest.raises(TypeError, match=r"must be a DimensionCurve.*of type list"):
        plot.dimension_curve([1, 2])
    curve = km.DimensionCurve(np.array([0.1, 1.0]), np.ones((2, 5)), "stein")
    with pytest.raises(ValueError, match=r"`figsize` must be a width.*figsize=3"):
        plot.dimension_curve(curve, figsize=3)


def test_both_are_drawn_in_axes_that_are_given():
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    limits = ((-2, 2), (-2, 2))
    assert plot.denoising_field(to_circle, limits, points=4, ax=left, title="A") is figure
    curve = km.DimensionCurve(np.array([0.1, 1.0]), np.ones((2, 5)), "stein")
    assert plot.dimension_curve(curve, ax=right, title="B") is figure
    assert [ax.get_title() for ax in (left, right)] == ["A", "B"]
    assert arrows_of(left).get_offsets().shape == (16, 2)
    assert right.lines[0].get_ydata().tolist() == [1, 1]
    assert len(figure.axes) == 3, "with the bar of lengths"
    with pytest.raises(ValueError, match=r"None for several models.*2 models"):
        plot.denoising_field({"a": keeps, "b": keeps}, limits, ax=left)
    with pytest.raises(ValueError, match="`figsize` must be None"):
        plot.dimension_curve(curve, ax=right, figsize=(3, 3))
    with pytest.raises(TypeError, match="`ax` must be the axes"):
        plot.denoising_field(to_circle, limits, ax=figure)
