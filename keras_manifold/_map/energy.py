"""The energy of curves under a Map, and its quadratic model, in bounded memory.

All points of all curves stand in one sequence, of which the framework sees windows: of one
size where it compiles them, so that it does so once. It holds the Jacobians of one window.
They never leave the device; what does is of the size of the codes.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold._map.budget import passes_at_once, samples_held
from keras_manifold._map.compiled import Compiled
from keras_manifold._map.decoders import flat_outputs
from keras_manifold._map.function import Map
from keras_manifold._storage.streams import padded

# Points in a window: more make it no faster. A few curves that are left at the end fill
# small windows better.
_MOST_POINTS = 256
# Without compilation a window costs much at any size, and is as long as what is left.
_MOST_POINTS_EAGERLY = 1024


class Segments(Compiled):
    """How long each step of a sequence of points is.

    Predictions: the squared length of the step to the next point, `(points,)`, of which the
    last is no step, and the squared norm of the outputs, `(points,)`.
    """

    def call(self, x):
        outputs = flat_outputs(self.map(x))
        return _squared_steps(outputs), ops.sum(ops.square(outputs), axis=-1)


class NormalBlocks(Compiled):
    r"""The blocks of the normal equations of a sequence of points.

    Predictions, where $r_i = g(z_{i+1}) - g(z_i)$: $J_i^\top (r_{i-1} - r_i)$, `(points,
    d)`, $J_i^\top J_i$ and $J_i^\top J_{i+1}$, `(points, d, d)`. What a point at the end
    has no neighbour for means nothing.
    """

    takes_columns = True

    def call(self, x):
        outputs, columns = _outputs_and_columns(self.map, x)
        steps = outputs[1:] - outputs[:-1]
        # Beyond both ends the steps are 0.
        bends = ops.pad(steps, [[1, 0], [0, 0]]) - ops.pad(steps, [[0, 1], [0, 0]])
        after = ops.concatenate([columns[1:], columns[-1:]])
        return (
            ops.einsum("pdo,po->pd", columns, bends),
            _products(columns, columns),
            _products(columns, after),
        )


class Offsets(Compiled):
    r"""How far outputs are from targets, and the normal equations to bring them nearer.

    Inputs: codes, and targets `(batch, outputs)`. Predictions: $\|g(z) - x\|^2$,
    `(batch,)`, $J^\top (g(z) - x)$, `(batch, d)`, and $J^\top J$, `(batch, d, d)`.
    """

    takes_columns = True

    def call(self, inputs):
        x, targets = inputs
        outputs, columns = _outputs_and_columns(self.map, x)
        offsets = outputs - ops.cast(targets, outputs.dtype)
        return (
            ops.sum(ops.square(offsets), axis=-1),
            ops.einsum("pdo,po->pd", columns, offsets),
            _products(columns, columns),
        )


class Distances(Compiled):
    r"""How far outputs are from targets, $\|g(z) - x\|^2$: see `Offsets`."""

    def call(self, inputs):
        x, targets = inputs
        outputs = flat_outputs(self.map(x))
        offsets = outputs - ops.cast(targets, outputs.dtype)
        return ops.sum(ops.square(offsets), axis=-1)


class Columns(Compiled):
    """All columns of each Jacobian, `(points, d, outputs)`."""

    takes_columns = True

    def call(self, x):
        return _outputs_and_columns(self.map, x)[1]


def _outputs_and_columns(function, x):
    size = math.prod(x.shape[1:])
    outputs, columns = function.outputs_and_columns(x, passes_at_once(x.shape[0], size))
    outputs = flat_outputs(outputs)
    columns = ops.reshape(columns, (size, -1, outputs.shape[-1]))
    columns = ops.cast(columns, outputs.dtype)
    return outputs, ops.moveaxis(columns, 0, 1)


def _products(a, b):
    return ops.matmul(a, ops.swapaxes(b, 1, 2))


def _squared_steps(outputs):
    steps = outputs[1:] - outputs[:-1]
    return ops.pad(ops.sum(ops.square(steps), axis=-1), [[0, 1]])


class Blocks(NamedTuple):
    r"""The energy's quadratic model at curves, for the inner points of each.

    Attributes:
        gradient: $J_i^\top (r_{i-1} - r_i)$, `(n, points - 2, d)`, float64.
        diagonal: $J_i^\top J_i$, `(n, points - 2, d, d)`, float64.
        beside: $J_i^\top J_{i+1}$, `(n, points - 3, d, d)`, float64.
    """

    gradient: np.ndarray
    diagonal: np.ndarray
    beside: np.ndarray


class CurveEnergy:
    r"""$\sum_i \|g(z_{i+1}) - g(z_i)\|^2$ of curves, its parts and its quadratic model.

    Args:
        function: The `Map` of the decoder.
        code: One code.
        points: How many there will be at most in a call, in all curves together.

    Attributes:
        epsilon: What the decoder's precision resolves, relative to its outputs.
    """

    def __init__(self, function: Map, code: np.ndarray, points: int):
        self._segments: Any = Segments.of(function, code[None])
        self._blocks: Any = NormalBlocks.of(function, code[None])
        self.map = self._segments.map
        outputs = math.prod(self.map.output_shape)
        with_jacobians = outputs * (code.size + 2) + 2 * code.size**2
        self._windows = [
            _window(points, entries) for entries in (3 * outputs, with_jacobians)
        ]
        policies = [
            getattr(layer, "compute_dtype", "float32") for layer in self.map.functions
        ]
        self.epsilon = max((_epsilon_of(name) for name in policies), default=2.0**-23)

    def segments(self, curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared length of each step, `(n, points - 1)`; largest squared output, `(n,)`.

        Args:
            curves: `(n, points, *code_shape)`.
        """
        squares, norms = [
            array.reshape(curves.shape[:2])
            for array in self._of_points(self._segments, self._windows[0], curves, 1)
        ]
        return squares[:, :-1], norms.max(axis=1)

    def blocks(self, curves: np.ndarray) -> Blocks:
        """The normal equations at the inner points of curves `(n, points, *code_shape)`."""
        gradient, diagonal, beside = [
            array.reshape(*curves.shape[:2], *array.shape[1:])
            for array in self._of_points(self._blocks, self._windows[1], curves, 2)
        ]
        return Blocks(gradient[:, 1:-1], diagonal[:, 1:-1], beside[:, 1:-2])

    def _of_points(self, model, size, curves, overlap):
        """Predictions of all points, in float64, by windows that overlap."""
        points = curves.reshape(-1, *curves.shape[2:]).astype("float32")
        parts: list[list[np.ndarray]] = []
        for start, stop in _windows_of(len(points), size, overlap):
            window = points[start:stop]
            if autodiff.compiles():
                window = padded(window, size)
            first = 0 if start == 0 else overlap - 1
            last = stop - start if stop == len(points) else size - 1
            arrays = model.predict_on_batch(window)
            parts.append([array[first:last].astype("float64") for array in arrays])
        return [np.concatenate(arrays) for arrays in zip(*parts)]


def _windows_of(points, size, overlap) -> Iterator[tuple[int, int]]:
    start = 0
    while True:
        stop = min(start + size, points)
        yield start, stop
        if stop == points:
            return
        start = stop - overlap


def _window(points, entries):
    """Points in a window: of few sizes, each of which compiles once."""
    limit = _MOST_POINTS if autodiff.compiles() else _MOST_POINTS_EAGERLY
    most = max(4, min(limit, samples_held(entries)))
    return min(most, max(16, 1 << (points - 1).bit_length()))


def _epsilon_of(dtype):
    small = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
    return small.get(dtype, 2.0**-23)
