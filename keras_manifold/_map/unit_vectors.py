"""All unit vectors of one side of each Jacobian, within a budget of memory."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from keras_manifold import autodiff
from keras_manifold._map.passes import images_of_vectors, images_together, repeated

# Passes that are held whatever they take; fewer are not worth a second evaluation.
_PASSES_HELD = 32

# Passes that are compiled side by side, where they don't go together.
_PASSES_COMPILED = 4

# Bytes for what passes leave to be differentiated, unless the user says otherwise.
MEMORY_BUDGET = 2**32


class Plan(NamedTuple):
    """How all unit vectors of a side are taken.

    Attributes:
        held: The first of them, whose passes are held until they are differentiated.
        chunk_size: The rest goes by chunks of this many, computed again for that.
    """

    held: int
    chunk_size: int


def planned(
    size: int,
    bytes_of_a_pass: Callable[[], int | None],
    chunk_size: int | None = None,
    memory_budget: int | None = None,
) -> Plan:
    """How many passes are held, and by which chunks the others go.

    Args:
        size: Unit vectors in all, at least 1.
        bytes_of_a_pass: Asked for only where it matters; `None` where it is not known.
        chunk_size: Passes in a chunk, at least 1: where there are more, none is held.
        memory_budget: Bytes, at least 1; `None` for `MEMORY_BUDGET`, and at least 32
            passes.
    """
    if chunk_size is not None:
        return Plan(size, size) if size <= chunk_size else Plan(0, chunk_size)
    if memory_budget is None and size <= _PASSES_HELD:
        return Plan(size, size)
    taken = bytes_of_a_pass()
    if taken is None:
        fitting = _PASSES_HELD if memory_budget is None else 1
    else:
        fitting = (memory_budget or MEMORY_BUDGET) // max(taken, 1)
    if memory_budget is None:
        fitting = max(fitting, _PASSES_HELD)
    if size <= fitting:
        return Plan(size, size)
    chunk_size = max(1, min(fitting, _PASSES_HELD))
    return Plan(max(0, fitting - chunk_size), chunk_size)


def images_within_budget(
    function: Any,
    linear: Any,
    side: Callable,
    size: int,
    transform: Callable,
    *,
    chunk_size: int | None = None,
    memory_budget: int | None = None,
    share: int = 1,
) -> Any:
    """Images of the unit vectors of one side of each Jacobian, `(size, ...)`.

    Args:
        function: The `Map`.
        linear: The same at the points, `Linearized`.
        side: Callable from a `Linearized` to the `Side`.
        size: Entries of a sample of that side.
        transform: Of the images of some passes, `(passes, points, ...)`, to what is kept
            of them, `(passes, ...)`.
        chunk_size: Passes that are held at a time: see `planned`.
        memory_budget: Bytes: see `planned`.
        share: How many parts of the budget there are, of which this is one.
    """

    def bytes_of_a_pass():
        found = autodiff.bytes_held(function, linear.inputs)
        return None if found is None else share * found

    held, chunk_size = planned(size, bytes_of_a_pass, chunk_size, memory_budget)
    chunks = math.ceil((size - held) / chunk_size)
    count = held + chunks * chunk_size
    vectors = ops.eye(count, size, dtype=side(linear).like.dtype)

    def images_of(linear, vectors):
        sides = linear.inputs, linear.outputs
        if autodiff.go_together(*sides):
            group = autodiff.passes_together(function, *sides, vectors.shape[0])
            linear_map, like = side(linear)
            return images_together(linear_map, like, vectors, transform, group)
        times = _times_repeated(function, linear.inputs, vectors.shape[0])
        if times > 1:
            linear = function.at(repeated(linear.inputs, times))
        linear_map, like = side(linear)
        return images_of_vectors(linear_map, like, vectors, transform, times)

    if not chunks:
        return images_of(linear, vectors)

    def images_of_chunk(points, index):
        start = (held + index * chunk_size, 0)
        return images_of(function.at(points), ops.slice(vectors, start, (chunk_size, size)))

    images = autodiff.recomputed_map(images_of_chunk, linear.inputs, chunks)
    images = ops.reshape(images, (chunks * chunk_size, *ops.shape(images)[2:]))
    if held:
        first = images_of(linear, vectors[:held])
        images = ops.concatenate([first, images])
    return images[:size]


def _times_repeated(function, points, count):
    """How often points are repeated, so that a few passes take all vectors.

    Passes that don't go together are compiled each on its own, which takes long. The
    forward pass at the repeated points is an eighth of what all passes hold.
    """
    is_compiled = autodiff.compiles() and not autodiff.is_concrete(points)
    if not is_compiled or function.has_fixed_batch:
        return 1
    return math.ceil(count / _PASSES_COMPILED)
