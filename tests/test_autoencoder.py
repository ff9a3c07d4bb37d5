import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km


def to_numpy(value):
    return ops.convert_to_numpy(value)


PARTS = ("encoder", "decoder", "reconstruction")


def small(**options):
    return km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(16,), **options)


def compiled(model, **options):
    model.compile(keras.optimizers.Adam(1e-2), loss="mse", **options)
    return model


def test_fit_needs_the_inputs_only_and_learns(digits):
    model = compiled(small())
    history = model.fit(
        digits, validation_data=(digits[:100],), epochs=5, verbose=0
    ).history
    assert set(history) == {
        "loss",
        "val_loss",
        "reconstruction_loss",
        "val_reconstruction_loss",
    }
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert history["loss"] == history["reconstruction_loss"]


def test_a_learned_line_is_recovered():
    # On a line in the plane one code suffices: the error goes to zero, and the tangent
    # of the encoder and decoder turns to the line.
    t = np.linspace(-1, 1, 256, dtype="float32")[:, None]
    line = np.array([[0.6, 0.8]], "float32")
    encoder = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    decoder = keras.Sequential([keras.Input((1,)), layers.Dense(2)])
    model = km.AutoEncoder(
        encoder, decoder, noise=km.NoiseInjection("gaussian", 0.3, seed=0)
    )
    model.compile(keras.optimizers.Adam(0.02), loss="mse")
    model.fit(t @ line, epochs=60, verbose=0)
    assert model.evaluate(t @ line, verbose=0, return_dict=True)["loss"] < 0.01
    tangent = km.tangent_space(model, t[:1] @ line)
    assert km.principal_angles(tangent, line[None])[0, 0] < 0.1


def test_metrics_are_those_of_a_linear_autoencoder_by_hand(rng):
    x = rng.normal(size=(10, 4)).astype("float32")
    w, v = rng.normal(size=(4, 2)), rng.normal(size=(2, 4))
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(2, use_bias=False)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4, use_bias=False)])
    encoder.set_weights([w])
    decoder.set_weights([v])
    penalty = km.ContractivePenalty(0.5, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(loss="mse", metrics=["mae"])
    error = x @ w @ v - x
    found = model.evaluate(x, batch_size=4, verbose=0, return_dict=True)  # 4 + 4 + 2
    expected = {
        "reconstruction_loss": (error**2).mean(),
        "contractive_penalty": (w**2).sum(),
        "mae": np.abs(error).mean(),
    }
    expected["loss"] = (
        expected["reconstruction_loss"] + 0.5 * expected["contractive_penalty"]
    )
    assert found == pytest.approx(expected, rel=1e-4)


def test_regularisation_losses_are_in_the_loss_but_not_in_the_reconstruction(rng):
    encoder = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(
                2,
                kernel_regularizer=keras.regularizers.L2(0.1),
                activity_regularizer=keras.regularizers.L2(0.1),
            ),
        ]
    )
    decoder = layers.Dense(4)
    penalty = km.ContractivePenalty(0.5, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(loss="mse")
    # One sample: old versions of Keras sum the regularisation of activities over a batch.
    x = rng.normal(size=(1, 4)).astype("float32")
    found = model.evaluate(x, verbose=0, return_dict=True)
    error = to_numpy(model(x)) - x
    (w, _), codes = encoder.get_weights(), to_numpy(model.encode(x))
    assert found["reconstruction_loss"] == pytest.approx((error**2).mean(), rel=1e-4)
    added = (0.5 + 0.1) * (w**2).sum() + 0.1 * (codes**2).sum()
    assert found["loss"] - found["reconstruction_loss"] == pytest.approx(added, rel=1e-4)


def test_the_penalty_shrinks_the_jacobian(digits):
    norms = {}
    for weight in (0.0, 0.1):
        keras.utils.set_random_seed(0)
        model = compiled(small(contractive_penalty=weight))
        history = model.fit(digits[:500], epochs=3, verbose=0).history
        norms[weight] = history["contractive_penalty"][-1]
    assert norms[0.1] < 0.3 * norms[0.0]


def test_noise_is_in_training_only(digits):
    model = compiled(small(noise=km.NoiseInjection("masking", 1.0)))
    plain = compiled(km.AutoEncoder(model.encoder, model.decoder))
    x = digits[:5]
    expected = to_numpy(plain(x))
    for found in (model(x), model(x, training=False), model.predict(x, verbose=0)):
        np.testing.assert_allclose(to_numpy(found), expected, atol=1e-6)
    erased = to_numpy(model(x, training=True))
    np.testing.assert_allclose(erased, np.broadcast_to(erased[:1], erased.shape), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 9, 3), (5, 5, 1), (2, 3, 1), (28, 28, 1)])
