"""How many rows of the exact penalty go together."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km
from keras_manifold import autodiff


def test_a_model_that_its_first_batch_builds_has_as_many_rows_as_it_likes(rng):
    x = rng.uniform(size=(6, 48)).astype("float32")
    model = km.AutoEncoder.dense(
        48, 40, contractive_penalty=km.ContractivePenalty(0.1, probes="exact")
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    found = model.fit(x, batch_size=4, verbose=0).history["contractive_penalty"][0]
    jacobians = km.jacobian(model.encoder, x).reshape(6, 40, 48)
    np.testing.assert_allclose(found, (jacobians**2).sum((1, 2)).mean(), rtol=1e-4)


@pytest.mark.parametrize("name", ["chunk_size", "memory_budget"])
def test_a_bound_that_would_do_nothing_is_refused(name):
    with pytest.raises(ValueError, match=rf"`{name}` is for.* {name}=8 and probes=2"):
        km.ContractivePenalty(1.0, probes=2, **{name: 8})


def test_two_bounds_of_the_same_memory_are_refused():
    with pytest.raises(ValueError, match=r"chunk_size=8 and memory_budget=1000"):
        km.ContractivePenalty(1.0, probes="exact", chunk_size=8, memory_budget=1000)


@pytest.mark.parametrize(
    ("codes", "passes"), [(40, 1), (128, 50), (128, None), (512, 100), (512, 512)]
)
def test_gradient_at_many_codes_is_the_closed_form_within_any_budget(codes, passes, rng):
    # The penalty of a linear map is the squared norm of its matrix W; its gradient is 2 W.
    encoder = keras.Sequential([keras.Input((520,)), layers.Dense(codes, use_bias=False)])
    x = rng.normal(size=(2, 520)).astype("float32")
    w = encoder.get_weights()[0]
    of_a_pass = autodiff.bytes_held(encoder, ops.convert_to_tensor(x))
    penalty = km.ContractivePenalty(
        1.0, probes="exact", memory_budget=passes and passes * of_a_pass
    )
    model = km.AutoEncoder(
        encoder,
        keras.Sequential([keras.Input((codes,)), layers.Dense(520)]),
        contractive_penalty=penalty,
    )
    model.compile(keras.optimizers.SGD(0.01), loss=lambda y, y_pred: 0.0 * y_pred[:, 0])
    found = model.train_on_batch(x, x, return_dict=True)["contractive_penalty"]
    np.testing.assert_allclose(found, (w.astype("float64") ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(encoder.get_weights()[0], w - 0.01 * 2 * w, atol=1e-6)


@pytest.mark.parametrize(("entries", "together"), [(1, 1), (2**9, 5), (2**24, 24)])
def test_gradient_is_the_closed_form_however_many_rows_go_together(
    entries, together, rng, monkeypatch
):
    asked, passes_together = [], autodiff.passes_together

    def noted(*args):
        asked.append(passes_together(*args))
        return asked[-1]

    monkeypatch.setattr(autodiff, "_ENTRIES_OF_CPU", entries)
    monkeypatch.setattr(autodiff, "passes_together", noted)
    encoder = keras.Sequential([keras.Input((48,)), layers.Dense(24, use_bias=False)])
    x = rng.normal(size=(2, 48)).astype("float32")
    w = encoder.get_weights()[0]
    model = km.AutoEncoder(
        encoder,
        keras.Sequential([keras.Input((24,)), layers.Dense(48)]),
        contractive_penalty=km.ContractivePenalty(1.0, probes="exact"),
    )
    model.compile(keras.optimizers.SGD(0.01), loss=lambda y, y_pred: 0.0 * y_pred[:, 0])
    found = model.train_on_batch(x, x, return_dict=True)["contractive_penalty"]
    np.testing.assert_allclose(found, (w.astype("float64") ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(encoder.get_weights()[0], w - 0.01 * 2 * w, atol=1e-6)
    assert asked[-1] == together
