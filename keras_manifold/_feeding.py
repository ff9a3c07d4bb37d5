"""What an autoencoder is fed with: batches that are their own targets, and weights."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def bound(
    method: Callable, x: Any, y: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of `fit`, `evaluate` or `train_on_batch`, by name, with targets.

    Keras drops weights that come without a target: where there are some, the samples are
    given as their own.

    Args:
        method: Keras's own method, which will get them.
        x: Samples, or a data set.
        y: Targets, or `None`.
        args: What else was given by position.
        kwargs: What else was given by name.

    Raises:
        ValueError: If `class_weight` is among them.
    """
    given = inspect.signature(method).bind(x, y, *args, **kwargs).arguments
    given |= given.pop("kwargs", {})
    class_weight = given.get("class_weight")
    if class_weight is not None:
        raise ValueError(
            "`class_weight` must be None, as the target of an autoencoder has no "
            f"classes. Received: class_weight={class_weight!r}. Give each sample its "
            "weight with `sample_weight`."
        )
    if given.get("validation_data") is not None:
        data = keras.utils.unpack_x_y_sample_weight(given["validation_data"])
        given["validation_data"] = (data[0], _target_of_weighted(*data), data[2])
    given["y"] = _target_of_weighted(x, y, given.get("sample_weight"))
    return given


def _target_of_weighted(x, y, sample_weight):
    return x if y is None and sample_weight is not None else y


def with_targets(step_arguments: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments of a step with the batch as its own target, if it has none.

    The data come last; on JAX a state comes before them.
    """
    *state, data = step_arguments
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, np.ndarray):
        # In an eager step: `call` gets the tensor that it becomes.
        x = ops.convert_to_tensor(x)
    y = x if y is None else y
    return *state, keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def check_target(x: Any, y: Any, y_pred: Any) -> None:
    """Refuses a target that is shaped neither as the inputs nor as the outputs."""
    shapes = [tuple(getattr(value, "shape", (None,))[1:]) for value in (x, y_pred, y)]
    if not any(_agree(shape, shapes[2]) for shape in shapes[:2]):
        raise ValueError(
            "The target must have the shape of the input or of the reconstruction, "
            f"{shapes[0]} or {shapes[1]} a sample. Received: a target of shape "
            f"{shapes[2]} a sample. An autoencoder's target is its input: leave labels "
            "out, as in fit(x)."
        )


def _agree(a, b):
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b))


def weight_like_losses(sample_weight: Any, loss: Any, y: Any, y_pred: Any) -> Any:
    """Weights with one value a sample, given the shape of the losses they multiply.

    Args:
        sample_weight: Weights of samples, or of entries (which are left as they are), or
            `None`.
        loss: What `compile` got.
        y: Targets, `(batch, ...)`.
        y_pred: Outputs, `(batch, ...)`.
    """
    if sample_weight is None or loss is None:
        return sample_weight
    if any(side != 1 for side in sample_weight.shape[1:]):
        return sample_weight
    loss = keras.losses.get(keras.tree.flatten(loss)[0])
    loss = loss.call if isinstance(loss, keras.losses.Loss) else loss
    one_loss = loss(y[:1], y_pred[:1])
    ones = ops.ones((1, *ops.shape(one_loss)[1:]), dtype=one_loss.dtype)
    sample_weight = ops.cast(ops.reshape(sample_weight, (-1,)), one_loss.dtype)
    return ops.reshape(sample_weight, (-1, *(1,) * (len(ones.shape) - 1))) * ones
