"""What an autoencoder is fed with, from what users hand to Keras's methods."""

import contextlib
import inspect
import itertools
import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold._storage.stored import StoredBatches, is_stored
from keras_manifold._storage.streams import sole

# Dense copies of sparse rows, in bytes.
_MOST_DENSE = 2**30


def bound(
    method: Callable, x: Any, y: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of `fit`, `evaluate` or `train_on_batch`, by name, with targets.

    Keras drops weights that come without a target: where there are some, the samples are
    given as their own. One array by its name or in a list is that array; sparse rows are
    made dense. Samples on disk become batches that are read one by one.

    Args:
        method: Keras's own method, which will get them.
        x: Samples, or a data set.
        y: Targets, or `None`.
        args: What else was given by position.
        kwargs: What else was given by name.

    Raises:
        ValueError: If `class_weight` is among them, sparse rows are too many, or samples
            on disk are to be split.
    """
    signature = inspect.signature(method)
    given = signature.bind(x, y, *args, **kwargs).arguments
    given |= given.pop("kwargs", {})
    class_weight = given.get("class_weight")
    if class_weight is not None:
        raise ValueError(
            "`class_weight` must be None, as the target of an autoencoder has no "
            f"classes. Received: class_weight={class_weight!r}. Give each sample its "
            "weight with `sample_weight`."
        )
    if given.get("validation_data") is not None:
        data = given["validation_data"]
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        x_val, y_val, weights = keras.utils.unpack_x_y_sample_weight(data)
        x_val, y_val = _array("validation_data", x_val), _array("validation_data", y_val)
        y_val = _target_of_weighted(x_val, y_val, weights)
        given["validation_data"] = (x_val, y_val, weights)
        if is_stored(x_val):
            size = given.get("validation_batch_size") or given.get("batch_size")
            stored = StoredBatches(x_val, y_val, weights, batch_size=size)
            given["validation_data"] = stored
    x, y = _array("x", x), _array("y", y)
    given["x"], given["y"] = x, _target_of_weighted(x, y, given.get("sample_weight"))
    taken = signature.parameters
    if not is_stored(x) or "batch_size" not in taken:  # it is a batch
        return given
    return _read_by_batches(given, shuffles="shuffle" in taken)  # `evaluate` does not


def _read_by_batches(given, shuffles):
    """The arguments with a data set in place of samples on disk."""
    if given.get("validation_split"):
        raise ValueError(
            "Samples on disk are not split by Keras, which would load all of them. "
            f"Received: validation_split={given['validation_split']}. Pass "
            "validation_data=..., such as another file."
        )
    size = given.pop("batch_size", None)
    if given.get("validation_data") is not None:  # whose batches are as large otherwise
        given.setdefault("validation_batch_size", size)
    stored = StoredBatches(
        given["x"],
        given["y"],
        given.pop("sample_weight", None),
        batch_size=size,
        shuffle=bool(given.get("shuffle", shuffles)),
    )
    return given | {"x": stored, "y": None}


def _target_of_weighted(x, y, sample_weight):
    return x if y is None and sample_weight is not None else y


def _array(name, values):
    """One array, from a mapping or list of it or from sparse rows; others as they are."""
    values = sole(values)
    if not (hasattr(values, "toarray") and hasattr(values, "nnz")):
        return values
    size = int(np.prod(values.shape)) * np.dtype(values.dtype).itemsize
    if size > _MOST_DENSE:
        raise ValueError(
            f"`{name}` must be dense, and sparse rows are made so up to 1 GiB. Received: "
            f"{name} of shape {values.shape}, sparse, {size / 2**30:.1f} GiB dense. Pass "
            "batches, such as a keras.utils.PyDataset of x[i:j].toarray()."
        )
    return values.toarray()


def first_batch(x: Any) -> tuple[Any, Any]:
    """What a generator begins with, and a generator of that and the rest.

    Args:
        x: What `fit` got.

    Returns:
        Tuple of the inputs of the first batch and what to give to Keras; of `None` and `x`
        itself, if it is no generator or has no batch.
    """
    if not isinstance(x, types.GeneratorType):
        return None, x
    for first in x:
        again = itertools.chain([first], x)
        return sole(keras.utils.unpack_x_y_sample_weight(first)[0]), _one_by_one(again)
    return None, x


def _one_by_one(elements):
    # Of an iterator: Keras drops its generator, and that would close the user's with it.
    yield from elements


def check_one_input(encoder: Any, x: Any) -> None:
    """Refuses what can be seen to be no batches of an encoder's one input.

    Args:
        encoder: That of the model; one that declares its input.
        x: What `fit` or `evaluate` got, or a batch.

    Raises:
        ValueError: If `x` is a list of batches, or holds samples that are not batched.
    """
    inputs: Any = getattr(encoder, "inputs", None) or ()
    if len(inputs) != 1:
        return
    if isinstance(x, (list, tuple)) and len(x) > 1 and hasattr(x[0], "shape"):
        raise ValueError(
            "`x` must be one array, or a data set of batches. Received: a "
            f"{type(x).__name__} of {len(x)} arrays, which Keras takes for as many inputs, "
            "while the encoder takes one. Join batches with np.concatenate(x), samples "
            "with np.stack(x)."
        )
    batch = getattr(x, "element_spec", x)  # of a tf.data.Dataset
    try:
        found = tuple(sole(keras.utils.unpack_x_y_sample_weight(batch)[0]).shape)
        size = math.prod(found)
    except (AttributeError, ValueError, TypeError):  # of no array, or of unknown rank
        return
    sample = tuple(inputs[0].shape[1:])
    if None not in sample and found in (sample, sample[:-1]) and size > 1:
        raise ValueError(
            f"Samples must come in batches, of shape (batch, {str(sample)[1:]}. Received: "
            f"samples of shape {found} without a batch. Batch a data set with "
            "dataset.batch(32); of a single sample pass x[None]."
        )


def with_targets(step_arguments: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments of a step with the batch as its own target, if it has none.

    The data come last; on JAX a state comes before them.
    """
    *state, data = step_arguments
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    x, y = sole(x), sole(y)
    # In an eager step: `call` gets the tensors that they become.
    x = keras.tree.map_structure(
        lambda value: ops.convert_to_tensor(value) if _is_numpy(value) else value, x
    )
    y = x if y is None else y
    return *state, keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def _is_numpy(value):
    return isinstance(value, np.ndarray)


def direct_monitors(callbacks: Any, lower_is_better: Sequence[str]) -> None:
    """Tells callbacks that watch quantities of ours which direction is better.

    Keras can't infer it, and says so after the first epoch.

    Args:
        callbacks: What `fit` got.
        lower_is_better: Names of losses and penalties, without `val_`.

    Raises:
        ValueError: If one watches what another callback logs, which has no direction.
    """
    callbacks = getattr(callbacks, "callbacks", callbacks)
    callbacks = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    logged = {name for callback in callbacks for name in getattr(callback, "logged", ())}
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if not isinstance(monitor, str) or getattr(callback, "mode", None) != "auto":
            continue
        if monitor.removeprefix("val_") in lower_is_better:
            callback.mode = "min"
        elif monitor in logged and getattr(callback, "monitor_op", None) is None:
            kind = type(callback).__name__
            raise ValueError(
                f"{kind} must be told whether less or more of {monitor} is better. "
                f'Received: {kind}("{monitor}") without a mode. Pass mode="min" or '
                'mode="max".'
            )


@contextlib.contextmanager
def keeping_variables(model: keras.Model) -> Iterator[None]:
    """Gives a model its variables back when an exception ends one of Keras's loops.

    On JAX, Keras takes them away for the loop.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    variables = [*model.variables, *model.metrics_variables]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        variables += optimizer.variables
    before = [(variable, variable.value) for variable in variables]
    try:
        yield
    except BaseException:
        model.jax_state_sync()  # where steps were made before
        for variable, value in before:
            is_lost = getattr(variable, "_value", value) is None
            if is_lost and not value.is_deleted():
                variable.assign(value)
        raise
