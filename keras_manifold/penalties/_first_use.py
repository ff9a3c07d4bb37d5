"""What a penalty checks once of each function that it is called with."""

import types
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_manifold import autodiff
from keras_manifold._map.function import Map

_SAMPLES = 5

# Functions that are made anew for each call would fill the memory.
_MOST_KEPT = 1000


class FirstUse:
    """Checks functions at their first samples, and takes them on trust afterwards."""

    def __init__(self):
        self._known: set[tuple] = set()

    def check(self, function: Map, x: Any) -> None:
        """Checks a function that has not been seen, where `x` has values.

        Args:
            function: The `Map` whose derivative is to be penalised.
            x: Tensor of shape `(batch, *input_shape)`.

        Raises:
            ValueError, TypeError, FloatingPointError: See `Map.check_penalised`.
        """
        key = tuple(map(_identity, function.functions))
        if key in self._known or not _has_values(function, x) or x.shape[0] == 0:
            return
        function.check_penalised(ops.convert_to_numpy(x[:_SAMPLES]))
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known.add(key)


def _has_values(function, x):
    """Whether neither inputs nor weights are traced; eager steps on JAX trace weights."""
    weights = (v.value for part in function.functions for v in getattr(part, "weights", ()))
    return autodiff.is_concrete(x) and all(map(autodiff.is_concrete, weights))


def _identity(function: Callable) -> tuple:
    """Equal for functions that are made of the same code and the same things."""
    if isinstance(function, types.FunctionType):
        cells = function.__closure__ or ()
        contents = [id(cell.cell_contents) for cell in cells]
        defaults = map(id, function.__defaults__ or ())
        return (function.__code__, *contents, *defaults)
    if isinstance(function, types.MethodType):
        return id(function.__self__), function.__func__
    return (id(function),)
