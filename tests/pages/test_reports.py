import time

import numpy as np
import pytest
from PIL import Image

import keras_manifold as km


def test_a_write_that_fails_leaves_the_old_page(tmp_path, monkeypatch, write_tangents):
    write_tangents(tmp_path, 0)
    page = km.report(tmp_path)
    old = page.read_bytes()
    write_tangents(tmp_path, 1)

    def no_memory(*_, **__):
        raise MemoryError("no memory for a picture")

    monkeypatch.setattr(Image, "fromarray", no_memory)
    with pytest.raises(MemoryError, match="for a picture"):
        km.report(tmp_path)
    assert page.read_bytes() == old
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".npz"}


def test_a_page_of_someone_else_is_not_replaced(tmp_path, write_tangents):
    write_tangents(tmp_path, 0)
    (tmp_path / "index.html").write_text("<h1>My notes</h1>")
    with pytest.raises(FileExistsError, match="Rename it"):
        km.report(tmp_path)
    assert (tmp_path / "index.html").read_text() == "<h1>My notes</h1>"


def test_folders_without_results_are_refused(tmp_path):
    with pytest.raises(ValueError, match="without such npz or CSV"):
        km.report(tmp_path)
    np.savez(tmp_path / "weights_0001.npz", a=np.ones(3))
    (tmp_path / "tangent_space_0001.npz").write_bytes(b"no npz")
    with pytest.raises(ValueError, match="without such npz or CSV"):
        km.report(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        km.report(tmp_path / "missing")
    assert not (tmp_path / "index.html").exists()


def test_a_report_is_refused_before_anything_is_written(tmp_path, write_tangents):
    for name in ("a", "b", "deeper/a"):
        (tmp_path / name).mkdir(parents=True)
        write_tangents(tmp_path / name, 0)
    (tmp_path / "empty").mkdir()
    a, b, out = tmp_path / "a", tmp_path / "b", tmp_path / "compare.html"
    out.write_text("old")
    for arguments, message in (
        (([],), "at least one run"),
        (([a, tmp_path / "empty"],), "without such npz or CSV"),
        (([a, tmp_path / "missing"],), "is no folder"),
        (([a, tmp_path / "deeper" / "a"],), "Give `labels`"),
    ):
        with pytest.raises(ValueError, match=message):
            km.report(*arguments, out)
    with pytest.raises(ValueError, match="2 in all"):
        km.report([a, b], out, labels=["x"])
    with pytest.raises(TypeError, match="`labels` must be a list"):
        km.report([a, b], out, labels="ab")
    for runs in (3, [a, 3], None):
        with pytest.raises(TypeError, match="`runs` must be the folder"):
            km.report(runs, out)
    with pytest.raises(ValueError, match=r"path=None for runs \['a', 'b'\]"):
        km.report([a, b])
    with pytest.raises(ValueError, match="whose keys are the labels"):
        km.report({"a": a}, out, labels=["b"])
    with pytest.raises(ValueError, match=r"which is a folder\. Add a name"):
        km.report([a, b], tmp_path)
    with pytest.raises(ValueError, match=r"Make its folder first"):
        km.report([a, b], tmp_path / "missing" / "compare.html")
    assert out.read_text() == "old"


def test_a_report_holds_each_run_under_its_label(tmp_path, write_tangents, fragments_of):
    for name in ("plain", "denoising"):
        write_tangents(tmp_path / name, 0)
    plain, denoising, out = (tmp_path / n for n in ("plain", "denoising", "compare.html"))
    for runs, labels, expected in (
        ([plain, str(denoising)], None, ["plain", "denoising"]),
        ((plain, denoising), ["p", "d"], ["p", "d"]),
        ({"p": plain, "d": str(denoising)}, None, ["p", "d"]),
        (plain, None, ["plain"]),
        (str(plain), ["p"], ["p"]),
    ):
        assert km.report(runs, out, labels=labels) == out
        assert fragments_of(out).runs == [{"label": label} for label in expected]
    assert not (plain / "index.html").exists()


def test_without_a_path_the_page_is_written_into_the_folder(
    tmp_path, write_tangents, fragments_of
):
    write_tangents(tmp_path / "plain", 0)
    page = tmp_path / "plain" / "index.html"
    for runs, label in (
        (tmp_path / "plain", "plain"),
        ([tmp_path / "plain"], "plain"),
        ({"a label": tmp_path / "plain"}, "a label"),
    ):
        assert km.report(runs) == page
        assert fragments_of(page).runs == [{"label": label}]


def test_the_page_of_a_usual_run_is_below_five_megabytes_and_written_in_no_time(
    tmp_path, write_reconstructions, write_tangents
):
    for step in range(21):
        write_tangents(tmp_path, step, samples=8, k=16, shape=(28, 28, 1))
        write_reconstructions(tmp_path, step, samples=10, shape=(28, 28, 1))
    assert km.report(tmp_path).stat().st_size < 5e6
    started = time.perf_counter()
    km.report(tmp_path)
    assert time.perf_counter() - started < 0.5  # 10 ms on an idle machine
