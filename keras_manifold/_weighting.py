"""Weights of samples and of their entries, as Keras's losses take them."""

from typing import Any

import keras
import numpy as np
from keras import losses, ops

# Means over the last axis of a function of each entry.
_OF_ENTRIES = (
    losses.BinaryCrossentropy,
    losses.BinaryFocalCrossentropy,
    losses.Huber,
    losses.LogCosh,
    losses.MeanAbsoluteError,
    losses.MeanAbsolutePercentageError,
    losses.MeanSquaredError,
    losses.MeanSquaredLogarithmicError,
    losses.Poisson,
)
# Reductions for which one side more among the entries changes no value.
_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


def is_mean_of_entries(loss: Any) -> bool:
    """Whether a loss is the mean over the last axis of a function of each entry.

    Of losses that are no class of Keras's it is found out with a few numbers.

    Args:
        loss: What `compile` got, for one output.
    """
    loss = keras.losses.get(loss)
    if getattr(loss, "reduction", "mean") not in _MEANS or getattr(loss, "axis", -1) != -1:
        return False
    if isinstance(loss, _OF_ENTRIES):
        return True
    call = loss.call if isinstance(loss, keras.losses.Loss) else loss
    rng = np.random.default_rng(0)
    y, y_pred = rng.uniform(0.1, 0.9, (2, 2, 3)).astype("float32")
    try:
        whole, entries = (
            ops.convert_to_numpy(call(*map(ops.convert_to_tensor, pair)))
            for pair in ((y, y_pred), (y[..., None], y_pred[..., None]))
        )
    except Exception:  # whatever a stranger's function does with such numbers
        return False
    has_entries = whole.shape == (2,) and entries.shape == (2, 3)
    return has_entries and np.allclose(whole, entries.mean(axis=-1), rtol=1e-4)


def weighed(
    sample_weight: Any, loss: Any, y: Any, y_pred: Any, of_entries: bool | None = None
) -> tuple[Any, Any, Any]:
    """Weights in the shape of the losses that they multiply, with targets and outputs.

    Args:
        sample_weight: Weights of samples, `(batch,)` or with sides of 1, or of entries:
            shaped as the targets, or without their last side. `None` for none.
        loss: What `compile` got, for one output.
        y: Targets, `(batch, ...)`.
        y_pred: Outputs, `(batch, ...)`.
        of_entries: What `is_mean_of_entries` said; `None` if nobody asked.

    Returns:
        Tuple of weights, targets and outputs. Targets and outputs have one side more where
        Keras would take the mean over the entries before it weighs them.

    Raises:
        ValueError: If the weights have another shape, or the loss has no values of entries.
    """
    if sample_weight is None or loss is None:
        return sample_weight, y, y_pred
    found = keras.losses.get(loss)
    call = found.call if isinstance(found, keras.losses.Loss) else found
    one = [_as_keras_casts(value[:1], found) for value in (y, y_pred)]
    one_loss = call(*one)
    sides, of_loss = tuple(sample_weight.shape[1:]), tuple(one_loss.shape[1:])
    if all(side == 1 for side in sides):
        ones = ops.ones((1, *ops.shape(one_loss)[1:]), dtype=one_loss.dtype)
        flat = ops.cast(ops.reshape(sample_weight, (-1,)), one_loss.dtype)
        return ops.reshape(flat, (-1, *(1,) * len(of_loss))) * ones, y, y_pred
    if _agree(sides, of_loss) or _agree(sides, (*of_loss, 1)):
        return ops.reshape(sample_weight, (-1, *ops.shape(one_loss)[1:])), y, y_pred
    of_target = tuple(y.shape[1:])
    if not _agree(sides, of_target):
        raise ValueError(
            "`sample_weight` must have one value per sample, or one per entry. Received: "
            f"weights of shape {(None, *sides)} for targets of shape {(None, *of_target)}."
        )
    if of_entries is None:
        of_entries = isinstance(found, _OF_ENTRIES) and is_mean_of_entries(found)
    if not of_entries:
        raise ValueError(
            "Weights of entries need a loss that is a mean over the entries of the last "
            f"axis, as mse is. Received: sample_weight of shape {(None, *sides)} with "
            f"loss={loss!r}. Write a loss that weighs them itself, or give each sample one."
        )
    y = ops.reshape(y, ops.shape(y_pred))
    return sample_weight, ops.expand_dims(y, -1), ops.expand_dims(y_pred, -1)


def weights_of_samples(sample_weight: Any) -> Any:
    """Weights without sides of 1, for metrics."""
    if sample_weight is None or any(side != 1 for side in sample_weight.shape[1:]):
        return sample_weight
    return ops.reshape(sample_weight, (-1,))


def _as_keras_casts(values, loss):
    """The values as a loss sees them, which `Loss.__call__` casts."""
    dtype = loss.dtype if isinstance(loss, keras.losses.Loss) else keras.config.floatx()
    return ops.cast(ops.convert_to_tensor(values), dtype)


def _agree(a, b):
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b))
