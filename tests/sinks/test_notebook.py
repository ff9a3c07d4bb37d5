"""In a notebook, as its server runs it, but for the browser."""

import base64
import sys
import textwrap

import pytest

from keras_manifold.callbacks import NotebookSink

CELL = """
    import numpy as np
    import keras_manifold as km

    x = np.random.default_rng(0).uniform(size=(20, 4, 4, 1)).astype("float32")
    model = km.AutoEncoder.dense((4, 4, 1), 2, units=(4,))
    model.compile("sgd", loss="mse")
    sink = km.callbacks.NotebookSink()
    def watches():
        return [
            km.TangentAnalyzer(x[:2], sinks=[sink]),
            km.ReconstructionGrid(x[:2], sinks=[sink]),
        ]
    kept = []
    keep = lambda name, value, step: kept.append(value) if name == "reconstruction" else 0
    watch = [*watches(), km.ReconstructionGrid(x[:2], sinks=[keep])]
    model.fit(x, epochs=3, verbose=0, callbacks=watch)
"""
AGAIN = "_ = model.fit(x, epochs=1, verbose=0, callbacks=watches())"
EXPECTED = """
    from keras_manifold.plot._rendering import png_of
    import base64
    print(base64.b64encode(png_of(kept[-1])).decode())
"""


def test_figures_change_in_place_and_a_second_cell_has_its_own():
    nbformat = pytest.importorskip("nbformat", reason="of the extra `tools`")
    nbclient = pytest.importorskip("nbclient", reason="of the extra `tools`")
    cells = [textwrap.dedent(cell).strip() for cell in (CELL, AGAIN, EXPECTED)]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
    )
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    first, second, expected = (cell.outputs for cell in notebook.cells)
    shown = [
        [output.data["image/png"].replace("\n", "") for output in outputs if is_png(output)]
        for outputs in (first, second)
    ]
    assert list(map(len, shown)) == [3, 3], "vectors, spectrum, reconstructions, once each"
    assert expected[0].text.strip() in shown[0], "the picture of the last epoch"
    assert all(base64.b64decode(png).startswith(b"\x89PNG") for png in shown[1])


def is_png(output):
    return output.output_type == "display_data" and "image/png" in output.data


def test_without_ipython_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(ImportError, match="NotebookSink needs IPython"):
        NotebookSink()
