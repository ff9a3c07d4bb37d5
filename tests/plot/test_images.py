import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_manifold import TangentSpace, plot


@pytest.fixture(autouse=True)
def _no_global_state():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def pixels(figure):
    """The picture inside the axes as matplotlib was given it, RGB in [0, 1]."""
    return figure.axes[0].images[0].get_array()[..., :3] / 255


def texts(figure):
    ax = figure.axes[0]
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
    return [label.get_text() for label in labels]


def is_complete(figure, tmp_path):
    """Whether no label reaches over the edge of the saved picture."""
    canvas = FigureCanvasAgg(figure)
    figure.savefig(tmp_path / "figure.png")  # lays it out
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    return (
        box.x0 >= -0.02
        and box.y0 >= -0.02
        and box.x1 <= width + 0.02
        and box.y1 <= height + 0.02
    )


def test_signed_images_are_white_at_zero_red_above_and_blue_below():
    images = np.zeros((1, 1, 3, 3))
    images[0, 0, 0, 0], images[0, 0, 2, 2] = 2.0, -1.0
    figure = plot.image_grid(images, signed=True)
    rgb = pixels(figure)
    red, white, blue = rgb[0, 0], rgb[1, 1], rgb[2, 2]
    assert (white > 0.95).all()
    assert red[0] > red[2] + 0.2
    assert blue[2] > blue[0] + 0.2
    assert red.sum() < blue.sum(), "a larger magnitude is darker"
    assert "colours\n±2.0" in texts(figure)


def test_unsigned_rows_share_a_scale_from_black_to_white():
    rows = [np.full((2, 4, 4, 1), 0.5), np.ones((2, 4, 4, 1))]
    rgb = pixels(plot.image_grid(rows))
    np.testing.assert_allclose(rgb[0, 0], 0.5, atol=0.01)
    np.testing.assert_allclose(rgb[-1, -1], 1.0, atol=0.01)


def test_colour_images_are_shown_as_they_are(rng):
    images = rng.uniform(size=(1, 1, 4, 4, 3))
    images[0, 0, 0, 0] = 1.0
    found = pixels(plot.image_grid(images))
    np.testing.assert_allclose(found, images[0, 0], atol=0.5 / 255)


def test_entries_that_are_not_finite_are_orange(tmp_path, recwarn):
    images = np.zeros((2, 2, 3, 3))
    images[0, 0, 0, 0], images[0, 0, 2, 2] = np.nan, 2.0
    images[1, 0, 0, 0], images[1, 0, 2, 2] = -np.inf, 2.0
    images[:, 1] = np.nan
    figure = plot.image_grid(images, signed=[False, True])
    rgb = pixels(figure)
    for y, x in ((0, 0), (4, 0), (0, 4), (6, 6)):
        np.testing.assert_allclose(rgb[y, x], [1.0, 0.6, 0.0], atol=0.01)
    np.testing.assert_allclose(rgb[2, 2], 1.0, atol=0.01)
    assert rgb[6, 2, 0] > rgb[6, 2, 2] + 0.2, "the finite ones keep their scale"
    figure.savefig(tmp_path / "figure.png")
    assert [str(warning.message) for warning in recwarn if "invalid" in str(warning)] == []


def test_images_stand_in_their_places(rng):
    images = rng.uniform(size=(2, 3, 5, 4))
    images[0, 0, 0, 0] = 1.0
    images[1, 2, 0, 0] = 0.0
    figure = plot.image_grid(images)
    rgb = pixels(figure)
    for r in range(2):
        for c in range(3):
            cell = rgb[r * 6 : r * 6 + 5, c * 5 : c * 5 + 4, 0]
            np.testing.assert_allclose(cell, images[r, c], atol=0.01)


def test_labels_are_complete_even_when_long(tmp_path):
    figure = plot.image_grid(
        np.zeros((2, 3, 4, 4)),
        row_labels=["a rather long label of a row", "short"],
        column_labels=["one", "two", "three"],
        title="A title",
        signed=[True, False],
    )
    assert {"a rather long label of a row", "short", "one", "two", "three"} <= set(
        texts(figure)
    )
    assert is_complete(figure, tmp_path)


@pytest.mark.parametrize("name", ["row_labels", "column_labels", "signed"])
def test_labels_that_do_not_match_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must have 2 entries. Received: 1"):
        plot.image_grid(np.zeros((2, 2, 4, 4)), **{name: [True]})


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match=r"\(n, height, width\).*\(3, 4, 4, 2\)"):
        plot.image_grid([np.zeros((3, 4, 4, 2))])


@pytest.fixture
def space(rng):
    vectors = rng.normal(size=(3, 10, 6, 6, 1))
    sigma = np.linspace(10, 1, 10) * np.ones((3, 1))
    return TangentSpace(vectors, sigma, rng.normal(size=(3, 10, 12)))


def test_tangents_of_one_sample_are_in_rows_of_eight_with_their_singular_values(
    space, tmp_path
):
    figure = plot.tangents(space, index=1, title="Tangents")
    assert pixels(figure).shape[1] == 8 * 6 + 7
    assert texts(figure)[:3] == ["σ₁ = 10.", "σ₂ = 9.0", "σ₃ = 8.0"]
    assert "σ₁₀ = 1.0" in texts(figure)
    assert is_complete(figure, tmp_path)


