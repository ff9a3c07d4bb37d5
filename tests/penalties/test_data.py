"""Samples of the data at which a penalised derivative is looked at before training."""

import re

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


def test_the_first_batch_is_looked_at_too():
    x = CLIPS[:8].copy()
    x[5] = 0.0
    model = model_of(Magnitudes(), contractive_penalty=1e-6)
    model.build((None, 8))
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="at sample 5"):
        model.train_on_batch(x)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.train_on_batch(CLIPS[:8])
    model.contractive_penalty = None
    model.train_on_batch(x)
    model.contractive_penalty = 1e-6
    with pytest.raises(FloatingPointError, match="at sample 5"):
        model.train_on_batch(x)


class Clips(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return (self.x[20 * index : 20 * index + 20],)


class Centred(keras.Layer):
    """Mixes samples."""

    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


def test_of_a_data_set_the_first_samples_are_looked_at():
    x = CLIPS.copy()
    x[23] = 0.0
    model = model_of(Magnitudes(), contractive_penalty=1e-6)
    with pytest.raises(FloatingPointError, match="at sample 23"):
        model.fit(Clips(x), verbose=0)


def test_of_tf_data_too(tf):
    x = CLIPS.copy()
    x[23] = 0.0
    batches = tf.data.Dataset.from_tensor_slices((x, x)).batch(10).repeat()
    model = model_of(Magnitudes(), contractive_penalty=1e-6)
    with pytest.raises(FloatingPointError, match="at sample 23"):
        model.fit(batches, steps_per_epoch=2, verbose=0)


@pytest.mark.parametrize("wrap", [lambda b: (b,), lambda b: (b, b)], ids=["x", "x and y"])
def test_the_first_batch_of_a_generator_is_looked_at_and_trained_on(wrap):
    x = CLIPS.copy()
    x[3] = 0.0
    model, twin = (model_of(Norms(), contractive_penalty=1e-6) for _ in range(2))
    model.build((None, 8))
    twin.build((None, 8))
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="at sample 3"):
        model.fit((wrap(x[i : i + 8]) for i in range(0, 40, 8)), verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    twin.set_weights(before)
    expected = twin.fit(CLIPS, batch_size=8, shuffle=False, verbose=0).history
    batches = (wrap(CLIPS[i : i + 8]) for i in range(0, 40, 8))
    found = model.fit(batches, verbose=0).history
    assert found["reconstruction_loss"] == pytest.approx(
        expected["reconstruction_loss"], rel=1e-5
    )
    assert next(batches, None) is None


def test_a_generator_goes_on_in_the_next_fit():
    def endless():
        while True:
            yield (CLIPS[:8],)

    model, batches = model_of(Norms(), contractive_penalty=1e-6), endless()
    for _ in range(2):
        history = model.fit(batches, steps_per_epoch=2, verbose=0).history
        assert len(history["loss"]) == 1


def test_a_generator_of_nothing_is_left_to_keras():
    model = model_of(Norms(), contractive_penalty=1e-6)
    plain = keras.Sequential([layers.Dense(8)])
    plain.compile("sgd", "mse")
    with pytest.raises(Exception) as expected:  # noqa: PT011
        plain.fit((batch for batch in ()), verbose=0)
    with pytest.raises(expected.type, match=re.escape(str(expected.value))):
        model.fit((batch for batch in ()), verbose=0)


def test_layers_that_declare_no_shape_may_mix_no_samples_of_a_data_set():
    model = model_of(Centred(), is_built=False, contractive_penalty=1e-6)
    with pytest.raises(ValueError, match="must map each sample on its own"):
        model.fit(Clips(CLIPS), verbose=0)


def test_nor_of_tf_data_which_are_all_there_afterwards(tf):
    batches = tf.data.Dataset.from_tensor_slices((CLIPS,)).batch(20)
    model = model_of(Centred(), is_built=False, contractive_penalty=1e-6)
    with pytest.raises(ValueError, match="must map each sample on its own"):
        model.fit(batches, verbose=0)
    seen = []
    model = model_of(layers.Identity(), is_built=False, contractive_penalty=1e-6)
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda i, logs: seen.append(i)
    )
    model.fit(batches, verbose=0, callbacks=[count])
    assert seen == [0, 1]


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
    [None, "text", [CLIPS] * 2, CLIPS[0], CLIPS[:0], CLIPS.astype(object), iter([CLIPS])],
    ids=["none", "text", "several", "sample", "empty", "objects", "stream"],
)
def test_of_what_is_no_array_of_numbers_nothing_is_seen(x):
    assert telling_samples(x) is None


def test_samples_that_are_not_finite_are_named():
    x = CLIPS.copy()
    x[3, 3] = np.inf
    model = model_of(Norms(), contractive_penalty=0.1)
    with pytest.raises(FloatingPointError, match=r"`x` must be finite where.*in x\[3\]"):
        model.fit(x, verbose=0)


@pytest.mark.parametrize("front", [Magnitudes, Norms])
def test_layers_that_declare_no_shape_are_looked_at_and_stay_as_they_are(front):
    x = CLIPS.copy()
    x[23] = 0.0
    model = model_of(front(), is_built=False, contractive_penalty=1e-6)
    with pytest.raises(FloatingPointError, match="at sample 23"):
        model.fit(x, verbose=0)
    model.fit(CLIPS, verbose=0)
    assert model.encoder.input_shape == (None, 8)


def test_layers_that_declare_no_shape_may_mix_no_samples():
    centred = layers.Lambda(lambda x: x - ops.mean(x, axis=0, keepdims=True))
    model = model_of(centred, is_built=False, contractive_penalty=1e-6)
    with pytest.raises(ValueError, match="each sample on its own"):
        model.fit(CLIPS, verbose=0)


def test_a_penalty_without_derivatives_is_asked_for_none():
    class Sparse(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="sparse")
            self.built, self.weight, self.of = True, 0.1, "encoder"

        def __call__(self, function, x):
            return ops.sum(ops.abs(function(x)), axis=-1)

    x = np.abs(CLIPS)
    x[31, 2] = 0.0
    model = model_of(layers.Activation(ops.sqrt), penalties=[Sparse()])
    assert np.isfinite(model.fit(x, verbose=0).history["sparse"]).all()
