"""Checks of arguments that several modules take."""

import numbers
from typing import Any


def check_count(name: str, value: Any) -> int:
    """The value as an `int`, refused unless it is a whole number of at least 1."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or int(value) < 1:
        raise ValueError(
            f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}."
        )
    return int(value)
