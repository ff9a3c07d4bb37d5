"""Results of many samples on disk, of which only what is asked for is read."""

import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._storage.joined import Joined

SAMPLES, K, SIZE = 1_000_000, 4, 64


class Counted:
    """An array on disk in which all rows are alike; it counts what is read of it."""

    ndim: int

    def __init__(self, rows, row):
        self.row = np.asarray(row, "float32")
        self.shape, self.dtype = (rows, *self.row.shape), self.row.dtype
        self.ndim, self.most, self.all = self.row.ndim + 1, 0, 0

    def __getitem__(self, key):
        found = np.broadcast_to(self.row, self.shape)[key]
        self.most, self.all = max(self.most, found.size), self.all + found.size
        return np.array(found)

    @property
    def oindex(self):
        return self

    def __len__(self):
        return self.shape[0]

    def __array__(self, *args, **kwargs):
        raise AssertionError("all of it was read")


@pytest.fixture(params=["one process", "two parts"])
def space(request, rng):
    basis = np.linalg.qr(rng.normal(size=(SIZE, K)))[0].T.reshape(K, 8, 8, 1)
    rows = {
        "vectors": basis,
        "singular_values": [2.0, 2.0, 0.0, 0.0],
        "code_vectors": np.eye(K),
        "inputs": rng.uniform(size=(8, 8, 1)),
    }
    if request.param == "one process":
        arrays = {name: Counted(SAMPLES, row) for name, row in rows.items()}
    else:
        arrays = {
            name: Joined([Counted(SAMPLES // 2, row) for _ in range(2)])
            for name, row in rows.items()
        }
    return km.TangentSpace(**arrays, of="encoder")


def read(space):
    """What was read of vectors, singular values and inputs: all, and most at a time."""
    arrays = [space.vectors, space.singular_values, space.inputs]
    pieces = [piece for array in arrays for piece in getattr(array, "arrays", [array])]
    return sum(piece.all for piece in pieces), max(piece.most for piece in pieces)


def test_slices_and_words_read_what_they_show(space):
    sample = K * SIZE + K + SIZE
    assert len(space) == SAMPLES
    assert "1000000 samples" in repr(space)
    assert read(space) == (0, 0)
    assert space[SAMPLES // 2 - 1 : SAMPLES // 2 + 1].vectors.shape == (2, K, 8, 8, 1)
    assert space[::200_000].inputs.shape == (5, 8, 8, 1)
    assert next(iter(space)).code_vectors.shape == (1, K, K)
    assert read(space)[0] == 8 * sample


def test_the_local_dimension_of_all_samples_is_read_in_blocks(space):
    found = km.local_dimension(space)
    assert found.shape == (SAMPLES,)
    assert (found == 2).all()
    everything, at_a_time = read(space)
    assert everything == SAMPLES * K
    assert at_a_time <= 2**16 * K


def test_figures_read_the_samples_that_they_show(space, tmp_path):
    figures = [
        km.plot.tangents(space, index=[3, SAMPLES - 1]),
        km.plot.tangents({"a": space, "b": space}, index=7),
        km.plot.walk(space, index=SAMPLES // 2, steps=3),
    ]
    assert all(figure.axes for figure in figures)
    assert space._repr_png_()[:4] == b"\x89PNG"
    assert read(space)[0] < 20 * (K + 1) * SIZE + 1000


def test_spectra_of_many_are_of_some_spread_evenly_and_say_so(space):
    ax = km.plot.spectrum(space).axes[0]
    assert "band: 100,000 of 1,000,000, spread evenly" in ax.get_xlabel()
    np.testing.assert_allclose(ax.lines[0].get_ydata()[:2], 2.0)
    assert read(space)[0] == 100_000 * K
