"""The Jacobian of a function that maps each sample on its own."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold._arguments import check_count
from keras_manifold._map.functions import (
    check_codes,
    check_has_derivative,
    check_input,
    evaluated,
    independent_output_shape,
)
from keras_manifold._storage.streams import floating_samples, padded

# More passes than these take too long to compile side by side.
_PASSES_UNROLLED = 32

# With fewer samples a pass is bound by overhead, not by arithmetic.
_SAMPLES_IN_A_PASS = 64

# Entries of Jacobians that are held at a time, where they are not the result.
_ENTRIES_HELD = 2**25

# Attribute of a layer that keeps what was compiled for it, beyond what Keras tracks.
_KEPT = "__keras_manifold__"


def jacobian(function: Callable, x: Any, *, chunk_size: int | None = None) -> np.ndarray:
    r"""Jacobian of a function at each sample, $J_i = \partial f(x_i) / \partial x_i$.

    Reverse mode when a sample has no more outputs than inputs, forward mode
    otherwise. Cost: one pass (about two evaluations of `function`) for each entry of
    the smaller side, and the compilation, once for a layer or model, at each call for
    other callables. Beyond the result, memory does not grow with the number of samples.
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
            mixes samples, declares integer inputs or returns integers.
        TypeError: If `function` returns more than one tensor.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
        >>> km.jacobian(encoder, np.ones((3, 5), "float32")).shape
        (3, 2, 5)
    """
    if chunk_size is not None:
        check_count("chunk_size", chunk_size, note="or None")
    x = floating_samples(x)
    model = JacobianModel.of(function, sample=x[0], chunk_size=chunk_size)
    jacobians = np.empty((len(x), *model.output_sample_shape, *x.shape[1:]), "float32")
    batch_size = min(len(x), model.samples_at_a_time(128))
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        passes = model.predict_on_batch(padded(batch, batch_size))[: len(batch)]
        if not model.by_rows:
            passes = np.moveaxis(passes.reshape(*passes.shape[:2], -1), 1, 2)
        jacobians[start : start + batch_size] = passes.reshape(
            len(batch), *jacobians.shape[1:]
        )
    return jacobians


def jacobian_rows(function, x, chunk_size=1):
    """Rows of each sample's Jacobian, by reverse passes: `(outputs, batch, ...)`."""
    outputs, pullback = autodiff.vjp(function, _repeated(x, chunk_size))
    return _images_of_unit_vectors(pullback, outputs, chunk_size)


def jacobian_columns(function, x, chunk_size=1):
    """Columns of each sample's Jacobian, by forward passes: `(inputs, batch, ...)`."""
    repeated = _repeated(x, chunk_size)
    _, push = autodiff.linearize(function, repeated)
    return _images_of_unit_vectors(push, repeated, chunk_size)


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
    return Linearized(*autodiff.linearize(function, x), x)


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
    if times == 1:
        return x
    tiled = ops.tile(x, [times] + [1] * (len(x.shape) - 1))
    return ops.reshape(tiled, (-1, *x.shape[1:]))  # Keras 3.12 forgets the sides


def _images_of_unit_vectors(linear_map, like, chunk_size):
    size = math.prod(like.shape[1:])
    count = math.ceil(size / chunk_size) * chunk_size
    vectors = ops.eye(count, size, dtype=like.dtype)
    return images_of_vectors(linear_map, vectors, like, None, chunk_size)[:size]


class _Derivatives(keras.Model):
    """A model whose predictions are derivatives of functions at its inputs.

    Being a Keras model, it is compiled once and follows the weights of layers when they
    change. Variables that another callable holds may be frozen at the first call (JAX does
    so): for one of those it must be made anew for each use, as `of` does.
    """

    def __init__(self, *functions: Any, sample: np.ndarray, **settings: Any):
        super().__init__(dtype="float32")
        for function in functions:
            check_has_derivative("function", function)
        self.functions = functions

    @classmethod
    def of(cls, *functions, sample, **settings):
        """The model of functions, which the first one keeps if all are Keras layers.

        It lives as long as that layer: a cache of our own would keep both alive.
        """
        if not all(isinstance(function, keras.Layer) for function in functions):
            return cls(*functions, sample=sample, **settings)

        kept = vars(functions[0]).setdefault(_KEPT, {})
        key = (cls, len(functions), sample.shape, *settings.items())
        if key not in kept or kept[key][0] != list(map(_state, functions)):
            model = cls(*functions, sample=sample, **settings)
            # The first call has built the layers.
            kept[key] = list(map(_state, functions)), model
        return kept[key][1]


def _state(layer):
    """What may change of a layer that is compiled, other than its values."""
    is_container = hasattr(layer, "layers")
    parts = list(map(_state, layer.layers)) if is_container else _settings(layer)
    return id(layer), layer.dtype_policy.name, list(map(id, layer.variables)), parts


def _settings(layer):
    """What calls may read of a layer, but for whole numbers: they may count the calls."""
    return {
        name: id(value) if callable(value) else repr(value)
        for name, value in vars(layer).items()
        if name[0] != "_" and (callable(value) or isinstance(value, (str, bool, float)))
    }


