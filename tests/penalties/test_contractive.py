import inspect

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

import keras_manifold as km
from keras_manifold import autodiff


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


def test_penalty_of_a_deep_encoder_is_that_of_the_dense_jacobian(rng, deep_network):
    network = deep_network((9, 8, 7, 6, 5))
    x = rng.normal(size=(4, 9)).astype("float32")
    expected = (network.outputs_and_jacobian(x)[1] ** 2).sum((1, 2))
    for chunk_size in (None, 1, 2, 100):  # 2 leaves a chunk that is not full
        found = penalty_of(network.keras_model(), x, probes="exact", chunk_size=chunk_size)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    of_a_pass = autodiff.bytes_held(network.keras_model(), ops.convert_to_tensor(x))
    for budget in (1, 3 * of_a_pass):  # of five rows
        found = penalty_of(network.keras_model(), x, probes="exact", memory_budget=budget)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_frozen_linear_decoder_has_a_penalty_without_a_gradient(rng):
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(4, "tanh")])
    decoder = keras.Sequential([keras.Input((4,)), layers.Dense(6)])
    decoder.trainable = False
    penalty = km.ContractivePenalty(1.0, of="decoder", probes="exact", chunk_size=2)
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(keras.optimizers.SGD(0.1), loss=lambda y, y_pred: 0.0 * y_pred[:, 0])
    x, before = rng.normal(size=(3, 6)).astype("float32"), encoder.get_weights()[0]
    found = model.train_on_batch(x, x, return_dict=True)["contractive_penalty"]
    expected = (decoder.get_weights()[0].astype("float64") ** 2).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(encoder.get_weights()[0], before)


def test_penalty_of_more_outputs_than_inputs(rng, deep_network):
    network = deep_network((3, 8, 7))
    x = rng.normal(size=(4, 3)).astype("float32")
    expected = (network.outputs_and_jacobian(x)[1] ** 2).sum((1, 2))
    for options in ({}, {"chunk_size": 2}):
        found = penalty_of(network.keras_model(), x, probes="exact", **options)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Three orthogonal directions on the side of the inputs are all of them.
    found = penalty_of(network.keras_model(), x, probes=3, probe_kind="orthogonal")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("sizes", [((9, 5, 2), (2, 5, 9)), ((4, 5, 3), (3, 5, 4))])
@pytest.mark.parametrize("chunk_size", [None, 1])
def test_penalty_of_a_reconstruction_is_that_of_the_chain(
    sizes, chunk_size, rng, deep_network
):
    # Through two codes by the factors, through three of four inputs row by row.
    encoder, decoder = (deep_network(s, seed) for seed, s in enumerate(sizes))
    x = rng.normal(size=(4, sizes[0][0])).astype("float32")
    codes, first = encoder.outputs_and_jacobian(x)
    _, second = decoder.outputs_and_jacobian(codes)
    expected = ((second @ first) ** 2).sum((1, 2))
    parts = encoder.keras_model(), decoder.keras_model()
    found = penalty_of(parts, x, probes="exact", chunk_size=chunk_size)
    np.testing.assert_allclose(found, expected, rtol=1e-5)

    model = km.AutoEncoder(
        *parts,
        contractive_penalty=km.ContractivePenalty(
            0.5, of="reconstruction", probes="exact", chunk_size=chunk_size
        ),
    )
    model.compile(loss="mse")
    logs = model.evaluate(x, verbose=0, return_dict=True)
    assert logs["contractive_penalty"] == pytest.approx(expected.mean(), rel=1e-5)


def test_an_affine_encoder_has_no_curvature(rng, linear):
    x = rng.normal(size=(4, 5)).astype("float32")
    (w,) = linear.get_weights()
    for probes in (1, "exact"):
        straight, curved = (
            penalty_of(linear, x, probes=probes, seed=0, curvature=curvature)
            for curvature in (0.0, 100.0)
        )
        # What rounding leaves, squared, times 100.
        if probes == "exact":
            np.testing.assert_allclose(curved, straight, rtol=1e-5)
            np.testing.assert_allclose(straight, (w**2).sum(), rtol=1e-5)
    parts = (linear, keras.Sequential([keras.Input((3,)), layers.Dense(50)]))
    straight, curved = (
        penalty_of(parts, np.tile(x, (1, 1)), probes="exact", seed=0, curvature=curvature)
        for curvature in (0.0, 100.0)
    )
    np.testing.assert_allclose(curved, straight, rtol=1e-5)


