"""Checks of arguments that several modules take."""

import math
import numbers
from typing import Any

import keras
import numpy as np
from keras import ops


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


def check_number(name: str, value: Any, *, positive: bool = False) -> float:
    """The value as a `float`, refused unless it is finite and at least 0, or above it."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0 or (positive and value == 0):
        bound = "above 0" if positive else "of at least 0"
        raise ValueError(
            f"`{name}` must be a finite number {bound}. Received: {name}={value!r}."
        )
    return float(value)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """The value, refused unless it is one of the choices."""
    if value not in choices:
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"`{name}` must be {known}. Received: {name}={value!r}.")
    return value


def check_has_derivative(name, function):
    """Refuses a model that turns its inputs into integers."""
    for tensor in getattr(function, "inputs", None) or ():
        if not keras.backend.is_float_dtype(tensor.dtype):
            raise ValueError(
                f"`{name}` must take floating-point inputs to have a derivative. "
                f"Received: a model with inputs of dtype {tensor.dtype}. Declare "
                "keras.Input(shape) without a dtype: integer images are cast."
            )


def independent_output_shape(name, function, sample):
    """Shape of one output, once a companion of the sample is seen not to change it."""
    alone = ops.convert_to_numpy(function(ops.convert_to_tensor(sample[None])))
    pair = np.stack([sample, sample + 1])
    together = ops.convert_to_numpy(function(ops.convert_to_tensor(pair)))
    if alone.shape[:1] != (1,) or together.shape != (2, *alone.shape[1:]):
        raise ValueError(
            f"`{name}` must return one output a sample, of shape (batch, *output_shape). "
            f"Received: shape {alone.shape} for one sample and {together.shape} for two."
        )
    if not keras.backend.is_float_dtype(alone.dtype.name):
        raise ValueError(
            f"`{name}` must return floating-point numbers to have a derivative. "
            f"Received: outputs of dtype {alone.dtype.name}."
        )
    change = np.abs(alone[0].astype("float64") - together[0]).max(initial=0.0)
    if change > 0.01 * np.abs(alone).max(initial=0.0):
        raise ValueError(
            f"`{name}` must map each sample on its own, but sample 0 changes by "
            f"{change:.2g} when it is evaluated beside another. Layers that take "
            "statistics of the batch or draw random numbers do this, such as "
            "BatchNormalization in training mode: call yours with training=False, as "
            "is done with a Keras model."
        )
    return alone.shape[1:]
