"""Samples of the data at which a derivative is most likely to be missing."""

import contextlib
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold._storage.streams import first_samples

# As many as other checks take, so that the same operations are compiled.
_SAMPLES = 5

# Entries that are looked at, for which that takes tenths of a second.
_MOST_ENTRIES = 2**26

# Samples of a data set that are looked at.
_OF_A_DATA_SET = 64


def telling_samples(x: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """The flattest sample, that with the most zeros, the smallest and the largest one.

    Roots, norms and logarithms have no derivative at 0: at a silent clip or a black image.

    Args:
        x: What `fit` got, or the first batch of a generator. Of a data set the first
            samples are read, as Keras does to build a model.

    Returns:
        Tuple of five samples, `(5, *input_shape)`, in floating point, and their indices;
        `None` where `x` brings no array of numbers.
    """
    with contextlib.suppress(TypeError, ValueError):  # of what can't be read again
        x = first_samples(x, _OF_A_DATA_SET)
    if isinstance(x, keras.KerasTensor) or not (
        isinstance(x, np.ndarray) or ops.is_tensor(x)
    ):
        return None
    if len(x.shape) < 2 or 0 in x.shape:
        return None
    x = ops.convert_to_numpy(x[: max(1, _MOST_ENTRIES // math.prod(x.shape[1:]))])
    if x.dtype.kind not in "biuf":
        return None
    flat = x.reshape(len(x), -1)
    largest, smallest = flat.max(axis=1), flat.min(axis=1)
    size = np.maximum(np.abs(largest.astype("float64")), np.abs(smallest.astype("float64")))
    spread = largest.astype("float64") - smallest
    zeros = (flat == 0).sum(axis=1)
    found = [0, spread.argmin(), zeros.argmax(), size.argmin(), size.argmax()]
    indices = np.array(found[:_SAMPLES])
    samples = x[indices]
    if samples.dtype.kind != "f":
        samples = samples.astype("float32")
    return samples.astype(keras.config.floatx()), indices
