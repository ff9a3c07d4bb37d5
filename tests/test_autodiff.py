import contextlib

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_manifold import autodiff


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, "float32"))


def to_numpy(value):
    return ops.convert_to_numpy(value)


def without_gradients():
    """As Keras predicts: what is computed is not differentiated again."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


@given(st.integers(0, 2**16), st.integers(1, 5), st.integers(1, 5))
def test_jvp_and_vjp_are_adjoint(seed, inputs, outputs):
    rng = np.random.default_rng(seed)
    w = tensor(rng.normal(size=(inputs, outputs)))
    x, v = (tensor(rng.normal(size=(3, inputs))) for _ in range(2))
    u = tensor(rng.normal(size=(3, outputs)))

    def function(x):
        return ops.sin(ops.matmul(ops.tanh(x), w))

    _, jv = autodiff.jvp(function, x, v)
    _, push = autodiff.linearize(function, x)
    np.testing.assert_allclose(to_numpy(push(v)), to_numpy(jv), rtol=1e-5, atol=1e-6)
    _, pullback = autodiff.vjp(function, x)
    left, right = (
        (to_numpy(u) * to_numpy(jv)).sum(),
        (to_numpy(pullback(u)) * to_numpy(v)).sum(),
    )
    assert left == pytest.approx(right, rel=1e-4, abs=1e-4)


def test_both_are_the_matrix_of_a_linear_function(rng):
    w = rng.normal(size=(4, 2)).astype("float32")
    x, v, u = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 2))

    def function(x):
        return ops.matmul(x, w)

    outputs, jv = autodiff.jvp(function, tensor(x), tensor(v))
    np.testing.assert_allclose(to_numpy(outputs), x @ w, atol=1e-5)
    np.testing.assert_allclose(to_numpy(jv), v @ w, atol=1e-5)
    outputs, push = autodiff.linearize(function, tensor(x))
    np.testing.assert_allclose(to_numpy(outputs), x @ w, atol=1e-5)
    for _ in range(2):  # any number of times
        np.testing.assert_allclose(to_numpy(push(tensor(v))), v @ w, atol=1e-5)
    outputs, pullback = autodiff.vjp(function, tensor(x))
    np.testing.assert_allclose(to_numpy(outputs), x @ w, atol=1e-5)
    np.testing.assert_allclose(to_numpy(pullback(tensor(u))), u @ w.T, atol=1e-5)


def test_a_pullback_can_be_called_again(rng):
    x = tensor(rng.normal(size=(2, 3)))
    _, pullback = autodiff.vjp(ops.sin, x)
    ones = ops.ones_like(x)
    np.testing.assert_array_equal(to_numpy(pullback(ones)), to_numpy(pullback(ones)))


def test_one_sample_may_stand_for_many(rng):
    """As views of one place in memory, where the backend has such."""
    x, v = rng.normal(size=(2, 1, 3))
    many, vs = (ops.broadcast_to(tensor(values), (4, 3)) for values in (x, v))
    expected = np.repeat(np.cos(x) * v, 4, axis=0)
    np.testing.assert_allclose(to_numpy(autodiff.jvp(ops.sin, many, vs)[1]), expected, 1e-5)
    pushed = autodiff.linearize(ops.sin, many)[1](vs)
    np.testing.assert_allclose(to_numpy(pushed), expected, 1e-5)
    pulled = autodiff.vjp(ops.sin, many)[1](vs)
    np.testing.assert_allclose(to_numpy(pulled), expected, 1e-5)


def test_outputs_that_do_not_depend_on_the_input_have_zero_derivatives():
    x = tensor(np.ones((2, 3)))

    def constant(x):
        return ops.ones((2, 4))

    _, jv = autodiff.jvp(constant, x, ops.ones_like(x))
    _, push = autodiff.linearize(constant, x)
    assert to_numpy(push(ops.ones_like(x))).tolist() == np.zeros((2, 4)).tolist()
    _, pullback = autodiff.vjp(constant, x)
    assert to_numpy(jv).tolist() == np.zeros((2, 4)).tolist()
    assert to_numpy(pullback(ops.ones((2, 4)))).tolist() == np.zeros((2, 3)).tolist()


def test_it_differentiates_the_inference_of_a_layer_without_touching_its_state(rng):
    layer = keras.layers.BatchNormalization()
    x = tensor(rng.normal(size=(5, 3)))
    layer(x)
    before = [to_numpy(v) for v in layer.variables]
    _, pullback = autodiff.vjp(lambda x: layer(x, training=False), x)
    gradient = to_numpy(pullback(ops.ones_like(x)))
    np.testing.assert_allclose(gradient, np.full((5, 3), 1 / np.sqrt(1.001)), rtol=1e-5)
    for old, variable in zip(before, layer.variables):
        np.testing.assert_array_equal(old, to_numpy(variable))


def test_a_recomputed_map_is_the_map_and_has_its_gradients(rng):
    # f(x, i) = (i + 1) w x^2, so that the sum over i of u_i f has known derivatives.
    weight = keras.Variable(np.array([2.0, -1.0, 0.5], "float32"))
    x = tensor(rng.normal(size=(4, 3)))
    u = tensor(rng.normal(size=(5, 4, 3)))

    def function(x, index):
        factor = ops.cast(index + 1, "float32")
        return factor * ops.multiply(weight, ops.square(x))

    def total(x):
        images = autodiff.recomputed_map(function, x, 5)
        np.testing.assert_equal(tuple(images.shape), (5, 4, 3))
        return ops.sum(u * images, axis=0)

    found, pullback = autodiff.vjp(total, x)
    weighted = np.einsum("i,inj->nj", np.arange(1, 6), to_numpy(u))
    square = to_numpy(x) ** 2
    w = to_numpy(weight.value)
    np.testing.assert_allclose(to_numpy(found), weighted * w * square, rtol=1e-4)
    gradient = to_numpy(pullback(ops.ones_like(found)))
    np.testing.assert_allclose(gradient, 2 * weighted * w * to_numpy(x), rtol=1e-4)


def test_an_image_of_a_recomputed_map_is_computed_twice_whatever_it_differentiates(rng):
    weight = keras.Variable(np.array([2.0, -1.0, 0.5], "float32"))
    calls = []

    def function(x, index):
        calls.append(index)
        _, pullback = autodiff.vjp(lambda x: ops.sin(ops.multiply(weight, x)), x)
        return sum(ops.square(pullback(i * ops.ones_like(x))) for i in range(4))

    def total(x):
        return ops.sum(autodiff.recomputed_map(function, x, 5), axis=0)

    found, pullback = autodiff.vjp(total, tensor(rng.normal(size=(4, 3))))
    pullback(ops.ones_like(found))
    assert len(calls) <= 2 * 5 + 1  # one more to see what it is made of


def resized(interpolation, size):
    if interpolation == "area":  # which Keras has not, and people take from TensorFlow
        import tensorflow as tf

        return lambda x: tf.image.resize(x, size, method="area")
    return lambda x: ops.image.resize(
        x, size, interpolation=interpolation, data_format="channels_last"
    )


def has_interpolation(interpolation):
    backend = keras.backend.backend()
    lanczos = interpolation.startswith("lanczos") and backend == "torch"
    return not lanczos and (interpolation != "area" or backend == "tensorflow")


INTERPOLATIONS = [
    *filter(
        has_interpolation,
        ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"],
    )
]


@pytest.mark.parametrize("size", [(6, 8), (2, 3)], ids=["larger", "smaller"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_resizing_has_both_products_and_second_derivatives(interpolation, size, rng):
    resize = resized(interpolation, size)
    units = np.eye(20).reshape(20, 4, 5, 1)  # resizing is linear: their images say all
    matrix = to_numpy(resize(tensor(units))).reshape(20, -1).T.astype("float64")
    x, v = rng.normal(size=(2, 3, 4, 5, 1))
    u = rng.normal(size=(3, *size, 1))

    def flat(array):
        return array.reshape(3, -1)

    def function(x):
        return resize(x * x)

    def gain(x):
        _, pullback = autodiff.vjp(function, x)
        return ops.sum(ops.square(pullback(tensor(u))), axis=(1, 2, 3))

    outputs, pullback = autodiff.vjp(function, tensor(x))
    push = autodiff.pushforward(function, tensor(x), outputs, pullback)
    images = to_numpy(push(tensor(v)))
    np.testing.assert_allclose(flat(images), flat(2 * x * v) @ matrix.T, atol=1e-4)
    turned = flat(u) @ matrix
    expected = 2 * flat(x) * turned
    np.testing.assert_allclose(flat(to_numpy(pullback(tensor(u)))), expected, atol=1e-4)
    values, gradient = autodiff.vjp(gain, tensor(x))
    found = flat(to_numpy(gradient(ops.ones_like(values))))
    np.testing.assert_allclose(found, 8 * flat(x) * turned**2, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("activation", "slope", "curvature"),
    [
        (
            ops.softsign,
            lambda x: 1 / (1 + np.abs(x)) ** 2,
            lambda x: -2 * np.sign(x) / (1 + np.abs(x)) ** 3,
        ),
        (ops.hard_sigmoid, lambda x: np.where(np.abs(x) < 3, 1 / 6, 0.0), np.zeros_like),
    ],
    ids=["softsign", "hard_sigmoid"],
)
def test_activations_without_a_second_derivative_of_their_own(
    activation, slope, curvature, rng
):
    x, w = rng.normal(size=(2, 40)).astype("float32") * 3

    def gain(w):
        outputs, pullback = autodiff.vjp(lambda x: activation(x * w), tensor(x))
        return ops.square(pullback(ops.ones_like(outputs)))

    values, gradient = autodiff.vjp(gain, tensor(w))
    found = to_numpy(gradient(ops.ones_like(values)))
    inner = x.astype("float64") * w
    of_slope = w * slope(inner)
    expected = 2 * of_slope * (slope(inner) + w * curvature(inner) * x)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(to_numpy(values), of_slope**2, rtol=1e-4)


def test_many_products_through_convolutions_evaluate_the_function_once(rng):
    layer = keras.Sequential(
        [
            keras.Input((16, 16, 4)),
            keras.layers.Conv2D(4, 3, activation="tanh"),
            keras.layers.Conv2DTranspose(2, 3, strides=2),
        ]
    )
    calls = []

    def function(x):
        calls.append(x)
        return layer(x, training=False)

    x, vs = rng.normal(size=(2, 64, 16, 16, 4)).astype("float32")
    with without_gradients():
        outputs, push = autodiff.linearize(function, tensor(x), products=64)
        before = len(calls)
        pushed = to_numpy(push(tensor(vs)))
        assert len(calls) == before
        expected, along = autodiff.jvp(function, tensor(x), tensor(vs))
    np.testing.assert_allclose(to_numpy(outputs), to_numpy(expected), atol=1e-5)
    np.testing.assert_allclose(pushed, to_numpy(along), atol=1e-4)


def added_to(h):
    h += 0.5  # in place, on PyTorch
    return ops.sigmoid(h)


def written_into(h):
    canvas = ops.slice_update(ops.zeros((*h.shape[:-1], 6)), (0, 0, 0, 1), h)
    return ops.sigmoid(canvas)


@pytest.mark.parametrize("written", [added_to, written_into])
def test_products_through_what_writes_in_place_are_the_same_each_time(written, rng):
    if written is written_into and keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no derivative of what slice_update is there")
    layer = keras.layers.Conv2D(4, 3)
    x, vs = (tensor(a) for a in rng.normal(size=(2, 64, 16, 16, 4)))
    layer.build(x.shape)
    layer.trainable = False
    with without_gradients():
        outputs, push = autodiff.linearize(lambda x: written(layer(x)), x, products=64)
        found = [to_numpy(push(vs)) for _ in range(3)]
    h = to_numpy(layer(x)) + (0.5 if written is added_to else 0.0)
    slopes = np.exp(-h) / np.square(1 + np.exp(-h))
    along = to_numpy(layer(vs)) - layer.get_weights()[1]
    expected = np.zeros(outputs.shape)
    first = 0 if written is added_to else 1
    expected[..., first : first + 4] = slopes * along
    for pushed in found:
        np.testing.assert_allclose(pushed, expected, atol=1e-4)


def test_several_vectors_go_together(rng):
    w = rng.normal(size=(4, 2)).astype("float32")
    x, u = rng.normal(size=(3, 4)), rng.normal(size=(5, 3, 2))
    x = tensor(x)
    _, pullback = autodiff.vjp(lambda x: ops.matmul(x, w), x)
    calls = []

    def counted(u):
        calls.append(u)
        return pullback(u)

    found = to_numpy(autodiff.together(counted)(tensor(u)))
    assert len(calls) == 1
    np.testing.assert_allclose(found, u @ w.T, atol=1e-5)


def test_what_can_not_be_vectorised_goes_one_by_one():
    def pullback(u):
        if len(u.shape) != 2 or not autodiff.is_concrete(u):
            raise NotImplementedError
        return 2 * u if float(ops.sum(u)) else u

    u = tensor(np.ones((5, 3, 2)))
    found = autodiff.together(pullback)(u)
    np.testing.assert_allclose(to_numpy(found), np.full((5, 3, 2), 2.0))


def test_bytes_held_are_at_least_those_of_the_results():
    layer = keras.Sequential(
        [keras.Input((7,)), keras.layers.Dense(100, activation="tanh")]
    )
    layer = keras.Sequential([layer, keras.layers.Dense(3)])
    held = autodiff.bytes_held(layer, ops.ones((5, 7)))
    assert 5 * (7 + 100 + 3) * 4 <= held <= 20 * 5 * (7 + 100 + 3) * 4


def test_passes_go_together_where_vectorising_them_is_paid_once():
    x = keras.ops.ones((2, 3))
    outputs, _ = autodiff.vjp(keras.ops.square, x)
    is_eager = keras.backend.backend() == "tensorflow"
    assert autodiff.go_together(x, outputs) is not is_eager


@pytest.mark.parametrize(
    ("entries", "count", "together"),
    [(2**6, 32, 32), (2**16, 32, 4), (2**18, 32, 1), (2**20, 8, 1), (50_000, 8, 4)],
)
def test_as_many_passes_go_together_as_stay_near_the_processor(entries, count, together):
    x = keras.ops.ones((2, entries // 2))
    assert autodiff.passes_together(keras.ops.square, x, x, count) == together


def test_groups_that_are_compiled_one_by_one_are_few():
    x = keras.ops.ones((2, 2**17))
    together = autodiff.passes_together(keras.ops.square, x, x, 512)
    assert together >= (8 if autodiff.compiles() else 1)


def test_the_largest_tensor_between_counts():
    def wide(x):
        return keras.ops.sum(keras.ops.tile(x, (1, 2**12)), axis=1, keepdims=True)

    class Asks(keras.Model):
        def call(self, x):
            outputs, _ = autodiff.vjp(wide, x)
            self.found = autodiff.passes_together(wide, x, outputs, 32)
            return outputs

    model = Asks()
    model.predict(np.ones((64, 4), "float32"), verbose=0)
    assert model.found == 1
