"""Samples, batch by batch, from arrays and from every stream that Keras takes."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import check_count, check_verbose
from keras_manifold._progress import progress_bar

# Batches from which on `verbose="auto"` shows a progress bar.
_LONG_RUN = 50


def floating_samples(x, name="x", form="(batch, *input_shape)"):
    """Samples as a NumPy array of at least one, float32 or what `floatx` says.

    Args:
        x: Array or tensor.
        name: Of the argument, for errors.
        form: Its shape, for errors; it has as many axes at least.

    Raises:
        ValueError: If it has another form or no entries, or no real numbers.
        FloatingPointError: If an entry is NaN or infinite.
        TypeError: If it is sparse, masked, or no array of numbers that are known.
    """
    if np.ma.isMaskedArray(x):
        raise TypeError(
            f"`{name}` must have a value in every entry. Received: a masked array, whose "
            "missing entries would be taken as they are underneath. Fill them: "
            f"{name}.filled(0.0)."
        )
    if hasattr(x, "tocsr") and hasattr(x, "nnz"):
        raise TypeError(
            f"`{name}` must be a dense array. Received: a sparse matrix of type "
            f"{type(x).__name__}. Convert it, or a part of its rows: "
            f"{name}[:100].toarray()."
        )
    try:
        x = ops.convert_to_numpy(x)
    except Exception as error:
        raise TypeError(
            f"`{name}` must hold numbers that are known now. Received: {name} of type "
            f"{type(x).__name__}, which does not convert to a NumPy array: {error}. Within "
            "a compiled function (jax.jit, tf.function) there are none: call this outside."
        ) from error
    if x.ndim <= form.count(",") or len(x) == 0:
        raise ValueError(
            f"`{name}` must be of shape {form}, with at least one sample. Received: "
            f"{name} of shape {x.shape}. For a single sample pass {name}[None]."
        )
    if x.size == 0:
        raise ValueError(
            f"`{name}` must have entries. Received: {name} of shape {x.shape}."
        )
    is_whole = x.dtype.kind in "biu"
    # Keras's small floating-point types are foreign to NumPy ("V"), and text is to Keras.
    is_real = x.dtype.kind in "fV" and keras.backend.is_float_dtype(x.dtype.name)
    if not is_whole and not is_real:
        raise ValueError(
            f"`{name}` must hold real numbers. Received: {name} of dtype {x.dtype.name}."
        )
    x = x.astype(result_dtype(), copy=False)
    finite = np.isfinite(x)
    if not finite.all():
        bad = ~finite.reshape(len(x), -1).all(axis=1)
        raise FloatingPointError(
            f"`{name}` must be finite. Received: NaN or infinite entries in "
            f"{name}[{np.argmax(bad)}] and in {bad.sum() - 1} others beside it, of "
            f"{len(x)}. Remove these, or replace the entries: np.nan_to_num({name})."
        )
    return x


def sole(values: Any) -> Any:
    """The one array of a mapping or list that holds no more; others as they are."""
    if isinstance(values, Mapping) and len(values) == 1:
        (value,) = values.values()
        return value if hasattr(value, "shape") else values
    is_list = isinstance(values, (list, tuple)) and len(values) == 1
    return values[0] if is_list and len(getattr(values[0], "shape", ())) > 1 else values


def first_samples(x: Any, count: int) -> Any:
    """Samples to look at: an array as it is, the first few of a data set.

    Args:
        x: Array of shape `(n, *input_shape)`, alone, in a list or by its name; or a
            `tf.data.Dataset`, `PyDataset` or another iterable of batches, or of tuples that
            begin with one, that can be read again.
        count: Samples of a data set, at most.

    Raises:
        TypeError: If `x` is neither, is used up by reading, or holds several arrays.
        ValueError: If a data set has no samples, or does not come in batches.
    """
    x = sole(x)
    if isinstance(x, Iterator):
        raise TypeError(
            "`x` must be an array of samples, or a data set that can be read again. "
            f"Received: x of type {type(x).__name__}, whose first batch would be missing "
            "afterwards. Pass some samples: next(generator)[:10] of one of its own."
        )
    if hasattr(x, "__array__") or isinstance(x, (list, tuple)) or ops.is_tensor(x):
        return x
    taken: list[np.ndarray] = []
    for element in _again(x):
        batch = floating_samples(_inputs(element))
        taken.append(batch[: count - sum(map(len, taken))])
        if sum(map(len, taken)) == count:
            break
    if not taken:
        raise ValueError(
            "`x` must have at least one sample. Received: a data set without batches."
        )
    return np.concatenate(list(_of_one_shape(taken)))


def _again(x):
    """Iterator over the elements of a data set from its beginning."""
    if isinstance(x, keras.utils.PyDataset):
        count = x.num_batches
        indices = itertools.count() if count is None else range(count)
        return (x[index] for index in indices)
    return _iterator(x)


def result_dtype():
    """In which samples are taken and results given: float64 where `floatx` says so."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


def floating_batches(x, batch_size):
    """Iterator over floating-point batches of one sample shape, and their number or `None`.

    Args:
        x: Array of shape `(n, *input_shape)`, or an iterable of batches or of tuples that
            begin with one.
        batch_size: Samples in a batch of an array.

    Returns:
        Tuple `(batches, count)`.
    """
    x = sole(x) if isinstance(x, Mapping) else x
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
    if isinstance(stream, (itertools.cycle, itertools.count, itertools.repeat)):
        raise _endless(stream)
    try:
        return len(stream)
    except TypeError as error:  # generators and filtered datasets don't know theirs
        if "infinite" in str(error):
            raise _endless(stream) from None
        return None


def _endless(stream):
    return ValueError(
        "`x` must end, as all its samples are used. Received: an endless "
        f"{type(stream).__name__}. Take a part of it, as with dataset.take(10)."
    )


def _inputs(element):
    inputs, _, _ = keras.utils.unpack_x_y_sample_weight(element)
    inputs = sole(inputs)
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
    bar = progress_bar(count, "batch", verbose=verbose, many=_LONG_RUN)
    done = 0
    for done, batch in enumerate(batches, start=1):
        yield batch
        bar(done)
    if count is None:
        bar(done, finalize=True)


def padded(batch, size):
    """At least `size` samples, the last repeated: batches of one size compile once."""
    missing = max(0, size - len(batch))
    return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
