"""The Jacobian of a function that maps each sample on its own."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold.arguments import (
    check_count,
    check_has_derivative,
    independent_output_shape,
)

# More passes than these take too long to compile side by side.
_PASSES_UNROLLED = 32

# With fewer samples a pass is bound by overhead, not by arithmetic.
_SAMPLES_IN_A_PASS = 64


def jacobian(function: Callable, x: Any, *, chunk_size: int | None = None) -> np.ndarray:
    r"""Jacobian of a function at each sample, $J_i = \partial f(x_i) / \partial x_i$.

    Reverse mode when a sample has no more outputs than inputs, forward mode
    otherwise. Cost: one pass (about two evaluations of `function`) for each entry of
    the smaller side, and the compilation, which one call with many samples pays once.
    Samples are taken to be independent; a function whose outputs for a sample move by more
    than 1 % of the largest when another is beside it is refused.

    Args:
        function: Keras layer or model (called with `training=False`), or any
            callable, from `(batch, *input_shape)` to `(batch, *output_shape)`.
        x: Array of shape `(batch, *input_shape)`; integers are cast to floating point.
        chunk_size: Passes that run at once, at least 1. More are faster on few
            samples and take more memory, in proportion. `None`: as many as keep 64
            samples in a pass.

    Returns:
        NumPy array of shape `(batch, *output_shape, *input_shape)`, float32.

    Raises:
        ValueError: If `x` has no samples, if `chunk_size` is below 1, or if `function`
            mixes samples or declares integer inputs.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
        >>> km.jacobian(encoder, np.ones((3, 5), "float32")).shape
        (3, 2, 5)
    """
    if chunk_size is not None:
        check_count("chunk_size", chunk_size, otherwise="None")
    x = floating_samples(x)
    return JacobianModel(function, x[0], chunk_size=chunk_size).predict_on_batch(x)


def floating_samples(x):
    """`x` as a floating-point NumPy array with at least one sample."""
    x = ops.convert_to_numpy(x)
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(
            "`x` must be of shape (batch, *input_shape) with at least one sample. "
            f"Received: x of shape {x.shape}. For a single sample pass x[None]."
        )
    if x.dtype in ("float32", "float64"):
        return x
    is_number = x.dtype == bool or np.issubdtype(x.dtype, np.integer)
    if not is_number and not keras.backend.is_float_dtype(x.dtype.name):
        raise ValueError(
            f"`x` must hold real numbers. Received: x of dtype {x.dtype.name}."
        )
    return x.astype("float32")


def jacobian_rows(function, x, chunk_size=1):
    """Rows of each sample's Jacobian, by reverse passes: `(outputs, batch, ...)`."""
    outputs, pullback = autodiff.vjp(function, _repeated(x, chunk_size))
    return _images_of_unit_vectors(pullback, outputs, chunk_size)


def jacobian_columns(function, x, chunk_size=1):
    """Columns of each sample's Jacobian, by forward passes: `(inputs, batch, ...)`."""
    repeated = _repeated(x, chunk_size)

    def push_forward(tangent):
        return autodiff.jvp(function, repeated, tangent)[1]

    return _images_of_unit_vectors(push_forward, repeated, chunk_size)


class Linearized(NamedTuple):
    r"""A function at given samples, with a linear map from one side of each Jacobian.

    Attributes:
        outputs: `(batch, *output_shape)`.
        linear_map: $u \mapsto J^\top u$, or $v \mapsto J v$.
        like: Tensor of the shape and dtype that `linear_map` takes.
    """

    outputs: Any
    linear_map: Callable
    like: Any


def linearized_backwards(function, x):
    r"""`Linearized` with $u \mapsto J^\top u$."""
    outputs, pullback = autodiff.vjp(function, x)
    return Linearized(outputs, pullback, outputs)


def linearized_forwards(function, x):
    r"""`Linearized` with $v \mapsto J v$."""
    return Linearized(function(x), lambda tangent: autodiff.jvp(function, x, tangent)[1], x)


def linearized(function, x):
    """`Linearized` from the smaller side of each Jacobian."""
    backwards = linearized_backwards(function, x)
    rows, columns = sample_size(backwards.outputs), sample_size(x)
    if None in (rows, columns) or rows <= columns:
        return backwards
    return linearized_forwards(function, x)


