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


def test_of_a_pair_of_levels_it_sets_the_pair():
    pairs = [(0.1, 0.4), (0.5, 0.5)]
    told = []

    def schedule(epoch, level):
        told.append(level)
        return pairs[epoch]

    model, x = identity(km.NoiseInjection("gaussian", (1, 2), seed=0)), np.ones((512, 8))
    callbacks = [km.NoiseSchedule(schedule)]
    history = model.fit(x, epochs=2, verbose=0, callbacks=callbacks).history
    assert told == [(1.0, 2.0), (0.1, 0.4)]
    assert [*zip(history["noise_level_low"], history["noise_level_high"])] == pairs
    assert "noise_level" not in history
    # The loss of the identity is the variance of the noise, of 512 * 8 entries.
    assert history["loss"][1] == pytest.approx(0.25, rel=5 * np.sqrt(2 / (512 * 8)))


@pytest.mark.parametrize(("level", "other"), [(0.5, (0.1, 0.5)), ((0.1, 0.5), 0.5)])
def test_a_pair_for_a_number_and_a_number_for_a_pair_are_refused(level, other):
    schedule = km.NoiseSchedule(lambda epoch, level: other)
    model = identity(km.NoiseInjection("gaussian", level))
    with pytest.raises(
        ValueError, match=r"must (be a finite number|stay a number, or a p)"
    ):
        model.fit(np.ones((8, 8), "f4"), verbose=0, callbacks=[schedule])
    assert model.noise.level == level


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
