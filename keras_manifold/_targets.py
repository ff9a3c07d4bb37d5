"""Targets of a step: the batch itself, or what `fit` was given."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras


def own_target(x: Any, y_pred: Any, names: Sequence[str] = ()) -> Any:
    """The inputs, in the structure of the outputs.

    Args:
        x: Inputs.
        y_pred: Outputs.
        names: Of the inputs, in the order of the outputs, for a mapping.

    Raises:
        ValueError: If there is not one input for each output.
    """
    tree = keras.tree
    if not tree.is_nested(x) and not tree.is_nested(y_pred):
        return x
    if isinstance(x, Mapping) and set(names) == set(x):
        x = [x[name] for name in names]
    inputs, outputs = tree.flatten(x), tree.flatten(y_pred)
    if len(inputs) != len(outputs):
        raise ValueError(
            "The inputs are their own targets where the model has as many outputs. "
            f"Received: {len(inputs)} inputs and {len(outputs)} outputs. Give a target for "
            "each output, as in fit(x, [x, labels])."
        )
    return tree.pack_sequence_as(y_pred, inputs)


def check_targets(x: Any, y: Any, y_pred: Any, loss: Any) -> None:
    """Refuses targets that a loss would not compare with outputs entry by entry.

    Args:
        x: Inputs.
        y: Targets.
        y_pred: Outputs.
        loss: What `compile` got.

    Raises:
        ValueError: If there is not one target for each output, or one has another shape.
    """
    targets, outputs = keras.tree.flatten(y), keras.tree.flatten(y_pred)
    if len(targets) != len(outputs):
        raise ValueError(
            f"Each output needs a target. Received: {len(targets)} targets for "
            f"{len(outputs)} outputs. Give one for each, as in fit(x, [x, labels])."
        )
    if len(outputs) == 1:
        check_target(_sole(x), _sole(y), _sole(y_pred), _sole(loss))


def check_target(x: Any, y: Any, y_pred: Any, loss: Any = None) -> None:
    """Refuses a target that is shaped neither as the inputs nor as the outputs.

    And one of the shape of the inputs where the loss would spread the output over it.

    Args:
        x: Inputs, `(batch, ...)`.
        y: Targets, `(batch, ...)`.
        y_pred: Outputs, `(batch, ...)`.
        loss: What `compile` got.
    """
    of_input, of_output, of_target = (
        tuple(getattr(value, "shape", (None,))[1:]) for value in (x, y_pred, y)
    )
    if _same_but_last_one(of_target, of_output):
        return
    if not _agree(of_input, of_target):
        raise ValueError(
            "The target must have the shape of the input or of the reconstruction, "
            f"{of_input} or {of_output} a sample. Received: a target of shape "
            f"{of_target} a sample. An autoencoder's target is its input: leave labels "
            "out, as in fit(x)."
        )
    if not _takes(loss, of_target, of_output):
        raise ValueError(
            "The decoder must return reconstructions of the shape of the target, "
            f"{of_target} a sample. Received: outputs of shape {of_output} a sample. Give "
            "its last layer as many units or channels, and a Reshape if need be."
        )


def _takes(loss, of_target, of_output):
    """Whether a loss is made for outputs of another shape than the target's."""
    if loss is None:
        return True
    found: Any = keras.losses.get(loss)
    name = getattr(found, "name", None) or getattr(found, "__name__", "")
    if "sparse" in str(name):
        return True
    kind = found if hasattr(found, "__name__") else type(found)
    if str(kind.__module__).partition(".")[0] == "keras":
        return False
    # Somebody's own may take several numbers per entry, such as a mean and a variance.
    known = None not in (*of_target, *of_output)
    return not known or math.prod(of_output) > math.prod(of_target)


def _same_but_last_one(a, b):
    """Whether two shapes agree, but for a last side of 1 that Keras squeezes or adds."""
    return _agree(a, b) or _agree((*a, 1), b) or _agree(a, (*b, 1))


def _agree(a, b):
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b))


def _sole(value):
    flat = keras.tree.flatten(value)
    return flat[0] if len(flat) == 1 else value