def images_of_vectors(linear_map, vectors, like, transform=None, chunk_size=1):
    """Images of vectors under a linear map of each sample, one pass a chunk of vectors.

    Can be compiled, and differentiated with respect to the weights.

    Args:
        linear_map: Callable from tensors shaped as `like` to tensors with as many samples.
        vectors: Each of them is given to every sample: `(k, size)`, `size` entries in a
            sample of `like` and `k` a multiple of `chunk_size`.
        like: Tensor that holds all samples `chunk_size` times.
        transform: Applied to the images of each pass, `(chunk_size, batch, ...)`, before
            they are kept. `None` keeps them as they are.
        chunk_size: Vectors in a pass.

    Returns:
        Images, or what `transform` made of them: `(k, batch, ...)`.
    """
    batch = ops.shape(like)[0] // chunk_size
    count, size = vectors.shape

    def images_of(chunk):
        tangents = ops.repeat(chunk, batch, axis=0)
        images = linear_map(ops.reshape(tangents, (-1, *like.shape[1:])))
        images = ops.reshape(images, (chunk_size, batch, *ops.shape(images)[1:]))
        return images if transform is None else transform(images)

    passes = count // chunk_size
    images = mapped(images_of, ops.reshape(vectors, (passes, chunk_size, size)), passes)
    return ops.reshape(images, (count, *ops.shape(images)[2:]))


def mapped(function, xs, count):
    """`keras.ops.map` over `count` entries, with a few calls side by side.

    On a CPU this takes less memory on TensorFlow, which then needs not hold the results
    within all passes of a loop, and a quarter of the time on JAX, where convolutions in a
    loop run on one thread.
    """
    if count > _PASSES_UNROLLED:
        return ops.map(function, xs)
    return ops.stack([function(xs[i]) for i in range(count)])


def sample_size(tensor):
    """Entries of a sample, or `None` if a side is of unknown size."""
    sides = tuple(tensor.shape[1:])
    return None if None in sides else math.prod(sides)


def _repeated(x, times):
    # Repeating the samples runs several passes at once on every backend.
    return x if times == 1 else ops.tile(x, [times] + [1] * (len(x.shape) - 1))


def _images_of_unit_vectors(linear_map, like, chunk_size):
    size = math.prod(like.shape[1:])
    count = math.ceil(size / chunk_size) * chunk_size
    vectors = ops.eye(count, size, dtype=like.dtype)
    return images_of_vectors(linear_map, vectors, like, None, chunk_size)[:size]


class JacobianModel(keras.Model):
    """A model whose predictions are the Jacobians of a function at its inputs.

    Being a Keras model, it is compiled once and follows the weights of a layer or model
    when they change. Variables that another callable holds may be frozen at the first
    call (JAX does so): make a new `JacobianModel` for each use of one.

    Args:
        function: Keras layer or model (called with `training=False`), or callable.
        sample: One sample, with which `function` is checked, of shape `input_shape`.
        chunk_size: Passes that run at once. See `jacobian`.
    """

    def __init__(self, function, sample, *, chunk_size=None):
        super().__init__(dtype="float32")
        check_has_derivative("function", function)
        self.function = function
        self.chunk_size = chunk_size
        self.output_sample_shape = independent_output_shape(
            "function", self._evaluate, sample
        )

    def call(self, x):
        inputs = math.prod(x.shape[1:])
        outputs = math.prod(self.output_sample_shape)
        passes = min(inputs, outputs)
        chunk_size = self.chunk_size or _SAMPLES_IN_A_PASS // (x.shape[0] or passes) or 1
        chunk_size = min(chunk_size, passes)
        if outputs <= inputs:
            rows = jacobian_rows(self._evaluate, x, chunk_size=chunk_size)
            rows = ops.reshape(rows, (*self.output_sample_shape, *ops.shape(x)))
            return ops.moveaxis(rows, len(self.output_sample_shape), 0)
        columns = jacobian_columns(self._evaluate, x, chunk_size=chunk_size)
        columns = ops.reshape(columns, (inputs, -1, outputs))
        columns = ops.transpose(columns, (1, 2, 0))
        return ops.reshape(columns, (-1, *self.output_sample_shape, *x.shape[1:]))

    def _evaluate(self, x):
        if isinstance(self.function, keras.Layer):
            return self.function(x, training=False)
        return self.function(x)
