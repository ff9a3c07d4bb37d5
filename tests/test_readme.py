"""What the README shows works as it stands there."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_ten_lines_run_as_they_stand(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    for _ in range(2):  # the second run meets the folder of the first
        exec(code.replace("epochs=10", "epochs=2"), names)
    assert names["space"].vectors.shape == (297, 8, 8, 8, 1)
    assert (tmp_path / "tangents.png").exists()
    assert len(list((tmp_path / "runs" / "denoising").glob("*.png"))) == 3 * 2
    scalars = {"tangent_norm", "tangent_dimension", "tangent_top", "tangent_drift"}
    assert scalars <= set(names["history"].history)


def test_every_link_and_picture_is_there():
    targets = re.findall(r"\]\(([^)]+)\)", README.read_text())
    assert len(targets) >= 3
    assert [target for target in targets if not (README.parent / target).exists()] == []
