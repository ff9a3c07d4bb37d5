import keras
import pytest
from keras import layers

from keras_manifold._map.plain import functional_class, is_plain


class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


PLAIN = [
    layers.Dense(2),
    layers.Conv2D(2, 3),
    layers.Flatten(),
    keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.ReLU()]),
]
OTHERS = [
    layers.Dropout(0.5),
    layers.BatchNormalization(),
    layers.GaussianNoise(0.1),
    layers.Dense(2, activity_regularizer="l2"),
    layers.Masking(),
    Doubled(),  # of which nothing is known
    keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dropout(0.5)]),
]


@pytest.mark.parametrize("layer", PLAIN, ids=lambda layer: layer.name)
def test_layers_that_do_the_same_in_training_are_plain(layer):
    assert is_plain(layer)


@pytest.mark.parametrize("layer", OTHERS, ids=lambda layer: layer.name)
def test_all_others_are_not(layer):
    assert not is_plain(layer)


def test_functional_models_are_as_plain_as_their_layers():
    inputs = keras.Input((3,))
    assert type(keras.Model(inputs, layers.Dense(2)(inputs))) is functional_class()
    assert is_plain(keras.Model(inputs, layers.Dense(2)(inputs)))
    assert not is_plain(keras.Model(inputs, layers.Dropout(0.5)(inputs)))
