"""Samples, batch by batch, from arrays and from every stream that Keras takes."""

import functools
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

# Samples of an array that are to tell it from another one.
_TELLING = 64


def floating_samples(x, name="x", form="(batch, *input_shape)", *, start=0):
    """Samples as a NumPy array of at least one, float32 or what `floatx` says.

    Args:
        x: Array or tensor.
        name: Of the argument, for errors.
        form: Its shape, for errors; it has as many axes at least.
        start: Index of the first one, for errors.

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
            f"{name}[{start + np.argmax(bad)}] and in {bad.sum() - 1} others beside it, of "
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
    _check_iterable(x)
    return iter(x)


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
    batches = Batches(x, batch_size)
    return iter(batches), batches.count


class Batches:
    """Floating-point batches of one sample shape, from an array or a data set.

    An array on disk (memory-mapped, of Zarr or HDF5) and a table of Hugging Face's
    `datasets` are read batch by batch; any other is seen to be finite at once.

    Args:
        x: Array of shape `(n, *input_shape)`, or an iterable of batches or of tuples that
            begin with one.
        batch_size: Samples in a batch of an array.

    Attributes:
        count: Of the batches, or `None` where nobody knows.
        samples: How many there are, or `None`.
    """

    count: int | None

    def __init__(self, x, batch_size):
        x = sole(x) if isinstance(x, Mapping) else x
        self.samples: Any = None
        self._rows = None
        self._stream = x
        if is_table(x) or hasattr(x, "shape"):
            batch_size = check_count("batch_size", batch_size)
            self._rows = rows_of(x)
            self.samples = int(x.shape[0])  # Zarr's arrays have no `len`
            self.count = -(-self.samples // batch_size)
            self._size = min(batch_size, self.samples)
        elif isinstance(x, keras.utils.PyDataset):
            if x.num_batches is None:
                raise ValueError(
                    "A PyDataset must say how many batches it has, as it would not end "
                    "otherwise. Received: num_batches=None."
                )
            self.count = x.num_batches
        else:
            _check_iterable(x)
            self.count = _length(x)

    def __iter__(self):
        return self.between(0, self.count)

    def between(self, start, stop):
        """Iterator over some of the batches; a stream is read from its beginning."""
        if self._rows is not None:
            size, rows = self._size, self._rows
            return (rows(i * size, (i + 1) * size) for i in range(start, stop))
        if isinstance(self._stream, keras.utils.PyDataset):
            found: Iterator = (self._stream[index] for index in range(start, stop))
        else:
            found = itertools.islice(self._stream, start, stop)
        return _of_one_shape(floating_samples(_inputs(element)) for element in found)

    @functools.cached_property
    def batch_size(self):
        """Samples in the first batch."""
        return len(next(self.between(0, 1)))

    def part(self, index, count):
        """The first batch and the one after the last of one of several parts.

        They are of whole batches, one after another, and as equal as that allows.

        Raises:
            ValueError: If there are fewer batches than parts, or nobody knows how many.
        """
        if self.count is None or isinstance(self._stream, Iterator):
            raise ValueError(
                "To be shared out in parts, `x` must be an array, or a data set that says "
                "how many batches it has and can be read again. Received: x of type "
                f"{type(self._stream).__name__}. A tf.data.Dataset is told by "
                "dataset.apply(tf.data.experimental.assert_cardinality(batches))."
            )
        if count > self.count:
            raise ValueError(
                f"Each part needs a batch at least. Received: part={(index, count)}, and "
                f"x of {self.count} batches. Take fewer parts, or a smaller batch_size."
            )
        return index * self.count // count, (index + 1) * self.count // count

    def some(self):
        """Samples that tell the data from others.

        They are a few of an array, spread evenly over it; the first batch of a data set.
        """
        if self._rows is None:
            return next(self.between(0, 1))
        places = np.unique(np.linspace(0, self.samples - 1, _TELLING).astype(int))
        return np.concatenate([self._rows(place, place + 1) for place in places])


def is_table(x: Any) -> bool:
    """Whether it is a table of Hugging Face's `datasets`, whose rows can be chosen."""
    return (
        hasattr(x, "column_names") and hasattr(x, "with_format") and hasattr(x, "num_rows")
    )


def is_on_disk(x: Any) -> bool:
    """Whether it is an array that is read when it is sliced.

    Such are memory-mapped arrays of NumPy, and those that come in chunks: of Zarr, HDF5,
    dask.
    """
    if isinstance(x, np.ndarray):
        return isinstance(x, np.memmap)
    return hasattr(x, "chunks") and hasattr(x, "shape") and hasattr(x, "dtype")


def rows_of(x):
    """A function from two ends to the samples between them, in floating point."""
    if is_table(x):
        table = x.with_format("numpy")
        return lambda start, stop: floating_samples(_inputs(table[start:stop]), start=start)
    if not is_on_disk(x):
        x = floating_samples(x)
        return lambda start, stop: x[start:stop]
    floating_samples(x[:1])  # shape and dtype
    # Copies: PyTorch warns of arrays that can't be written to, as mapped ones are.
    return lambda start, stop: floating_samples(np.array(x[start:stop]), start=start)


def _of_one_shape(batches):
    shape = None
    for batch in batches:
        shape = shape or batch.shape[1:]
        if batch.shape[1:] != shape:
            raise ValueError(
                "All samples must be of one shape, as their results go into one "
                f"array. Received: samples of shape {shape} and then of "
                f"{batch.shape[1:]}. Take each size on its own."
            )
        yield batch


def _check_iterable(x):
    if isinstance(x, Iterable) and not isinstance(x, (str, bytes, Mapping)):
        return
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
