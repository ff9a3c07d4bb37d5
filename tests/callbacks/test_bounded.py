"""What `k` bounds of the work of `TangentAnalyzer`, and what it estimates instead."""

import warnings

import keras
import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._map import decomposition


@pytest.fixture
def large(monkeypatch):
    """A linear encoder of 60 codes that counts as large, and samples."""
    monkeypatch.setattr(decomposition, "_FEW_PASSES", 20)
    monkeypatch.setattr(decomposition, "_PASSES_A_VECTOR", 1)
    rng = np.random.default_rng(0)
    w = rng.normal(size=(80, 60)) * 0.9 ** np.arange(60)
    encoder = keras.Sequential([keras.Input((80,)), keras.layers.Dense(60, use_bias=False)])
    encoder.set_weights([w])
    decoder = keras.Sequential([keras.Input((60,)), keras.layers.Dense(80)])
    model = km.AutoEncoder(encoder, decoder)
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    return model, w, rng.normal(size=(3, 80)).astype("float32")


def watched(model, x, **options):
    got = {}
    keep = lambda name, value, step: got.update({name: value})  # noqa: E731
    watch = km.TangentAnalyzer(x, sinks=[keep], **options)
    model.fit(x, epochs=1, callbacks=[watch], verbose=0)
    return watch.history, got


def test_norm_and_dimension_of_a_large_jacobian_are_estimated_within_their_error(large):
    model, w, x = large
    history, got = watched(model, x, k=8)
    sigma = np.linalg.svd(w, compute_uv=False)
    norm, error = history["tangent_norm"][-1], history["tangent_norm_error"][-1]
    assert abs(norm - np.linalg.norm(w)) < 4 * error
    assert error < 0.05 * norm
    dimension = np.square(sigma).sum() ** 2 / (sigma**4).sum()
    assert history["tangent_dimension"][-1] == pytest.approx(dimension, rel=0.05)
    assert history["tangent_top"][-1] == pytest.approx(sigma[0], rel=1e-4)
    arrays = got["tangent_space"]
    assert arrays["spectrum"].shape == (3, 8), "no more than was asked for is computed"
    np.testing.assert_allclose(arrays["singular_values"][0], sigma[:8], rtol=1e-4)


def test_the_decoder_of_many_codes_is_bounded_too(large):
    model, _, x = large
    history, _ = watched(model, x, k=4, of="decoder")
    norm = np.linalg.norm(model.decoder.get_weights()[0])
    error = history["tangent_norm_error"][-1]
    assert abs(history["tangent_norm"][-1] - norm) < 4 * error


def test_small_jacobians_are_exact_as_before(large, monkeypatch):
    model, w, x = large
    monkeypatch.setattr(decomposition, "_FEW_PASSES", 1024)
    history, _ = watched(model, x, k=8)
    assert "tangent_norm_error" not in history
    assert history["tangent_norm"][-1] == pytest.approx(np.linalg.norm(w), rel=1e-5)


def test_a_snapshot_that_takes_longer_than_its_epoch_is_said_once(large, monkeypatch):
    model, _, x = large
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        monkeypatch.setattr("keras_manifold.callbacks._watch._SLOW", -1.0)
        watch = km.TangentAnalyzer(x, k=8)
        snapshot, now = watch._snapshot, [0.0]

        def slow(step):
            now[0] += 100.0
            return snapshot(step)

        monkeypatch.setattr(watch, "_snapshot", slow)
        monkeypatch.setattr("keras_manifold.callbacks._watch.monotonic", lambda: now[0])
        model.fit(x, epochs=3, callbacks=[watch], verbose=0)
    (warning,) = [w for w in told if "snapshots of an epoch" in str(w.message)]
    assert "TangentAnalyzer took 100 s, its training 0 s" in str(warning.message)
