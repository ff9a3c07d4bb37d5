import math
import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import keras_manifold as km
from keras_manifold._map.function import Map
from keras_manifold._map.unit_vectors import MEMORY_BUDGET, images_within_budget, planned


def never_asked():
    raise AssertionError


def test_few_passes_are_held_without_a_question():
    assert planned(32, never_asked) == (32, 32)


def test_as_many_passes_are_held_as_fit_the_budget():
    assert planned(512, lambda: MEMORY_BUDGET // 512) == (512, 512)
    held, chunk_size = planned(512, lambda: MEMORY_BUDGET // 100)
    assert held + chunk_size == 100
    assert chunk_size == 32
    assert planned(512, lambda: None) == (0, 32)
    assert planned(512, lambda: MEMORY_BUDGET) == (0, 32)


def test_a_chunk_size_asks_for_no_estimate():
    assert planned(512, never_asked, chunk_size=100) == (0, 100)
    assert planned(99, never_asked, chunk_size=100) == (99, 99)


@given(
    st.integers(1, 600), st.integers(0, 10**6), st.none() | st.integers(1, 10**9), st.data()
)
def test_what_is_held_fits_the_budget(size, taken, budget, data):
    chunk_size = data.draw(st.none() | st.integers(1, 600)) if budget is None else None
    held, chunk = planned(size, lambda: taken, chunk_size, budget)
    assert 0 <= held <= size
    assert chunk >= 1
    at_once = held if held == size else held + chunk
    if budget is not None and at_once > 1:
        assert at_once * taken <= budget
    if chunk_size is not None:
        assert at_once <= chunk_size


@pytest.mark.parametrize("side", ["rows", "columns"])
@settings(max_examples=8)  # each compiles on JAX
@given(
    st.none() | st.integers(1, 9),
    st.sampled_from([None, 1, 3000, 6000, 10**9]),
)
def test_images_are_those_of_the_matrix(side, chunk_size, budget):
    w = np.random.default_rng(0).normal(size=(6, 7)).astype("float32")
    function = Map(lambda x: ops.sin(ops.matmul(x, w)))
    x = np.random.default_rng(1).normal(size=(3, 6)).astype("float32")
    jacobian = np.cos(x @ w)[:, None] * w  # (batch, inputs, outputs)
    linear = function.at(ops.convert_to_tensor(x))
    expected = np.moveaxis(jacobian, 2 if side == "rows" else 1, 0)
    found = images_within_budget(
        function,
        linear,
        lambda linear: getattr(linear, side),
        len(expected),
        lambda images: 2 * images,
        chunk_size=chunk_size,
        memory_budget=budget,
    )
    assert math.prod(found.shape) == expected.size
    np.testing.assert_allclose(ops.convert_to_numpy(found), 2 * expected, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's XLA")
@pytest.mark.parametrize("sizes", [(6, 9), (9, 7)], ids=["columns", "rows"])
def test_xla_compiles_no_weights_into_the_step(sizes, tf, rng):
    inputs, codes = sizes
    encoder = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(codes, "tanh")])
    penalty = km.ContractivePenalty(1.0, probes="exact")
    x = tf.constant(rng.normal(size=(3, inputs)).astype("float32"))

    def values_and_gradients(x):
        with tf.GradientTape() as tape:
            values = penalty(encoder, x)
        return values, *tape.gradient(values, encoder.trainable_weights)

    signature = [tf.TensorSpec((None, inputs))]
    options = {"input_signature": signature, "jit_compile": True}
    compiled = tf.function(values_and_gradients, **options)
    program = compiled.experimental_get_compiler_ir(x)(stage="hlo")
    entry = program[program.index("ENTRY") :]
    taken = re.findall(r"f32\[([\d,]*)\]\S* parameter\(", entry)
    assert sorted(taken) == sorted([f"3,{inputs}", f"{inputs},{codes}", f"{codes}"])
    slopes = 1 - np.square(encoder(x).numpy())
    expected = np.square(slopes) @ np.square(encoder.get_weights()[0]).sum(axis=0)
    values, *gradients = compiled(x)
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    for found, eager in zip(gradients, values_and_gradients(x)[1:], strict=True):
        np.testing.assert_allclose(found, eager, rtol=1e-4, atol=1e-5)
