import io

import numpy as np
from PIL import Image

from keras_manifold import plot
from keras_manifold.plot._rendering import is_figure, png_of


def test_a_figure_is_rendered_as_matplotlib_would_save_it(tmp_path):
    figure = plot.spectrum([3.0, 2.0, 1.0])
    rendered = Image.open(io.BytesIO(png_of(figure)))
    figure.savefig(tmp_path / "figure.png")
    saved = Image.open(tmp_path / "figure.png").convert("RGB")
    assert rendered.size == saved.size == (660, 432)
    np.testing.assert_array_equal(np.asarray(rendered), np.asarray(saved))


def test_a_figure_is_rendered_once():
    figure = plot.spectrum([3.0, 2.0, 1.0])
    first = png_of(figure)
    figure.axes[0].set_title("later")
    assert png_of(figure) is first


def test_figures_are_told_from_other_values():
    assert is_figure(plot.spectrum([1.0]))
    assert not is_figure(np.ones(3))
    assert not is_figure(1.0)
