import keras
import pytest
from keras import layers


@pytest.fixture
def encoder(rng):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="tanh")])
    model.set_weights([0.5 * rng.normal(size=(6, 3)), 0.1 * rng.normal(size=3)])
    return model
