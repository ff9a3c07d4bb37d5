"""Numbers that may be set while a model trains, and those that may not."""

from collections.abc import Collection
from typing import Any

import keras


def assign(variable: keras.Variable, value: Any, name: str) -> None:
    """Assigns a setting, so that the next step of a model that has it follows.

    Args:
        variable: The setting's variable, which the model tracks.
        value: Its new value.
        name: What the user calls it, for errors.

    Raises:
        RuntimeError: On JAX, while Keras has taken the variable away for an epoch: what
            is assigned would be lost.
    """
    # Keras puts None into the variables of a model while it trains.
    if getattr(variable, "_value", value) is None and keras.backend.backend() == "jax":
        raise RuntimeError(
            f"`{name}` must be set through the callback's `self.model` while `fit` runs on "
            f"JAX, as Keras holds the variables of the model. Received: {name}={value!r}. "
            f"Write self.model.<the layer>.{name} = {value!r} in the callback."
        )
    variable.assign(value)


def refuse_change(layer: Any, name: str, value: Any, fixed: Collection[str]) -> None:
    """Refuses an attribute that only the compilation of a step reads.

    Args:
        layer: The layer, complete when it is `built`.
        name: Of the attribute.
        value: What is to be assigned.
        fixed: Names of attributes that stay what they are.

    Raises:
        ValueError: If it is one of these, and another value.
    """
    if name not in fixed or not getattr(layer, "built", False):
        return
    if value == getattr(layer, name):
        return
    kind = type(layer).__name__
    raise ValueError(
        f"`{name}` can't be changed after the layer is made, as a compiled step would "
        f"keep the old value. Received: {name}={value!r}. Make a new {kind} and assign it "
        "to the model, as in model.noise = ... or model.contractive_penalty = ..."
    )
