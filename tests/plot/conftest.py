import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg

from keras_manifold import TangentSpace


@pytest.fixture(autouse=True)
def _no_global_state():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


@pytest.fixture
def space(rng):
    vectors = rng.normal(size=(3, 10, 6, 6, 1))
    sigma = np.linspace(10, 1, 10) * np.ones((3, 1))
    return TangentSpace(vectors, sigma, rng.normal(size=(3, 10, 12)))


@pytest.fixture
def pixels():
    """The picture inside the axes as matplotlib was given it, RGB in [0, 1]."""
    return lambda figure: figure.axes[0].images[0].get_array()[..., :3] / 255


@pytest.fixture
def texts():
    """What is written in and around the axes of a figure."""

    def texts(figure):
        ax = figure.axes[0]
        labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
        return [label.get_text() for label in labels]

    return texts


@pytest.fixture
def is_complete(tmp_path):
    """Whether no label reaches over the edge of the saved picture."""

    def is_complete(figure):
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

    return is_complete
