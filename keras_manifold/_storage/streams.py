"""Samples, batch by batch, from arrays and from every stream that Keras takes."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import check_count, check_verbose

# Batches from which on `verbose="auto"` shows a progress bar.
_LONG_RUN = 50


def floating_samples(x):
    """`x` as a float32 NumPy array with at least one sample."""
    x = ops.convert_to_numpy(x)
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(
            "`x` must be of shape (batch, *input_shape) with at least one sample. "
            f"Received: x of shape {x.shape}. For a single sample pass x[None]."
        )
    if x.size == 0:
        raise ValueError(f"Samples must have entries. Received: x of shape {x.shape}.")
    is_whole = x.dtype.kind in "biu"
    # Keras's small floating-point types are foreign to NumPy ("V"), and text is to Keras.
    is_real = x.dtype.kind in "fV" and keras.backend.is_float_dtype(x.dtype.name)
    if not is_whole and not is_real:
        raise ValueError(
            f"`x` must hold real numbers. Received: x of dtype {x.dtype.name}."
        )
    return x.astype("float32", copy=False)


def floating_batches(x, batch_size):
    """Iterator over floating-point batches of one sample shape, and their number or `None`.

    Args:
        x: Array of shape `(n, *input_shape)`, or an iterable of batches or of tuples that
            begin with one.
        batch_size: Samples in a batch of an array.

    Returns:
        Tuple `(batches, count)`.
    """
    if hasattr(x, "shape"):
        batch_size = check_count("batch_size", batch_size)
        x = floating_samples(x)
        starts = range(0, len(x), batch_size)
        return (x[start : start + batch_size] for start in starts), len(starts)
    if isinstance(x, keras.utils.PyDataset):
        if x.num_batches is None:
            raise ValueError(
                "A PyDataset must say how many batches it has, as it would not end "
                "otherwise. Received: num_batches=None."
            )
        stream, count = (x[index] for index in range(x.num_batches)), x.num_batches
    else:
        stream, count = _iterator(x), _length(x)
    return _of_one_shape(floating_samples(_inputs(element)) for element in stream), count


def _of_one_shape(batches):
    shape = None
    for batch in batches:
        shape = shape or batch.shape[1:]
        if batch.shape[1:] != shape:
            raise ValueError(
                "All samples must be of one shape, as their tangent vectors go into one "
                f"array. Received: samples of shape {shape} and then of "
                f"{batch.shape[1:]}. Call tangent_space for each size on its own."
            )
        yield batch


def _iterator(x):
    if isinstance(x, Iterable) and not isinstance(x, (str, bytes, Mapping)):
        return iter(x)
    raise TypeError(
        "`x` must be an array of shape (n, *input_shape) or an iterable of batches. "
        f"Received: x of type {type(x).__name__}."
    )


def _length(stream):
    try:
        return len(stream)
    except TypeError:  # of unknown length, as generators and filtered datasets are
        return None


def _inputs(element):
    inputs, _, _ = keras.utils.unpack_x_y_sample_weight(element)
    if isinstance(inputs, (Mapping, tuple)):
        raise TypeError(
            "A batch must hold one array of inputs. Received: inputs of type "
            f"{type(inputs).__name__} with {len(inputs)} entries. Wrap a model of several "
            "inputs in a function of the one that the Jacobian is by."
        )
    # A tf.data pipeline yields TensorFlow's tensors on every backend.
    return inputs if ops.is_tensor(inputs) else np.asarray(inputs)


def with_progress(batches, count, verbose):
    """The batches, with a progress bar if wanted, or if there are many."""
    check_verbose(verbose)
    return _shown(batches, count, verbose)


def _shown(batches, count, verbose):
    is_long = count is None or count >= _LONG_RUN
    if not (is_long if verbose == "auto" else verbose):
        yield from batches
        return
    bar = keras.utils.Progbar(count, unit_name="batch")
    done = 0
    for done, batch in enumerate(batches, start=1):
        yield batch
        bar.update(done)
    if count is None:
        bar.update(done, finalize=True)


def padded(batch, size):
    """At least `size` samples, the last repeated: batches of one size compile once."""
    missing = max(0, size - len(batch))
    return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
