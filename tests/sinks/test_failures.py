"""One warning for failures that must not end a training."""

import warnings

import pytest

from keras_manifold.sinks._failures import OneWarning


def fail(warning, error, *kinds):
    with warning.instead_of(*kinds):
        raise error


def test_the_first_failure_is_a_warning_and_the_next_ones_are_silent(recwarn):
    warning = OneWarning("Results can't be written to runs")
    for number in range(3):
        fail(warning, OSError(f"disk full {number}"), OSError)
    (found,) = recwarn
    assert found.category is UserWarning
    assert str(found.message).startswith(
        "Results can't be written to runs: disk full 0. Training continues"
    )


def test_the_next_failure_is_told_after_forgetting():
    warning = OneWarning("What")
    with pytest.warns(UserWarning, match="What: a"):
        fail(warning, OSError("a"), OSError)
    warning.forget()
    with pytest.warns(UserWarning, match="What: b"):
        fail(warning, ValueError("b"), OSError, ValueError)


def test_other_errors_and_interrupts_are_raised():
    warning = OneWarning("What")
    with pytest.raises(ValueError, match="mine"):
        fail(warning, ValueError("mine"), OSError)
    with pytest.raises(KeyboardInterrupt):
        fail(warning, KeyboardInterrupt(), Exception)


def test_without_a_failure_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with OneWarning("What").instead_of(OSError):
            pass


def test_two_objects_warn_each():
    for _ in range(2):
        with pytest.warns(UserWarning, match="What"):
            fail(OneWarning("What"), OSError("a"), OSError)
