"""Layers without the fused kernels that have no second derivative."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import keras

# Where layers of Keras say which kernel they take: cuDNN's for recurrent ones, as "auto"
# does on a GPU; flash attention, as `None` does on JAX. The second has no public name.
_SWITCHES = {
    "use_cudnn": (keras.layers.GRU, keras.layers.LSTM),
    "_flash_attention": (
        keras.layers.GroupQueryAttention,
        keras.layers.MultiHeadAttention,
    ),
}

# How many are inside with a layer, and what the user has set: two threads may share it.
_lock = threading.Lock()
_inside: dict[tuple[int, str], int] = {}
_set_before: dict[tuple[int, str], Any] = {}


@contextlib.contextmanager
def without_fused_kernels(function: Any) -> Iterator[None]:
    """Within which recurrent layers and attention take kernels that differentiate twice.

    What they compute is the same, and what the user has set comes back at the end.

    Args:
        function: Keras layer or model; of another callable nothing is known.
    """
    switches = [
        (layer, name)
        for layer in _layers_of(function, set())
        for name, kinds in _SWITCHES.items()
        if isinstance(layer, kinds) and hasattr(layer, name)
    ]
    for layer, name in switches:
        with _lock:
            key = id(layer), name
            if not _inside.get(key):
                _inside[key], _set_before[key] = 0, getattr(layer, name)
                setattr(layer, name, False)
            _inside[key] += 1
    try:
        yield
    finally:
        for layer, name in switches:
            with _lock:
                key = id(layer), name
                _inside[key] -= 1
                if not _inside[key]:
                    setattr(layer, name, _set_before.pop(key))
                    del _inside[key]


def _layers_of(value, seen):
    """A layer and those that it holds, at any depth."""
    if isinstance(value, keras.Layer):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield value
        held = vars(value).values()
    elif isinstance(value, (list, tuple, set)):
        held = value
    elif isinstance(value, dict):
        held = value.values()
    else:
        return
    for inner in held:
        yield from _layers_of(inner, seen)
