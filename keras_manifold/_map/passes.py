"""Many vectors through one linear map of each sample."""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_manifold import autodiff

# More passes than these take too long to compile side by side.
_PASSES_UNROLLED = 32


def images_of_vectors(
    linear_map: Callable,
    like: Any,
    vectors: Any,
    transform: Callable | None = None,
    chunk_size: int = 1,
) -> Any:
    """Images of vectors under a linear map of each sample, one pass per chunk of vectors.

    Can be compiled, and differentiated with respect to the weights.

    Args:
        linear_map: Callable from tensors shaped as `like` to tensors with as many samples.
        like: Tensor that holds all samples `chunk_size` times.
        vectors: Each of them is given to every sample: `(k, size)`, `size` entries in a
            sample of `like`.
        transform: Of the images of each pass, `(chunk_size, batch, ...)`, to
            `(chunk_size, ...)`. `None` keeps them as they are.
        chunk_size: Vectors in a pass.

    Returns:
        Images, or what `transform` made of them: `(k, ...)`.
    """
    batch = ops.shape(like)[0] // chunk_size
    count, size = vectors.shape

    def images_of(chunk):
        tangents = ops.repeat(chunk, batch, axis=0)
        images = linear_map(ops.reshape(tangents, (-1, *ops.shape(like)[1:])))
        images = ops.reshape(images, (chunk_size, batch, *ops.shape(images)[1:]))
        return images if transform is None else transform(images)

    passes = math.ceil(count / chunk_size)
    vectors = ops.pad(vectors, ((0, passes * chunk_size - count), (0, 0)))
    images = mapped(images_of, ops.reshape(vectors, (passes, chunk_size, size)), passes)
    return ops.reshape(images, (passes * chunk_size, *ops.shape(images)[2:]))[:count]


def images_of_unit_vectors(linear_map: Callable, like: Any, chunk_size: int = 1) -> Any:
    """Images of the unit vectors of a sample of `like`, `(size, batch, ...)`."""
    vectors = ops.eye(math.prod(like.shape[1:]), dtype=like.dtype)
    return images_of_vectors(linear_map, like, vectors, chunk_size=chunk_size)


def images_together(
    linear_map: Callable, like: Any, vectors: Any, transform: Callable, group: int
) -> Any:
    """Images of vectors under a linear map of each sample, several vectors at a time.

    Can be compiled, and differentiated with respect to the weights. The passes of a group
    are one of larger tensors, with the forward pass at hand.

    Args:
        linear_map: Callable from tensors shaped as `like` to tensors with as many samples.
        like: Tensor of as many samples, `size` entries in each.
        vectors: Each of them is given to every sample: `(k, size)`.
        transform: Of the images of a group, `(g, batch, ...)`, to `(g, ...)`.
        group: Vectors at a time.

    Returns:
        What `transform` made of them, `(k, ...)`.
    """
    count, _ = vectors.shape
    batch = ops.shape(like)[0]
    images_of = autodiff.together(linear_map)
    images = []
    for start in range(0, count, group):
        chosen = vectors[start : min(start + group, count)]
        tangents = ops.repeat(chosen[:, None], batch, axis=1)
        shape = (chosen.shape[0], batch, *ops.shape(like)[1:])
        images.append(transform(images_of(ops.reshape(tangents, shape))))
    return images[0] if len(images) == 1 else ops.concatenate(images)


def mapped(function: Callable, xs: Any, count: int) -> Any:
    """`keras.ops.map` over `count` entries, with a few calls side by side.

    On a CPU this takes less memory on TensorFlow, which then needs not hold the results
    within all passes of a loop, and a quarter of the time on JAX, where convolutions in a
    loop run on one thread.
    """
    if count > _PASSES_UNROLLED:
        return ops.map(function, xs)
    return ops.stack([function(xs[i]) for i in range(count)])


def repeated(x: Any, times: int) -> Any:
    """All samples several times: then several passes run at once on every backend."""
    if times == 1:
        return x
    tiled = ops.tile(x, [times] + [1] * (len(x.shape) - 1))
    return ops.reshape(tiled, (-1, *ops.shape(x)[1:]))  # Keras 3.12 forgets the sides


def sample_size(tensor: Any) -> int | None:
    """Entries of a sample, or `None` if a side is of unknown size."""
    sides = tuple(tensor.shape[1:])
    return None if None in sides else math.prod(sides)