@pytest.mark.parametrize("probes", [1, "exact"])
def test_curvature_of_a_quadratic_encoder_is_the_norm_of_its_hessian(probes, rng):
    # f_k(x) = x'Q_k x / 2: J(x) - J(x + e) = -Qe, whose expected square is s^2 |Q|^2.
    draws, stddev = 5_000, 0.3
    q = rng.normal(size=(2, 3, 3))
    q = (q + q.swapaxes(1, 2)).astype("float32")

    def quadratic(x):
        return ops.einsum("ni,kij,nj->nk", x, ops.convert_to_tensor(q), x) / 2

    # At the origin J = 0: what is left is the curvature.
    values = penalty_of(
        quadratic,
        np.zeros((draws, 3), "float32"),
        probes=probes,
        curvature=2.0,
        curvature_stddev=stddev,
        seed=0,
    )
    expected = 2.0 * stddev**2 * (q**2).sum()
    error = values.std() / np.sqrt(draws)
    assert abs(values.mean() - expected) < 5 * error
    assert error < 0.05 * expected


def test_curvature_of_a_reconstruction_is_that_of_the_chain(rng, deep_network):
    encoder, decoder = deep_network((9, 5, 2)), deep_network((2, 5, 9))
    x = rng.normal(size=(3, 9)).astype("float32")
    options = {"curvature": 1.0, "curvature_stddev": 0.5, "curvature_samples": 3}
    parts = encoder.keras_model(), decoder.keras_model()
    found = penalty_of(parts, x, probes="exact", seed=7, **options)
    displaced = 0.5 * to_numpy(
        keras.random.normal((9, 9), seed=keras.random.SeedGenerator(7))
    )

    def jacobian(x):
        codes, first = encoder.outputs_and_jacobian(x)
        return decoder.outputs_and_jacobian(codes)[1] @ first

    here = jacobian(x)
    change = np.tile(here, (3, 1, 1)) - jacobian(np.tile(x, (3, 1)) + displaced)
    curvature = (change**2).sum((1, 2)).reshape(3, 3).mean(0)
    expected = (here**2).sum((1, 2)) + curvature
    np.testing.assert_allclose(found, expected, rtol=1e-5)


DRAWS = 20_000


