import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

import keras_manifold as km


def to_numpy(value):
    return ops.convert_to_numpy(value)


def penalty_of(function, x, **options):
    return to_numpy(km.ContractivePenalty(1.0, **options)(function, x))


def gradients(encoder, x, **options):
    """Gradients of the summed penalty, by one step of gradient descent in `fit`."""

    class Identity(layers.Layer):
        def call(self, codes):
            return codes[:, :1] * 0.0 + ops.zeros((1, x.shape[1]))

    model = km.AutoEncoder(
        encoder, Identity(), contractive_penalty=km.ContractivePenalty(1.0, **options)
    )
    model.compile(keras.optimizers.SGD(1.0), loss=lambda y, y_pred: ops.zeros_like(y[:, 0]))
    before = encoder.get_weights()
    model.train_on_batch(x)
    return [old - new for old, new in zip(before, encoder.get_weights())]


@pytest.fixture
def linear(rng):
    encoder = keras.Sequential([keras.Input((5,)), layers.Dense(3, use_bias=False)])
    encoder.set_weights([rng.normal(size=(5, 3))])
    return encoder


def test_penalty_of_a_linear_encoder_is_its_squared_frobenius_norm(rng, linear):
    x = rng.normal(size=(4, 5)).astype("float32")
    (w,) = linear.get_weights()
    found = penalty_of(linear, x, probes="exact")
    np.testing.assert_allclose(found, np.full(4, (w**2).sum()), rtol=1e-5)


def test_gradient_of_a_linear_encoders_penalty_is_twice_its_weights(rng, linear):
    (w,) = linear.get_weights()
    (found,) = gradients(linear, rng.normal(size=(4, 5)).astype("float32"), probes="exact")
    np.testing.assert_allclose(found, 2 * w, rtol=1e-4, atol=1e-5)


def test_penalty_of_a_sigmoid_layer_is_the_closed_form(rng):
    # Rifai et al. 2011, section 3.3: sum_j (h_j (1 - h_j))^2 sum_i W_ij^2
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="sigmoid")])
    x = rng.normal(size=(3, 6)).astype("float32")
    w, b = encoder.get_weights()
    h = 1 / (1 + np.exp(-(x.astype("float64") @ w + b)))
    expected = ((h * (1 - h)) ** 2 * (w.astype("float64") ** 2).sum(0)).sum(1)
    np.testing.assert_allclose(penalty_of(encoder, x, probes="exact"), expected, rtol=1e-5)


def test_opposite_rows_do_not_cancel(linear):
    encoder = keras.Sequential([keras.Input((2,)), layers.Dense(2, use_bias=False)])
    encoder.set_weights([np.array([[1.0, -1.0], [0.0, 0.0]])])  # J = [e1; -e1]
    found = penalty_of(encoder, np.ones((3, 2), "float32"), probes="exact")
    np.testing.assert_allclose(found, [2.0, 2.0, 2.0])


def test_penalty_of_two_layers_is_that_of_the_dense_jacobian(rng, two_layers):
    network = two_layers((7, 5, 3))
    x = rng.normal(size=(4, 7)).astype("float32")
    expected = (network.jacobian(x) ** 2).sum((1, 2))
    found = penalty_of(network.keras_model(), x, probes="exact")
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("probes", ["exact", 2])
def test_gradients_agree_with_finite_differences_of_the_weights(rng, two_layers, probes):
    network = two_layers((4, 3, 2))
    x = rng.normal(size=(2, 4)).astype("float32")
    encoder = network.keras_model()
    found = gradients(encoder, x, probes=probes, seed=3)

    def value(w1):
        # The same signs as in the step: a new penalty with the same seed.
        probe = network.__class__((4, 3, 2))
        probe.w1 = w1
        if probes == "exact":
            return (probe.jacobian(x) ** 2).sum((1, 2)).mean()
        uniform = keras.random.SeedGenerator(3)
        signs = [
            np.where(to_numpy(keras.random.uniform((2, 2), seed=uniform)) < 0.5, -1, 1)
            for _ in range(probes)
        ]
        j = probe.jacobian(x)
        return np.mean([(np.einsum("no,noi->ni", u, j) ** 2).sum(1).mean() for u in signs])

    step = 1e-5
    expected = np.zeros_like(network.w1)
    for place in np.ndindex(*network.w1.shape):
        shift = np.zeros_like(network.w1)
        shift[place] = step
        expected[place] = (value(network.w1 + shift) - value(network.w1 - shift)) / (
            2 * step
        )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found[0], expected, atol=1e-3 * scale)


