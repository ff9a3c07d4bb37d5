"""What `tangent_space` keeps compiled, and when it lets go of it."""

import gc
import weakref
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km


def test_a_layer_is_compiled_once_and_followed_when_its_weights_change(rng):
    traces = []

    class Counted(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(4, 2), initializer="random_normal")

        def call(self, x):
            traces.append(1)
            return ops.matmul(x, self.w)

    layer = Counted()
    x = rng.normal(size=(3, 4)).astype("float32")
    km.tangent_space(layer, x)
    first = len(traces)
    km.tangent_space(layer, x)
    # PyTorch evaluates every time, and with each call once more, to find mixed samples.
    eager = keras.backend.backend() == "torch"
    assert len(traces) - first <= (3 if eager else 0)
    matrix = rng.normal(size=(4, 2)).astype("float32")
    layer.set_weights([matrix])
    found = km.tangent_space(layer, x).singular_values
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(found, [expected] * 3, rtol=1e-5)


def test_a_layer_that_is_built_anew_is_compiled_anew(rng):
    """Its activation, its precision, and what it is made of may change."""
    x = rng.normal(size=(2, 4)).astype("float32")
    dense = layers.Dense(3, activation="linear")
    inner = keras.Sequential([keras.Input((4,)), dense])
    outer = keras.Sequential([keras.Input((4,)), inner])

    def sigma():
        return km.tangent_space(outer, x).singular_values

    def expected(*matrices):
        return np.linalg.svd(np.linalg.multi_dot(matrices), compute_uv=False)

    w = dense.get_weights()[0]
    np.testing.assert_allclose(sigma()[0], expected(w, np.eye(3)), rtol=1e-5)
    dense.activation = keras.activations.tanh
    slopes = [np.diag(1 - np.tanh(sample @ w) ** 2) for sample in x]
    np.testing.assert_allclose(sigma()[0], expected(w, slopes[0]), rtol=1e-4)
    dense.activation = keras.activations.linear
    np.testing.assert_allclose(sigma()[0], expected(w, np.eye(3)), rtol=1e-5)
    dense.activation = keras.activations.tanh
    inner.add(layers.Dense(2))
    last = inner.layers[-1].get_weights()[0]
    np.testing.assert_allclose(sigma()[1], expected(w, slopes[1], last), rtol=1e-4)


class Scaled(layers.Layer):
    slope = 1.0

    def call(self, x):
        return self.slope * x


@pytest.mark.filterwarnings("ignore:The outputs have the shape of the inputs")
def test_a_slope_that_a_user_sets_is_followed(rng):
    layer = Scaled()
    for layer.slope in (2.0, 3.0):
        space = km.tangent_space(layer, rng.normal(size=(2, 4)))
        np.testing.assert_allclose(space.singular_values, layer.slope, rtol=1e-6)


def test_a_decoder_that_was_replaced_is_not_kept(rng, deep_network):
    networks = deep_network((9, 6, 4)), deep_network((4, 6, 9), seed=1)
    encoder, decoder = (network.keras_model() for network in networks)
    parts = SimpleNamespace(encoder=encoder, decoder=decoder)
    del networks, decoder
    x = rng.normal(size=(5, 9)).astype("float32")
    km.tangent_space(parts, x, of="reconstruction")
    replaced = weakref.ref(parts.decoder)
    parts.decoder = deep_network((4, 6, 9), seed=2).keras_model()
    km.tangent_space(parts, x, of="reconstruction")
    gc.collect()
    assert replaced() is None


def test_what_is_compiled_is_freed_with_its_model(rng):
    model = km.AutoEncoder.dense((6,), 2, units=(3,))
    x = rng.normal(size=(3, 6)).astype("float32")
    for of in ("encoder", "decoder", "reconstruction"):
        km.tangent_space(model, x, of=of)
    watched = weakref.ref(model.encoder)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert watched() is None


def test_a_model_is_saved_without_what_was_compiled_for_it(tmp_path, rng):
    model = km.AutoEncoder.dense((6,), 2, units=(3,))
    x = rng.normal(size=(3, 6)).astype("float32")
    expected = km.tangent_space(model, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.variables) == len(model.variables)
    found = km.tangent_space(loaded, x)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
