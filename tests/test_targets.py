import keras
import numpy as np
import pytest

from keras_manifold._targets import check_target, check_targets, own_target


def of(*shape):
    return np.ones((4, *shape), "float32")


@pytest.mark.parametrize(
    ("x", "y", "y_pred"),
    [
        (of(3), of(3), of(3)),
        (of(3), of(2), of(2)),
        (of(4, 4, 1), of(4, 4), of(4, 4, 1)),
        (of(4, 4), of(4, 4), of(4, 4, 1)),
        (of(4, 4, 1), of(4, 4, 1), of(4, 4)),
    ],
)
def test_targets_may_be_shaped_as_outputs_but_for_a_last_side_of_one(x, y, y_pred):
    check_target(x, y, y_pred, "mse")
    check_target(x, y, y_pred, lambda y, p: y - p)


@pytest.mark.parametrize("loss", ["mse", None, lambda y, p: y - p])
def test_labels_are_refused(loss):
    with pytest.raises(ValueError, match="The target must have the shape of the input"):
        check_target(of(3), of(7), of(2), loss)


@pytest.mark.parametrize(
    ("of_input", "of_output"),
    [((6,), (1,)), ((6,), (5,)), ((8, 8, 3), (8, 8, 1)), ((8, 8, 1), (8, 8, 3))],
)
@pytest.mark.parametrize("loss", ["mse", keras.losses.BinaryCrossentropy()])
def test_outputs_that_would_be_spread_over_the_target_are_refused(
    of_input, of_output, loss
):
    x = of(*of_input)
    with pytest.raises(ValueError, match="must return reconstructions of the shape"):
        check_target(x, x, of(*of_output), loss)


def test_several_numbers_per_entry_are_for_losses_that_take_them():
    x = of(4, 4, 1)
    check_target(x, x, of(4, 4, 16), "sparse_categorical_crossentropy")
    check_target(x, x, of(4, 4, 2), lambda y, p: y - p[..., :1])
    with pytest.raises(ValueError, match="must return reconstructions of the shape"):
        check_target(of(6), of(6), of(1), lambda y, p: y - p)


def test_each_output_needs_a_target():
    two, x = [of(3), of(2)], of(3)
    check_targets(x, two, two, "mse")
    assert own_target(two, two)[1] is two[1]
    named = {"b": two[0], "a": two[1]}
    assert own_target(named, two, ["b", "a"])[1] is two[1]
    with pytest.raises(ValueError, match="1 targets for 2 outputs"):
        check_targets(x, x, two, "mse")
    with pytest.raises(ValueError, match="1 inputs and 2 outputs"):
        own_target(x, two)
