"""Samples on several devices; test_distribution.py has a run on two."""

import keras
import numpy as np
import pytest

from keras_manifold._map.devices import shared_out


@pytest.fixture
def weights():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    return layer.weights


def test_without_a_distribution_arrays_stay_as_they_are(weights):
    x = np.ones((5, 3), "float32")
    assert shared_out(x, weights) is x
    arrays = [x, x]
    assert shared_out(arrays, weights) is arrays
    assert shared_out(x, []) is x
