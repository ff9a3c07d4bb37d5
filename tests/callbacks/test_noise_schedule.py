import keras
import numpy as np
import pytest
from keras import layers

import keras_manifold as km


def identity(noise):
    halves = [keras.Sequential([keras.Input((8,)), layers.Rescaling(1.0)]) for _ in "ab"]
    model = km.AutoEncoder(*halves, noise=noise)
    model.compile("sgd", "mse")
    return model


def test_the_scheduled_level_is_that_of_each_epoch():
    # The loss of the identity is the variance of the noise.
    levels = [0.0, 0.5, 1.0]
    schedule = km.NoiseSchedule(lambda epoch, level: levels[epoch])
    model, x = identity(km.NoiseInjection("gaussian", 0.1, seed=0)), np.ones((512, 8), "f4")
    history = model.fit(x, epochs=3, verbose=0, callbacks=[schedule]).history
    assert history["noise_level"] == levels
    np.testing.assert_allclose(history["loss"], np.square(levels), rtol=0.1)
    assert model.noise.level == 1.0


def test_it_is_told_the_present_level_and_says_what_it_sets(capsys):
    schedule = km.NoiseSchedule(lambda epoch, level: level / 2, verbose=1)
    model = identity(0.5)
    model.fit(np.ones((8, 8), "f4"), epochs=2, verbose=0, callbacks=[schedule])
    assert model.noise.level == 0.125
    assert "Epoch 2: NoiseSchedule sets the level to 0.125." in capsys.readouterr().out


@pytest.mark.parametrize("noise", [None, layers.GaussianNoise(0.1)])
def test_it_needs_noise_with_a_level(noise):
    schedule = km.NoiseSchedule(lambda epoch, level: 0.1)
    with pytest.raises(ValueError, match="NoiseSchedule needs a model whose `noise`"):
        identity(noise).fit(np.ones((8, 8), "f4"), verbose=0, callbacks=[schedule])


def test_bad_schedules_are_refused():
    with pytest.raises(TypeError, match=r"schedule\(epoch, level\)"):
        km.NoiseSchedule(0.1)
    schedule = km.NoiseSchedule(lambda epoch, level: -1.0)
    with pytest.raises(ValueError, match=r"schedule\(0, 0.5\).* must be"):
        identity(0.5).fit(np.ones((8, 8), "f4"), verbose=0, callbacks=[schedule])
