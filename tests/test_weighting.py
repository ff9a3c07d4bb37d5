import keras
import numpy as np
import pytest
from keras import ops

import keras_manifold as km
from keras_manifold._weighting import is_mean_of_entries, weighed

W = np.arange(4.0)


def to_numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2), (4, 5, 3, 2)])
def test_weights_of_samples_get_the_shape_of_the_losses(shape):
    y = ops.zeros(shape)
    for weights in (W, W[:, None]):
        found, *_ = weighed(ops.convert_to_tensor(weights), "mse", y, y)
        expected = np.broadcast_to(W.reshape(-1, *(1,) * (len(shape) - 2)), shape[:-1])
        np.testing.assert_array_equal(to_numpy(found), expected)


def test_weights_of_the_shape_of_the_losses_are_left_alone():
    weights, y = ops.ones((4, 5)), ops.zeros((4, 5, 3))
    found, target, _ = weighed(weights, "mse", y, y)
    assert found.shape == (4, 5)
    assert target is y
    assert weighed(None, "mse", y, y)[0] is None


def test_weights_of_another_shape_are_refused():
    y = ops.zeros((4, 5, 3))
    with pytest.raises(ValueError, match=r"weights of shape \(None, 3\) for targets"):
        weighed(ops.ones((4, 3)), "mse", y, y)


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.MeanSquaredError(reduction="sum"),
        keras.losses.BinaryCrossentropy(axis=1),
    ],
    ids=["sum", "axis"],
)
def test_losses_whose_values_one_side_more_would_change_are_no_means(loss):
    assert not is_mean_of_entries(loss)
    with pytest.raises(ValueError, match="Weights of entries need a loss that is a mean"):
        weighed(ops.ones((4, 5, 3)), loss, ops.zeros((4, 5, 3)), ops.zeros((4, 5, 3)))


def own(y, y_pred):
    return ops.mean(ops.abs(y - y_pred) ** 3, axis=-1)


def of_images(y, y_pred):
    return ops.mean(y - y_pred, axis=(1, 2))


def of_all(y, y_pred):
    return ops.mean(y - y_pred)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", True),
        (keras.losses.BinaryCrossentropy(), True),
        (own, True),
        ("categorical_crossentropy", False),
        ("kl_divergence", False),
        (of_images, False),
        (of_all, False),
    ],
)
def test_a_few_numbers_tell_what_is_a_mean_of_entries(loss, expected):
    assert is_mean_of_entries(loss) is expected


def error_of(model, x):
    return model.predict(x, verbose=0) - x


@pytest.mark.parametrize("loss", ["mse", own, keras.losses.MeanSquaredError()])
@pytest.mark.parametrize("shape", [(4,), (2, 3, 2)])
def test_entries_are_weighed_one_by_one(loss, shape, rng):
    # As many samples as entries, so that weights put on these would not fail.
    x = rng.uniform(size=(4, *shape)).astype("float32")
    weights = rng.uniform(size=x.shape).astype("float32")
    model = km.AutoEncoder.dense(shape, 2, units=3, output_activation=None)
    model.compile("sgd", loss)
    losses = np.abs(error_of(model, x)) ** (3 if loss is own else 2)
    expected = (weights * losses).mean()
    for given in ({"x": x}, {"x": x, "y": x}):
        found = model.evaluate(**given, sample_weight=weights, verbose=0, return_dict=True)
        assert found["reconstruction_loss"] == pytest.approx(expected, rel=1e-4)
    history = model.fit(
        x, sample_weight=weights, validation_data=(x, None, weights), verbose=0
    ).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_losses_without_values_of_entries_take_no_weights_of_entries(rng):
    x = rng.uniform(size=(4, 4)).astype("float32")
    model = km.AutoEncoder.dense(4, 2, units=3)
    model.compile("sgd", lambda y, p: ops.mean((y - p) ** 2))
    with pytest.raises(ValueError, match="Weights of entries need a loss that is a mean"):
        model.evaluate(x, sample_weight=x, verbose=0)
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    with pytest.raises(ValueError, match="`weighted_metrics` take one weight per sample"):
        model.evaluate(x, sample_weight=x, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0].shape, (4, 3))
