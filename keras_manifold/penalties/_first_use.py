"""What a penalty checks once of each function that it is called with."""

import types
import weakref
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_manifold import autodiff
from keras_manifold._map.function import Map

_SAMPLES = 5

# Functions that are made anew for each call would fill the memory with what they hold.
_MOST_KEPT = 16


class FirstUse:
    """Checks functions at their first samples, and takes them on trust afterwards."""

    def __init__(self):
        self._known: dict[tuple, list[Callable]] = {}  # and what still refers to them

    def check(self, function: Map, x: Any) -> None:
        """Checks a function that has not been seen, where `x` has values.

        Args:
            function: The `Map` whose derivative is to be penalised.
            x: Tensor of shape `(batch, *input_shape)`.

        Raises:
            ValueError, TypeError, FloatingPointError: See `Map.check_penalised`.
        """
        made_of = [part for called in function.functions for part in _made_of(called)]
        key = tuple(map(id, made_of))
        is_known = key in self._known and all(at() is not None for at in self._known[key])
        if is_known or not _has_values(function, x) or x.shape[0] == 0:
            return
        function.check_penalised(ops.convert_to_numpy(x[:_SAMPLES]))
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[key] = [*map(_reference, made_of)]


def _has_values(function, x):
    """Whether neither inputs nor weights are traced; eager steps on JAX trace weights."""
    weights = (v.value for part in function.functions for v in getattr(part, "weights", ()))
    return autodiff.is_concrete(x) and all(map(autodiff.is_concrete, weights))


def _made_of(function: Callable) -> tuple:
    """The code of a function and what it holds: the same for one that is made anew."""
    if isinstance(function, types.FunctionType):
        contents = [cell.cell_contents for cell in function.__closure__ or ()]
        defaults = (function.__kwdefaults__ or {}).values()
        return function.__code__, *contents, *(function.__defaults__ or ()), *defaults
    if isinstance(function, types.MethodType):
        return function.__self__, function.__func__
    return (function,)


def _reference(held: Any) -> Callable:
    """Returns an object, or `None` once it is gone, whose id another may then have."""
    try:
        return weakref.ref(held)
    except TypeError:  # of numbers, lists and tuples, which stay
        return lambda: (held,)
