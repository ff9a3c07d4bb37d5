"""What `run.json` says of a training."""

import getpass
import json
import platform

import keras
import numpy as np
from small_runs import BACKEND, fit

import keras_manifold as km
from keras_manifold.callbacks._setup import described, setup_of


def read(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_run_says_what_it_was_made_with(tmp_path, digits):
    keras.utils.set_random_seed(7)
    noise = km.NoiseInjection("masking", 0.25)
    model = km.AutoEncoder.dense(
        (8, 8, 1), latent_dim=3, units=(8,), noise=noise, contractive_penalty=0.1
    )
    model.compile(keras.optimizers.SGD(0.02), loss="mse")
    seen = []
    peek = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(read(tmp_path))
    )
    watches = [
        km.ReconstructionGrid(digits[:5], directory=tmp_path),
        km.TangentAnalyzer(digits[:4], k=2, directory=tmp_path, every=2),
    ]
    fit(model, digits, [*watches, peek], epochs=2)
    run = read(tmp_path)
    assert seen[0]["seconds"] == 0, "it is there while the training runs"
    assert 0 < run["seconds"] < 600
    assert run["backend"] == BACKEND
    assert run["versions"]["keras"] == keras.__version__
    assert run["versions"]["keras_manifold"] == km.__version__
    assert run["versions"]["python"] == platform.python_version()
    assert (run["data"], run["samples"]) == ([8, 8, 1], 5)
    assert run["seed"] == 7 or BACKEND == "jax", "Keras draws from NumPy there"
    assert (run["of"], run["k"], run["epochs"], run["steps"]) == ("encoder", 2, 2, 10)
    assert run["noise"] == {"class": "NoiseInjection", "kind": "masking", "level": 0.25}
    (penalty,) = run["penalties"]
    assert (penalty["class"], penalty["weight"]) == ("ContractivePenalty", 0.1)
    optimizer = run["optimizer"]
    assert (optimizer["class"], optimizer["learning_rate"]) == ("SGD", 0.02)
    assert run["parameters"] == model.count_params()
    assert run["watches"] == {
        "reconstruction": {"samples": 5, "every": 1, "unit": "epoch"},
        "tangent": {"of": "encoder", "k": 2, "samples": 4, "every": 2, "unit": "epoch"},
    }
    text = (tmp_path / "run.json").read_text()
    for private in (platform.node(), str(tmp_path), f'"{getpass.getuser()}"'):
        assert private not in text


def test_settings_are_plain_whatever_the_objects_are():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9)
    found = described(keras.optimizers.SGD(schedule))
    assert found["class"] == "SGD"
    assert found["learning_rate"]["class"] == "ExponentialDecay"
    assert found["learning_rate"]["decay_rate"] == 0.9

    class Odd(keras.Layer):
        def get_config(self):
            raise NotImplementedError

    assert described(Odd()) == {"class": "Odd"}
    assert described(None) is None


def test_what_nobody_knows_is_none(digits):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(4)(inputs))
    model.compile(loss=lambda x, y: keras.ops.mean(keras.ops.square(x - y)))
    np.random.default_rng(0)
    np.random.random()  # whatever seed there was
    found = setup_of(model, np.zeros((2, 4)), {"epochs": 1})
    assert (found["seed"], found["noise"], found["penalties"]) == (None, None, [])
    assert (found["steps"], found["loss"]) == (None, "<lambda>")
    json.dumps(found, allow_nan=False)
