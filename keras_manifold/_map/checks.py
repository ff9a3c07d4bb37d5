"""What must hold for a user's function before anything is computed with it."""

import keras
import numpy as np
from keras import ops


def check_has_derivative(name, function):
    """Refuses a model that turns its inputs into integers."""
    for tensor in getattr(function, "inputs", None) or ():
        if not keras.backend.is_float_dtype(tensor.dtype):
            raise ValueError(
                f"`{name}` must take floating-point inputs to have a derivative. "
                f"Received: a model with inputs of dtype {tensor.dtype}. Declare "
                "keras.Input(shape) without a dtype: integer images are cast."
            )


def check_input(name, function, sample):
    """Refuses samples whose shape is not that of a model's one input."""
    inputs = getattr(function, "inputs", None) or ()
    if len(inputs) > 1:
        raise TypeError(
            f"`{name}` must take one tensor. Received: a model of {len(inputs)} inputs. "
            "Wrap it in a function of the one that the Jacobian is by."
        )
    for tensor in inputs:
        shape = tuple(tensor.shape[1:])
        if not (_fits(shape, sample.shape) or _fits(shape, (*sample.shape, 1))):
            raise ValueError(
                f"`{name}` takes inputs of shape {(None, *shape)}. Received: samples of "
                f"shape {sample.shape}. For a single sample pass x[None]."
            )


def _fits(expected, found):
    """Whether a sample has the sides that a model declares, of which some are `None`."""
    return len(expected) == len(found) and all(
        side in (None, other) for side, other in zip(expected, found)
    )


def independent_output_shape(name, function, sample):
    """Shape of one output, once a companion of the sample is seen not to change it."""
    outputs = function(ops.convert_to_tensor(sample[None]))
    if isinstance(outputs, (list, tuple, dict)):
        raise TypeError(
            f"`{name}` must return one tensor. Received: a {type(outputs).__name__} of "
            f"{len(outputs)}. Wrap it in a function that returns the one to look at."
        )
    alone = ops.convert_to_numpy(outputs)
    pair = np.stack([sample, sample + 1])
    together = ops.convert_to_numpy(function(ops.convert_to_tensor(pair)))
    if alone.shape[:1] != (1,) or together.shape != (2, *alone.shape[1:]):
        raise ValueError(
            f"`{name}` must return one output a sample, of shape (batch, *output_shape). "
            f"Received: shape {alone.shape} for one sample and {together.shape} for two."
        )
    if alone.size == 0:
        raise ValueError(
            f"`{name}` must return at least one entry a sample. Received: outputs of shape "
            f"{(None, *alone.shape[1:])}."
        )
    if not keras.backend.is_float_dtype(alone.dtype.name):
        raise ValueError(
            f"`{name}` must return floating-point numbers to have a derivative. "
            f"Received: outputs of dtype {alone.dtype.name}."
        )
    with np.errstate(invalid="ignore"):  # inf - inf; what is not finite is refused later
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