def test_the_convolutional_network_takes_images_of_any_size(shape, rng):
    model = compiled(km.AutoEncoder.convolutional(shape, latent_dim=2, filters=(4, 8)))
    x = rng.uniform(size=(3, *shape)).astype("float32")
    assert model.encode(x).shape == (3, 2)
    assert model.decode(np.zeros((3, 2), "float32")).shape == x.shape
    assert model.predict(x, verbose=0).shape == x.shape


def test_the_convolutional_network_is_the_labs():
    model = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=32)
    shapes = [layer.output.shape[1:] for layer in model.encoder.layers[1:]]
    assert shapes == [(13, 13, 32), (6, 6, 64), (2304,), (32,)]
    shapes = [layer.output.shape[1:] for layer in model.decoder.layers[1:]]
    assert shapes == [(1568,), (7, 7, 32), (14, 14, 64), (28, 28, 32), (28, 28, 1)]


@pytest.mark.parametrize("labels", [np.zeros(20), np.eye(20), np.zeros((20, 1))])
def test_labels_passed_by_mistake_are_refused(labels, digits):
    model = compiled(small())
    with pytest.raises(ValueError, match=r"target of shape \(.*leave labels out"):
        model.fit(digits[:20], labels, verbose=0)


def test_a_target_of_the_shape_of_the_input_is_enough(rng):
    # Grey values as classes: the output has one number more a pixel than the target.
    encoder = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    decoder = keras.Sequential([layers.Dense(4 * 4 * 16), layers.Reshape((4, 4, 16))])
    model = km.AutoEncoder(encoder, decoder)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss=loss)
    x = rng.integers(16, size=(6, 4, 4, 1)).astype("float32")
    assert np.isfinite(model.fit(x, verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"encoder": lambda x: x}, "`encoder` must be a Keras layer.*Lambda"),
        ({"decoder": None}, "`decoder` must be a Keras layer.*decoder=None"),
        ({"noise": "0.4"}, "`noise` must be a Keras layer.*noise='0.4'"),
        ({"noise": True}, "`noise` must be a Keras layer.*noise=True"),
        ({"contractive_penalty": True}, "contractive_penalty=True"),
        ({"contractive_penalty": "0.1"}, "contractive_penalty='0.1'"),
    ],
)
def test_parts_that_are_no_layers_are_refused(parts, message):
    good = {"encoder": layers.Dense(2), "decoder": layers.Dense(4)}
    with pytest.raises(TypeError, match=message):
        km.AutoEncoder(**{**good, **parts})


def test_errors_of_reconstructions_are_those_of_each_sample_and_entry(digits):
    model = small(noise=0.5)
    entries = (model.predict(digits[:70], verbose=0) - digits[:70]) ** 2
    for x in (digits[:70], [digits[:50], (digits[50:70], None)]):
        found = model.reconstruction_errors(x)
        np.testing.assert_allclose(found, entries.mean((1, 2, 3)), rtol=1e-4)
        each = model.reconstruction_errors(x, reduce=False, batch_size=np.uint8(16))
        np.testing.assert_allclose(each, entries, rtol=1e-3, atol=1e-6)


