"""Layers without the fused kernels that have no second derivative."""

import contextlib
from collections.abc import Iterator
from typing import Any

# Where layers of Keras say which kernel they take: cuDNN's for recurrent ones, as "auto"
# does on a GPU; flash attention, as `None` does on JAX. The second has no public name.
_SWITCHES = ("use_cudnn", "_flash_attention")


@contextlib.contextmanager
def without_fused_kernels(function: Any) -> Iterator[None]:
    """Within which recurrent layers and attention take kernels that differentiate twice.

    What they compute is the same, and what the user has set comes back at the end.

    Args:
        function: Keras layer or model; of another callable nothing is known.
    """
    flattened = getattr(function, "_flatten_layers", None)
    set_before = [
        (layer, name, getattr(layer, name))
        for layer in (flattened() if flattened else ())
        for name in _SWITCHES
        if getattr(layer, name, False) is not False
    ]
    try:
        for layer, name, _ in set_before:
            setattr(layer, name, False)
        yield
    finally:
        for layer, name, value in set_before:
            setattr(layer, name, value)
