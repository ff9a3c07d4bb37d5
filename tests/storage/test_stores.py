"""What every store promises, one of the test included."""

import numpy as np
import pytest

from keras_manifold._storage.stores import (
    InMemory,
    OnDisk,
    Store,
    is_told_the_same,
    told_of,
)

FINGERPRINT = {"of": "encoder", "k": 2}
TOTAL = 7


class Lists:
    """A store of somebody else: it keeps lists of rows."""

    def __init__(self):
        self.written, self._rows = 0, {}

    def check_function(self, decomposition, first):
        pass

    def missing(self, batches):
        return batches

    def append(self, samples, arrays):
        for name, rows in arrays.items():
            self._rows.setdefault(name, []).extend(np.array(rows))
        self.written += len(samples)

    def finished(self):
        return {name: np.stack(rows) for name, rows in self._rows.items()}

    def close(self):
        pass


def on_disk(path):
    pytest.importorskip("zarr", reason="Zarr is an optional extra")
    return OnDisk(path / "space", FINGERPRINT)


STORES = {
    "memory": lambda path: InMemory(TOTAL),
    "memory, length unknown": lambda path: InMemory(None),
    "disk": on_disk,
    "third party": lambda path: Lists(),
}


@pytest.fixture(params=STORES.values(), ids=STORES)
def store(request, tmp_path):
    store = request.param(tmp_path)
    yield store
    store.close()


@pytest.fixture
def x(rng):
    return rng.normal(size=(TOTAL, 4)).astype("float32")


class Decomposition:
    """Stands for a function with the Jacobian diag(2, 1), whatever the sample."""

    def of_batches(self, batches, *, size):
        for batch in batches:
            yield batch, arrays_of(batch)


def arrays_of(samples):
    n = len(samples)
    return {
        "vectors": np.tile(np.eye(2, 4, dtype="float32"), (n, 1, 1)),
        "singular_values": np.tile(np.array([2, 1], "float32"), (n, 1)),
        "code_vectors": np.tile(np.eye(2, dtype="float32"), (n, 1, 1)),
        "sums": samples.sum(axis=1, dtype="float64"),
    }


def batches_of(x, size):
    return [x[start : start + size] for start in range(0, len(x), size)]


def fill(store, batches):
    """What `tangent_space` does with a store."""
    decomposition = Decomposition()
    store.check_function(decomposition, batches[0])
    for samples in store.missing(iter(batches)):
        store.append(samples, arrays_of(samples))
    return store.finished()


def test_it_is_one(store):
    assert isinstance(store, Store)
    assert not isinstance(object(), Store)


@pytest.mark.parametrize("size", [1, 3, TOTAL])
def test_all_arrays_are_there_in_order_and_of_their_type(size, store, x):
    found = fill(store, batches_of(x, size))
    expected = arrays_of(x)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name][:], array)


def test_a_new_one_is_empty_and_misses_all(store, x):
    assert store.written == 0
    missing = list(store.missing(iter(batches_of(x, 3))))
    np.testing.assert_array_equal(np.concatenate(missing), x)


def test_batches_are_asked_for_one_at_a_time(store, x):
    asked = []

    def batches():
        for batch in batches_of(x, 2):
            asked.append(len(batch))
            yield batch

    next(iter(store.missing(batches())))
    assert asked == [2]


def test_what_it_takes_stays_the_callers(store, x):
    arrays = arrays_of(x)
    store.append(x, arrays)
    expected = {name: array.copy() for name, array in arrays.items()}
    for name, array in store.finished().items():
        np.testing.assert_array_equal(array[:], expected[name])
    assert set(arrays) == set(expected)


def test_samples_are_counted_as_they_come(store, x):
    counts = []
    for samples in store.missing(iter(batches_of(x, 3))):
        store.append(samples, arrays_of(samples))
        counts.append(store.written)
    assert counts == [3, 6, 7]


def test_closed_it_can_still_be_read_and_closed_again(store, x):
    found = fill(store, batches_of(x, 3))
    store.close()
    store.close()
    np.testing.assert_array_equal(found["sums"][:], x.sum(axis=1, dtype="float64"))


def test_on_disk_a_second_one_misses_what_the_first_did_not_write(tmp_path, x):
    first = on_disk(tmp_path)
    samples = x[:3]
    for batch in first.missing(iter([samples])):
        first.append(batch, arrays_of(batch))
    first.close()
    second = on_disk(tmp_path)
    assert second.written == 3
    found = fill(second, batches_of(x, 2))
    second.close()
    np.testing.assert_array_equal(found["sums"][:], x.sum(axis=1, dtype="float64"))


@pytest.mark.parametrize("size", [6, 784, 12_288])
def test_a_few_numbers_tell_functions_apart_at_any_size(size):
    def triplets(factor=1.0, seed=0):
        rng = np.random.default_rng(seed)
        u, v = (np.linalg.qr(rng.normal(size=(n, 2)))[0].T[None] for n in (5, size))
        sigma = factor * np.array([[2.0, 1.0]])
        return {"vectors": v, "singular_values": sigma, "code_vectors": u}

    told = told_of(triplets())
    noisy = triplets()
    noise = np.random.default_rng(99).normal(0, 1e-3 / size**0.5, (1, 2, size))
    noisy["vectors"] = noisy["vectors"] + noise
    assert is_told_the_same(told, told_of(noisy))
    assert not is_told_the_same(told, told_of(triplets(factor=1.2)))
    for seed in range(1, 20):
        assert not is_told_the_same(told, told_of(triplets(seed=seed)))
