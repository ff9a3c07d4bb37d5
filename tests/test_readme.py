"""What the README shows works as it stands there."""

import os
import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
CHECK = """
print(space.vectors.shape, sorted(history.history))
"""


def test_the_ten_lines_run_twice_as_cells_of_a_notebook(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="of the extra `tools`")
    nbclient = pytest.importorskip("nbclient", reason="of the extra `tools`")
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    # The second run meets the folder of the first.
    lines = 2 * code.replace("epochs=10", "epochs=2").splitlines()
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(line) for line in [*lines, "space", CHECK]]
    )
    paths = [str(README.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=where
    ).execute()
    *_, shown, check = [cell.outputs for cell in notebook.cells]
    assert "image/png" in shown[0].data
    assert check[0].text.startswith("(297, 8, 8, 8, 1)")
    for scalar in ("tangent_norm", "tangent_dimension", "tangent_top", "tangent_drift"):
        assert f"'{scalar}'" in check[0].text
    assert (tmp_path / "tangents.png").exists()
    assert len(list((tmp_path / "runs" / "denoising").glob("*.png"))) == 3 * 2


def test_every_link_and_picture_is_there():
    targets = re.findall(r"\]\(([^)]+)\)", README.read_text())
    assert len(targets) >= 3
    assert [target for target in targets if not (README.parent / target).exists()] == []
