"""What may be set on a finished model, and an autoencoder in other hands than `fit`'s."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km

N = 512


def linear(rng, **options):
    """A linear autoencoder that does not train, and the weights of its encoder."""
    w = rng.normal(size=(6, 2)).astype("float32")
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(2, use_bias=False)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(6, use_bias=False)])
    encoder.set_weights([w])
    model = km.AutoEncoder(encoder, decoder, **options)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model, w


def identity(noise):
    halves = [keras.Sequential([keras.Input((8,)), layers.Rescaling(1.0)]) for _ in "ab"]
    model = km.AutoEncoder(*halves, noise=noise)
    model.compile("sgd", "mse")
    return model


def penalty_of(w):
    return pytest.approx(np.square(w).sum(), rel=1e-4)


def exact(weight=1.0, **options):
    return km.ContractivePenalty(weight, probes="exact", **options)


class During(keras.callbacks.Callback):
    """Changes the model at the beginning of each epoch."""

    def __init__(self, *changes):
        super().__init__()
        self.changes = changes

    def on_epoch_begin(self, epoch, logs=None):
        self.changes[epoch](self.model)


def test_noise_that_is_replaced_or_removed_while_fit_runs_is_gone_in_the_next_step():
    def replaced(noise):
        return lambda model: setattr(model, "noise", noise)

    changes = During(
        lambda model: None,
        replaced(0.5),
        lambda model: setattr(model.noise, "clip", (2.0, 3.0)),
        replaced(None),
        replaced(km.NoiseInjection("masking", 1.0)),
    )
    model = identity(km.NoiseInjection("gaussian", 1.0, seed=0))
    history = model.fit(np.ones((N, 8), "f4"), epochs=5, verbose=0, callbacks=[changes])
    expected = [1.0, 0.25, 1.0, 0.0, 1.0]
    np.testing.assert_allclose(history.history["loss"], expected, rtol=0.1, atol=1e-6)
    assert len(model.layers) == 3


def test_a_level_is_followed_within_an_epoch():
    class EachBatch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.noise.level = 1.0

    model, x = identity(km.NoiseInjection("gaussian", 0.0, seed=0)), np.ones((64, 8), "f4")
    loss = model.fit(x, batch_size=16, verbose=0, callbacks=[EachBatch()]).history["loss"]
    assert loss[0] == pytest.approx(0.75, rel=0.2)


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "compiled again"])
def test_a_penalty_that_is_set_on_a_finished_model_counts_in_the_next_step(again, rng):
    model, w = linear(rng, noise=0.1)
    x = rng.normal(size=(16, 6)).astype("float32")
    before = model.fit(x, verbose=0).history
    assert "contractive_penalty" not in before
    model.contractive_penalty = exact(0.5)
    if again:
        model.compile(keras.optimizers.SGD(0.0), "mse")
    history = model.fit(x, validation_data=x, verbose=0).history
    assert history["contractive_penalty"][0] == penalty_of(w)
    difference = history["val_loss"][0] - history["val_reconstruction_loss"][0]
    assert difference == pytest.approx(0.5 * np.square(w).sum(), rel=1e-4)
    model.contractive_penalty = None
    assert "contractive_penalty" not in model.fit(x, verbose=0).history


def test_further_penalties_may_be_set_too_and_are_checked_first(rng):
    model, w = linear(rng, contractive_penalty=exact())
    x = rng.normal(size=(16, 6)).astype("float32")
    model.train_on_batch(x)
    model.penalties = [exact(of="decoder", name="of_decoder")]
    found = model.train_on_batch(x, return_dict=True)
    (v,) = model.decoder.get_weights()
    assert found["contractive_penalty"] == penalty_of(w)
    assert found["of_decoder"] == penalty_of(v)
    with pytest.raises(ValueError, match="a second one named 'contractive_penalty'"):
        model.penalties = [exact()]
    with pytest.raises(TypeError, match=r"contractive_penalty='0\.1'"):
        model.contractive_penalty = "0.1"
    assert [penalty.name for penalty in model.penalties] == ["of_decoder"]
    with pytest.raises(ValueError, match="`encoder` can't be changed"):
        model.encoder = model.decoder


def test_the_summary_is_in_the_order_of_the_data(rng):
    model, _ = linear(rng)
    model.noise, model.contractive_penalty = 0.25, exact(0.5)
    lines = []
    model.summary(print_fn=lines.append)
    names = [model.noise.name, model.encoder.name, model.decoder.name]
    places = ["\n".join(lines).index(f" {name} ") for name in names]
    assert places == sorted(places)


def test_shapes_are_those_of_the_halves(rng):
    model, _ = linear(rng)
    assert (model.input_shape, model.output_shape) == ((None, 6), (None, 6))


def test_what_was_set_is_saved(rng, tmp_path):
    model, w = linear(rng)
    x = rng.normal(size=(16, 6)).astype("float32")
    model.fit(x, verbose=0)
    model.noise, model.contractive_penalty = 0.25, exact(0.5)
    model.fit(x, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.noise.level == 0.25
    found = loaded.evaluate(x, verbose=0, return_dict=True)
    assert found["contractive_penalty"] == penalty_of(w)


class Corrupts(layers.Layer):
    def call(self, x):
        return x + 1.0


@pytest.mark.parametrize(
    "noise",
    [
        Corrupts(),
        layers.Lambda(lambda x: x + 1.0),
        keras.Sequential([keras.Input((8,)), layers.Rescaling(1.0, offset=1.0)]),
    ],
    ids=["layer", "Lambda", "Sequential"],
)
def test_noise_acts_while_training_only_whatever_the_layer(noise):
    model, x = identity(noise), np.ones((4, 8), "float32")
    history = model.fit(x, validation_data=x, verbose=0).history
    assert (history["loss"], history["val_loss"]) == ([1.0], [0.0])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def larger(auto):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, auto(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def test_the_penalty_counts_once_inside_a_larger_model(rng):
    auto, w = linear(rng, contractive_penalty=exact(3.0))
    x = rng.normal(size=(16, 6)).astype("float32")
    own = auto.evaluate(x, verbose=0, return_dict=True)
    model = larger(auto)
    assert model.evaluate(x, x, verbose=0) == pytest.approx(own["loss"], rel=1e-4)
    assert model.fit(x, x, verbose=0).history["loss"][0] == pytest.approx(
        own["loss"], rel=1e-4
    )
    jacobian = km.jacobian(model, x[:2])
    (v,) = auto.decoder.get_weights()
    expected = (w @ v).T
    np.testing.assert_allclose(jacobian, np.stack([expected] * 2), atol=1e-5)
    assert auto.fit(x, verbose=0).history["loss"][0] == pytest.approx(own["loss"], rel=1e-4)


class Larger(keras.Model):
    def __init__(self, auto):
        super().__init__()
        self.auto = auto

    def call(self, x, training=None):
        return self.auto(x, training=training)


def test_inside_a_subclassed_model_the_penalty_counts_in_training(rng):
    auto, _ = linear(rng, contractive_penalty=exact(3.0))
    x = rng.normal(size=(16, 6)).astype("float32")
    own = auto.evaluate(x, verbose=0, return_dict=True)
    model = Larger(auto)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    history = model.fit(x, x, validation_data=(x, x), verbose=0).history
    assert history["loss"][0] == pytest.approx(own["loss"], rel=1e-4)
    assert history["val_loss"][0] == pytest.approx(own["reconstruction_loss"], rel=1e-4)


def test_inference_computes_no_penalty_where_the_model_stands_alone(rng, tmp_path):
    auto, _ = linear(rng, contractive_penalty=exact(3.0))
    x = rng.normal(size=(16, 6)).astype("float32")
    auto.fit(x, validation_data=x, verbose=0)
    auto.summary(print_fn=lambda line: None)
    auto.save(tmp_path / "model.keras")
    for model in (auto, keras.models.load_model(tmp_path / "model.keras")):
        model.evaluate(x, verbose=0)
        model.predict(x, verbose=0)
        assert model(x, training=False).shape == x.shape
        assert model.losses == []


def test_a_training_loop_of_ones_own_finds_the_penalty_in_the_losses(rng):
    auto, w = linear(rng, contractive_penalty=exact(3.0))
    x = ops.convert_to_tensor(rng.normal(size=(16, 6)).astype("float32"))
    outputs = auto(x, training=True)
    (loss,) = auto.losses
    assert float(ops.convert_to_numpy(loss)) == pytest.approx(
        3 * np.square(w).sum(), rel=1e-4
    )
    total = auto.compute_loss(x, x, outputs)
    expected = (
        float(ops.convert_to_numpy(ops.mean((outputs - x) ** 2))) + 3 * np.square(w).sum()
    )
    assert float(ops.convert_to_numpy(total)) == pytest.approx(expected, rel=1e-4)
    auto(x)
    auto.predict(x, verbose=0)
    assert auto.losses == []


def test_build_makes_the_halves_so_that_weights_load(rng, tmp_path):
    def make():
        encoder = keras.Sequential([layers.Flatten(), layers.Dense(3)])
        return km.AutoEncoder(
            encoder, keras.Sequential([layers.Dense(8)]), noise=Corrupts()
        )

    model, other = make(), make()
    x = rng.normal(size=(4, 8)).astype("float32")
    model(x)
    model.save_weights(tmp_path / "w.weights.h5")
    other.build((None, 8))
    other.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(
        other.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )


def two_inputs():
    """Halves of two inputs and outputs, and the same as one plain model."""
    a, b, z = keras.Input((6,), name="a"), keras.Input((4,), name="b"), keras.Input((3,))
    encoder = keras.Model([a, b], layers.Dense(3)(layers.Concatenate()([a, b])))
    decoder = keras.Model(z, [layers.Dense(6)(z), layers.Dense(4)(z)])
    return encoder, decoder, keras.Model([a, b], decoder(encoder([a, b])))


@pytest.mark.parametrize("loss", ["mse", ["mse", "mae"]])
def test_several_inputs_are_reconstructed_with_the_loss_of_plain_keras(loss, rng):
    encoder, decoder, plain = two_inputs()
    x = [rng.normal(size=(16, size)).astype("float32") for size in (6, 4)]
    weights = rng.uniform(size=16).astype("float32")
    plain.compile("sgd", loss)
    model = km.AutoEncoder(encoder, decoder)
    model.compile("sgd", loss)
    for options in ({}, {"sample_weight": weights}):
        expected = plain.evaluate(x, x, **options, verbose=0, return_dict=True)["loss"]
        for data in ({"x": x}, {"x": x, "y": x}, {"x": dict(zip("ab", x))}):
            found = model.evaluate(**data, **options, verbose=0, return_dict=True)
            assert found["loss"] == pytest.approx(expected, rel=1e-4)
            assert found["reconstruction_loss"] == pytest.approx(expected, rel=1e-4)
    before = model.get_weights()
    model.fit(x, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])
    with pytest.raises(ValueError, match="1 targets for 2 outputs"):
        model.evaluate(x, x[0], verbose=0)
    with pytest.raises(ValueError, match="Noise and penalties are of one input"):
        km.AutoEncoder(encoder, decoder, noise=0.1)


def test_a_head_beside_the_reconstruction_has_targets_of_its_own(rng):
    z = keras.Input((3,))
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    decoder = keras.Model(z, [layers.Dense(6)(z), layers.Dense(5)(z)])
    x, labels = rng.normal(size=(16, 6)).astype("float32"), np.arange(16) % 5
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain = keras.Sequential([encoder, decoder])
    plain.compile("sgd", ["mse", crossentropy])
    model = km.AutoEncoder(encoder, decoder)
    model.compile("sgd", ["mse", crossentropy])
    expected = plain.evaluate(x, [x, labels], verbose=0, return_dict=True)["loss"]
    found = model.evaluate(x, [x, labels], verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="1 inputs and 2 outputs"):
        model.fit(x, verbose=0)
    assert len(model.get_weights()) == 6


def test_codes_must_be_one_tensor():
    i, z = keras.Input((6,)), keras.Input((3,))
    several = keras.Model(i, [layers.Dense(3)(i) for _ in range(3)])
    decoder = keras.Model(z, layers.Dense(6)(z))
    with pytest.raises(ValueError, match=r"a list of 3.*variational encoder"):
        km.AutoEncoder(several, decoder)

    class Undeclared(layers.Layer):
        def call(self, x):
            return {"mean": x[:, :3]}

    with pytest.raises(ValueError, match="a dict of 1"):
        km.AutoEncoder(Undeclared(), decoder)(np.ones((2, 6), "float32"))


@pytest.mark.parametrize(
    "wrap", [lambda x: {"image": x}, lambda x: [x]], ids=["dict", "list"]
)
def test_one_input_by_its_name(wrap, rng):
    i, x = keras.Input((6,), name="image"), rng.normal(size=(16, 6)).astype("float32")
    encoder = keras.Model(i, layers.Dense(3)(i))
    model = km.AutoEncoder(encoder, keras.Sequential([layers.Dense(6)]), noise=0.0)
    model.compile("sgd", "mse")
    expected = model.evaluate(x, verbose=0, return_dict=True)
    given = [wrap(x)]
    # Keras makes a tf.data.Dataset of a generator, which takes no lists.
    if isinstance(given[0], dict) or keras.backend.backend() != "tensorflow":
        given.append((wrap(x[j : j + 8]),) for j in (0, 8))
    for data in given:
        found = model.evaluate(data, verbose=0, return_dict=True)
        assert found == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        model.predict(wrap(x), verbose=0), model.predict(x, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("name", ["fit", "evaluate"])
def test_a_refused_call_keeps_the_weights(name, rng):
    model, w = linear(rng, noise=0.1)
    x = rng.normal(size=(16, 6)).astype("float32")
    model.fit(x, verbose=0)
    with pytest.raises(ValueError, match="leave labels out"):
        getattr(model, name)(x, np.zeros(16), verbose=0)
    np.testing.assert_allclose(model.encoder.get_weights()[0], w)
    model.fit(x, verbose=0)


@pytest.mark.parametrize("monitor", ["val_reconstruction_loss", "contractive_penalty"])
def test_callbacks_may_watch_our_quantities_without_a_mode(monitor, rng):
    model, _ = linear(rng, contractive_penalty=exact(0.1))
    x = rng.normal(size=(16, 6)).astype("float32")
    stopping = keras.callbacks.EarlyStopping(monitor, patience=1)
    history = model.fit(x, validation_data=x, epochs=5, verbose=0, callbacks=[stopping])
    assert len(history.history["loss"]) == 2  # nothing improves after the first


class Sub(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(6)

    def call(self, x):
        return self.dense(x)


def answers(model):
    found = {}
    for name in ("inputs", "outputs", "input", "output"):
        try:
            found[name] = getattr(model, name).shape
        except (AttributeError, ValueError) as error:
            found[name] = type(error)
    return found


@pytest.mark.filterwarnings("ignore:.*was called on layer")  # Keras, of `Sub`
def test_inputs_and_outputs_answer_as_those_of_other_subclassed_models():
    plain = Sub()
    halves = [keras.Sequential([keras.layers.Dense(units)]) for units in (2, 6)]
    model = km.AutoEncoder(*halves)
    for one in (plain, model):
        one.build((None, 6))
    assert answers(model) == answers(plain)
    assert (model.input_shape, model.output_shape) == ((None, 6), (None, 6))
    for one in (plain, model):
        one(keras.Input((6,)))
    assert answers(model) == answers(plain)
    assert answers(model)["output"] == (None, 6)
    layers_alone = km.AutoEncoder(keras.layers.Dense(2), keras.layers.Dense(6))
    layers_alone.build((None, 6))
    assert not hasattr(layers_alone, "input_shape"), "as Keras's own layers say"
