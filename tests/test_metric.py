"""Metric and volume of a decoder against closed forms."""

import keras
import numpy as np
import pytest
from decoders import Angles, Linear, Stereographic
from keras import layers, ops

import keras_manifold as km


def test_the_metric_of_a_linear_decoder_is_its_gram_matrix(rng):
    matrix = rng.normal(size=(3, 7))
    metric = km.pullback_metric(Linear(matrix), rng.normal(size=(5, 3)))
    assert metric.dtype == "float64"
    np.testing.assert_allclose(metric, np.stack([matrix @ matrix.T] * 5), rtol=1e-5)


def test_the_metric_of_the_sphere_is_that_of_its_chart(rng):
    codes = rng.normal(size=(40, 2))
    factor = 4 / (1 + np.square(codes).sum(axis=1)) ** 2
    expected = factor[:, None, None] * np.eye(2)
    metric = km.pullback_metric(Stereographic(), codes, batch_size=16)
    np.testing.assert_allclose(metric, expected, atol=1e-6)
    np.testing.assert_allclose(
        km.log_volume(Stereographic(), codes), np.log(factor), atol=1e-5
    )
    polar = np.array([[0.3, 1.0], [1.2, -2.0]])
    metric = km.pullback_metric(Angles(), polar)
    expected = [np.diag([1, np.sin(a) ** 2]) for a in polar[:, 0]]
    np.testing.assert_allclose(metric, expected, atol=1e-6)


def test_the_metric_of_a_network_is_that_of_the_chain_rule(deep_network, rng):
    network = deep_network([3, 8, 11])
    codes = rng.normal(size=(6, 3)).astype("float32")
    jacobian = network.outputs_and_jacobian(codes)[1]
    expected = np.swapaxes(jacobian, 1, 2) @ jacobian
    model = network.keras_model()
    np.testing.assert_allclose(km.pullback_metric(model, codes), expected, rtol=1e-4)
    volumes = 0.5 * np.linalg.slogdet(expected)[1]
    np.testing.assert_allclose(km.log_volume(model, codes), volumes, rtol=1e-4)


def test_the_volume_is_zero_where_the_rank_is_short(rng):
    codes = rng.normal(size=(4, 3))
    short = rng.normal(size=(2, 6))
    assert (km.log_volume(Linear([*short, short.sum(axis=0)]), codes) == -np.inf).all()
    assert (km.log_volume(Linear(rng.normal(size=(3, 2))), codes) == -np.inf).all()
    pole = km.log_volume(Angles(), np.array([[0.0, 1.0], [0.5, 1.0]]))
    assert pole[0] == -np.inf
    np.testing.assert_allclose(pole[1], np.log(np.sin(0.5)), rtol=1e-5)


def test_streams_give_what_their_batches_hold(rng):
    codes = rng.normal(size=(7, 2)).astype("float32")
    volumes = km.log_volume(Stereographic(), codes)
    stream = (codes[i : i + 3] for i in range(0, 7, 3))
    np.testing.assert_allclose(km.log_volume(Stereographic(), stream), volumes, atol=1e-6)
    metric = km.pullback_metric(Stereographic(), [codes[:4], codes[4:]])
    assert metric.shape == (7, 2, 2)


class WithStddev(layers.Layer):
    """Mean 2 z, standard deviation |z|, with both metrics known."""

    def call(self, codes):
        return 2 * codes, ops.absolute(codes)


def test_a_standard_deviation_counts_by_its_own_metric():
    codes = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
    metric = km.pullback_metric(WithStddev(), codes)
    np.testing.assert_allclose(metric, [5 * np.eye(2)] * 2, rtol=1e-6)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    mean, log_variance = model(model.inputs[0]), layers.Dense(2)(model.inputs[0])
    model = keras.Model(model.inputs, [mean, ops.exp(0.5 * log_variance)])
    assert km.pullback_metric(model, codes).shape == (2, 2, 2)
    # What is kept for a model is used again.
    assert km.pullback_metric(model, codes).shape == (2, 2, 2)


def test_an_ensemble_has_the_mean_of_the_members_metrics(rng):
    matrices = rng.normal(size=(3, 2, 5))
    members = [Linear(matrix) for matrix in matrices]
    expected = np.mean([m @ m.T for m in matrices], axis=0)
    for ensemble in (members, [lambda z, m=m: m(z) for m in members]):
        metric = km.pullback_metric(ensemble, np.ones((4, 2)))
        np.testing.assert_allclose(metric, [expected] * 4, rtol=1e-5)


def test_a_geodesic_keeps_out_of_a_hole_that_the_stddev_knows():
    class Hole(layers.Layer):
        """The plane, with a standard deviation that rises where there are no data."""

        def call(self, codes):
            near = ops.exp(-2 * ops.sum(ops.square(codes), axis=-1, keepdims=True))
            return codes, 2 * ops.concatenate([near, near], axis=-1)

    ends = np.array([[-1.0, 0.1]], "float32"), np.array([[1.0, 0.1]], "float32")
    curves = km.geodesics(Hole(), *ends, steps=32)
    middle = curves.codes[0, 16]
    assert middle[1] > 0.6
    assert curves.lengths[0] < 0.95 * curves.straight_lengths[0]
    mean = km.geodesics(lambda z: Hole()(z)[0], *ends, steps=4)
    np.testing.assert_allclose(mean.lengths, [2.0], rtol=1e-5)


def test_a_logarithm_of_variances_is_no_standard_deviation():
    with pytest.raises(ValueError, match=r"must be a standard deviation, at least 0.*exp"):
        km.pullback_metric(lambda z: (z, z - 10), np.ones((1, 2)))


def test_bad_codes_are_refused_by_name():
    with pytest.raises(FloatingPointError, match=r"`codes` must be finite.*codes\[1\]"):
        km.pullback_metric(Stereographic(), np.array([[0.0, 1.0], [np.inf, 0.0]]))
    with pytest.raises(ValueError, match="batch_size=0"):
        km.log_volume(Stereographic(), np.ones((1, 2)), batch_size=0)
    with pytest.raises(FloatingPointError, match="at code 1"):
        km.pullback_metric(lambda z: ops.sqrt(z), np.array([[1.0], [0.0]]))
    with pytest.raises(ValueError, match="at least one batch"):
        km.log_volume(Stereographic(), iter([]))
