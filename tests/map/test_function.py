import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from keras_manifold._map.function import Map


def to_numpy(value):
    return ops.convert_to_numpy(value)


def tensor(value):
    return ops.convert_to_tensor(np.asarray(value, "float32"))


@pytest.fixture
def w(rng):
    return rng.normal(size=(5, 3)).astype("float32")


def matmul(w):
    return Map(lambda x: ops.matmul(x, w), "product")


def test_a_keras_model_is_called_in_inference_mode(rng):
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.9)])
    x = rng.normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(to_numpy(Map(model)(tensor(x))), x)


def test_values_of_models_and_of_callables_are_numpy(rng, w):
    dense = layers.Dense(3, use_bias=False)
    model = keras.Sequential([keras.Input((5,)), dense])
    dense.set_weights([w])
    x = rng.normal(size=(7, 5)).astype("float32")
    for function in (model, dense, lambda x: ops.matmul(x, w)):
        found = Map(function).values(x)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, x @ w, rtol=1e-5, atol=1e-6)


def test_then_keeps_both_parts_and_their_names(rng, w):
    both = matmul(w).then(Map(ops.tanh, "squash"))
    assert both.names == ("product", "squash")
    x = rng.normal(size=(2, 5)).astype("float32")
    np.testing.assert_allclose(to_numpy(both(tensor(x))), np.tanh(x @ w), rtol=1e-5)
    first, second = both.parts
    np.testing.assert_allclose(to_numpy(first(tensor(x))), x @ w, rtol=1e-5)
    np.testing.assert_allclose(to_numpy(second(tensor(x))), np.tanh(x), rtol=1e-5)


def test_a_map_of_a_map_is_the_same_map(w):
    inner = matmul(w).then(Map(ops.tanh, "squash"))
    assert Map(inner).functions == inner.functions
    assert Map(inner, "other").names == inner.names


def test_both_products_of_a_linear_map_are_its_matrix_and_its_transpose(rng, w):
    linear = matmul(w).at(tensor(rng.normal(size=(4, 5))))
    v = rng.normal(size=(4, 5)).astype("float32")
    u = rng.normal(size=(4, 3)).astype("float32")
    np.testing.assert_allclose(to_numpy(linear.push(tensor(v))), v @ w, rtol=1e-4)
    np.testing.assert_allclose(to_numpy(linear.pull(tensor(u))), u @ w.T, rtol=1e-4)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_the_two_products_are_transposes_of_each_other(batch, inputs, outputs):
    rng = np.random.default_rng([batch, inputs, outputs])
    w = rng.normal(size=(inputs, outputs)).astype("float32")
    linear = Map(lambda x: ops.tanh(ops.matmul(x, w))).at(
        tensor(rng.normal(size=(batch, inputs)))
    )
    u, v = rng.normal(size=(batch, outputs)), rng.normal(size=(batch, inputs))
    along = (u * to_numpy(linear.push(tensor(v)))).sum(axis=1)
    across = (v * to_numpy(linear.pull(tensor(u)))).sum(axis=1)
    np.testing.assert_allclose(along, across, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("chunk_size", [1, 2, 10])
def test_rows_and_columns_are_those_of_the_chain_rule(rng, two_layers, chunk_size):
    network = two_layers((4, 6, 3))
    x = rng.normal(size=(2, 4)).astype("float32")
    function, expected = Map(network.keras_model()), network.jacobian(x)
    rows = to_numpy(function.rows(tensor(x), chunk_size))
    columns = to_numpy(function.columns(tensor(x), chunk_size))
    np.testing.assert_allclose(np.moveaxis(rows, 0, 1), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.moveaxis(columns, 0, 2), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("outputs", "rows"), [(3, True), (5, True), (7, False)])
def test_the_shorter_side_is_that_of_the_outputs_where_both_are_equal(rng, outputs, rows):
    linear = matmul(rng.normal(size=(5, outputs)).astype("float32")).at(
        tensor(np.ones((2, 5)))
    )
    assert linear.shorter.like is (linear.outputs if rows else linear.inputs)


def test_checked_knows_the_shape_after_each_function(rng, w):
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(8), layers.Reshape((2, 4))])
    checked = matmul(w).then(Map(decoder, "decoder")).checked(np.ones((1, 5), "float32"))
    assert checked.shapes == ((5,), (3,), (2, 4))
    assert checked.input_shape == (5,)
    assert checked.output_shape == (2, 4)


BAD = {
    "one tensor": (lambda x: (x, x), TypeError),
    "one output a sample": (lambda x: x[:1], ValueError),
    "at least one entry": (lambda x: x[:, :0], ValueError),
    "floating-point numbers": (lambda x: ops.cast(x, "int32"), ValueError),
    "each sample on its own": (
        lambda x: x - ops.mean(x, axis=0, keepdims=True),
        ValueError,
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_what_is_no_map_is_refused_by_the_name_that_the_user_knows(words, rng):
    function, error = BAD[words]
    sample = rng.normal(size=4).astype("float32")
    with pytest.raises(error, match=f"`encoder` .*{words}"):
        Map(function, "encoder").checked(sample[None])
    with pytest.raises(error, match=f"`decoder` .*{words}"):
        Map(ops.tanh, "encoder").then(Map(function, "decoder")).checked(sample[None])


def test_models_of_integers_and_of_several_inputs_are_refused():
    whole = keras.Sequential([keras.Input((3,), dtype="uint8"), layers.Dense(2)])
    with pytest.raises(ValueError, match="`function` must take floating-point inputs"):
        Map(whole).checked(np.ones((1, 3), "float32"))
    a, b = keras.Input((3,)), keras.Input((3,))
    with pytest.raises(TypeError, match="`function` must take one tensor"):
        Map(keras.Model([a, b], layers.Add()([a, b]))).checked(np.ones((1, 3), "float32"))


def test_a_model_that_declares_its_inputs_is_checked_without_a_sample():
    class Centred(layers.Layer):
        def call(self, x):
            return x - ops.mean(x, axis=0, keepdims=True)

    mixing = keras.Sequential([keras.Input((3,)), Centred()])
    with pytest.raises(ValueError, match="`encoder` must map each sample on its own"):
        Map(mixing, "encoder").check_as_declared()
    Map(Centred(), "encoder").check_as_declared()  # of which nothing is known yet
