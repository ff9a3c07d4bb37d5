import keras
import numpy as np
import pytest
from keras import layers

from keras_manifold._reconstructing import squared_errors


def errors(model, x, reduce=True):
    return squared_errors(model, x, reduce=reduce, batch_size=4, verbose=0)


def test_errors_are_squared_distances_of_a_linear_model(rng):
    x = rng.normal(size=(10, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Rescaling(0.5)])
    np.testing.assert_allclose(errors(model, x, reduce=False), x**2 / 4, rtol=1e-5)
    np.testing.assert_allclose(errors(model, x), (x**2).mean(1) / 4, rtol=1e-5)


def test_whole_numbers_and_a_side_of_one_more_are_compared(rng):
    x = rng.integers(0, 255, (5, 4, 3), dtype="uint8")
    model = keras.Sequential([keras.Input((4, 3)), layers.Reshape((4, 3, 1))])
    np.testing.assert_array_equal(errors(model, x, reduce=False), np.zeros(x.shape))


def test_reconstructions_of_another_shape_are_refused(rng):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"outputs of shape \(None, 1\) for samples of"):
        errors(model, np.ones((2, 3), "float32"))


def test_samples_of_another_shape_than_the_model_takes_are_refused():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"takes inputs of shape \(None, 3\).*\(5,\)"):
        errors(model, np.ones((2, 5), "float32"))


def test_a_last_side_of_one_that_keras_drops_is_taken(rng):
    x = rng.uniform(size=(5, 4, 3, 1)).astype("float32")
    model = keras.Sequential([keras.Input((4, 3)), layers.Rescaling(1.0)])
    np.testing.assert_array_equal(errors(model, x), np.zeros(5))


def test_errors_that_are_not_finite_cost_one_warning(recwarn):
    x = np.array([[1.0, 1], [-1, 1], [-1, -1], [1, 2]], "float32")
    model = keras.Sequential([keras.Input((2,)), layers.Lambda(keras.ops.sqrt)])
    found = errors(model, x)
    assert np.isfinite(found).tolist() == [True, False, False, True]
    assert len([w for w in recwarn if "at 2 of 4 samples" in str(w.message)]) == 1


def test_reduce_is_a_truth_value():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"`reduce` must be True or False.*reduce='no'"):
        errors(model, np.ones((2, 3), "float32"), reduce="no")


def test_an_empty_stream_is_refused():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="at least one batch"):
        errors(model, [])
