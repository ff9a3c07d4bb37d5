import os

import numpy as np
import pytest

from keras_manifold.callbacks.sinks import DirectorySink
from keras_manifold.plot import spectrum


def test_it_writes_arrays_and_figures_and_leaves_numbers_alone(tmp_path):
    sink = DirectorySink(tmp_path)
    sink("arrays", {"a": np.arange(3)}, 1)
    sink("figure", spectrum([2.0, 1.0]), 12)
    sink("number", 1.0, 1)
    sink("noise0.4", {"a": np.arange(3)}, 1)
    assert {path.name for path in tmp_path.iterdir()} == {
        "arrays_0001.npz",
        "figure_0012.png",
        "noise0.4_0001.npz",
    }
    with np.load(tmp_path / "arrays_0001.npz") as arrays:
        np.testing.assert_array_equal(arrays["a"], np.arange(3))
    assert (tmp_path / "figure_0012.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_vanishes_costs_one_warning_that_names_it(tmp_path, recwarn):
    sink = DirectorySink(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for step in range(3):
        sink("arrays", {"a": np.arange(3)}, step)
    (warning,) = [w for w in recwarn if "can't be written" in str(w.message)]
    assert str(tmp_path / "gone") in str(warning.message)


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path):
    class Unwritable:
        def savefig(self, file, format):
            file.write(b"half")
            raise OSError("disk full")

    path = tmp_path / "figure_0001.png"
    path.write_bytes(b"old")
    with pytest.warns(UserWarning, match="disk full"):
        DirectorySink(tmp_path)("figure", Unwritable(), 1)
    assert os.listdir(tmp_path) == ["figure_0001.png"]
    assert path.read_bytes() == b"old"


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    def no_space(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", no_space)
    with pytest.raises(OSError, match="No space left"):
        DirectorySink(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        DirectorySink(tmp_path / "file" / "folder")
