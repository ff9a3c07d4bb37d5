import numpy as np
import pytest

from keras_manifold.plot._samples import common_range, samples_of, symmetric_range


def test_ranges_leave_out_what_is_not_finite():
    row = np.array([np.nan, 3.0, -np.inf, 1.0])
    assert common_range([row]) == (0.0, 3.0)
    assert common_range([row, -row]) == (-3.0, 3.0)
    assert symmetric_range(-row) == (-3.0, 3.0)
    assert common_range([]) == common_range([np.full(2, np.nan)]) == (0.0, 1.0)
    assert symmetric_range(np.zeros(3)) == (-1.0, 1.0)
    assert common_range([np.full(2, -2.0), np.zeros(1)]) == (-2.0, 0.0)


@pytest.mark.parametrize(
    ("shape", "channels", "is_bars"),
    [((20,), 1, True), ((33,), 1, False), ((20, 2), 2, False), ((20, 1), 1, False)],
)
def test_few_numbers_of_a_table_are_bars_and_all_else_is_a_line(shape, channels, is_bars):
    values = np.arange(np.prod(shape), dtype=float).reshape(1, *shape)
    values.flat[3] = np.inf
    (panel,) = samples_of(values).cells((0.0, 1.0), signed=False)
    assert panel.values.shape == (channels, shape[0])
    assert panel.is_bars == is_bars
    assert np.isnan(panel.values).sum() == 1


def test_scales_are_noted_where_the_picture_does_not_tell_them():
    limits = (-0.5, 0.5)
    images, series = samples_of(np.zeros((1, 4, 4))), samples_of(np.zeros((1, 40, 2)))
    assert images.note(limits, signed=True) == "colours\n±0.50"
    assert images.note(limits, signed=False) == ""
    assert series.note(limits, signed=True) == "scale\n±0.50"
    assert series.note(limits, signed=False) == "scale\n−0.5 to 0.5"
