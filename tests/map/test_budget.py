import pytest

from keras_manifold._map.budget import ENTRIES_HELD, passes_at_once, samples_held


def test_what_is_held_stays_below_the_bound_unless_one_sample_is_above_it():
    for entries in (1, 3, 1000, 2**20 + 1):
        held = samples_held(entries) * entries
        assert ENTRIES_HELD - entries < held <= ENTRIES_HELD
    assert samples_held(2 * ENTRIES_HELD) == 1


@pytest.mark.parametrize(
    ("samples", "passes", "expected"),
    [(64, 10, 1), (1, 10, 10), (16, 10, 4), (1000, 10, 1), (None, 10, 6), (None, 100, 1)],
)
def test_small_batches_are_passed_several_at_a_time(samples, passes, expected):
    assert passes_at_once(samples, passes) == expected
