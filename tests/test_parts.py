import keras
import numpy as np
import pytest

import keras_manifold as km
from keras_manifold._parts import as_noise, as_penalty, by_name


@pytest.mark.parametrize("number", [0.3, 1, np.float32(0.5), np.uint8(2)])
def test_a_number_is_gaussian_noise_of_that_level_and_a_penalty_of_that_weight(number):
    noise, penalty = as_noise(number), as_penalty(number)
    assert (noise.kind, noise.level, noise.clip) == ("gaussian", float(number), None)
    weight = float(keras.ops.convert_to_numpy(penalty.weight.value))
    assert weight == pytest.approx(float(number))


def test_what_is_a_part_stays_what_it_is():
    noise, penalty = km.NoiseInjection("masking", 0.5), km.ContractivePenalty(0.1)
    assert as_noise(noise) is noise
    assert as_penalty(penalty) is penalty
    assert as_noise(None) is None
    assert as_penalty(None) is None


@pytest.mark.parametrize("number", [-0.1, float("nan"), np.inf])
def test_numbers_out_of_range_are_refused(number):
    with pytest.raises(ValueError, match="`level` must be"):
        as_noise(number)
    with pytest.raises(ValueError, match="`weight` must be"):
        as_penalty(number)


def test_penalties_need_names_of_their_own():
    penalties = [km.ContractivePenalty(0.1, name=name) for name in ("a", "b")]
    assert list(by_name(None, penalties)) == ["a", "b"]
    with pytest.raises(ValueError, match="a second one named 'a'"):
        by_name(None, [penalties[0], penalties[0]])
    with pytest.raises(TypeError, match="must be callable as penalty"):
        by_name(None, [0.1])