@pytest.mark.parametrize("probes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["rademacher", "orthogonal"])
def test_random_probes_are_unbiased(kind, probes, rng, linear):
    # J is the same at all x, so that every sample is a draw of its own.
    (w,) = linear.get_weights()
    x = np.zeros((DRAWS, 5), "float32")
    values = penalty_of(linear, x, probes=probes, probe_kind=kind, seed=0)
    a = w.T @ w  # = JJ'
    if kind == "rademacher":
        # Variance of u'Au for random signs: 2 sum_{i != j} A_ij^2.
        variance = 2 * ((a**2).sum() - (np.diag(a) ** 2).sum()) / probes
    else:
        # Of p orthogonal directions among m, uniformly turned: that of one, which is
        # 2m / (m + 2) (tr A^2 - (tr A)^2 / m), times (1 - (p - 1) / (m - 1)) / p.
        m = len(a)
        variance = 2 * m / (m + 2) * ((a**2).sum() - np.trace(a) ** 2 / m)
        variance *= (1 - (probes - 1) / (m - 1)) / probes
    error = np.sqrt(variance / DRAWS)
    assert abs(values.mean() - (w**2).sum()) < 5 * error + 1e-5 * (w**2).sum()
    assert values.std() == pytest.approx(np.sqrt(variance), rel=0.05, abs=1e-4)


def test_probes_of_a_reconstruction_are_unbiased(rng, deep_network):
    encoder, decoder = deep_network((6, 3)), deep_network((3, 6))
    x = rng.normal(size=(1, 6)).astype("float32")
    codes, first = encoder.outputs_and_jacobian(x)
    expected = ((decoder.outputs_and_jacobian(codes)[1] @ first) ** 2).sum()
    parts = encoder.keras_model(), decoder.keras_model()
    values = penalty_of(parts, np.repeat(x, DRAWS, axis=0), seed=0)
    assert abs(values.mean() - expected) < 5 * values.std() / np.sqrt(DRAWS)


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


@pytest.mark.parametrize("bound", [{"chunk_size": 4}, {"memory_budget": 10**6}])
def test_config_round_trips(bound):
    penalty = km.ContractivePenalty(
        0.5,
        of="reconstruction",
        probes="exact",
        probe_kind="orthogonal",
        curvature=0.1,
        curvature_stddev=0.2,
        curvature_samples=3,
        seed=3,
        name="contraction",
        **bound,
    )
    config = penalty.get_config()
    again = km.ContractivePenalty.from_config(config)
    assert again.get_config() == config
    arguments = inspect.signature(km.ContractivePenalty).parameters.keys() - {"kwargs"}
    assert arguments <= config.keys()


def test_an_encoder_that_ignores_its_input_has_a_penalty_of_zero(rng):
    class Constant(layers.Layer):
        def call(self, x):
            return ops.ones((ops.shape(x)[0], 2))

    x = rng.normal(size=(8, 3)).astype("float32")
    for options in ({}, {"probes": "exact"}, {"curvature": 1.0}):
        assert penalty_of(Constant(), x, **options).tolist() == [0.0] * 8
        penalty = km.ContractivePenalty(1.0, **options)
        model = km.AutoEncoder(Constant(), layers.Dense(3), contractive_penalty=penalty)
        model.compile("sgd", loss="mse")
        assert model.fit(x, verbose=0).history["contractive_penalty"] == [0.0]


def test_integers_are_taken_as_the_same_numbers_in_floating_point(rng, deep_network):
    encoder = deep_network((5, 3)).keras_model()
    x = rng.integers(0, 3, size=(4, 5))
    for dtype in ("uint8", "int64", "bool"):
        values = x.astype(dtype)
        found = penalty_of(encoder, ops.convert_to_tensor(values), probes="exact")
        expected = penalty_of(encoder, values.astype("float32"), probes="exact")
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_encoders_that_mix_samples_are_refused():
    def mixing(name):
        inputs = keras.Input((4,))
        outputs = layers.Dense(4)(inputs - ops.mean(inputs, axis=0, keepdims=True))
        return keras.Model(inputs, outputs, name=name)

    with pytest.raises(ValueError, match="`encoder` must map each sample on its own"):
        km.AutoEncoder(mixing("e"), layers.Dense(4), contractive_penalty=0.1)
    penalty = km.ContractivePenalty(0.1, of="reconstruction")
    good = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    with pytest.raises(ValueError, match="`decoder` must map each sample on its own"):
        km.AutoEncoder(good, mixing("d"), contractive_penalty=penalty)
    km.AutoEncoder(mixing("e"), layers.Dense(4))  # without a penalty it may


def test_a_layer_is_taken_in_inference_also_while_another_trains(rng):
    class Penalised(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential(
                [layers.Dense(3, use_bias=False), layers.Dropout(0.5)]
            )
            self.penalty = km.ContractivePenalty(1.0, probes="exact")

        def call(self, x):
            return self.encoder(x), self.penalty(self.encoder, x)

    x = rng.normal(size=(4, 5)).astype("float32")
    model = Penalised()
    found = to_numpy(model(x, training=True)[1])
    (w,) = model.encoder.get_weights()
    np.testing.assert_allclose(found, np.full(4, (w**2).sum()), rtol=1e-5)


@pytest.mark.parametrize("probes", [1, "exact"])
def test_encoders_of_a_fixed_batch_size_are_taken_without_a_check(probes, rng):
    encoder = keras.Sequential(
        [keras.Input((3, 2), batch_size=4), layers.SimpleRNN(5, stateful=True)]
    )
    decoder = keras.Sequential([layers.Dense(6), layers.Reshape((3, 2))])
    penalty = km.ContractivePenalty(0.1, probes=probes)
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile("sgd", loss="mse")
    x = rng.normal(size=(4, 3, 2)).astype("float32")
    history = model.fit(x, batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_more_orthogonal_probes_than_outputs_are_refused(linear):
    with pytest.raises(ValueError, match=r"at most 3 orthogonal .* Received: probes=4"):
        penalty_of(linear, np.ones((2, 5), "float32"), probes=4, probe_kind="orthogonal")


BAD = [
    *(
        ("weight", value)
        for value in (-0.1, float("nan"), float("inf"), 1e39, "much", None)
    ),
    *(("probes", value) for value in (0, -1, 1.5, "all", True, None)),
    *(("of", value) for value in ("codes", "latent", None, 1)),
    *(("probe_kind", value) for value in ("gaussian", None)),
    *(("curvature", value) for value in (-1, float("nan"), float("inf"), "much")),
    *(("curvature_stddev", value) for value in (0, -1, float("nan"), None)),
    *(("curvature_samples", value) for value in (0, 1.5, None)),
    *(("chunk_size", value) for value in (0, 1.5, "all")),
    *(("memory_budget", value) for value in (0, 1.5, "all")),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_arguments_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be .* Received: {name}="):
        km.ContractivePenalty(**{"weight": 0.1, "probes": "exact", name: value})


def test_the_error_names_all_that_probes_may_be():
    with pytest.raises(ValueError, match=r'`probes` .*, or "exact"\. Received: probes='):
        km.ContractivePenalty(0.1, probes="all")


def test_weight_is_assigned_with_the_same_care(linear):
    penalty = km.ContractivePenalty(0.1)
    penalty.weight = 0.5
    assert to_numpy(penalty.weight.value) == 0.5
    with pytest.raises(ValueError, match=r"`weight` must be .* Received: weight=-1"):
        penalty.weight = -1
    assert penalty.get_config()["weight"] == 0.5