def test_an_autoencoder_with_feature_maps_as_codes_is_watched_as_any_other(rng):
    encoder = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(2, 3, activation="tanh", padding="same"),
            layers.MaxPooling2D(2, padding="same"),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((2, 2, 2)),
            layers.Conv2D(3, 3, activation="tanh", padding="same"),
            layers.UpSampling2D(2),
            layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
        ]
    )
    penalty = km.ContractivePenalty(0.01, probes="exact")
    model = compiled(km.AutoEncoder(encoder, decoder, contractive_penalty=penalty))
    x = rng.uniform(size=(4, 4, 4, 1)).astype("float32")
    watches = [km.TangentAnalyzer(x[:2], k=3, of=of, prefix=of) for of in PARTS]
    model.fit(x, verbose=0, callbacks=watches)
    flat = keras.Sequential([encoder, layers.Flatten()])
    jacobian = km.jacobian(flat, x).reshape(4, 8, 16)
    expected = np.linalg.svd(jacobian, compute_uv=False)
    space = km.tangent_space(model, x)
    assert space.code_vectors.shape == (4, 8, 2, 2, 2)
    np.testing.assert_allclose(space.singular_values, expected, atol=1e-5)
    assert watches[0].history["encoder_top"][-1] == pytest.approx(
        expected[:2, 0].mean(), rel=1e-4
    )
    found = model.evaluate(x, verbose=0, return_dict=True)["contractive_penalty"]
    assert found == pytest.approx((jacobian**2).sum((1, 2)).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        ("convolutional", ((28,), 2), "`input_shape` must be 2, 3 or 4 whole numbers"),
        (
            "convolutional",
            ((28, None, 1), 2),
            r"`input_shape\[1\]` must be .*=None",
        ),
        ("dense", ((), 2), "`input_shape` must be at least one whole number"),
        ("dense", ("8", 2), "`input_shape` must be a tuple.*'8'"),
        ("dense", ((8, 8, 1), 0), "`latent_dim` must be .* latent_dim=0"),
        ("convolutional", ((8, 8, 1), 2.5), "`latent_dim` must be .* latent_dim=2.5"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(km.AutoEncoder, build)(*arguments)


@pytest.mark.parametrize("of", ["code", "reconstruction"])
def test_penalty_and_loss_share_a_forward_pass_where_noise_allows_it(of, rng):
    x = rng.normal(size=(8, 4)).astype("float32")
    calls = []

    def counted(x):
        calls.append(1)
        return ops.tanh(x)

    def evaluations(**options):
        encoder = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation=counted)])
        decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
        model = km.AutoEncoder(encoder, decoder, **options)
        model.compile("sgd", loss="mse", run_eagerly=True)
        model.train_on_batch(x)  # builds it
        model.test_on_batch(x)  # where JAX has values, with which a penalty is checked
        calls.clear()
        model.train_on_batch(x)
        model.test_on_batch(x)
        return len(calls)

    penalty = km.ContractivePenalty(0.1, of=of)
    noise = km.NoiseInjection("gaussian", 0.1)
    assert evaluations() == 2
    assert evaluations(contractive_penalty=penalty) == 2
    assert evaluations(contractive_penalty=penalty, noise=noise) == 3


@pytest.mark.parametrize("layer", ["BatchNormalization", "Dropout", "subclassed", "none"])
def test_the_penalty_is_that_of_inference_however_the_forward_pass_is_shared(layer, rng):
    x = rng.normal(size=(16, 4)).astype("float32")

    class Doubles(layers.Layer):
        def call(self, x, training=None):
            return 2 * x if training else x

    kinds = {
        "BatchNormalization": layers.BatchNormalization(momentum=1.0),
        "Dropout": layers.Dropout(0.5, seed=1),
        "subclassed": Doubles(),
        "none": layers.Activation("linear"),
    }
    nested = keras.Sequential([keras.Input((4,)), kinds[layer]])
    encoder = keras.Sequential([keras.Input((4,)), nested, layers.Dense(2, use_bias=False)])
    penalty = km.ContractivePenalty(0.1, probes="exact")
    model = km.AutoEncoder(encoder, layers.Dense(4), contractive_penalty=penalty)
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    w = encoder.layers[-1].get_weights()[0]
    found = model.train_on_batch(x, return_dict=True)["contractive_penalty"]
    # In inference the statistics are still 0 and 1.
    scale = 1 / 1.001 if layer == "BatchNormalization" else 1.0
    assert found == pytest.approx(scale * (w**2).sum(), rel=1e-4)


def test_a_subclass_may_call_as_it_likes_and_the_penalty_stays_at_the_clean_input(rng):
    x = rng.normal(size=(8, 4)).astype("float32")

    class Displaced(km.AutoEncoder):
        def call(self, inputs, training=None):
            return super().call(inputs + 3.0, training=training)

    class Reconstructing(km.AutoEncoder):
        def compute_loss(self, x=None, *others, **options):
            again = self(x + 3.0, training=True)
            return super().compute_loss(x, *others, **options) + 0.0 * ops.mean(again)

    for cls in (km.AutoEncoder, Displaced, Reconstructing):
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="tanh")])
        penalty = km.ContractivePenalty(0.1, probes="exact")
        model = cls(encoder, layers.Dense(4), contractive_penalty=penalty)
        model.compile(keras.optimizers.SGD(0.0), loss="mse")
        w, b = encoder.get_weights()
        slopes = 1 - np.tanh(x @ w + b) ** 2
        expected = (slopes**2 * (w**2).sum(0)).sum(1).mean()
        found = model.train_on_batch(x, return_dict=True)["contractive_penalty"]
        assert found == pytest.approx(expected, rel=1e-4), cls
