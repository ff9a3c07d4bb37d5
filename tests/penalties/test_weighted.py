import numpy as np
import pytest
from keras import ops

from keras_manifold.penalties._weighted import WeightedPenalty, squared_norms


class Fixed(WeightedPenalty):
    fixed = ("of",)

    def __init__(self):
        super().__init__(1.0)
        self.of = "encoder"
        self.built = True


def test_what_a_compiled_step_would_not_follow_stays():
    penalty = Fixed()
    penalty.of = "encoder"
    with pytest.raises(ValueError, match=r"`of` can't be changed.*Received: of='decoder'"):
        penalty.of = "decoder"


def test_a_weight_is_a_setting_that_may_be_assigned():
    penalty = WeightedPenalty(0.5)
    penalty.weight = 0.25
    assert float(ops.convert_to_numpy(penalty.weight.value)) == 0.25
    assert penalty.get_config()["weight"] == 0.25
    assert penalty.weights == []


def test_a_saved_weight_is_loaded_where_the_first_one_was_the_same():
    penalty, store = WeightedPenalty(0.5), {}
    penalty.weight = 0.25
    penalty.save_own_variables(store)
    for initial, expected in ((0.5, 0.25), (0.75, 0.75)):
        other = WeightedPenalty(initial)
        other.load_own_variables(store)
        assert float(ops.convert_to_numpy(other.weight.value)) == expected


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf, 1e39, "1"])
def test_a_weight_out_of_range_is_refused(weight):
    with pytest.raises(ValueError, match="`weight` must be a"):
        WeightedPenalty(weight)


def test_squared_norms_are_those_of_samples():
    values = squared_norms(np.arange(8.0).reshape(2, 2, 2))
    assert ops.convert_to_numpy(values).tolist() == [14.0, 126.0]
