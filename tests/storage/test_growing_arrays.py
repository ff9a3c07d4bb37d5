"""Arrays that grow on disk, read by Zarr itself."""

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", reason="Zarr is an optional extra")

from keras_manifold._storage.growing_arrays import GrowingArrays  # noqa: E402

FINGERPRINT = {"k": 2, "of": "encoder"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "arrays"


def rows(rng, count):
    return {
        "a": rng.normal(size=(count, 2, 3)).astype("float32"),
        "b": rng.normal(size=(count,)),
    }


def joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_rows_are_there_in_order_for_every_reader(path, rng):
    parts = [rows(rng, count) for count in (2, 1, 4)]
    arrays = GrowingArrays(path, FINGERPRINT)
    for part in parts:
        arrays.append(part)
    assert arrays.written == 7
    group = zarr.open_group(path, mode="r")
    for name, expected in joined(parts).items():
        np.testing.assert_array_equal(group[name][:], expected)
        assert group[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays.finished()[name][:], expected)
    arrays.close()
    loaded = GrowingArrays.load(path, ["a", "b", "missing"])
    assert set(loaded) == {"a", "b"}


def test_rows_of_zeros_are_not_taken_for_lost_ones(path):
    arrays = GrowingArrays(path, FINGERPRINT)
    arrays.append({"a": np.zeros((3, 2))})
    arrays.close()
    np.testing.assert_array_equal(GrowingArrays.load(path, ["a"])["a"][:], np.zeros((3, 2)))


def test_a_second_one_continues_after_the_first_with_its_note(path, rng):
    parts = [rows(rng, 2), rows(rng, 3)]
    for index, part in enumerate(parts):
        arrays = GrowingArrays(path, FINGERPRINT)
        assert (arrays.written, arrays.note) == ((0, ""), (2, "first"))[index]
        arrays.append(part, note="first")
        arrays.close()
    for name, expected in joined(parts).items():
        np.testing.assert_array_equal(zarr.open_group(path)[name][:], expected)


def test_rows_that_were_not_finished_are_dropped(path, rng):
    arrays = GrowingArrays(path, FINGERPRINT)
    first, last = rows(rng, 2), rows(rng, 2)
    arrays.append(first)
    arrays.close()
    half = zarr.open_group(path)["a"]  # as an append does that is killed in its middle
    half.resize((4, 2, 3))
    half[2:] = 7.0
    np.testing.assert_array_equal(GrowingArrays.load(path, ["a"])["a"], first["a"])
    arrays = GrowingArrays(path, FINGERPRINT)
    arrays.append(last)
    arrays.close()
    expected = joined([first, last])
    np.testing.assert_array_equal(zarr.open_group(path)["a"][:], expected["a"])


def test_another_fingerprint_is_refused_by_the_names_that_differ(path, rng):
    arrays = GrowingArrays(path, FINGERPRINT)
    arrays.append(rows(rng, 1))
    arrays.close()
    with pytest.raises(ValueError, match=r"whose run has another k\."):
        GrowingArrays(path, FINGERPRINT | {"k": 3})
    GrowingArrays(path, FINGERPRINT).close()  # the refusal has let it go


def test_two_at_a_time_are_refused(path):
    arrays = GrowingArrays(path, FINGERPRINT)
    with pytest.raises(BlockingIOError, match="Another run holds"):
        GrowingArrays(path, FINGERPRINT)
    arrays.close()
    GrowingArrays(path, FINGERPRINT).close()


def test_a_chunk_that_was_lost_is_noticed(path, rng):
    arrays = GrowingArrays(path, FINGERPRINT)
    arrays.append(rows(rng, 2))
    arrays.close()
    for chunk in (path / "a" / "c").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    with pytest.raises(ValueError, match="1 of 1 chunks of a are missing"):
        GrowingArrays.load(path, ["a"])


def test_a_folder_of_something_else_is_left_alone(path):
    path.mkdir(parents=True)
    (path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"new or empty folder.*holds something else"):
        GrowingArrays(path, FINGERPRINT)
    assert (path / "notes.txt").read_text() == "x"


def test_nothing_written_is_no_result(path):
    GrowingArrays(path, FINGERPRINT).close()
    with pytest.raises(ValueError, match="nothing of them is written yet"):
        GrowingArrays.load(path, ["a"])
