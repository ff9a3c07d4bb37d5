"""Arguments that several modules take: their fixed sets of values, and checks."""

import inspect
import math
import numbers
from collections.abc import Sequence
from typing import Any, Literal, TypeVar, get_args

import numpy as np

Part = Literal["encoder", "decoder", "reconstruction"]
Unit = Literal["epoch", "batch"]
Verbose = Literal["auto"] | int

Choice = TypeVar("Choice")


def check_count(name: str, value: Any, *, least: int = 1, note: str = "") -> int:
    """The value as an `int`, refused unless it is a whole number of at least `least`.

    `note` goes into the error: what else the caller takes, or why.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or int(value) < least:
        note = f", {note}" if note else ""
        raise ValueError(
            f"`{name}` must be a whole number of at least {least}{note}. "
            f"Received: {name}={value!r}."
        )
    return int(value)


def check_at_most(name: str, value: Any, most: int, reason: str) -> int:
    """The value as an `int`, refused unless it is in [1, most]."""
    value = check_count(name, value)
    if value > most:
        raise ValueError(
            f"`{name}` must be in [1, {most}], as {reason}. Received: {name}={value}."
        )
    return value


def check_number(name: str, value: Any, *, positive: bool = False) -> float:
    """The value as a `float`, refused unless it is finite and at least 0, or above it."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0 or (positive and value == 0):
        bound = "above 0" if positive else "of at least 0"
        raise ValueError(
            f"`{name}` must be a finite number {bound}. Received: {name}={value!r}."
        )
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """Refuses what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}.")
    return bool(value)


def takes(function: Any, count: int) -> bool:
    """Whether a function can be called with so many arguments, as far as that is known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of what is compiled it may not be known
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def check_choice(name: str, value: Choice, choices: Any) -> Choice:
    """The value, refused unless it is one of the choices, a `Literal` of texts."""
    choices = get_args(choices)
    if not isinstance(value, str) or value not in choices:
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"`{name}` must be {known}. Received: {name}={value!r}.")
    return value


def check_image_shape(image_shape: Any, sample: Sequence[int]) -> tuple[int, ...]:
    """The shape as a tuple, refused unless it has as many entries as a sample."""
    sizes = image_shape if isinstance(image_shape, (tuple, list)) else [image_shape]
    if not all(isinstance(size, numbers.Integral) and int(size) > 0 for size in sizes):
        raise ValueError(
            "`image_shape` must be whole numbers above 0, such as (28, 28). Received: "
            f"image_shape={image_shape!r}."
        )
    if math.prod(sizes) != math.prod(sample):
        raise ValueError(
            "`image_shape` must have as many entries as a sample. Received: "
            f"image_shape={image_shape} for samples of shape {tuple(sample)}."
        )
    return tuple(map(int, sizes))


def check_verbose(value: Any) -> None:
    """Refuses what is neither a number nor `"auto"`."""
    if not isinstance(value, numbers.Integral) and not (
        isinstance(value, str) and value == "auto"
    ):
        raise ValueError(f'`verbose` must be "auto", 0 or 1. Received: verbose={value!r}.')
