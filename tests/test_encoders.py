"""Encoders and decoders of any kind."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold import autodiff


def sequential(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts, layers.Dense(3)])


def attention():
    inputs = keras.Input((5, 4))
    hidden = layers.MultiHeadAttention(num_heads=2, key_dim=4)(inputs, inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(hidden)))


def two_branches():
    inputs = keras.Input((6,))
    branches = [layers.Dense(4, activation=name)(inputs) for name in ("tanh", "gelu")]
    return keras.Model(inputs, layers.Dense(3)(layers.concatenate(branches)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(4, activation="tanh")
        self.code = layers.Dense(3)

    def call(self, x):
        return self.code(self.hidden(ops.reshape(x, (-1, 6))))


# Name: encoder, shape of a sample.
KINDS = {
    "normalised": (
        lambda: sequential(
            (6,),
            layers.Dense(5),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Dropout(0.3, seed=1),
            layers.LayerNormalization(),
        ),
        (6,),
    ),
    "functional": (two_branches, (6,)),
    "subclassed": (Subclassed, (2, 3)),
    "attention": (attention, (5, 4)),
    "pooled": (
        lambda: sequential(
            (6, 6, 1),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.AveragePooling2D(2, strides=1),
            layers.MaxPooling2D(3),
            layers.Flatten(),
        ),
        (6, 6, 1),
    ),
    "GRU": (lambda: sequential((4, 2), layers.GRU(3)), (4, 2)),
    "LSTM": (lambda: sequential((4, 2), layers.LSTM(3)), (4, 2)),
    "convolution over time": (
        lambda: sequential(
            (None, 2),
            layers.Conv1D(3, 3, activation="tanh"),
            layers.GlobalAveragePooling1D(),
        ),
        (8, 2),
    ),
    "images of any size": (
        lambda: sequential(
            (None, None, 1),
            layers.Conv2D(3, 3, activation="tanh"),
            layers.GlobalAveragePooling2D(),
        ),
        (6, 5, 1),
    ),
    "volumes": (
        lambda: sequential(
            (5, 5, 5, 1), layers.Conv3D(2, 3, activation="tanh"), layers.Flatten()
        ),
        (5, 5, 5, 1),
    ),
}


def differences(encoder, x, step=0.02):
    """Jacobian by central differences of fourth order, `(n, 3, size)`."""
    size = x[0].size
    steps = step * np.eye(size).reshape(size, 1, *x.shape[1:])

    def at(times):
        moved = (x[None] + times * steps).reshape(-1, *x.shape[1:]).astype("float32")
        codes = ops.convert_to_numpy(encoder(moved, training=False)).astype("float64")
        return codes.reshape(size, len(x), 3)

    slope = 8 * (at(1) - at(-1)) - (at(2) - at(-2))
    return np.moveaxis(slope / (12 * step), 0, 2)


# Of loops, below, one that is penalised forwards; the sweep of every layer has one that is
# penalised backwards.
SLOW = ("GRU", "LSTM", "functional", "images of any size")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow if k in SLOW else ()) for k in KINDS]
)
def test_any_encoder_is_differentiated_penalised_and_trained(kind, rng):
    build, shape = KINDS[kind]
    encoder = build()
    x = rng.normal(size=(2, *shape)).astype("float32")
    encoder(x)

    # A wider step could change which entry is the largest of a pool.
    expected = differences(encoder, x, step=0.005 if kind == "pooled" else 0.02)
    found = km.jacobian(encoder, x).reshape(len(x), 3, -1)
    # A rounding of 1e-7 over the step, and the fourth order of the step.
    atol = 2e-4 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=atol)

    decoder = keras.Sequential([layers.Dense(x[0].size), layers.Reshape(shape)])
    penalty = km.ContractivePenalty(0.1, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(keras.optimizers.SGD(1e-3), loss="mse")
    before = encoder.get_weights()
    if kind == "normalised":  # a step may move averages before it asks for the penalty
        norms = model.test_on_batch(x, return_dict=True)["contractive_penalty"]
        model.reset_metrics()
        model.train_on_batch(x)
    else:
        norms = model.train_on_batch(x, return_dict=True)["contractive_penalty"]
    assert norms == pytest.approx((expected**2).sum((1, 2)).mean(), rel=1e-3)
    assert any(np.any(a != b) for a, b in zip(before, encoder.get_weights()))
    assert all(np.isfinite(weight).all() for weight in encoder.get_weights())


ALONE = {"tensorflow": ("SimpleRNN", "LSTM"), "torch": ("Conv1D",), "jax": ()}
LAYERS = {
    "SimpleRNN": lambda: layers.SimpleRNN(2),
    "LSTM": lambda: layers.LSTM(2),
    "Conv1D": lambda: layers.Conv1D(2, 2),
    "LayerNormalization": lambda: layers.LayerNormalization(),
    "Dense": lambda: layers.Dense(2),
}


@pytest.mark.parametrize("of", ["encoder", "decoder"])
@pytest.mark.parametrize("name", LAYERS)
def test_rows_go_one_by_one_where_they_can_not_go_together(name, of, rng, monkeypatch):
    framework, calls = autodiff._framework(), []
    monkeypatch.setattr(framework, "_CONVOLVED_TOGETHER", 1, raising=False)
    together = framework.together

    def counted(*arguments):
        calls.append(arguments)
        return together(*arguments)

    monkeypatch.setattr(framework, "together", counted)
    encoder = keras.Sequential([keras.Input((2, 3)), LAYERS[name](), layers.Flatten()])
    decoder = keras.Sequential([layers.Dense(6), layers.Reshape((2, 3))])
    penalty = km.ContractivePenalty(1.0, of=of, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile("sgd", "mse")
    model.train_on_batch(rng.normal(size=(3, 2, 3)).astype("float32"))
    alone = ALONE[keras.backend.backend()] if of == "encoder" else ()
    assert bool(calls) is (name not in alone)


@pytest.mark.parametrize(
    "layer", [pytest.param(layers.GRU, marks=pytest.mark.slow), layers.SimpleRNN]
)
def test_a_loop_with_more_outputs_than_inputs_is_differentiated_forwards(layer, rng, capfd):
    encoder = keras.Sequential([keras.Input((2, 1)), layer(3)])
    x = rng.normal(size=(3, 2, 1)).astype("float32")
    expected = differences(encoder, x)
    found = km.jacobian(encoder, x).reshape(3, 3, 2)
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())

    penalty = km.ContractivePenalty(1.0, probes="exact")
    decoder = keras.Sequential([layers.Dense(2), layers.Reshape((2, 1))])
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(keras.optimizers.SGD(1e-3), loss=lambda y, y_pred: 0.0 * y_pred)
    first, second = (
        model.train_on_batch(x, return_dict=True)["contractive_penalty"] for _ in range(2)
    )
    assert first == pytest.approx((expected**2).sum((1, 2)).mean(), rel=1e-3)
    assert second < first


def test_encoder_and_decoder_may_share_a_layer(rng):
    shared = layers.Dense(4, use_bias=False)
    halves = [keras.Sequential([keras.Input((4,)), shared]) for _ in range(2)]
    w = rng.normal(size=(4, 4))
    shared.set_weights([w])
    model = km.AutoEncoder(
        *halves, contractive_penalty=km.ContractivePenalty(0.1, probes="exact")
    )
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    x = rng.normal(size=(6, 4)).astype("float32")
    found = model.train_on_batch(x, return_dict=True)
    assert found["reconstruction_loss"] == pytest.approx(
        ((x @ w @ w - x) ** 2).mean(), rel=1e-4
    )
    assert found["contractive_penalty"] == pytest.approx((w**2).sum(), rel=1e-4)
    # The gradient of both: of |xWW - x|^2 through each use of W, and of 0.1 |W|^2.
    error = 2 * (x @ w @ w - x) / x.size
    gradient = (x @ w).T @ error + x.T @ error @ w.T + 0.2 * w
    np.testing.assert_allclose(shared.get_weights()[0], w - 0.01 * gradient, atol=1e-5)


def test_channels_first(rng):
    shape = (2, 6, 5)
    x = rng.normal(size=(4, *shape)).astype("float32")
    keras.config.set_image_data_format("channels_first")
    try:
        figures = []
        watch = km.TangentAnalyzer(
            x[:, :1], k=2, sinks=[lambda name, value, step: figures.append(name)]
        )
        one_channel = km.AutoEncoder.dense((1, 6, 5), 3, units=(), output_activation=None)
        one_channel.compile("sgd", loss="mse")
        one_channel.fit(x[:, :1], callbacks=[watch], verbose=0)
        assert "tangent_vectors" in figures
        built = km.AutoEncoder.convolutional(shape, 3, filters=(2,))
        assert built.decoder.output_shape == (None, *shape)
        assert built.predict(x, verbose=0).shape == x.shape
        assert km.tangent_space(built, x).vectors.shape == (4, 3, *shape)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_rows_through_a_loop_of_unknown_length_are_those_of_the_jacobian(rng):
    # On TensorFlow more of them than are compiled side by side, and no multiple of that.
    inputs = keras.Input((None, 2))
    encoder = keras.Model(inputs, layers.SimpleRNN(7)(inputs))
    decoder = keras.Sequential([layers.Dense(6), layers.Reshape((3, 2))])
    penalty = km.ContractivePenalty(0.1, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    x = rng.normal(size=(4, 3, 2)).astype("float32")
    expected = np.square(km.jacobian(encoder, x)).sum() / len(x)
    history = model.fit(x, verbose=0).history
    assert history["contractive_penalty"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # a generator does
def test_codes_of_an_unknown_size_need_random_probes(rng):
    inputs = keras.Input((None, None, 1))
    encoder = keras.Model(inputs, layers.Conv2D(2, 3)(inputs))
    decoder = layers.Conv2DTranspose(1, 3)
    batches = [rng.normal(size=(2, s, s, 1)).astype("float32") for s in (5, 6, 7)]
    for probes in (1, "exact"):
        penalty = km.ContractivePenalty(0.1, probes=probes)
        model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
        model.compile("sgd", loss="mse")
        if probes == "exact" and keras.backend.backend() == "tensorflow":
            with pytest.raises(ValueError, match=r"outputs of a known size.*`probes`"):
                model.fit(((x,) for x in batches), shuffle=False, verbose=0)
        else:
            history = model.fit(((x,) for x in batches), shuffle=False, verbose=0).history
            assert np.isfinite(history["loss"][0])


# Shared with the forward pass of the loss or not, a penalty must neither update moving
# averages, nor take seeds from Dropout, nor lose losses or masks.
UNTOUCHED = {
    "dense": lambda: [layers.Dense(3, activation="tanh")],
    "BatchNormalization": lambda: [layers.BatchNormalization(), layers.Dense(3)],
    "Dropout": lambda: [layers.Dropout(0.5, seed=1), layers.Dense(3)],
    "regularised": lambda: [
        layers.Dense(3, activity_regularizer="l2", kernel_regularizer="l2")
    ],
    "masked": lambda: [layers.Masking(), layers.Dense(3)],
}


@pytest.mark.parametrize("of", ["code", "reconstruction"])
@pytest.mark.parametrize("kind", UNTOUCHED)
@pytest.mark.filterwarnings("ignore:.*will therefore destroy the mask")  # by the decoder
def test_a_penalty_of_weight_zero_changes_nothing(kind, of, rng):
    x = rng.normal(size=(16, 4, 6)).astype("float32")
    x[:, 2] = 0.0  # masked, if there is a mask
    weights, losses = [], []
    for penalty in (None, km.ContractivePenalty(0.0, of=of)):
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential([keras.Input((4, 6)), *UNTOUCHED[kind]()])
        decoder = keras.Sequential([keras.Input((4, 3)), layers.Dense(6)])
        model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        history = model.fit(x, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        weights.append(model.get_weights())
        losses.append(history["loss"] + history["reconstruction_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
