"""Every class that we register with Keras keeps the promises of a Keras layer or model.

In the manner of KerasHub's `run_layer_test`. A class is found by its registration: one
without an entry in `CASES` fails `test_every_registered_class_has_a_case`.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km

PACKAGE = "keras_manifold>"
X = np.random.default_rng(0).uniform(size=(8, 4, 4, 1)).astype("float32")


@dataclasses.dataclass
class Case:
    """One class with what it promises.

    `in_model(layer)` is a model from images to images that trains with it.
    """

    cls: type
    options: dict
    in_model: Callable
    maps_tensors: bool = True  # called with one tensor, symbolic ones too
    in_tf_data: bool = False
    output_shape: tuple = X.shape


def of_layers(noise):
    return keras.Sequential([keras.Input(X.shape[1:]), noise, layers.Dense(1)])


def with_penalty(penalty):
    return km.AutoEncoder.dense(X.shape[1:], 3, units=(8,), contractive_penalty=penalty)


def with_further_penalty(penalty):
    return km.AutoEncoder.dense(X.shape[1:], 3, units=(8,), penalties=[penalty])


def itself(model):
    return model


def small_encoder():
    return keras.Sequential([keras.Input(X.shape[1:]), layers.Flatten(), layers.Dense(3)])


def small_decoder():
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(16), layers.Reshape(X.shape[1:])]
    )


CASES = [
    Case(
        km.NoiseInjection,
        {"kind": "masking", "level": 0.3, "clip": (0.0, 1.0), "seed": 1},
        of_layers,
        in_tf_data=True,
    ),
    Case(
        km.ContractivePenalty,
        {"weight": 0.1, "of": "reconstruction", "probes": 2, "seed": 1, "curvature": 0.1},
        with_penalty,
        maps_tensors=False,  # it is called with a function and points
    ),
    Case(
        km.IsometryPenalty,
        {"weight": 0.1, "of": "decoder", "mixing": 0.3, "seed": 1},
        with_further_penalty,
        maps_tensors=False,
    ),
    Case(
        km.AutoEncoder,
        {
            "encoder": small_encoder,
            "decoder": small_decoder,
            "noise": lambda: km.NoiseInjection("gaussian", 0.1, seed=2),
            "contractive_penalty": lambda: km.ContractivePenalty(0.1, seed=3),
        },
        itself,
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.cls.__name__)
on_tensors = pytest.mark.parametrize(
    "case", [c for c in CASES if c.maps_tensors], ids=lambda case: case.cls.__name__
)


def made(case, **more):
    """A new object; parts are made anew for each."""
    options = {n: v() if callable(v) else v for n, v in case.options.items()}
    return case.cls(**options, **more)


def outputs(model, x=X):
    return ops.convert_to_numpy(model(x, training=False))


def test_every_registered_class_has_a_case():
    registered = {
        thing
        for name, thing in keras.saving.get_custom_objects().items()
        if name.startswith(PACKAGE)
    }
    assert registered >= {km.AutoEncoder, km.ContractivePenalty, km.NoiseInjection}
    assert {case.cls for case in CASES} == registered


@every_case
def test_its_name_in_files_is_stable(case):
    assert keras.saving.get_registered_name(case.cls) == PACKAGE + case.cls.__name__


@every_case
def test_config_goes_there_and_back(case):
    one = made(case, name="named")
    text = json.dumps(keras.saving.serialize_keras_object(one), sort_keys=True)
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(again) is case.cls
    assert json.dumps(again.get_config()) == json.dumps(one.get_config())
    plain = {n: v for n, v in case.options.items() if not callable(v)}
    found = one.get_config()
    for name, value in plain.items():
        assert found[name] == (pytest.approx(value) if isinstance(value, float) else value)
    assert found["name"] == "named"


@on_tensors
def test_symbolic_and_eager_calls_agree_on_shape_and_dtype(case):
    layer = made(case)
    symbolic = layer(keras.Input(X.shape[1:]))
    assert tuple(symbolic.shape) == (None, *case.output_shape[1:])
    eager = layer(X)
    assert tuple(eager.shape) == case.output_shape
    assert keras.backend.standardize_dtype(eager.dtype) == symbolic.dtype
    assert layer.built


@on_tensors
def test_a_batch_of_none_gives_none(case):
    assert outputs(made(case), X[:0]).shape == (0, *case.output_shape[1:])


@every_case
def test_it_trains(case):
    model = case.in_model(made(case))
    model.compile("sgd", loss="mse")
    before = [w.copy() for w in model.get_weights()]
    history = model.fit(X, X, epochs=2, batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
    assert any(changed)


@contextlib.contextmanager
def global_policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    "policy", [pytest.param("mixed_float16", marks=pytest.mark.slow), "mixed_bfloat16"]
)
@every_case
def test_it_trains_in_mixed_precision(case, policy):
    with global_policy(policy):
        model = case.in_model(made(case))
        model.compile("sgd", loss="mse")
        history = model.fit(X, X, batch_size=4, verbose=0).history
        dtype = keras.backend.standardize_dtype(model(X).dtype)
    assert np.isfinite(history["loss"]).all()
    assert dtype == policy.removeprefix("mixed_")
    assert {w.dtype for w in model.trainable_weights} == {"float32"}


@every_case
def test_a_saved_model_is_the_same_after_loading(case, tmp_path):
    model = case.in_model(made(case))
    model.compile("sgd", loss="mse")
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(outputs(again), outputs(model), atol=1e-6)
    assert len(again.trainable_weights) == len(model.trainable_weights)
    model.save_weights(tmp_path / "model.weights.h5")
    other = case.in_model(made(case))
    other(X)  # an `AutoEncoder` of layers knows its shapes from a batch
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(outputs(other), outputs(model), atol=1e-6)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.in_tf_data], ids=lambda case: case.cls.__name__
)
def test_it_maps_a_tf_data_pipeline(case, tf):
    pipeline = tf.data.Dataset.from_tensor_slices(X).batch(4).map(made(case))
    batches = list(pipeline.as_numpy_iterator())
    assert np.concatenate(batches).shape == case.output_shape
