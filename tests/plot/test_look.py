"""What the caller of a plot may say of the samples."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_manifold import TangentSpace, plot
from keras_manifold.plot._look import Look


def space_of(shape, rng, count=2):
    return TangentSpace(
        rng.normal(size=(count, 3, *shape)),
        np.ones((count, 3)),
        np.ones((count, 3, 4)),
        inputs=rng.uniform(size=(count, *shape)),
    )


def test_flattened_images_are_drawn_as_images(rng, pixels):
    space = space_of((36,), rng)
    flat = plot.tangents(space, image_shape=(6, 6))
    images = TangentSpace(
        space.vectors.reshape(2, 3, 6, 6), space.singular_values, space.code_vectors
    )
    inputs = space.inputs.reshape(2, 6, 6)
    np.testing.assert_array_equal(
        pixels(flat), pixels(plot.tangents(images, images=inputs))
    )
    assert len(plot.walk(space, image_shape=(6, 6)).axes[0].images) == 1
    with pytest.raises(ValueError, match=r"as many entries.*image_shape=\(5, 6\).*\(36,\)"):
        plot.walk(space, image_shape=(5, 6))


def test_three_of_many_bands_are_red_green_and_blue(rng, pixels):
    x = rng.uniform(size=(1, 2, 6, 6, 5))
    expected = plot.image_grid(x[..., [4, 2, 0]])
    np.testing.assert_array_equal(
        pixels(plot.image_grid(x, bands=(4, 2, 0))), pixels(expected)
    )
    first = np.moveaxis(x, -1, 2)
    np.testing.assert_array_equal(
        pixels(plot.image_grid(first, bands=(4, 2, 0))), pixels(expected)
    )
    np.testing.assert_array_equal(
        pixels(plot.image_grid(x, bands=1)), pixels(plot.image_grid(x[..., 1]))
    )
    with pytest.raises(ValueError, match=r"in \[0, 4\], as the images have 5 .*bands=5"):
        plot.image_grid(x, bands=5)
    with pytest.raises(ValueError, match=r"three channels, or one.*bands=\(0, 1\)"):
        plot.image_grid(x, bands=(0, 1))


def test_a_colour_map_has_its_colours(pixels):
    x = np.array([[[[0.0, 1.0], [1.0, 0.0]]]])
    found = pixels(plot.image_grid(x, cmap="viridis"))
    np.testing.assert_allclose(found[0, 0], [0.267, 0.005, 0.329], atol=5e-3)
    np.testing.assert_allclose(found[0, 1], [0.993, 0.906, 0.144], atol=5e-3)
    with pytest.raises(ValueError, match=r"`cmap` must be a matplotlib.*cmap='nothing'"):
        plot.image_grid(x, cmap="nothing")
    same = plot.image_grid(x, cmap=matplotlib.colormaps["viridis"])
    np.testing.assert_array_equal(pixels(same), found)


def test_entries_and_channels_bear_their_names(rng, texts, is_complete):
    names = [f"feature {i}" for i in range(5)]
    figure = plot.tangents(space_of((5,), rng), feature_names=names)
    assert [t for t in texts(figure) if t.startswith("feature")] == names * 4
    assert is_complete(figure)
    figure = plot.walk(space_of((50, 2), rng), channel_names=["left", "right"])
    (key,) = [a for a in figure.axes[0].get_children() if hasattr(a, "legend_handles")]
    assert [t.get_text() for t in key.get_texts()] == ["left", "right"]
    short = space_of((20, 10), rng)
    assert plot.walk(short).axes[0].images, "by its shape alone"
    series = plot.walk(short, channel_names=[f"sensor {i}" for i in range(10)])
    assert not series.axes[0].images
    (key,) = [a for a in series.axes[0].get_children() if hasattr(a, "legend_handles")]
    assert key.get_texts()[9].get_text() == "sensor 9"
    with pytest.raises(ValueError, match=r"one per channel of a series, 10 or 20.*\['a'\]"):
        plot.walk(short, channel_names=["a"])
    for shape in ((8, -1), (8.0, 8), "8x8", ((8, 8), 1)):
        with pytest.raises(ValueError, match=r"`image_shape` must be whole numbers above"):
            plot.walk(short, image_shape=shape)
    with pytest.raises(ValueError, match=r"`feature_names` must be 5 names.*\['a'\]"):
        plot.tangents(space_of((5,), rng), feature_names=["a"])
    with pytest.raises(ValueError, match=r"`channel_names` .* a series.*as a table"):
        plot.tangents(space_of((5,), rng), channel_names=["a"])


def test_plots_draw_into_axes_of_others(rng):
    space = space_of((6, 6), rng)
    figure = Figure()
    axes = figure.subplots(2, 3)
    drawn = [
        plot.tangents(space, ax=axes[0, 0], title="one"),
        plot.walk(space, ax=axes[0, 1]),
        plot.image_grid(space.inputs[None], ax=axes[0, 2]),
        plot.spectrum(space, ax=axes[1, 0]),
        plot.learning_curves({"loss": [2, 1], "mse": [1, 2]}, axes=axes[1, 1:]),
        plot.curves(rng.normal(size=(2, 5, 2)), ax=figure.add_axes((0, 0, 0.1, 0.1))),
    ]
    assert all(found is figure for found in drawn)
    assert axes[0, 0].get_title() == "one"
    assert all(ax.has_data() for ax in figure.axes)
    assert plot.spectrum(space, figsize=(3, 2)).get_size_inches().tolist() == [3, 2]
    assert plot.tangents(space, figsize=(3, 2)).get_size_inches().tolist() == [3, 2]
    with pytest.raises(TypeError, match=r"`ax` must be the axes .*Received: ax=1"):
        plot.tangents(space, ax=1)
    with pytest.raises(ValueError, match=r"`figsize` must be None .*figsize=\(3, 2\)"):
        plot.spectrum(space, ax=axes[1, 0], figsize=(3, 2))
    with pytest.raises(
        ValueError, match=r"`axes` must be one per quantity, 2.*Received: 1"
    ):
        plot.learning_curves({"loss": [2], "mse": [1]}, axes=[axes[0, 0]])


def test_figures_stay_of_a_size_whatever_is_drawn(rng):
    for shape in ((1000, 1000), (100_000,), (3, 20_000)):
        figure = plot.image_grid(np.zeros((1, 2, *shape), "float32"))
        assert figure.get_size_inches().max() < 5
        for image in figure.axes[0].images:
            assert max(image.get_array().shape) < 600
    with pytest.raises(ValueError, match=r"at most 100 rows.*Received: 101 rows and 2 col"):
        plot.image_grid(np.zeros((101, 2, 4, 4)))


def test_curves_of_a_callback_have_a_marker_at_each_snapshot():
    run = {"step": [0, 5, 10], "tangent_norm": [1.0, 2.0, 3.0]}
    (ax,) = plot.learning_curves({"run": run}).axes
    (line,) = ax.get_lines()
    assert line.get_xdata().tolist() == [0, 5, 10]
    assert line.get_marker() == "."


def test_nothing_said_changes_nothing(rng):
    x = rng.normal(size=(2, 5))
    assert Look().shaped(x) is x
