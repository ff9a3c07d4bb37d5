"""What a callback saw: names, drawings, and files that NumPy alone reads and writes."""

import dataclasses
import io
import threading
import zipfile

import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._storage import snapshots
from keras_manifold._storage.snapshots import UNREADABLE, Drawing, Snapshot


def test_a_file_is_what_numpy_reads(tmp_path):
    arrays = {
        "vectors": np.arange(6.0).reshape(1, 2, 3),
        "singular_values": np.ones((1, 2)),
    }
    with open(tmp_path / "any", "wb") as file:
        Snapshot("tangent_space", 7, arrays).write(file)
    with np.load(tmp_path / "any") as found:
        assert set(found.files) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)


def test_a_file_of_numpy_is_a_snapshot(tmp_path):
    path = tmp_path / "runs_1_space_0012.npz"
    np.savez(path, vectors=np.zeros((1, 1, 2)), singular_values=np.ones((1, 1)))
    assert Snapshot.is_named(path)
    with Snapshot.open(path) as snapshot:
        assert (snapshot.name, snapshot.prefix, snapshot.step) == (
            *("runs_1_space", "runs_1"),
            12,
        )
        assert snapshot.kind == "tangents"
        np.testing.assert_array_equal(snapshot.arrays["singular_values"], [[1.0]])


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("vectors", "singular_values", "code_vectors", "input"), "tangents"),
        (("input", "reconstruction"), "reconstructions"),
        (("input", "reconstruction", "noisy_input", "denoised"), "reconstructions"),
        (("vectors",), None),
        (("input",), None),
        ((), None),
    ],
)
def test_the_names_of_the_arrays_say_what_they_show(names, kind):
    assert Snapshot("any", 0, dict.fromkeys(names, np.zeros(1))).kind == kind


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a_0001.npz", True),
        ("a_b_12345.npz", True),
        ("a.npz", False),
        ("a_0001.png", False),
        ("a_one.npz", False),
        ("_0001.npz", False),
    ],
)
def test_the_name_of_a_file_says_whether_it_may_be_one(name, is_one, tmp_path):
    assert Snapshot.is_named(tmp_path / name) == is_one


@pytest.mark.parametrize("step", [0, 3, 9999, 10000, 123456])
def test_names_of_files_are_read_as_they_are_written(step, tmp_path):
    path = tmp_path / snapshots.file_name("a_space", step, "npz")
    np.savez(path, input=np.zeros(1))
    with Snapshot.open(path) as snapshot:
        assert (snapshot.name, snapshot.step) == ("a_space", step)


def cut_short(path):
    np.savez(path, input=np.zeros(1000), reconstruction=np.zeros(1000))
    path.write_bytes(path.read_bytes()[:500])


def spoilt_in_the_middle(path):
    np.savez(path, input=np.zeros(1000), reconstruction=np.zeros(1000))
    content = bytearray(path.read_bytes())
    content[300] ^= 255
    path.write_bytes(content)


def array_alone(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def pickled(path):
    np.savez(path, input=np.array([{}], dtype=object), allow_pickle=True)


def zipped_text(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("input.npy", "text")


@pytest.mark.parametrize(
    "spoil",
    [cut_short, spoilt_in_the_middle, array_alone, pickled, zipped_text],
)
def test_files_that_are_not_whole_raise_what_is_said(spoil, tmp_path):
    path = tmp_path / "a_0001.npz"
    spoil(path)
    with pytest.raises(UNREADABLE), Snapshot.open(path) as snapshot:
        dict(snapshot.arrays)


def test_arrays_of_an_open_file_are_read_when_they_are_asked_for(tmp_path):
    path = tmp_path / "a_0001.npz"
    np.savez(path, codes=np.array([{}], dtype=object), input=np.ones(2))
    with Snapshot.open(path) as snapshot:
        np.testing.assert_array_equal(snapshot.arrays["input"], np.ones(2))
        with pytest.raises(ValueError, match="allow_pickle"):
            snapshot.arrays["codes"]


def test_values_come_as_arrays_drawings_and_numbers():
    drawing = Drawing(dict)
    snapshot = Snapshot("s", 1, {"a": np.ones(2)}, {"d": drawing}, {"x": 0.5, "y": 2.0})
    found = list(snapshot.values())
    assert [name for name, _ in found] == ["s", "d", "x", "y"]
    assert found[0][1] == {"a": pytest.approx(np.ones(2))}
    assert [value for _, value in found[1:]] == [drawing, 0.5, 2.0]
    assert list(Snapshot("s", 1, scalars={"x": 0.5}).values()) == [("x", 0.5)]


def test_small_files_have_steps_where_vectors_are_long_and_half_precision_where_not(rng):
    found = {}
    for length in (400, 4):
        vectors = np.linalg.qr(rng.normal(size=(5, length, 3)))[0].swapaxes(1, 2)
        file = io.BytesIO()
        Snapshot("s", 1, {"vectors": vectors.astype("float32")}).write_small(file)
        stored = np.load(io.BytesIO(file.getvalue()))["vectors"]
        assert stored.dtype == "float16"
        error = np.abs(stored.astype("float64") - vectors).max() / vectors.std()
        gram = np.einsum("nki,nli->nkl", *2 * [stored.astype("float64")])
        np.testing.assert_allclose(gram, [np.eye(3)] * 5, atol=1e-3)
        found[length] = error, len(file.getvalue()) / vectors.size
    assert 2e-4 < found[400][0] < 1 / 512
    assert found[400][1] < 1.8, "bytes per entry, of 2"
    assert found[4][0] < 5e-4 * 3


def test_a_drawing_is_made_once_and_only_if_asked_for():
    made = []
    inside = threading.Barrier(4, timeout=60)

    def make(size, *, title):
        made.append((size, title))
        return object()

    drawing = Drawing(make, 3, title="t")
    assert made == []
    found = []

    def ask():
        inside.wait()
        found.append(drawing())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [(3, "t")]
    assert len(found) == 4
    assert len(set(found)) == 1


def test_names_of_a_tangent_space_are_those_of_its_class():
    fields = {field.name for field in dataclasses.fields(km.TangentSpace)}
    assert {"vectors", "singular_values", "code_vectors"} <= fields
    names = (snapshots.VECTORS, snapshots.SINGULAR_VALUES, snapshots.CODE_VECTORS)
    assert names == ("vectors", "singular_values", "code_vectors")


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("loss", "loss"),
        ("step", "logs_step"),
        ("epoch", "logs_epoch"),
        ("steps", "steps"),
        ("logs_step", "logs_step"),
    ],
)
def test_numbers_of_others_never_take_the_columns_that_say_when(name, column):
    assert snapshots.name_from_logs(name) == column
