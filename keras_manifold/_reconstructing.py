"""How far reconstructions are from their samples, batch by batch."""

from typing import Any

import numpy as np

from keras_manifold._arguments import check_flag, check_verbose
from keras_manifold._map.checks import check_input, warn_where_not_finite
from keras_manifold._map.compiled import ONE_AT_A_TIME
from keras_manifold._map.function import Map
from keras_manifold._storage.streams import floating_batches, padded, with_progress


def squared_errors(
    model: Any, x: Any, *, reduce: bool, batch_size: int, verbose: int | str
) -> np.ndarray:
    """Squared errors of what a model makes of samples.

    Args:
        model: Keras model from samples to their reconstructions.
        x: Array of shape `(n, *input_shape)`, or an iterable of batches.
        reduce: Whether to take the mean over the entries of each sample.
        batch_size: Samples in a batch of an array.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one on long runs.

    Returns:
        float32, `(n,)`, or `(n, *input_shape)` without `reduce`.

    Raises:
        ValueError: If there are no samples, they have another shape than the model takes or
            returns, or `reduce` is no bool.
    """
    check_verbose(verbose)
    check_flag("reduce", reduce)
    batches, count = floating_batches(x, batch_size)
    reconstruct = Map(model)
    found, size = [], 0
    for batch in with_progress(batches, count, verbose):
        check_input("model", model, batch[0])
        size = max(size, len(batch))
        with ONE_AT_A_TIME:
            outputs = reconstruct.values(padded(batch, size))
        with np.errstate(over="ignore", invalid="ignore"):
            errors = np.square(_of_shape(outputs, batch) - batch.astype("float64"))
            if reduce:
                errors = errors.reshape(len(batch), -1).mean(axis=1)
            found.append(errors.astype("float32"))
    if not found:
        raise ValueError("`x` must bring at least one batch. Received: an empty stream.")
    errors = np.concatenate(found)
    warn_where_not_finite(errors, stacklevel=3)
    return errors


def _of_shape(outputs, batch):
    """The reconstructions of a batch, which may lack sides of 1 or have more of them."""
    shape = tuple(getattr(outputs, "shape", ()))
    if _sides(shape[1:]) != _sides(batch.shape[1:]) or not shape:
        found = f"shape {(None, *shape[1:])}" if shape else f"type {type(outputs).__name__}"
        raise ValueError(
            "Reconstructions must have the shape of their samples to be compared. "
            f"Received: outputs of {found} for samples of shape {(None, *batch.shape[1:])}."
        )
    return outputs[: len(batch)].reshape(batch.shape)


def _sides(shape):
    return [side for side in shape if side != 1]
