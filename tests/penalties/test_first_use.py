import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km

X = np.random.default_rng(0).uniform(0.5, 1.0, size=(6, 4)).astype("float32")


def values(function, x=X):
    return km.ContractivePenalty(1.0)(function, ops.convert_to_tensor(x))


def centred(x):
    return x - ops.mean(x, axis=0, keepdims=True)


def slightly_mixed(x):
    return x + 0.01 * ops.mean(x, axis=0, keepdims=True)


def dead_first(x):
    return ops.relu(x - 0.9) * ops.sum(x, axis=0, keepdims=True)


def shifted(x):
    return x + ops.roll(x, 2, axis=0)


@pytest.mark.parametrize("function", [centred, slightly_mixed, dead_first, shifted])
@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_mixing_is_refused_however_small_it_is(function, scale):
    x = X * np.float32(scale)
    with pytest.raises(ValueError, match="must map each sample on its own"):
        values(lambda x: function(x / scale), x)
    with pytest.raises(ValueError, match="must map each sample on its own"):
        km.jacobian(lambda x: function(x / scale), x)


def test_random_outputs_are_refused():
    dropout = layers.Dropout(0.5, seed=0)
    with pytest.raises(ValueError, match="from one call to the next"):
        values(lambda x: dropout(x, training=True))


def test_a_function_is_checked_once():
    calls = []
    penalty = km.ContractivePenalty(1.0)
    scale = 2.0

    def step():
        return penalty(lambda x: calls.append(x) or scale * x, ops.convert_to_tensor(X))

    counts = []
    for _ in range(3):
        step()
        counts.append(len(calls))
    assert counts[0] > counts[2] - counts[1] == 1


def test_what_lists_hold_is_kept_of_few_functions():
    penalty = km.ContractivePenalty(1.0)

    def value_of(parameters):
        return penalty(lambda x: x if parameters else 0 * x, ops.convert_to_tensor(X))

    held = []
    for _ in range(40):
        parameters = [Held(mixes=False)]
        held.append(weakref.ref(parameters[0]))
        value_of(parameters)
    del parameters
    gc.collect()
    assert sum(reference() is not None for reference in held) <= 16


class Held:
    def __init__(self, mixes):
        self.mixes = mixes


def test_a_function_that_holds_something_new_at_an_old_address_is_checked():
    penalty = km.ContractivePenalty(1.0)

    def value_of(held):
        def made(x, *, held=held):
            return centred(x) if held.mixes else x

        return penalty(made, ops.convert_to_tensor(X))

    addresses, first = set(), []
    for _ in range(20):
        held = Held(mixes=False)
        addresses.add(id(held))
        value_of(held)
        del held
    for _ in range(1000):
        held = Held(mixes=True)
        if id(held) in addresses:
            break
        first.append(held)
    else:
        pytest.fail("no object was made at the address of an earlier one")
    with pytest.raises(ValueError, match="must map each sample on its own"):
        value_of(held)


@pytest.mark.parametrize(
    "function",
    [ops.sqrt, lambda x: ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True)), ops.log],
    ids=["root", "norm", "logarithm"],
)
def test_a_derivative_that_is_not_finite_is_named(function):
    x = X.copy()
    x[2] = 0.0
    with pytest.raises(FloatingPointError, match="at sample 2"):
        values(function, x)
    with pytest.raises(FloatingPointError, match="at sample 2"):
        km.jacobian(function, x)


def steps(x):
    return ops.cast(ops.cast(x * 100, "int32"), "float32")


def test_a_lost_derivative_is_told():
    for action in (lambda: values(steps), lambda: km.jacobian(steps, X)):
        with pytest.warns(UserWarning, match="exactly 0 at every sample"):
            action()
    encoder = keras.Sequential(
        [keras.Input((4,)), layers.Embedding(3, 2), layers.Flatten()]
    )
    x = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    with pytest.warns(UserWarning, match="exactly 0 at every sample"):
        km.tangent_space(encoder, x)


def test_a_constant_has_the_derivative_0_without_a_word(recwarn):
    assert not km.jacobian(lambda x: 0.0 * x[:, :1] + 3.0, X).any()
    assert not [w for w in recwarn if "exactly 0" in str(w.message)]


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize`")
def test_quantised_layers_are_refused_by_name():
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="narrow")])
    encoder.quantize("int8")
    with pytest.raises(ValueError, match="'narrow', which is quantised"):
        km.jacobian(encoder, X)