def test_tangents_of_all_samples_or_several_models_are_a_row_each(space, tmp_path, rng):
    images = rng.uniform(size=(3, 6, 6, 1))
    figure = plot.tangents(space, index=None, k=4, images=images)
    assert sum(text == "input" for text in texts(figure)) == 3
    assert texts(figure).count("σ₄ = 7.0") == 1, "columns are named in the first row"
    assert texts(figure).count("7.0") == 2
    figure = plot.tangents({"plain": space.leading(5), "denoising": space}, images=images)
    assert {"plain", "denoising", "σ₅ = 6.0", "6.0", "σ₁₀ = 1.0"} <= set(texts(figure))
    assert is_complete(figure, tmp_path)


def test_spectrum_draws_the_median_and_the_range():
    figure = plot.spectrum(
        {"a": np.array([[4.0, 1.0], [2.0, 1.0], [3.0, 1.0]]), "b": [1.0, 0.0]}
    )
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [3.0, 1.0])
    assert ax.get_yscale() == "log"
    assert ax.lines[1].get_ydata()[1] > 0, "zero has a place on the logarithmic scale"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_learning_curves_draw_training_and_validation_in_one_panel(tmp_path):
    run = {
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [3.5, 2.5, 2.0],
        "tangent_norm": [1.0, 2.0, 3.0],
    }
    figure = plot.learning_curves({"plain": run, "denoising": run}, title="Training")
    assert [ax.get_title() for ax in figure.axes] == ["loss", "tangent norm, ‖J‖_F"]
    lines = figure.axes[0].lines
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-", "--"]
    np.testing.assert_array_equal(lines[1].get_ydata(), run["val_loss"])
    np.testing.assert_array_equal(lines[0].get_xdata(), [1, 2, 3])
    assert is_complete(figure, tmp_path)


def test_learning_curves_take_a_history_object_and_a_choice_of_keys():
    class History:
        history = {"loss": [1.0], "mae": [2.0]}  # noqa: RUF012

    assert [ax.get_title() for ax in plot.learning_curves(History()).axes] == [
        "loss",
        "mae",
    ]
    figure = plot.learning_curves({"run": History()}, keys=["mae"])
    assert [ax.get_title() for ax in figure.axes] == ["mae"]
    with pytest.raises(ValueError, match=r"\['loss', 'mae'\].*\['accuracy'\]"):
        plot.learning_curves(History(), keys=["accuracy"])


def test_every_function_returns_a_figure(space):
    for figure in (
        plot.image_grid(np.zeros((1, 1, 2, 2))),
        plot.tangents(space),
        plot.spectrum(space),
        plot.learning_curves({"loss": [1.0]}),
    ):
        assert isinstance(figure, Figure)


class Flipped:
    """What `predict` of a model is for `walk`: here it turns the image upside down."""

    def predict(self, images, verbose):
        return images[:, ::-1]


def test_a_walk_moves_the_sample_along_its_vectors_and_through_the_model(tmp_path):
    image = np.full((2, 4, 4, 1), 0.5)
    image[:, 0, 0] = 1.0
    vectors = np.zeros((2, 2, 4, 4, 1))
    vectors[:, 0, 1, 1], vectors[:, 1, 2, 2] = 1.0, 1.0
    space = TangentSpace(vectors, np.ones((2, 2)), np.ones((2, 2, 3)))
    figure = plot.walk(
        space, image, model=Flipped(), index=1, directions=2, reach=0.4, steps=3
    )
    rgb = pixels(figure)[..., 0]
    cell, down = 5, 5  # 4 pixels and a gap of 1
    for step, t in enumerate((-0.4, 0.0, 0.4)):
        left = step * cell
        for row, (y, x) in enumerate([(1, 1), (2, 1), (2, 2), (1, 2)]):
            value = rgb[row * down + y, left + x]
            assert value == pytest.approx(0.5 + t, abs=0.01), (row, step)
        assert rgb[3, left + 3] == pytest.approx(0.5, abs=0.01)
    assert {"t = −0.4", "t = 0", "t = 0.4", "x + t v₁", "x + t v₂"} <= set(texts(figure))
    assert texts(figure).count("reconstructed") == 2
    assert is_complete(figure, tmp_path)


def test_walks_of_few_directions_through_a_callable_from_a_black_image(tmp_path):
    x = np.zeros((2, 4, 4, 1))
    space = TangentSpace(np.ones((2, 2, 4, 4, 1)), np.ones((2, 2)), np.ones((2, 2, 3)))
    figure = plot.walk(space, x, model=lambda images: images[:, ::-1])
    assert {"x + t v₁", "x + t v₂"} <= set(texts(figure))
    assert is_complete(figure, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((3, 4, 4, 1))}, "must be that of the samples"),
        ({"x": np.zeros((2, 5, 4, 1))}, "must be that of the samples"),
        ({"directions": 0}, "at least 1.* directions=0"),
        ({"index": 2}, "below the number of samples, 2.* index=2"),
        ({"index": -1}, "at least 0.* index=-1"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"reach": 0.0}, "reach=0.0"),
        ({"reach": float("nan")}, "reach=nan"),
        ({"steps": 1}, "steps=1"),
    ],
)
def test_walks_that_lead_nowhere_are_refused(arguments, message):
    x = np.ones((2, 4, 4, 1))
    space = TangentSpace(np.ones((2, 2, 4, 4, 1)), np.ones((2, 2)), np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=message):
        plot.walk(**({"space": space, "x": x, "directions": 1} | arguments))
