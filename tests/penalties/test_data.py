"""Samples of the data at which a penalised derivative is looked at before training."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold.penalties._data import telling_samples

CLIPS = np.random.default_rng(0).normal(size=(40, 8)).astype("float32")


@keras.saving.register_keras_serializable(package="tests")
class Magnitudes(keras.Layer):
    """Of complex numbers, as at the front of a spectrogram."""

    def call(self, x):
        return ops.sqrt(ops.square(x[:, :4]) + ops.square(x[:, 4:]))


class Norms(keras.Layer):
    def call(self, x):
        return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))


def model_of(front, *, is_built=True, **penalties):
    encoder = keras.Sequential([front, layers.Dense(3)])
    if is_built:
        encoder.build((None, 8))
    decoder = keras.Sequential([layers.Dense(8)])
    model = km.AutoEncoder(encoder, decoder, **penalties)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("front", [Magnitudes, Norms])
@pytest.mark.parametrize(
    ("is_built", "penalties"),
    [
        (True, {"contractive_penalty": 1e-6}),
        (False, {"contractive_penalty": 1e-6}),
        (True, {"penalties": [km.IsometryPenalty(1e-6, of="encoder")]}),
        (
            True,
            {"contractive_penalty": km.ContractivePenalty(1e-6, of="reconstruction")},
        ),
    ],
    ids=["encoder", "not built", "isometry", "reconstruction"],
)
def test_one_silent_clip_is_named_before_any_weight_changes(front, is_built, penalties):
    x = CLIPS.copy()
    x[23] = 0.0
    model = model_of(front(), is_built=is_built, **penalties)
    model.build((None, 8))
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="at sample 23"):
        model.fit(x, epochs=2, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.fit(CLIPS, verbose=0)
    assert np.isfinite(model.evaluate(CLIPS, verbose=0)).all()


def test_roots_of_single_zeros_are_named():
    x = np.abs(CLIPS)
    x[31, 2] = 0.0
    model = model_of(layers.Activation(ops.sqrt), contractive_penalty=0.1)
    with pytest.raises(FloatingPointError, match="at sample 31"):
        model.fit(x, verbose=0)
    plain = model_of(layers.Activation(ops.sqrt))
    assert np.isfinite(plain.fit(x, verbose=0).history["loss"]).all(), (
        "no penalty, no check"
    )


def test_the_most_telling_samples_are_the_flat_the_small_and_the_large():
    x = CLIPS.copy()
    x[5], x[9, :3], x[11, 0] = 0.7, 0.0, 50.0
    samples, indices = telling_samples(x)
    assert {0, 5, 9, 11} <= set(indices.tolist())
    np.testing.assert_array_equal(samples, x[indices])
    images = np.random.default_rng(0).integers(1, 255, size=(9, 4, 4), dtype="uint8")
    images[6] = 0
    samples, indices = telling_samples(ops.convert_to_tensor(images))
    assert samples.dtype == "float32"
    assert 6 in indices


@pytest.mark.parametrize(
    "x",
    [None, "text", [CLIPS], CLIPS[0], CLIPS[:0], CLIPS.astype(object), iter([CLIPS])],
    ids=["none", "text", "list", "sample", "empty", "objects", "stream"],
)
def test_of_what_is_no_array_of_numbers_nothing_is_seen(x):
    assert telling_samples(x) is None


def test_samples_that_are_not_finite_are_left_to_other_checks():
    x = CLIPS.copy()
    x[3, 3] = np.inf
    assert telling_samples(x) is None


def test_data_are_looked_at_once():
    calls = []

    class Counting(keras.Layer):
        def call(self, x):
            calls.append(x.shape[0])
            return x

    model = model_of(Counting(), contractive_penalty=0.1)
    model.fit(CLIPS, verbose=0)
    calls.clear()
    model.fit(CLIPS, verbose=0)
    assert 5 not in calls
    model.fit(CLIPS.copy(), verbose=0)
    assert 5 in calls
