"""Checks of arguments that several modules take."""

import numbers
from typing import Any

import keras


def check_count(name: str, value: Any, *, otherwise: str | None = None) -> int:
    """The value as an `int`, refused unless it is a whole number of at least 1.

    `otherwise` names what the caller takes in its place, for the error.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or int(value) < 1:
        alternative = "" if otherwise is None else f", or {otherwise}"
        raise ValueError(
            f"`{name}` must be a whole number of at least 1{alternative}. "
            f"Received: {name}={value!r}."
        )
    return int(value)


def check_has_derivative(name, function):
    """Refuses a model that turns its inputs into integers."""
    for tensor in getattr(function, "inputs", None) or ():
        if not keras.backend.is_float_dtype(tensor.dtype):
            raise ValueError(
                f"`{name}` must take floating-point inputs to have a derivative. "
                f"Received: a model with inputs of dtype {tensor.dtype}. Declare "
                "keras.Input(shape) without a dtype: integer images are cast."
            )
