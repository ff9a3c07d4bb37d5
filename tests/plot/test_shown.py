"""Figures in a fresh kernel, as a notebook's server runs it, but for the browser."""

import base64
import io
import pickle
import sys
import textwrap

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageShow

from keras_manifold import plot

CELLS = [
    """
    import numpy as np
    import keras_manifold as km

    rng = np.random.default_rng(0)
    space = km.TangentSpace(
        rng.normal(size=(3, 4, 6, 6, 1)), np.ones((3, 4)), np.ones((3, 4, 5))
    )
    km.plot.spectrum([3.0, 2.0, 1.0])
    """,
    "km.plot.tangents(space)",
    "km.plot.learning_curves({'loss': [2.0, 1.0]})",
    "km.plot.image_grid(rng.uniform(size=(1, 3, 6, 6)))",
    "km.plot.walk(space, np.ones((3, 6, 6, 1)))",
    """
    figure = km.plot.spectrum([3.0, 2.0, 1.0])
    figure.show()
    print("after")
    """,
    """
    from matplotlib import pyplot
    print(pyplot.get_fignums(), matplotlib.rcParams == before)
    """,
]


def test_a_fresh_notebook_shows_every_figure_once():
    nbformat = pytest.importorskip("nbformat", reason="of the extra `tools`")
    nbclient = pytest.importorskip("nbclient", reason="of the extra `tools`")
    begin = "import matplotlib\nbefore = matplotlib.rcParams.copy()"
    cells = [begin, *(textwrap.dedent(cell).strip() for cell in CELLS)]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    for shown in outputs[1:6]:
        (output,) = [o for o in shown if o.output_type != "stream"]
        picture = base64.b64decode(output.data["image/png"])
        assert Image.open(io.BytesIO(picture)).size > (100, 80)
    kinds = [output.output_type for output in outputs[6]]
    assert kinds == ["display_data", "stream"]
    assert "image/png" in outputs[6][0].data
    assert outputs[7][0].text.strip() == "[] True", "no global state"


def test_a_figure_shows_what_was_added_to_it_since():
    figure = plot.spectrum([3.0, 2.0, 1.0])
    assert isinstance(figure, Figure)
    before = figure._repr_png_()
    assert figure._repr_png_() == before
    figure.axes[0].plot([1, 3], [1, 1])
    assert figure._repr_png_() != before
    copy = pickle.loads(pickle.dumps(figure))
    np.testing.assert_array_equal(
        *(Image.open(io.BytesIO(f._repr_png_())) for f in (figure, copy))
    )


def test_outside_a_notebook_the_systems_viewer_gets_it(monkeypatch):
    opened = []

    def show(image):
        opened.append(image.size)
        return len(opened) == 1

    monkeypatch.setattr(ImageShow, "show", show)
    monkeypatch.setenv("DISPLAY", ":0")
    figure = plot.spectrum([3.0, 2.0, 1.0])
    figure.show()
    assert opened == [(660, 432)]
    with pytest.raises(RuntimeError, match=r"Received: neither.*savefig"):
        figure.show()
    figure.show(warn=False)
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform.startswith("linux"):
        with pytest.raises(RuntimeError, match="Received: neither"):
            plot.spectrum([3.0, 2.0, 1.0]).show()
        assert len(opened) == 3
