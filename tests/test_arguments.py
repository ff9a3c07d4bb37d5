import math
from typing import Literal

import numpy as np
import pytest

from keras_manifold._arguments import (
    check_at_most,
    check_choice,
    check_count,
    check_number,
    check_verbose,
)


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.uint8(7)])
def test_whole_numbers_of_any_type_become_ints(value):
    found = check_count("k", value)
    assert (type(found), found) == (int, int(value))


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, math.nan])
def test_what_is_no_count_is_refused_by_name_and_value(value):
    with pytest.raises(ValueError, match=r"`k` must be a whole number of at least 1, or"):
        check_count("k", value, note="or None")


def test_counts_may_begin_at_0():
    assert check_count("seed", 0, least=0) == 0


@pytest.mark.parametrize("value", [0, 4])
def test_counts_beyond_what_there_is_are_refused(value):
    assert check_at_most("k", 3, 3, "there are 3") == 3
    with pytest.raises(ValueError, match=f"`k` must be .* Received: k={value}"):
        check_at_most("k", value, 3, "there are 3")


@pytest.mark.parametrize("value", [0, 2, 0.5, np.float32(0.5)])
def test_numbers_become_floats(value):
    assert type(check_number("weight", value)) is float


@pytest.mark.parametrize("value", [-1, math.inf, math.nan, True, "1", None, 1j])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="`weight` must be a finite number of at least 0"):
        check_number("weight", value)


def test_numbers_may_have_to_be_above_0():
    with pytest.raises(ValueError, match="`reach` must be a finite number above 0"):
        check_number("reach", 0.0, positive=True)


def test_choices_are_named_in_the_error():
    choices = Literal["a", "b"]
    assert check_choice("of", "a", choices) == "a"
    with pytest.raises(ValueError, match=r"`of` must be .a. or .b.\. Received: of=.c."):
        check_choice("of", "c", choices)


@pytest.mark.parametrize("value", [None, 1, ["a"], np.array(["a", "b"])])
def test_a_choice_is_a_text(value):
    with pytest.raises(ValueError, match=r"`of` must be .a. or .b.\. Received: of="):
        check_choice("of", value, Literal["a", "b"])


@pytest.mark.parametrize("value", [None, "yes", "1", 0.5, np.array([1, 2])])
def test_verbose_is_a_number_or_auto(value):
    with pytest.raises(ValueError, match=r"`verbose` must be .auto., 0 or 1\. Received: v"):
        check_verbose(value)


@pytest.mark.parametrize("value", ["auto", 0, 1, 2, True, np.int64(1)])
def test_what_keras_takes_for_verbose_passes(value):
    check_verbose(value)
