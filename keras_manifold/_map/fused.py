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
# Functions that this thread is inside with, whose layers are not looked for again.
_of_thread = threading.local()


@contextlib.contextmanager
def without_fused_kernels(*functions: Any) -> Iterator[None]:
    """Within which recurrent layers and attention take kernels that differentiate twice.

    What they compute is the same, and what the user has set comes back at the end.

    Args:
        *functions: Keras layers or models; of other callables nothing is known.
    """
    entered = vars(_of_thread).setdefault("functions", set())
    new = {id(function): function for function in functions if id(function) not in entered}
    entered |= set(new)
    try:
        with _switched_off([*new.values()]):
            yield
    finally:
        entered -= set(new)


@contextlib.contextmanager
def _switched_off(functions):
    switches = [
        (layer, name)
        for layer in _layers_of(functions, set())
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
