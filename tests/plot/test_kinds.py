import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_manifold.plot._kinds import channel_axis, kind_of, planes_of

# What people would call them, with the axis of the channels.
KNOWN = {
    (28, 28): ("image", None),
    (28, 28, 1): ("image", 2),
    (28, 28, 3): ("image", 2),
    (3, 28, 28): ("image", 0),
    (1, 28, 28): ("image", 0),
    (458, 690, 3): ("image", 2),
    (128, 70): ("image", None),
    (2, 2): ("image", None),
    (5, 6): ("image", None),
    (128, 2): ("series", 1),
    (2, 128): ("series", 0),
    (288, 1): ("series", 1),
    (1000, 12): ("series", 1),
    (100, 3): ("series", 1),
    (128, 1, 1): ("series", 2),
    (1, 128, 3): ("series", 2),
    (784,): ("table", None),
    (28, 28, 2): ("table", None),
    (16, 16, 16, 1): ("table", None),
    (): ("table", None),
}


@pytest.mark.parametrize("shape", KNOWN)
def test_a_shape_has_one_kind(shape):
    assert (kind_of(shape), channel_axis(shape)) == KNOWN[shape]


@pytest.mark.parametrize("shape", KNOWN)
def test_planes_hold_every_entry_once_with_channels_first(shape):
    values = np.arange(2 * 3 * np.prod(shape, dtype=int)).reshape(2, 3, *shape)
    planes = planes_of(values, before=2)
    assert planes.ndim == 5
    assert planes.shape[:2] == (2, 3)
    np.testing.assert_array_equal(np.sort(planes, axis=None), np.arange(values.size))
    kind, axis = KNOWN[shape]
    assert planes.shape[2] == (1 if axis is None else shape[axis])
    assert (planes.shape[3] == 1) == (kind != "image")
    first = values[1, 2] if axis is None else values[1, 2].take(0, axis)
    np.testing.assert_array_equal(planes[1, 2, 0].ravel(), first.ravel())


@given(st.lists(st.integers(1, 40), min_size=2, max_size=2))
def test_what_two_axes_are_does_not_depend_on_their_order(shape):
    assert kind_of(shape) == kind_of(shape[::-1])
