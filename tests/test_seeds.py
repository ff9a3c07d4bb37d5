import keras
import numpy as np
import pytest

from keras_manifold import _seeds


def states(*seeds):
    return [keras.random.SeedGenerator(seed).state for seed in seeds]


def test_states_come_back_and_the_rest_is_handed_on():
    store = {"weight": np.ones(2)}
    _seeds.save(store, states(1, 2))
    others, loaded = [], states(3, 4)
    _seeds.load(store, others.append, lambda: loaded)
    assert list(others[0]) == ["weight"]
    for found, expected in zip(loaded, states(1, 2)):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(expected)
        )


def test_states_of_another_model_are_left_out_with_a_warning():
    store = {}
    _seeds.save(store, states(1, 2))
    with pytest.warns(UserWarning, match="holds 2 states.*this model has 1"):
        _seeds.load(store, lambda others: None, lambda: states(3))
