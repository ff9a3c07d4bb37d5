import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_manifold import plot


def test_spectrum_draws_the_median_and_the_range(texts):
    figure = plot.spectrum(
        {"a": np.array([[4.0, 1.0], [2.0, 1.0], [3.0, 1.0]]), "b": [1.0, 0.0]}
    )
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [3.0, 1.0])
    assert ax.get_yscale() == "log"
    assert ax.lines[1].get_ydata()[1] > 0, "zero has a place on the logarithmic scale"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_learning_curves_draw_training_and_validation_in_one_panel(is_complete):
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
    assert is_complete(figure)


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


def test_learning_curves_of_callbacks_say_their_unit_and_what_is_watched():
    class Analyzer:
        history = {"step": [0, 30], "tangent_norm": [2.0, 1.0], "mine": [1, 2]}  # noqa: RUF012
        unit, of = "batch", "decoder"

    figure = plot.learning_curves(Analyzer())
    assert [ax.get_title() for ax in figure.axes] == [
        "tangent norm, ‖J‖_F of the decoder",
        "mine",
    ]
    assert {ax.get_xlabel() for ax in figure.axes} == {"batch"}
    losses = {"loss": [1.0, 0.5], "tangent_norm": [2.0, 1.0]}
    figure = plot.learning_curves({"watched": Analyzer(), "reported": losses})
    labels = {ax.get_title(): ax.get_xlabel() for ax in figure.axes}
    assert labels["tangent norm, ‖J‖_F"] == "batch or epoch"
    assert labels["loss"] == "epoch"


def test_every_function_returns_a_figure(space):
    for figure in (
        plot.image_grid(np.zeros((1, 1, 2, 2))),
        plot.tangents(space),
        plot.spectrum(space),
        plot.learning_curves({"loss": [1.0]}),
    ):
        assert isinstance(figure, Figure)
