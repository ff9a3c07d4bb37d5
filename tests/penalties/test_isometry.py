"""The relaxed distortion against closed forms of linear and conformal maps."""

import itertools

import keras
import numpy as np
import pytest
from decoders import Linear, Stereographic
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import keras_manifold as km


def values_of(function, x, **options):
    penalty = km.IsometryPenalty(1.0, seed=0, **options)
    return ops.convert_to_numpy(penalty(function, np.asarray(x, "float32")))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_scaled_isometry_has_exactly_one_over_d(size, rng):
    rows = np.linalg.qr(rng.normal(size=(9, size)))[0].T
    values = values_of(Linear(3.7 * rows), rng.normal(size=(8, size)))
    np.testing.assert_allclose(values, 1 / size, rtol=1e-5)


def test_the_mean_over_signs_of_a_linear_map_is_its_closed_form(rng):
    # Of J = diag(a): v are signs, so that both norms are the same for all of them.
    a = np.array([2.0, 1.0, 0.5])
    values = values_of(Linear(np.diag(a)), rng.normal(size=(4, 3)))
    np.testing.assert_allclose(values, (a**4).sum() / (a**2).sum() ** 2, rtol=1e-5)
    # Any matrix: the mean over all signs, against those that many draws meet.
    matrix = rng.normal(size=(3, 6))
    signs = np.array(list(itertools.product([-1, 1], repeat=3)))
    gram = matrix @ matrix.T
    top = np.square(signs @ gram).sum(axis=1)
    bottom = np.einsum("si,ij,sj->s", signs, gram, signs)
    values = values_of(Linear(matrix), np.zeros((4000, 3)))
    expected = top.mean() / bottom.mean() ** 2
    spread = top.std() / bottom.mean() ** 2 / np.sqrt(4000)
    spread += 2 * expected * bottom.std() / bottom.mean() / np.sqrt(4000)
    assert abs(values.mean() - expected) < 5 * spread


@settings(max_examples=6)
@given(seed=st.integers(0, 2**20), scale=st.floats(0.01, 100))
def test_its_mean_is_at_least_one_over_d_whatever_the_scale(seed, scale):
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(3, 8)).astype("float32"), rng.normal(size=(8, 5))
    x = rng.normal(size=(6, 3))

    def decoder(codes, scale=1.0):
        return ops.matmul(ops.tanh(ops.matmul(codes, w1)), (scale * w2).astype("float32"))

    values = values_of(decoder, x)
    assert values.mean() >= (1 - 1e-5) / 3
    scaled = values_of(lambda codes: decoder(codes, scale), x)
    np.testing.assert_allclose(scaled, values, rtol=1e-3)


def test_a_conformal_map_shows_how_its_scale_varies(rng):
    x = rng.normal(size=(8, 2)).astype("float32")
    factor = 4 / (1 + np.square(x.astype("float64")).sum(axis=1)) ** 2  # J'J = factor I
    values = values_of(Stereographic(), x, mixing=None)
    np.testing.assert_allclose(values, factor**2 / factor.mean() ** 2 / 2, rtol=1e-4)


def test_points_are_mixed_within_the_range_that_is_asked_for():
    x = ops.convert_to_tensor(np.arange(2000, dtype="float32")[:, None])
    penalty = km.IsometryPenalty(1.0, mixing=0.5, seed=0)
    found = ops.convert_to_numpy(penalty._mixed(x, 0.5))[:, 0]
    assert found.min() < 0
    assert found.max() > 1999
    assert found.min() >= -1000
    assert found.max() <= 2999
    # Without a second sample there is none to mix with.
    assert ops.convert_to_numpy(penalty._mixed(x[:1] + 3, 0.5)).tolist() == [[3.0]]


def test_a_constant_function_and_a_single_sample_do_no_harm():
    assert values_of(lambda x: 0 * x, np.ones((3, 2))).tolist() == [0.0] * 3
    assert values_of(lambda x: 2 * x, np.ones((1, 2))).tolist() == [0.5]


def test_training_with_it_brings_the_metric_nearer_to_one_scale(rng):
    keras.utils.set_random_seed(0)
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    penalty = km.IsometryPenalty(1.0)
    model = km.AutoEncoder(encoder, decoder, penalties=[penalty])
    model.compile(keras.optimizers.Adam(0.05), lambda y, y_pred: 0 * ops.mean(y_pred, -1))
    x = rng.normal(size=(32, 4)).astype("float32")
    weight = km.PenaltySchedule(lambda epoch, weight: 1.0, penalty="isometry_penalty")
    history = model.fit(x, epochs=40, verbose=0, callbacks=[weight]).history
    assert history["isometry_penalty_weight"][-1] == 1.0
    assert history["isometry_penalty"][-1] == pytest.approx(0.5, abs=0.02)
    kernel = ops.convert_to_numpy(decoder.layers[0].kernel)
    stretches = np.linalg.svd(kernel, compute_uv=False)
    assert stretches[0] / stretches[1] < 1.3


def test_it_counts_sample_weights(rng):
    x = rng.normal(size=(16, 6)).astype("float32")
    model = km.AutoEncoder.dense(6, 2, units=(8,), penalties=[km.IsometryPenalty(0.1)])
    model.compile("sgd", "mse")
    weights = np.zeros(16, "float32")
    assert model.fit(x, sample_weight=weights, verbose=0).history["isometry_penalty"] == [0]


def test_a_schedule_of_a_penalty_that_is_not_there_is_refused():
    model = km.AutoEncoder.dense(6, 2, penalties=[km.IsometryPenalty(0.1)])
    schedule = km.PenaltySchedule(lambda epoch, weight: weight, penalty="other")
    schedule.set_model(model)
    with pytest.raises(ValueError, match=r"isometry_penalty.*Received: penalty='other'"):
        schedule.on_train_begin()


@pytest.mark.parametrize("options", [{"mixing": -1}, {"of": "code"}, {"weight": -1}])
def test_bad_arguments_are_refused_by_name(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
        km.IsometryPenalty(**{"weight": 1.0, **options})
