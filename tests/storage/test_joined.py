"""Arrays one after another, against NumPy's own of all of them."""

import numpy as np
import pytest

from keras_manifold._storage.joined import Joined, rows_at
from keras_manifold._storage.stores import Sliceable

KEYS = {
    "all": slice(None),
    "an ellipsis": ...,
    "one": 5,
    "the last": -1,
    "some": slice(2, 6),
    "across three": slice(1, 9),
    "none": slice(4, 4),
    "none, backwards": slice(6, 2),
    "every third": slice(None, None, 3),
    "backwards": slice(None, None, -1),
    "a list": [8, 0, 4, 4, -1],
    "an empty list": [],
    "truth values": [True, False] * 5,
    "one of one": (5, 1),
    "all of one": (slice(None), 2),
    "some of some": (slice(3, 9), slice(None, 2)),
    "a list of one": ([7, 1], slice(1, 3)),
    "the last axis": (..., 0),
    "an ellipsis within": (3, ..., 1),
}


@pytest.fixture
def array(rng):
    return rng.normal(size=(10, 4, 3)).astype("float32")


def on_disk(array, path):
    zarr = pytest.importorskip("zarr", reason="Zarr is an optional extra")
    return zarr.create_array(path, data=array)


@pytest.fixture(params=["in memory", "on disk"])
def joined(request, array, tmp_path):
    pieces = np.split(array, [3, 4, 8])
    if request.param == "on disk":
        pieces = [on_disk(piece, tmp_path / str(i)) for i, piece in enumerate(pieces)]
    return Joined(pieces)


def test_every_index_gives_what_numpy_gives(joined, array):
    for name, key in KEYS.items():
        expected = array[key]
        found = joined[key]
        assert isinstance(found, (np.ndarray, np.generic)), name
        assert found.dtype == expected.dtype, name
        np.testing.assert_array_equal(found, expected, err_msg=name)
    np.testing.assert_array_equal(rows_at(joined, [7, 2, 3]), array[[7, 2, 3]])
    np.testing.assert_array_equal(rows_at(joined, [2, 3]), array[2:4])


def test_it_is_an_array_for_those_who_ask_for_one(joined, array):
    assert isinstance(joined, Sliceable)
    assert (joined.shape, joined.ndim, joined.dtype) == ((10, 4, 3), 3, np.float32)
    assert len(joined) == 10
    np.testing.assert_array_equal(np.asarray(joined, "float64"), array)
    np.testing.assert_array_equal(np.stack(list(joined)), array)
    assert repr(joined) == "<Joined: 4 arrays, shape (10, 4, 3), float32>"


def test_an_index_that_is_none_is_refused(joined):
    with pytest.raises(IndexError, match=r"must be in \[-10, 9\]. Received: 10"):
        joined[10]
    with pytest.raises(IndexError, match="of 3 axes at most, without new ones"):
        joined[0, 0, 0, 0]
    with pytest.raises(IndexError, match="of 3 axes at most, without new ones"):
        joined[None]
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(joined, copy=False)


def test_only_what_is_asked_for_is_read(array):
    class Counted:
        shape, dtype, ndim = (5, 4, 3), array.dtype, 3
        read = 0

        def __getitem__(self, key):
            found = array[:5][key]
            Counted.read += found.size
            return found

    joined = Joined([Counted(), Counted()])
    assert joined[7].shape == (4, 3)
    assert joined[4:6, :2].shape == (2, 2, 3)
    assert Counted.read == 12 + 2 * 6
