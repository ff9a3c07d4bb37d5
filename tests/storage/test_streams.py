"""Samples from arrays and streams: the same ones, in the same order, as float32."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_manifold._storage.streams import (
    floating_batches,
    floating_samples,
    padded,
    with_progress,
)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float64", "float16"])
def test_numbers_of_every_kind_become_float32(dtype, rng):
    x = rng.integers(0, 2, size=(3, 4)).astype(dtype)
    found = floating_samples(x)
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, x.astype("float32"))


def test_tensors_of_the_backend_are_samples():
    x = np.arange(6.0, dtype="float32").reshape(3, 2)
    np.testing.assert_array_equal(floating_samples(ops.convert_to_tensor(x)), x)
    half = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    np.testing.assert_array_equal(floating_samples(half), x)  # small whole numbers


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), r"`x` must be of shape.*shape \(3,\).*pass x\[None\]"),
        (np.zeros((0, 3)), r"at least one sample. Received: x of shape \(0, 3\)"),
        (np.zeros((3, 0)), r"must have entries. Received: x of shape \(3, 0\)"),
        (np.zeros((3, 2), "complex64"), "must hold real numbers.*dtype complex64"),
    ],
)
def test_what_is_no_batch_of_samples_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        floating_samples(x)


@given(n=st.integers(1, 20), size=st.integers(1, 25))
def test_batches_of_an_array_are_its_parts(n, size):
    x = np.arange(2.0 * n, dtype="float32").reshape(n, 2)
    batches, count = floating_batches(x, size)
    batches = list(batches)
    assert len(batches) == count == int(np.ceil(n / size))
    assert {len(batch) for batch in batches[:-1]} <= {size}
    np.testing.assert_array_equal(np.concatenate(batches), x)


class Dataset(keras.utils.PyDataset):
    def __init__(self, x, length):
        super().__init__()
        self.x, self.length = x, length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        return self.x[2 * index : 2 * index + 2], np.zeros(2)


def test_streams_give_the_first_of_what_they_hold(rng):
    x = rng.normal(size=(6, 3)).astype("float32")
    parts = [x[i : i + 2] for i in (0, 2, 4)]
    streams = {
        "list": (parts, 3),
        "tuples": ([(part, None) for part in parts], 3),
        "generator": ((part for part in parts), None),
        "dataset": (Dataset(x, 3), 3),
    }
    for name, (stream, expected) in streams.items():
        batches, count = floating_batches(stream, 32)
        assert count == expected, name
        np.testing.assert_array_equal(np.concatenate(list(batches)), x, err_msg=name)


def test_streams_are_read_as_they_are_used():
    def endless():
        for value in itertools.count():
            yield np.full((1, 2), value)

    batches, count = floating_batches(endless(), 32)
    assert count is None
    assert [batch[0, 0] for batch in itertools.islice(batches, 3)] == [0, 1, 2]


@pytest.mark.parametrize("x", ["text", b"bytes", {"x": 1}, 3])
def test_what_is_no_stream_is_refused(x):
    with pytest.raises(TypeError, match=f"iterable of batches.*{type(x).__name__}"):
        floating_batches(x, 32)


def test_a_stream_without_an_end_is_refused(rng):
    with pytest.raises(ValueError, match="how many batches"):
        floating_batches(Dataset(np.zeros((4, 2)), None), 32)


def test_samples_of_another_shape_are_refused_when_they_come():
    batches, _ = floating_batches([np.zeros((1, 2)), np.zeros((1, 3))], 32)
    next(batches)
    with pytest.raises(ValueError, match=r"one shape.*shape \(2,\) and then of \(3,\)"):
        next(batches)


def test_batches_of_several_inputs_are_refused():
    batches, _ = floating_batches([{"a": np.zeros((1, 2)), "b": np.zeros((1, 2))}], 32)
    with pytest.raises(TypeError, match=r"one array of inputs.*with 2 entries"):
        next(batches)


@given(n=st.integers(1, 6), size=st.integers(0, 9))
def test_padding_repeats_the_last_sample_and_drops_none(n, size):
    batch = np.arange(2.0 * n).reshape(n, 2)
    found = padded(batch, size)
    assert len(found) == max(n, size)
    np.testing.assert_array_equal(found[:n], batch)
    for row in found[n:]:
        np.testing.assert_array_equal(row, batch[-1])


@pytest.mark.parametrize(
    ("count", "verbose", "shows"),
    [(3, "auto", False), (50, "auto", True), (None, "auto", True), (3, 1, True)],
)
def test_long_runs_show_their_progress(count, verbose, shows, capsys):
    batches = [np.zeros((1, 2))] * (count or 4)
    assert list(with_progress(iter(batches), count, verbose)) == batches
    assert bool(capsys.readouterr().out) == shows


def test_without_progress_nothing_is_printed(capsys):
    list(with_progress(iter([1] * 99), 99, 0))
    assert capsys.readouterr().out == ""
