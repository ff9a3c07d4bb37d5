import keras
import numpy as np
import pytest
from keras import ops

from keras_manifold._feeding import bound, check_target, weight_like_losses, with_targets

X = np.ones((4, 3), "float32")
W = np.arange(4.0)


def method(
    x=None, y=None, sample_weight=None, class_weight=None, validation_data=None, **kwargs
):
    """Such as Keras's own."""


def test_weighted_samples_are_their_own_targets():
    assert bound(method, X, None, (W,), {})["y"] is X
    assert bound(method, X, None, (), {})["y"] is None
    target = np.zeros_like(X)
    assert bound(method, X, target, (W,), {})["y"] is target


def test_arguments_keep_their_names_however_they_are_given():
    given = bound(method, X, None, (W,), {"verbose": 0})
    assert given["sample_weight"] is W
    assert given["verbose"] == 0
    assert "kwargs" not in given


@pytest.mark.parametrize(
    ("data", "has_target"),
    [(X, False), ((X,), False), ((X, None, W), True), ((X, X, W), True)],
)
def test_validation_data_are_completed_too(data, has_target):
    x, y, _ = bound(method, X, None, (), {"validation_data": data})["validation_data"]
    assert x is X
    assert y is (X if has_target else None)


def test_class_weights_are_refused():
    with pytest.raises(ValueError, match="`class_weight` must be None"):
        bound(method, X, None, (), {"class_weight": {0: 1.0}})


def test_a_step_has_the_batch_as_target_after_whatever_state_comes_first():
    x = ops.convert_to_tensor(X)
    state, data = with_targets(("state", (x,)))
    assert state == "state"
    inputs, target, weight = keras.utils.unpack_x_y_sample_weight(data)
    assert inputs is x
    assert target is x
    assert weight is None


def test_targets_may_be_shaped_as_inputs_or_as_outputs():
    check_target(X, X, np.ones((4, 2)))
    check_target(X, np.ones((4, 2)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="The target must have the shape of the input"):
        check_target(X, np.ones((4, 7)), np.ones((4, 2)))


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2), (4, 5, 3, 2)])
def test_weights_of_samples_get_the_shape_of_the_losses(shape):
    y = ops.zeros(shape)
    found = weight_like_losses(ops.convert_to_tensor(W), "mse", y, y)
    expected = np.broadcast_to(W.reshape(-1, *(1,) * (len(shape) - 2)), shape[:-1])
    np.testing.assert_array_equal(ops.convert_to_numpy(found), expected)


def test_weights_of_entries_are_left_alone():
    weights = ops.ones((4, 5))
    y = ops.zeros((4, 5, 3))
    assert weight_like_losses(weights, "mse", y, y) is weights
    assert weight_like_losses(None, "mse", y, y) is None
