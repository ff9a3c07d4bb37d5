"""What an autoencoder is made of, from what users write for it."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras

from keras_manifold.noise import NoiseInjection
from keras_manifold.penalties import ContractivePenalty, Penalty

RECONSTRUCTION_LOSS = "reconstruction_loss"


def is_number(value: Any) -> bool:
    """Whether a value is a number, of Python or of NumPy, and no truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def as_layer(name: str, value: Any) -> keras.Layer:
    """The layer that was given.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(value, keras.Layer):
        raise TypeError(
            f"`{name}` must be a Keras layer or model. Received: {name}={value!r} "
            f"of type {type(value).__name__}. Wrap a function in keras.layers.Lambda."
        )
    return value


def as_noise(noise: Any) -> keras.Layer | None:
    """The layer of noise; Gaussian noise of that level for a number; `None` for none.

    Raises:
        TypeError: If it is something else.
        ValueError: If the number is no level.
    """
    if is_number(noise):
        return NoiseInjection("gaussian", float(noise))
    return None if noise is None else as_layer("noise", noise)


def as_penalty(penalty: Any) -> ContractivePenalty | None:
    """The penalty; one of that weight for a number; `None` for none.

    Raises:
        TypeError: If it is something else.
        ValueError: If the number is no weight.
    """
    if penalty is None or isinstance(penalty, ContractivePenalty):
        return penalty
    if is_number(penalty):
        return ContractivePenalty(float(penalty))
    raise TypeError(
        "`contractive_penalty` must be a ContractivePenalty, a number or None. "
        f"Received: contractive_penalty={penalty!r}."
    )


def by_name(
    contractive_penalty: ContractivePenalty | None, penalties: Sequence[Penalty]
) -> dict[str, Any]:
    """All penalties by the names of their metrics.

    Raises:
        TypeError: If one of them is no penalty.
        ValueError: If two have one name.
    """
    named: list[tuple[Any, Any]] = []
    if contractive_penalty is not None:
        named.append(("contractive_penalty", contractive_penalty))
    named += [(getattr(penalty, "name", None), penalty) for penalty in penalties]
    taken = {RECONSTRUCTION_LOSS, "loss"}
    for name, penalty in named:
        if not isinstance(penalty, Penalty):
            raise TypeError(
                "Each of `penalties` must be callable as penalty(function, x) and have "
                f"`name`, `of` and `weight`. Received: {penalty!r}. Such are "
                "ContractivePenalty and whatever keeps to km.penalties.Penalty."
            )
        if name in taken:
            raise ValueError(
                "Each penalty needs a name of its own, which is that of its metric. "
                f"Received: a second one named {name!r}. Pass name=... to it."
            )
        taken.add(name)
    return dict(named)
