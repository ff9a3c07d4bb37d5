"""Losses that are not finite while `fit` runs."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold.penalties._finite import FiniteLosses

X = np.random.default_rng(0).uniform(0.5, 1.0, size=(20, 4)).astype("float32")


def batches(x):
    while True:
        for start in range(0, len(x), 10):
            yield (x[start : start + 10],)


def model_of(**penalties):
    encoder = keras.Sequential([keras.Input((4,)), layers.Activation(ops.sqrt)])
    encoder.add(layers.Dense(2))
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    model = km.AutoEncoder(encoder, decoder, **penalties)
    model.compile("sgd", "mse")
    return model


def test_a_penalty_that_is_not_finite_is_named_once():
    x = X.copy()
    x[12] = 0.0  # of a stream nothing is seen before
    model = model_of(contractive_penalty=0.1)
    message = "`loss` and `contractive_penalty` in epoch 1: (nan|inf).*jacobian"
    with pytest.warns(UserWarning, match=message) as found:
        model.fit(batches(x), steps_per_epoch=2, epochs=3, verbose=0)
    assert len([w for w in found if "not finite at a sample" in str(w.message)]) == 1


def test_finite_losses_need_no_word():
    model = model_of(contractive_penalty=0.1)
    watch = FiniteLosses(["contractive_penalty"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(X, epochs=2, verbose=0, callbacks=[watch])
        model.fit(X, verbose=0, callbacks=watch)


def test_without_penalties_keras_is_left_alone():
    model = model_of()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(X * np.nan, verbose=0)


def test_a_list_of_callbacks_of_keras_is_taken_as_it_is():
    model = model_of(contractive_penalty=0.1)
    seen = []
    own = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(epoch)
    )
    given = keras.callbacks.CallbackList([own], add_history=True, model=model)
    model.fit(X, verbose=0, callbacks=given)
    model.fit(X, verbose=0, callbacks=(own,))
    assert seen == [0, 0]
