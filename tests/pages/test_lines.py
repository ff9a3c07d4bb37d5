import json
import os
import tracemalloc

import numpy as np
import pytest

import keras_manifold as km


@pytest.fixture
def opened(monkeypatch):
    """Names of the npz files that are opened to be read."""
    names, load = [], np.load

    def noted(path, **options):
        names.append(os.path.basename(getattr(path, "name", path)))
        return load(path, **options)

    monkeypatch.setattr(np, "load", noted)
    return names


def test_files_that_did_not_change_are_not_read_again(
    tmp_path, opened, write_reconstructions, write_tangents, fragments_of
):
    for step in range(4):
        write_tangents(tmp_path, step)
        write_reconstructions(tmp_path, step)
    before = fragments_of(km.report(tmp_path)).files
    opened.clear()
    assert fragments_of(km.report(tmp_path)).files == before
    # One file is looked into, to see that the folder holds results at all.
    assert opened == ["reconstruction_0000.npz"]


def test_files_are_drawn_anew_in_another_shape(tmp_path, write_tangents, fragments_of):
    write_tangents(tmp_path, 0, shape=(36,))
    kinds = []
    for facts in ({}, {"image_shape": [6, 6]}):
        (tmp_path / "run.json").write_text(json.dumps({"watches": {"tangent": facts}}))
        files = fragments_of(km.report(tmp_path)).files
        kinds.append(files["tangent_space_0000.npz"]["pictures"]["kind"])
    assert kinds == ["table", "image"]


def test_new_changed_and_deleted_files_are_seen(
    tmp_path, opened, write_reconstructions, write_tangents, fragments_of
):
    for step in range(4):
        write_tangents(tmp_path, step)
    write_reconstructions(tmp_path, 0)
    before = fragments_of(km.report(tmp_path)).files
    (tmp_path / "tangent_space_0001.npz").unlink()
    changed = write_tangents(tmp_path, 2, seed=1)
    write_tangents(tmp_path, 4)
    opened.clear()
    after = fragments_of(km.report(tmp_path)).files
    assert set(opened) == {
        "reconstruction_0000.npz",
        "tangent_space_0002.npz",
        "tangent_space_0004.npz",
    }
    assert set(after) == set(before) - {"tangent_space_0001.npz"} | {
        "tangent_space_0004.npz"
    }
    np.testing.assert_array_equal(
        np.float32(after["tangent_space_0002.npz"]["spectrum"]), changed["spectrum"]
    )
    for name in ("tangent_space_0000.npz", "tangent_space_0003.npz"):
        assert after[name] == before[name]


def test_memory_does_not_grow_with_the_snapshots(tmp_path, write_tangents):
    def peak(snapshots):
        for step in range(snapshots):
            write_tangents(tmp_path, step, samples=8, k=8, shape=(28, 28))
        km.report(tmp_path)
        tracemalloc.start()
        page = km.report(tmp_path)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size, page.stat().st_size

    few, small = peak(3)
    many, large = peak(40)
    assert large - small > 37 * 20_000
    assert many - few < 100_000  # the names and stamps of the files


def test_an_unreadable_file_is_named_and_tried_again(
    tmp_path, write_tangents, fragments_of
):
    write_tangents(tmp_path, 0)
    whole = (tmp_path / "tangent_space_0000.npz").read_bytes()
    torn = tmp_path / "tangent_space_0001.npz"
    torn.write_bytes(whole[: len(whole) // 2])
    assert fragments_of(km.report(tmp_path)).files[torn.name] == {"kind": "unreadable"}
    status = torn.stat()
    torn.write_bytes(whole)
    os.utime(torn, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fragments_of(km.report(tmp_path)).files[torn.name]["kind"] == "tangents"


def test_names_cannot_leave_their_place_in_the_page(
    tmp_path, write_scalars, write_tangents, fragments_of
):
    folder = tmp_path / "a & <b>"
    write_scalars(folder, [["step", "</script><script>alert(1)</script>"], [1, 2.0]])
    write_tangents(folder, 1, name='"><img src=x>'.replace("/", ""))
    page = fragments_of(km.report(folder))
    assert page.runs == [{"label": "a & <b>"}]
    assert set(page.files) == {"tangent_scalars.csv", '"><img src=x>_space_0001.npz'}
    assert list(page.files["tangent_scalars.csv"]["values"]) == [
        "</script><script>alert(1)</script>"
    ]
