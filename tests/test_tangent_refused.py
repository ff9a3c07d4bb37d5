"""What `tangent_space` refuses, and how it says so."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km


def linear(matrix):
    """x -> A x."""
    columns = np.asarray(matrix, "float32").T
    return lambda x: ops.matmul(x, ops.convert_to_tensor(columns))


def parts(encoder, decoder):
    return SimpleNamespace(encoder=encoder, decoder=decoder)


class Mixing(layers.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


MIXES = "`encoder` must map each sample on its own"
TWO = "`encoder` must return one tensor. Received: a (list|tuple) of 2"
IMAGES = r"takes inputs of shape \(None, 2, 2, 1\). Received: samples of shape \(2, 1\)"


def flattening(shape):
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(2)])


def two_codes():
    x = keras.Input((4,))
    return keras.Model(x, [layers.Dense(2)(x), layers.Dense(2)(x)])


def two_inputs():
    a, b = keras.Input((4,)), keras.Input((4,))
    return keras.Model([a, b], layers.Add()([a, b]))


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return np.ones((2, 4), "float32")


@pytest.mark.parametrize("method", ["dense", "lanczos"])
def test_the_sample_that_is_not_finite_is_named(method):
    x = np.ones((9, 4), "float32")
    x[7, 2] = np.inf
    with pytest.raises(FloatingPointError, match=r"entries in x\[7\] and in 0 others"):
        km.tangent_space(ops.sin, x, k=1, method=method, batch_size=1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "`k` must be .* at least 1.*k=0"),
        ({"k": 3}, ValueError, r"`k` must be in \[1, 2\].*k=3"),
        ({"of": "encodre"}, ValueError, "of='encodre'"),
        ({"method": "svd"}, ValueError, "`method` must be .* method='svd'"),
        ({"method": "lanczos"}, ValueError, "`k` must be a number .* k=None"),
        ({"x": np.ones(4, "float32")}, ValueError, r"x\[None\]"),
        ({"model": lambda x: ops.cast(x, "int32")}, ValueError, "floating-point .* int32"),
        (
            {"model": parts(linear(np.eye(4)), None), "of": "decoder"},
            TypeError,
            "must have",
        ),
        ({"batch_size": 0}, ValueError, "`batch_size` must be .* at least 1.*=0"),
        ({"x": np.ones((0, 4), "float32")}, ValueError, "at least one sample"),
        ({"k": 1.5}, ValueError, "`k` must be a whole number.*k=1.5"),
        ({"x": iter([])}, ValueError, "empty stream"),
        (
            {"x": iter([np.ones((1, 4), "float32"), np.ones((1, 5), "float32")])},
            ValueError,
            r"of one shape.*\(4,\) and then of \(5,\)",
        ),
        ({"model": 3}, TypeError, "`encoder` or be callable.*model=3"),
        ({"model": Mixing()}, ValueError, "sample 0 changes by"),
        (
            {"model": linear(np.full((2, 4), np.nan))},
            FloatingPointError,
            "entries in sample 0 and in 1 others",
        ),
        ({"x": None}, TypeError, "iterable of batches. Received: x of type NoneType"),
        ({"x": dict.fromkeys("ab", np.ones((2, 4)))}, TypeError, "x of type dict"),
        ({"x": [dict.fromkeys("ab", np.ones((2, 4)))]}, TypeError, "of type dict with 2"),
        ({"x": Endless()}, ValueError, "how many batches .* num_batches=None"),
        ({"x": np.ones((2, 0), "float32")}, ValueError, r"entries. Received: .*\(2, 0\)"),
        ({"model": lambda x: (x, x)}, TypeError, "one tensor. Received: a tuple of 2"),
        ({"model": lambda x: x[:, :0]}, ValueError, r"at least one entry .*\(None, 0\)"),
        ({"model": layers.Flatten(), "x": np.array([["a"]])}, ValueError, "real numbers"),
        ({"x": np.array([[None]])}, ValueError, "real numbers.*dtype object"),
        ({"model": parts(Mixing(), layers.Dense(3)), "of": "decoder"}, ValueError, MIXES),
        ({"model": flattening((2, 2, 1)), "x": np.ones((2, 2, 1))}, ValueError, IMAGES),
        ({"model": parts(two_codes(), layers.Dense(3)), "of": "decoder"}, TypeError, TWO),
        ({"model": parts(two_codes(), None)}, TypeError, TWO),
        ({"model": two_inputs()}, TypeError, "`model` must take one .* of 2 inputs"),
        ({"model": linear(np.full((2, 4), 3e38))}, FloatingPointError, "below 3.4e.38"),
        ({"seed": -1}, ValueError, "`seed` must be .* at least 0, or None.*seed=-1"),
        ({"seed": "a"}, ValueError, "seed='a'"),
        ({"seed": 1.5}, ValueError, "seed=1.5"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    good = {"model": linear(np.ones((2, 4))), "x": np.ones((2, 4), "float32")}
    with pytest.raises(error, match=message):
        km.tangent_space(**{**good, **arguments})