class JacobianModel(_Derivatives):
    """The Jacobian of a function, by the passes of its shorter side.

    Predictions: rows, `(batch, outputs, *input_shape)`, where a sample has no more outputs
    than inputs, else columns, `(batch, inputs, *output_shape)`.

    Args:
        function: Keras layer or model (called with `training=False`), or callable.
        sample: One sample, with which `function` is checked, of shape `input_shape`.
        chunk_size: Passes that run at once. See `jacobian`.
        argument: What the user calls `function`, for errors.

    Attributes:
        output_sample_shape: Shape of one output.
        passes: Length of the shorter side.
        by_rows: Whether it is the side of the outputs.
    """

    def __init__(self, function, *, sample, chunk_size=None, argument="function"):
        super().__init__(function, sample=sample)
        check_input(argument, function, sample)
        self.chunk_size = chunk_size
        self.output_sample_shape = independent_output_shape(
            argument, lambda x: evaluated(function, x), sample
        )
        sizes = math.prod(self.output_sample_shape), sample.size
        self.by_rows = sizes[0] <= sizes[1]
        self.passes = min(sizes)
        self._entries = math.prod(sizes)

    def samples_at_a_time(self, batch_size):
        """At most `batch_size`, and no more than whose Jacobians may be held."""
        return max(1, min(batch_size, _ENTRIES_HELD // max(1, self._entries)))

    def call(self, x):
        (function,) = self.functions
        chunk_size = self.chunk_size or _SAMPLES_IN_A_PASS // (x.shape[0] or self.passes)
        chunk_size = min(max(1, chunk_size), self.passes)
        side = jacobian_rows if self.by_rows else jacobian_columns
        vectors = side(lambda x: evaluated(function, x), x, chunk_size=chunk_size)
        return ops.moveaxis(vectors, 0, 1)


class FactorsModel(_Derivatives):
    r"""The factors of the Jacobian of a decoder after an encoder, $J = GF$.

    Predictions: the rows of $F$, `(batch, latent_dim, *input_shape)`, and the columns of
    $G$, `(batch, latent_dim, *output_shape)`.

    Args:
        encoder: Keras layer or model, or callable, to codes `(batch, latent_dim)`.
        decoder: The same from codes.
        sample: One sample, with which both are checked, of shape `input_shape`.

    Attributes:
        passes: `latent_dim`.
        output_sample_shape: Shape of one reconstruction.
    """

    def __init__(self, encoder, decoder, *, sample):
        super().__init__(encoder, decoder, sample=sample)
        check_input("encoder", encoder, sample)
        code_shape = independent_output_shape(
            "encoder", lambda x: evaluated(encoder, x), sample
        )
        check_codes(code_shape)
        point = ops.convert_to_tensor(sample[None])
        (code,) = ops.convert_to_numpy(evaluated(encoder, point))
        self.output_sample_shape = independent_output_shape(
            "decoder", lambda codes: evaluated(decoder, codes), code
        )
        (self.passes,) = code_shape
        self._entries = self.passes * (
            math.prod(self.output_sample_shape) + math.prod(sample.shape)
        )

    samples_at_a_time = JacobianModel.samples_at_a_time

    def call(self, x):
        encoder, decoder = self.functions
        codes, pullback = autodiff.vjp(lambda x: evaluated(encoder, x), x)
        rows = _images_of_unit_vectors(pullback, codes, 1)
        columns = jacobian_columns(lambda codes: evaluated(decoder, codes), codes)
        return ops.moveaxis(rows, 0, 1), ops.moveaxis(columns, 0, 1)


class LinearMapModel(_Derivatives):
    r"""Products of vectors with the Jacobian of functions, one after the other.

    Inputs: `x`, `(batch, *input_shape)`, and vectors, `(batch, k, size)`. Predictions:
    $J v$ of each, `(batch, k, outputs)`, or $J^\top u$, `(batch, k, inputs)`.

    Args:
        functions: Keras layers or models, or callables.
        sample: One sample, of shape `input_shape`.
        forwards: Whether to multiply with $J$, else with $J^\top$.
    """

    def __init__(self, *functions, sample, forwards):
        super().__init__(*functions, sample=sample)
        self.forwards = forwards

    def call(self, inputs):
        x, vectors = inputs
        count = vectors.shape[1]
        repeated = ops.reshape(ops.repeat(x, count, axis=0), (-1, *x.shape[1:]))
        if self.forwards:
            tangents = ops.reshape(vectors, ops.shape(repeated))
            tangents = ops.cast(tangents, repeated.dtype)
            images = autodiff.jvp(self._composed, repeated, tangents)[1]
        else:
            outputs, pullback = autodiff.vjp(self._composed, repeated)
            cotangents = ops.reshape(vectors, ops.shape(outputs))
            images = pullback(ops.cast(cotangents, outputs.dtype))
        images = ops.reshape(images, (-1, count, math.prod(images.shape[1:])))
        return ops.cast(images, "float32")

    def _composed(self, x):
        for function in self.functions:
            x = evaluated(function, x)
        return x