def test_random_probes_are_unbiased(rng, linear):
    # J is the same at all x, so that every sample is a draw of its own.
    draws = 20_000
    (w,) = linear.get_weights()
    values = penalty_of(linear, np.zeros((draws, 5), "float32"), probes=1, seed=0)
    # Variance of u'Au for random signs: 2 sum_{i != j} A_ij^2, with A = JJ'.
    a = w.T @ w
    deviation = np.sqrt(2 * ((a**2).sum() - (np.diag(a) ** 2).sum()))
    assert abs(values.mean() - (w**2).sum()) < 5 * deviation / np.sqrt(draws)
    assert values.std() == pytest.approx(deviation, rel=0.05)


def test_more_probes_vary_less(rng, linear):
    x = np.zeros((5_000, 5), "float32")
    one, four = (penalty_of(linear, x, probes=p, seed=0).std() for p in (1, 4))
    assert one / four == pytest.approx(2.0, rel=0.15)


def test_one_output_makes_a_probe_exact(rng):
    encoder = keras.Sequential([keras.Input((5,)), layers.Dense(1, activation="tanh")])
    x = rng.normal(size=(4, 5)).astype("float32")
    w, b = encoder.get_weights()
    slope = 1 - np.tanh(x @ w + b)[:, 0] ** 2
    probed = penalty_of(encoder, x, probes=1)
    np.testing.assert_allclose(probed, slope**2 * (w**2).sum(), rtol=1e-5)


@given(st.integers(0, 2**16))
def test_penalty_is_the_sum_of_squared_singular_values(seed):
    rng = np.random.default_rng(seed)
    w = ops.convert_to_tensor(rng.normal(size=(4, 3)).astype("float32"))

    def function(x):
        return ops.tanh(ops.matmul(x, w))

    x = rng.normal(size=(2, 4)).astype("float32")
    penalty = penalty_of(function, x, probes="exact")
    sigma = km.tangent_space(function, x).singular_values
    np.testing.assert_allclose((sigma**2).sum(1), penalty, rtol=1e-4)


def test_it_is_called_with_fresh_signs_each_time(linear):
    penalty = km.ContractivePenalty(1.0, seed=0)
    x = np.zeros((50, 5), "float32")
    first, second = (to_numpy(penalty(linear, x)) for _ in range(2))
    assert not np.array_equal(first, second)
    again = to_numpy(km.ContractivePenalty(1.0, seed=0)(linear, x))
    np.testing.assert_array_equal(first, again)


def test_config_round_trips():
    penalty = km.ContractivePenalty(0.5, probes="exact", seed=3, name="contraction")
    again = km.ContractivePenalty.from_config(penalty.get_config())
    assert again.get_config() == penalty.get_config()


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf"), "much", None])
def test_weights_out_of_range_are_refused(weight):
    with pytest.raises(ValueError, match=r"`weight` must be .* Received: weight="):
        km.ContractivePenalty(weight)


@pytest.mark.parametrize("probes", [0, -1, 1.5, "all", True, None])
def test_probes_out_of_range_are_refused(probes):
    with pytest.raises(ValueError, match=r'`probes` .*, or "exact"\. Received: probes='):
        km.ContractivePenalty(0.1, probes=probes)
