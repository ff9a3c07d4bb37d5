"""Calls within what a framework does otherwise: no gradients, compilation, forks."""

import os
import subprocess
import sys
import textwrap
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_manifold as km

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
W = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")


@pytest.fixture
def model():
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, use_bias=False)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    encoder.set_weights([W])
    model = km.AutoEncoder(encoder, decoder, noise=0.1, contractive_penalty=0.1)
    model.compile("sgd", "mse")
    return model


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")
@pytest.mark.parametrize("mode", ["inference_mode", "no_grad"])
def test_results_are_right_where_pytorch_records_nothing(mode, model):
    import torch

    singular = np.linalg.svd(W, compute_uv=False)
    with getattr(torch, mode)():
        np.testing.assert_allclose(km.jacobian(model.encoder, X)[0], W.T, rtol=1e-6)
        space = km.tangent_space(model, X)
        values = km.ContractivePenalty(1.0, probes="exact")(model.encoder, X)
        isometry = km.IsometryPenalty(1.0, of="encoder")(model.encoder, X)
        metric = km.pullback_metric(model, X[:, :3])
        score = km.score(model, X)
    np.testing.assert_allclose(space.singular_values, [singular] * 6, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(values), [np.sum(W**2)] * 6, rtol=1e-5)
    assert (ops.convert_to_numpy(isometry) > 0).all()
    decoding = model.decoder.get_weights()[0]
    np.testing.assert_allclose(metric, [decoding @ decoding.T] * 6, rtol=1e-4, atol=1e-5)
    assert np.isfinite(score).all()
    model.fit(X, verbose=0)


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")
@pytest.mark.parametrize("mode", ["inference_mode", "no_grad"])
def test_training_is_refused_where_pytorch_records_nothing(mode, model):
    import torch

    before = model.get_weights()
    with getattr(torch, mode)():
        for train in (model.fit, model.train_on_batch):
            with pytest.raises(RuntimeError, match=r"must record gradients.*no_grad"):
                train(X)
        model.evaluate(X, verbose=0)
        assert model.predict(X, verbose=0).shape == X.shape
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def compiled(function):
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, autograph=False)


USES = {
    "jacobian": lambda model, x: km.jacobian(model.encoder, x),
    "tangent_space": lambda model, x: km.tangent_space(model, x).vectors,
    "score": lambda model, x: km.score(model, x, stddev=0.1),
    "reconstruction_errors": lambda model, x: model.reconstruction_errors(x),
    "pullback_metric": lambda model, x: km.pullback_metric(model, x[:, :3]),
}


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled there")
@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("is_captured", [False, True], ids=["argument", "captured"])
def test_numpy_results_are_refused_within_compiled_functions(use, is_captured, model):
    call = compiled((lambda x: use(model, X)) if is_captured else lambda x: use(model, x))
    with pytest.raises(TypeError, match=r"compiled.*jax\.jit.*outside"):
        call(ops.convert_to_tensor(X))
    use(model, X)  # as before


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled there")
def test_penalties_are_right_within_compiled_functions(model):
    penalty = km.ContractivePenalty(1.0, probes="exact")
    values = compiled(lambda x: penalty(model.encoder, x))(ops.convert_to_tensor(X))
    np.testing.assert_allclose(ops.convert_to_numpy(values), [np.sum(W**2)] * 6, rtol=1e-5)


FORKED = """
    import multiprocessing
    import warnings

    warnings.simplefilter("ignore")
    import numpy as np
    import keras_manifold as km

    x = np.random.default_rng(0).uniform(size=(256, 64)).astype("float32")


    def trained(model):
        try:
            model = model or km.AutoEncoder.dense(64, 4, units=(256,))
            model.compile("sgd", "mse")
            model.fit(x, verbose=0)
            return "trained"
        except RuntimeError as error:
            return str(error)


    def work(queue, model=None):
        queue.put(trained(model))


    def run(model):
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=work, args=(queue, model), daemon=True)
        process.start()
        print(queue.get(timeout=60), flush=True)
        process.join()
"""
BEFORE = "run(None)\n"
AFTER = "model = km.AutoEncoder.dense(64, 4)\ntrained(model)\nrun(None)\nrun(model)\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no forks")
@pytest.mark.parametrize(
    "is_first",
    [pytest.param(True, marks=pytest.mark.slow), False],
    ids=["nothing", "a model"],
)
def test_a_forked_worker_trains_or_says_why_not(is_first):
    code = textwrap.dedent(FORKED) + (BEFORE if is_first else AFTER)
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr[-2000:]
    for line in run.stdout.splitlines():
        if is_first and keras.backend.backend() != "jax":
            assert line == "trained"
        else:
            assert "must not be forked after it has computed" in line
            assert "spawn" in line
    assert run.stdout.count("\n") == (1 if is_first else 2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_is_told_once_by_the_name_of_a_layer(policy):
    kept = keras.layers.Dense(3, dtype="float32")
    half = keras.layers.Dense(4, dtype=policy, name="narrow")
    encoder = keras.Sequential([keras.Input((5,)), half, kept])
    message = (
        f"`encoder` computes in {policy.removeprefix('mixed_')}, by its layer 'narrow'"
    )
    with pytest.warns(UserWarning, match=message) as found:
        km.tangent_space(keras_model(encoder), X)
    assert len([w for w in found if "computes in" in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        km.jacobian(keras.Sequential([keras.Input((5,)), kept.__class__(3)]), X)


def keras_model(encoder):
    return km.AutoEncoder(encoder, keras.Sequential([keras.layers.Dense(5)]))
