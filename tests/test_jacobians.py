import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_manifold._map.compiled import ShorterSide
from keras_manifold._map.function import Map
from keras_manifold.jacobians import jacobian


def linear(w):
    layer = layers.Dense(w.shape[1], use_bias=False)
    layer.build((None, w.shape[0]))
    layer.set_weights([w])
    return layer


@pytest.mark.parametrize("shape", [(6, 2), (2, 6), (3, 3), (1, 1)])
def test_jacobian_of_a_linear_map_is_its_transposed_weights(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    found = jacobian(linear(w), np.ones((4, shape[0]), "float32"))
    np.testing.assert_allclose(found, np.broadcast_to(w.T, (4, *w.T.shape)), rtol=1e-6)


@pytest.mark.parametrize("sizes", [(7, 5, 3), (3, 5, 7)], ids=["reverse", "forward"])
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 100])
def test_jacobian_of_two_layers_is_the_chain_rule(rng, two_layers, sizes, chunk_size):
    network = two_layers(sizes)
    x = rng.normal(size=(4, sizes[0])).astype("float32")
    found = jacobian(network.keras_model(), x, chunk_size=chunk_size)
    np.testing.assert_allclose(found, network.jacobian(x), rtol=1e-4, atol=1e-5)


@settings(max_examples=5)
@given(st.integers(1, 6), st.integers(0, 5))
def test_each_sample_has_the_jacobian_that_it_has_alone(batch, index):
    x = np.random.default_rng(batch).normal(size=(batch, 3)).astype("float32")
    index = index % batch

    def function(x):
        return ops.stack([ops.sin(x[:, 0] * x[:, 1]), ops.exp(x[:, 2])], axis=1)

    together = jacobian(function, x)[index]
    alone = jacobian(function, x[index : index + 1])[0]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_shapes_of_images_are_kept(rng):
    model = keras.Sequential([keras.Input((6, 5, 2)), layers.Conv2D(3, 2, strides=2)])
    found = jacobian(model, rng.normal(size=(2, 6, 5, 2)).astype("float32"))
    assert found.shape == (2, 3, 2, 3, 6, 5, 2)
    kernel, _ = model.get_weights()
    np.testing.assert_allclose(
        found[1, 1, 0, 2, 2:4, 0:2], np.moveaxis(kernel, 3, 0)[2], rtol=1e-5
    )
    assert np.count_nonzero(found[1, 1, 0, 2]) == 2 * 2 * 2


def test_it_follows_weights_that_change(rng):
    layer = linear(np.ones((2, 1), "float32"))
    x = np.ones((1, 2), "float32")
    compiled_once = ShorterSide(Map(layer), x[:1])
    for function in (layer, lambda x: layer(x)):
        for weight in (1.0, 3.0):
            layer.set_weights([np.full((2, 1), weight)])
            assert jacobian(function, x).ravel().tolist() == [weight, weight]
            values = compiled_once.predict_on_batch(x)
            assert values.ravel().tolist() == [weight, weight]


@pytest.mark.parametrize("dtype", ["float16", "uint8", "bool", "int64"])
def test_inputs_of_any_precision_give_float32(dtype, rng):
    w = rng.normal(size=(3, 2)).astype("float32")
    found = jacobian(linear(w), np.ones((2, 3), dtype))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, np.broadcast_to(w.T, (2, 2, 3)), rtol=1e-6)


def test_dropout_and_batch_normalization_are_taken_in_inference(rng):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dropout(0.5), layers.BatchNormalization(epsilon=0.0)]
    )
    found = jacobian(model, rng.normal(size=(3, 4)).astype("float32"))
    np.testing.assert_allclose(found, np.broadcast_to(np.eye(4), (3, 4, 4)), rtol=1e-6)


def test_a_function_that_mixes_samples_is_refused(rng):
    layer = layers.BatchNormalization()
    x = rng.normal(size=(4, 3)).astype("float32")
    with pytest.raises(ValueError, match=r"sample 0 changes by .* training=False"):
        jacobian(lambda x: layer(x, training=True), x)


def test_a_mixing_function_is_found_out_with_a_single_sample_too():
    with pytest.raises(ValueError, match="sample 0 changes by"):
        jacobian(lambda x: x - ops.mean(x, axis=0), np.ones((1, 3), "float32"))


def test_outputs_without_a_batch_axis_are_refused():
    with pytest.raises(ValueError, match="one output a sample"):
        jacobian(ops.sum, np.ones((2, 3), "float32"))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 3), "complex64"), "real numbers.*complex64"),
        (np.ones((0, 3), "float32"), r"at least one sample.*\(0, 3\)"),
        (np.ones(3, "float32"), r"x\[None\]"),
    ],
)
def test_inputs_that_cannot_be_differentiated_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        jacobian(ops.sin, x)


def test_chunks_below_one_are_refused():
    with pytest.raises(ValueError, match="chunk_size=0"):
        jacobian(ops.sin, np.ones((2, 3), "float32"), chunk_size=0)
