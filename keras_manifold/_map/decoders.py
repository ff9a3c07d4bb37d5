"""The Map of a decoder, whatever comes as one: a model, its decoder, an ensemble."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold._map.compiled import KEPT, ONE_AT_A_TIME
from keras_manifold._map.function import Map


def decoder_map(model: Any, code: np.ndarray, *, with_stddev: bool = True) -> Map:
    r"""From codes to all that their geometry is measured in.

    Of one decoder with one output it is that output. What `(mean, stddev)` returns, and
    what an ensemble of $m$ decoders does, is one vector: $(\mu, \sigma)$, and
    $(g_1, \dots, g_m) / \sqrt{m}$. Its Jacobian $J$ has $J^\top J = J_\mu^\top J_\mu +
    J_\sigma^\top J_\sigma$, and the mean of the members' metrics.

    Args:
        model: Anything with a `decoder`, a callable from codes, or a sequence of these.
        code: One code, with which it is seen what a decoder returns.
        with_stddev: Whether the standard deviations count, else the means alone.

    Raises:
        TypeError: If there is no decoder, or it returns anything but one tensor or a mean
            and a standard deviation.
        ValueError: If there is no member, or a standard deviation below 0.
    """
    members = _members_of(model)
    for member in members:
        Map(member, "decoder").check_inputs()
    if len(members) == 1 and not _returns_stddev(members[0], code):
        return Map(members[0], "decoder")
    for member in members[1:] if len(members) > 1 else ():
        _returns_stddev(member, code)
    return Map(_joined(members, with_stddev), "decoder")


def decoded(model: Any, codes: np.ndarray) -> np.ndarray:
    """What a decoder makes of codes, `(n, *output_shape)`: means, the mean of an ensemble.

    Args:
        model: As in `decoder_map`.
        codes: `(n, *code_shape)`.
    """
    found = []
    for member in _members_of(model):
        with ONE_AT_A_TIME:
            outputs = Map(member, "decoder")(ops.convert_to_tensor(codes))
        found.append(ops.convert_to_numpy(_parts_of(outputs)[0]))
    return np.mean(found, axis=0)


def ensemble_size(model: Any) -> int:
    """Members of an ensemble, 1 of anything else."""
    return len(_members_of(model))


def encoder_of(model: Any) -> Map | None:
    """The encoder of a model that has one."""
    encoder = getattr(model, "encoder", None)
    return None if encoder is None else Map(encoder, "encoder")


def _members_of(model):
    """The decoders of an ensemble, or the one of anything else."""
    is_ensemble = isinstance(model, Sequence) and not isinstance(model, (str, bytes))
    if is_ensemble and not model:
        raise ValueError("An ensemble needs at least one decoder. Received: model=[].")
    return tuple(map(_decoder_of, model if is_ensemble else [model]))


def _parts_of(outputs):
    """Mean and standard deviation where a decoder returns both, else its one output."""
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _decoder_of(model):
    decoder = getattr(model, "decoder", None)
    if decoder is None and callable(model) and not hasattr(model, "encoder"):
        decoder = model
    if not callable(decoder):
        raise TypeError(
            "`model` must have a `decoder`, be a callable from codes to outputs, or be a "
            f"list of these. Received: model={model!r} of type {type(model).__name__}, "
            "which has no decoder."
        )
    return decoder


def _returns_stddev(decoder, code):
    """Whether a decoder returns a mean and a standard deviation."""
    inputs = getattr(decoder, "inputs", None) or ()
    shapes = [tuple(tensor.shape[1:]) for tensor in inputs]
    if len(shapes) == 1 and shapes[0] != code.shape and None not in shapes[0]:
        raise ValueError(
            f"The decoder takes codes of shape {(None, *shapes[0])}. Received: codes of "
            f"shape {(None, *code.shape)}. Take those of its own encoder."
        )
    if isinstance(getattr(decoder, "output", None), keras.KerasTensor):
        return False
    with ONE_AT_A_TIME:
        outputs = Map(decoder, "decoder")(ops.convert_to_tensor(code[None]))
    if ops.is_tensor(outputs) or isinstance(outputs, np.ndarray):
        return False
    found = _parts_of(outputs)
    shapes = [tuple(getattr(output, "shape", ())) for output in found]
    if len(found) != 2 or shapes[0] != shapes[1]:
        kind = type(outputs).__name__
        of_shapes = f" of shapes {shapes}" if len(shapes) > 1 else ""
        raise TypeError(
            "A decoder must return one tensor, or a mean and a standard deviation of one "
            f"shape. Received: a {kind}{of_shapes}. Wrap it in a function that returns "
            "what distances are to be measured in."
        )
    lowest = float(ops.convert_to_numpy(found[1]).min(initial=0.0))
    if lowest < 0:
        raise ValueError(
            "The second output of a decoder must be a standard deviation, at least 0. "
            f"Received: {lowest:.2g} at the first code. Take exp(0.5 * log_variance) of a "
            "logarithm of variances."
        )
    return True


def _joined(members, with_stddev):
    """One layer for all members, which the first keeps with what is compiled for it."""
    if not all(isinstance(member, keras.Layer) for member in members):
        return _joined_call(members, with_stddev)
    kept = vars(members[0]).setdefault(KEPT, {})
    key = ("joined", with_stddev, *map(id, members))
    if key not in kept:
        kept[key] = Joined(members, with_stddev)
    return kept[key]


def _joined_call(members, with_stddev):
    maps = [Map(member, "decoder") for member in members]

    def call(codes):
        flat = []
        for member in maps:
            parts = _parts_of(member(codes))
            for part in parts if with_stddev else parts[:1]:
                flat.append(flat_outputs(part) / math.sqrt(len(maps)))
        return ops.concatenate(flat, axis=-1)

    return call


class Joined(keras.layers.Layer):
    """What all members return of codes, side by side, `(batch, outputs)`."""

    def __init__(self, members, with_stddev):
        super().__init__(dtype="float32")
        self.members = list(members)  # Keras follows their variables
        self.layers = self.members  # and what is compiled, their layers
        self._call = _joined_call(members, with_stddev)
        self.built = True

    def call(self, codes):
        return self._call(codes)


def flat_outputs(outputs: Any) -> Any:
    """`(batch, *output_shape)` to `(batch, size)`, in float32 at least."""
    size = math.prod(outputs.shape[1:])
    if keras.backend.standardize_dtype(outputs.dtype) != "float64":
        outputs = ops.cast(outputs, "float32")
    return ops.reshape(outputs, (-1, size))
