"""Files: saved models, weights, clones, exports."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import keras_manifold as km

BACKEND = keras.backend.backend()


def small(**options):
    return km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(16,), **options)


def regularised(seed=None):
    return small(
        noise=km.NoiseInjection("gaussian", 0.3, seed=seed),
        contractive_penalty=km.ContractivePenalty(0.1, seed=seed),
    )


def compiled(model):
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    return model


def test_a_loaded_model_is_the_saved_one_and_trains_on_to_the_same_losses(digits, tmp_path):
    # With all that draws: noise, probes, and Dropout, whose seed Keras does not save (and
    # does not use on PyTorch, unless it is given).
    dropout = layers.Dropout(0.3, seed=5)
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), dropout, layers.Dense(3)]
    )
    model = compiled(
        km.AutoEncoder(
            encoder,
            keras.Sequential([layers.Dense(64), layers.Reshape((8, 8, 1))]),
            noise=km.NoiseInjection("gaussian", 0.3),
            contractive_penalty=km.ContractivePenalty(0.1),
        )
    )
    model.fit(digits[:100], epochs=1, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.predict(digits[:5], verbose=0),
        model.predict(digits[:5], verbose=0),
        atol=1e-6,
    )
    losses = [
        m.fit(digits[:100], epochs=2, shuffle=False, verbose=0).history
        for m in (model, again)
    ]
    for name in losses[0]:
        assert losses[0][name] == pytest.approx(losses[1][name], rel=1e-5), name


def test_noise_and_penalty_are_saved_with_the_model(tmp_path):
    model = small(
        noise=km.NoiseInjection("gaussian", 0.4, clip=(0, 1), seed=1),
        contractive_penalty=km.ContractivePenalty(0.1, probes=2, seed=2),
        name="watched",
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())
    assert again.noise.get_config() == model.noise.get_config()
    assert again.contractive_penalty.get_config() == model.contractive_penalty.get_config()


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_weights_file_brings_weights_and_seeds(digits, tmp_path):
    model, again = compiled(regularised()), compiled(regularised())
    model.fit(digits[:32], verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    losses = [m.evaluate(digits[:32], verbose=0, return_dict=True) for m in (model, again)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_weights_load_into_a_model_with_other_noise(digits, tmp_path):
    model = regularised()
    model.save_weights(tmp_path / "model.weights.h5")
    plain = small()
    with pytest.warns(UserWarning, match="2 states of random numbers, this model has 0"):
        plain.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(
        plain.predict(digits[:3], verbose=0), model.predict(digits[:3], verbose=0)
    )


def test_the_weight_of_a_penalty_is_a_setting_not_a_weight(digits, tmp_path):
    # As a learning rate: whole models keep it, and a run that is resumed, but not a model
    # that was made with another.
    plain, weak, strong = (small(contractive_penalty=p) for p in (None, 0.1, 0.5))
    plain.set_weights(strong.get_weights())
    weak.contractive_penalty.weight = 0.2
    weak.save(tmp_path / "model.keras")
    weak.save_weights(tmp_path / "model.weights.h5")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.contractive_penalty.get_config()["weight"] == pytest.approx(0.2)
    resumed = small(contractive_penalty=0.1)
    resumed.load_weights(tmp_path / "model.weights.h5")
    assert resumed.contractive_penalty.get_config()["weight"] == pytest.approx(0.2)
    strong.load_weights(tmp_path / "model.weights.h5")
    assert strong.contractive_penalty.get_config()["weight"] == 0.5
    for one, other in zip(weak.get_weights(), strong.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.warns(UserWarning, match="states of random numbers"):
        plain.load_weights(tmp_path / "model.weights.h5")


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_safe_mode_refuses_what_may_run_code(tmp_path):
    decoder = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: 2 * x)])
    model = km.AutoEncoder(keras.Sequential([keras.Input((3,))]), decoder)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"[Ll]ambda.*safe_mode"):
        keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)


def test_training_goes_on_where_a_backup_stands(digits, tmp_path):
    def trained(model, epochs, directory):
        backup = keras.callbacks.BackupAndRestore(directory, delete_checkpoint=False)
        model.fit(digits[:64], epochs=epochs, shuffle=False, verbose=0, callbacks=[backup])
        return model.get_weights()

    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        models.append(compiled(regularised(seed=3)))
    whole = trained(models[0], 3, tmp_path / "whole")
    trained(models[1], 2, tmp_path / "parts")
    keras.utils.set_random_seed(1)
    resumed = trained(compiled(regularised(seed=4)), 3, tmp_path / "parts")
    for one, other in zip(whole, resumed):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_clone_is_a_new_model_of_the_same_parts(digits):
    model = regularised()
    clone = keras.models.clone_model(model)
    assert isinstance(clone, km.AutoEncoder)
    assert clone.get_config() == model.get_config()
    assert clone.encoder is not model.encoder
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        clone.predict(digits[:3], verbose=0), model.predict(digits[:3], verbose=0)
    )


def parts_and_inputs(model, x):
    codes = np.random.default_rng(0).normal(size=(len(x), 3)).astype("float32")
    return {
        "model": (model, x),
        "encoder": (model.encoder, x),
        "decoder": (model.decoder, codes),
    }


@pytest.mark.filterwarnings("ignore")  # of the exporters
@pytest.mark.skipif(
    BACKEND == "torch", reason="Keras exports none there: see test_limits.py"
)
@pytest.mark.parametrize("part", ["model", "encoder", "decoder"])
def test_an_exported_saved_model_gives_the_same(part, digits, tmp_path, tf):
    exported, x = parts_and_inputs(regularised(), digits[:5])[part]
    exported.export(tmp_path / "model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "model")
    for batch in (x, x[:2]):
        expected = exported.predict(batch, verbose=0)
        np.testing.assert_allclose(loaded.serve(batch), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of the exporters
@pytest.mark.parametrize("part", ["model", "encoder", "decoder"])
def test_an_exported_onnx_model_gives_the_same(part, digits, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="of the extra `dev`")
    exported, x = parts_and_inputs(regularised(), digits[:5])[part]
    path = tmp_path / "model.onnx"
    exported.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    for batch in (x, x[:2]):
        (found,) = session.run(None, {session.get_inputs()[0].name: batch})
        expected = exported.predict(batch, verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
