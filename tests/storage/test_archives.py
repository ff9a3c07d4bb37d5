import io
import os
import zipfile

import numpy as np
import pytest

from keras_manifold._storage.archives import read_arrays


@pytest.fixture
def saved(tmp_path, rng):
    path = tmp_path / "space.npz"
    np.savez(path, a=rng.normal(size=(5, 3)), b=np.arange(5))
    return path


def test_arrays_come_back_by_name(saved):
    arrays = read_arrays(saved, ["b", "c"])
    assert list(arrays) == ["b"]
    np.testing.assert_array_equal(arrays["b"], np.arange(5))


@pytest.mark.parametrize("length", [0, 10, 200, 400])
def test_a_file_that_is_cut_short_is_refused_by_name(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"space\.npz must be an npz file, whole"):
        read_arrays(saved, ["a", "b"])


@pytest.mark.parametrize("position", [32, 120, 150, 260])
def test_a_damaged_file_is_refused_by_name(saved, position):
    content = bytearray(saved.read_bytes())
    content[position] ^= 0xFF
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"space\.npz must be an npz file, whole"):
        read_arrays(saved, ["a", "b"])


def bomb(path, shape, data=b""):
    """An npz file whose header promises more than there is."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header.getvalue() + data)


def test_what_a_header_promises_is_held_against_the_file(tmp_path):
    bomb(tmp_path / "bomb.npz", (2**40,))
    with pytest.raises(ValueError, match=r"a\.npy is shorter than its header says"):
        read_arrays(tmp_path / "bomb.npz", ["a"])


def test_more_than_a_limit_is_refused_before_it_is_read(tmp_path):
    bomb(tmp_path / "large.npz", (2**20,), bytes(2**22))
    with pytest.raises(ValueError, match=r"must hold at most 1,000,000 bytes.*4,194,304"):
        read_arrays(tmp_path / "large.npz", ["a"], max_bytes=1_000_000)
    assert read_arrays(tmp_path / "large.npz", ["a"])["a"].shape == (2**20,)


def test_arrays_of_different_samples_are_refused(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.ones((5, 3)), b=np.ones(4))
    with pytest.raises(ValueError, match=r"arrays of \[4, 5\] samples"):
        read_arrays(tmp_path / "two.npz", ["a", "b"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ValueError, match="must be a regular file"):
        read_arrays(tmp_path / "pipe.npz", ["a"])
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz", ["a"])
