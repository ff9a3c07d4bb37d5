import gc
import threading
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold._map.compiled import BothFactors, Products, ShorterSide
from keras_manifold._map.function import Map


class Scale(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * float(np.ravel(self.factor)[0])


X = np.ones((2, 3), "float32")


def slope(layer):
    return float(km.jacobian(layer, X)[0, 0, 0])


def test_a_layer_is_compiled_once_and_its_compiled_function_dies_with_it():
    layer = layers.Dense(2)
    km.jacobian(layer, X)
    first = ShorterSide.of(Map(layer), X[:1], chunk_size=None)
    assert ShorterSide.of(Map(layer), X[:1], chunk_size=None) is first
    alive = weakref.ref(layer)
    del layer, first
    gc.collect()
    assert alive() is None


def test_training_and_predicting_leave_what_was_compiled():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    x, y = np.ones((8, 3), "float32"), np.zeros((8, 2), "float32")

    def compiled():
        return ShorterSide.of(Map(model), X[:1], chunk_size=None)

    first = compiled()
    model.compile("sgd", "mse")
    stop = keras.callbacks.EarlyStopping("val_loss")
    model.fit(x, y, validation_data=(x, y), callbacks=[stop], epochs=2, verbose=0)
    model.predict(x, verbose=0)
    assert compiled() is first
    model.set_weights([np.full_like(weight, 2) for weight in model.get_weights()])
    assert compiled() is first
    assert slope(model) == 2


def test_a_number_that_was_assigned_is_seen():
    layer = Scale(2.0)
    assert slope(layer) == 2
    layer.factor = 3.0
    assert slope(layer) == 3


@pytest.mark.parametrize("kind", [tuple, np.asarray, lambda pair: int(pair[0])])
def test_tuples_arrays_and_whole_numbers_are_seen_too(kind):
    layer = Scale(kind((2.0, 2.0)))
    assert slope(layer) == 2
    layer.factor = kind((5.0, 5.0))
    assert slope(layer) == 5


def test_layers_may_refer_to_each_other():
    first, second = Scale(2.0), Scale(3.0)
    first.__dict__["other"], second.__dict__["other"] = second, first
    assert slope(first) == 2
    first.factor = 4.0
    assert slope(first) == 4


def test_a_layer_that_is_adapted_again_is_seen():
    layer = layers.Normalization(axis=None)
    for spread in (2.0, 5.0):
        layer.adapt(np.array([[-spread], [spread]], "float32"))
        assert slope(layer) == pytest.approx(1 / spread, rel=1e-4)


def test_what_is_not_seen_can_be_forgotten():
    factors = [2.0]
    layer = layers.Lambda(lambda x: x * factors[0])
    assert slope(layer) == 2
    factors[0] = 5.0
    km.forget_compiled(layer)
    assert slope(layer) == 5


def test_compiling_an_autoencoder_forgets():
    factors = [2.0]
    encoder = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * factors[0])])
    model = km.AutoEncoder(encoder, keras.Sequential([keras.Input((3,)), layers.Dense(3)]))
    assert km.tangent_space(model, X).singular_values[0, 0] == pytest.approx(2)
    factors[0] = 5.0
    model.compile("sgd", loss="mse")
    assert km.tangent_space(model, X).singular_values[0, 0] == pytest.approx(5)


def test_the_halves_of_an_autoencoder_are_forgotten_with_it(digits):
    encoder = keras.Sequential([keras.Input((3,)), Scale((2.0,))])
    model = km.AutoEncoder(encoder, keras.Sequential([keras.Input((3,)), layers.Dense(3)]))
    assert km.tangent_space(model, X).singular_values[0, 0] == 2
    encoder.layers[0].factor = (4.0,)
    km.forget_compiled(model)
    assert km.tangent_space(model, X).singular_values[0, 0] == 4


def test_forgetting_what_is_no_layer_is_refused():
    with pytest.raises(TypeError, match="`model` must be a Keras layer"):
        km.forget_compiled(ops.tanh)


def test_products_are_those_with_the_matrix_and_its_transpose(rng):
    w = rng.normal(size=(3, 5)).astype("float32")
    function = Map(lambda x: ops.matmul(x, w))
    forwards = Products(function, X[:1], forwards=True)
    backwards = Products(function, X[:1], forwards=False)
    v = rng.normal(size=(2, 4, 3)).astype("float32")
    u = rng.normal(size=(2, 4, 5)).astype("float32")
    np.testing.assert_allclose(forwards.predict_on_batch([X, v]), v @ w, rtol=1e-4)
    np.testing.assert_allclose(backwards.predict_on_batch([X, u]), u @ w.T, rtol=1e-4)


def test_factors_are_rows_of_the_first_and_columns_of_the_second(rng):
    f = rng.normal(size=(3, 2)).astype("float32")
    g = rng.normal(size=(2, 4)).astype("float32")
    both = Map(lambda x: ops.matmul(x, f)).then(Map(lambda z: ops.matmul(z, g)))
    rows, columns = BothFactors(both, X[:1]).predict_on_batch(X)
    np.testing.assert_allclose(rows[1], f.T, rtol=1e-5)
    np.testing.assert_allclose(columns[1], g, rtol=1e-5)


def test_threads_may_analyse_one_model_at_once():
    """On JAX, Keras takes the variables away while it predicts."""
    w = np.arange(6.0).reshape(3, 2)
    layer = layers.Dense(2, use_bias=False)
    encoder = keras.Sequential([keras.Input((3,)), layer])
    layer.set_weights([w])
    x = np.ones((20, 3), "float32")
    found = []

    def analyse(function):
        for _ in range(4):
            km.tangent_space(function, x, batch_size=2, verbose=0)
            found.append(km.jacobian(function, x)[0])

    threads = [
        threading.Thread(target=analyse, args=(function,))
        for function in (encoder, lambda x: encoder(x), lambda x: 1.0 * encoder(x))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    for jacobian in found:
        np.testing.assert_allclose(jacobian, w.T, rtol=1e-6)
