"""What an autoencoder is made of, from what users write for it."""

import numbers
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from keras_manifold._map.function import Map
from keras_manifold.noise import NoiseInjection
from keras_manifold.penalties import ContractivePenalty, Penalty
from keras_manifold.penalties._loss import PenalisedLoss

RECONSTRUCTION_LOSS = "reconstruction_loss"


class Changeable(keras.Layer):
    """Noise and penalties of a model, which may be replaced at any time.

    Keras closes a model to new layers once it is built, and forgets none. What it asks a
    layer for are its `variables` and `weights`: here they are those of the parts that are
    in use.

    Args:
        map_of: Callable from the part that a penalty is of to its `Map`.
        noise: Layer, number or `None`.
        contractive_penalty: Penalty, number or `None`.
        penalties: Further penalties.

    Attributes:
        penalised: The `PenalisedLoss` of the penalties.

    Raises:
        TypeError, ValueError: If one of the parts is not what it should be.
    """

    def __init__(self, map_of: Callable[[Any], Map], **parts: Any):
        super().__init__()
        self._map_of = map_of
        # Keras looks into lists and mappings, not into other objects.
        self._held = SimpleNamespace(parts={}, penalised=None)
        self._held.parts = dict.fromkeys(("noise", "contractive_penalty"))
        self._held.parts["penalties"] = ()
        self.change(parts)
        self.built = True

    def change(self, parts: dict[str, Any], *, trained: bool = False) -> None:
        """Takes other parts, by name, and makes their metrics anew.

        Args:
            parts: Those that are others now.
            trained: Whether the model has an optimizer, which knows its weights.
        """
        parts = {**self.parts, **parts}
        made: dict[str, Any] = {
            "noise": as_noise(parts["noise"]),
            "contractive_penalty": as_penalty(parts["contractive_penalty"]),
            "penalties": (*parts["penalties"],),
        }
        noise = made["noise"]
        if trained and noise is not self.parts["noise"] and getattr(noise, "weights", None):
            raise ValueError(
                "`noise` with weights of its own can't come after `compile`, as the "
                f"optimizer does not know them. Received: noise={noise!r}. Make "
                "AutoEncoder(encoder, decoder, noise=...) anew."
            )
        penalised = self._held.penalised
        named = by_name(made["contractive_penalty"], made["penalties"])
        if penalised is None or [*named.values()] != [*penalised.penalties.values()]:
            penalised = PenalisedLoss(named, self._map_of, name=RECONSTRUCTION_LOSS)
        self._held = SimpleNamespace(parts=made, penalised=penalised)

    @property
    def parts(self) -> dict[str, Any]:
        """The parts in use, by name."""
        return self._held.parts

    @property
    def penalised(self) -> PenalisedLoss:
        return self._held.penalised

    @property
    def layers(self) -> list[keras.Layer]:
        """The parts in use that are Keras layers."""
        parts = self._held.parts
        all_parts = (parts["noise"], parts["contractive_penalty"], *parts["penalties"])
        return [part for part in all_parts if isinstance(part, keras.Layer)]

    @property
    def variables(self):
        return _distinct(layer.variables for layer in self.layers)

    @property
    def weights(self):
        return _distinct(layer.weights for layer in self.layers)


def _distinct(lists):
    return list({id(value): value for values in lists for value in values}.values())


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


def check_halves(encoder: Any, decoder: Any, *others: Any) -> None:
    """Refuses an encoder of several outputs, and noise and penalties of several inputs.

    Args:
        encoder: The layer, of which a functional model declares what it takes.
        decoder: The same.
        *others: Noise and penalties, which take one tensor.

    Raises:
        ValueError: If that is declared.
    """
    check_codes(getattr(encoder, "outputs", None) or ())
    inputs = getattr(encoder, "inputs", None) or ()
    if len(inputs) > 1 and any(other is not None and other != () for other in others):
        raise ValueError(
            "Noise and penalties are of one input. Received: an `encoder` of "
            f"{len(inputs)} inputs. Concatenate them in one, which the encoder splits."
        )
    needed = getattr(decoder, "inputs", None) or ()
    if len(needed) > 1:
        raise ValueError(
            "`decoder` must take one tensor: the codes. Received: a model of "
            f"{len(needed)} inputs. Concatenate them in one, which the decoder splits."
        )


def check_codes(codes: Any) -> None:
    """Refuses codes that are not one tensor.

    Raises:
        ValueError: By what they are.
    """
    is_one = not isinstance(codes, (list, tuple, Mapping)) or len(codes) <= 1
    if is_one and not isinstance(codes, Mapping):
        return
    raise ValueError(
        "`encoder` must return one tensor: the codes. Received: a "
        f"{type(codes).__name__} of {len(codes)}. Of a variational encoder, give the part "
        "that returns the codes, keras.Model(encoder.inputs, codes), whose layers add the "
        "divergence with add_loss."
    )


def as_noise(noise: Any) -> keras.Layer | None:
    """The layer of noise; Gaussian for a number or a pair of levels; `None` for none.

    Raises:
        TypeError: If it is something else.
        ValueError: If the number is no level, or the pair no pair of levels.
    """
    if is_number(noise):
        return NoiseInjection("gaussian", float(noise))
    if isinstance(noise, (tuple, list, np.ndarray)) and np.shape(noise) == (2,):
        return NoiseInjection("gaussian", (noise[0], noise[1]))
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
