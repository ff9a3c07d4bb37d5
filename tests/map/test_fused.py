from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold._map.function import Map
from keras_manifold._map.fused import without_fused_kernels

X = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")


class SeenLSTM(layers.LSTM):
    def inner_loop(self, *args, **kwargs):
        self.__dict__.setdefault("seen", []).append(self.use_cudnn)
        return super().inner_loop(*args, **kwargs)


class SeenAttention(layers.MultiHeadAttention):
    def _compute_attention(self, *args, **kwargs):
        self.__dict__.setdefault("seen", []).append(self._flash_attention)
        return super()._compute_attention(*args, **kwargs)


def encoder(layer):
    inputs = keras.Input((4, 2))
    is_attention = isinstance(layer, layers.MultiHeadAttention)
    hidden = layer(inputs, inputs) if is_attention else layer(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(hidden)))
    layer.__dict__["seen"] = []
    return model


@pytest.mark.parametrize(
    ("layer", "name", "value"),
    [(SeenLSTM(3), "use_cudnn", "auto"), (SeenAttention(1, 2), "_flash_attention", None)],
)
def test_what_is_differentiated_takes_no_fused_kernel(layer, name, value):
    if not hasattr(layer, name):
        pytest.skip(f"this Keras has no {name}")
    model = encoder(layer)
    km.ContractivePenalty(1.0)(model, X)
    assert layer.__dict__["seen"]
    assert all(seen is False for seen in layer.__dict__["seen"])
    assert getattr(layer, name) is value or getattr(layer, name) == value
    layer.__dict__["seen"].clear()
    model(X)  # by itself it takes what it is set to
    assert layer.__dict__["seen"] == [value]


def test_a_setting_comes_back_after_an_error():
    layer = layers.GRU(2, use_cudnn="auto")
    model = keras.Sequential([keras.Input((4, 2)), layers.Bidirectional(layer)])
    inner = model.layers[0].forward_layer
    seen = []

    def raising():
        with without_fused_kernels(model):
            seen.append(inner.use_cudnn)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        raising()
    assert seen == [False]
    assert inner.use_cudnn == "auto"


def test_it_comes_back_when_the_last_of_two_threads_is_done():
    layer = layers.LSTM(2, use_cudnn="auto")
    with ThreadPoolExecutor(1) as pool:
        first, second = (without_fused_kernels(layer) for _ in range(2))
        first.__enter__()
        pool.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert layer.use_cudnn is False, "the other is inside still"
        pool.submit(second.__exit__, None, None, None).result()
    assert layer.use_cudnn == "auto"


def test_callables_are_left_alone():
    found = Map(ops.sin)(ops.convert_to_tensor(X))
    np.testing.assert_allclose(ops.convert_to_numpy(found), np.sin(X), atol=1e-6)
