"""The Jacobian of a function that maps each sample on its own."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import check_count
from keras_manifold._map.budget import samples_held
from keras_manifold._map.checks import check_finite_derivatives, warn_where_lost
from keras_manifold._map.compiled import (
    ONE_AT_A_TIME,
    SAMPLES_CHECKED,
    ShorterSide,
)
from keras_manifold._map.compiled import forget_compiled as forget_compiled
from keras_manifold._map.function import Map
from keras_manifold._storage.streams import floating_samples, padded

__all__ = ["forget_compiled", "jacobian"]

# Samples of one call: more make it no faster.
_MOST_SAMPLES = 128


def jacobian(
    function: Callable, x: Any, *, chunk_size: int | None = None
) -> Annotated[NDArray[np.floating], "n *output_and_input_shape"]:
    r"""Jacobian of a function at each sample, $J_i = \partial f(x_i) / \partial x_i$.

    Reverse mode when a sample has no more outputs than inputs, forward mode
    otherwise. Cost: one pass (about two evaluations of `function`) for each entry of
    the smaller side, and the compilation, once for a layer or model, at each call for
    other callables. Beyond the result, memory does not grow with the number of samples.
    Samples are taken to be independent; a function whose outputs for a sample change, or
    have a derivative, with another sample beside it is refused.

    Args:
        function: Keras layer or model (called with `training=False`), or any
            callable, from `(batch, *input_shape)` to `(batch, *output_shape)`.
        x: Array of shape `(batch, *input_shape)`; integers are cast to floating point.
        chunk_size: Passes that run at once, at least 1. More are faster on few
            samples and take more memory, in proportion. `None`: as many as keep 64
            samples in a pass.

    Returns:
        NumPy array of shape `(batch, *output_shape, *input_shape)`, float32; float64
        where `keras.config.floatx()` is.

    Raises:
        ValueError: If `x` has no samples, if `chunk_size` is below 1, or if `function`
            mixes samples, declares integer inputs or returns integers.
        TypeError: If `function` returns more than one tensor, or `x` is masked, sparse, or
            symbolic within a compiled function.
        FloatingPointError: If `x`, or the derivative at a sample, is not finite.

    Warns:
        UserWarning: Where the derivative of an output is exactly 0 at every sample,
            although the output differs between them, or `floatx` is float64 and the
            function computes in less.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
        >>> km.jacobian(encoder, np.ones((3, 5), "float32")).shape
        (3, 2, 5)
    """
    if chunk_size is not None:
        chunk_size = check_count("chunk_size", chunk_size, note="or None")
    x = floating_samples(x)
    model = ShorterSide.of(Map(function), x[:SAMPLES_CHECKED], chunk_size=chunk_size)
    jacobians = np.empty((len(x), *model.map.output_shape, *x.shape[1:]), x.dtype)
    batch_size = max(1, min(len(x), _MOST_SAMPLES, samples_held(model.entries)))
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        passes = model.predict_on_batch(padded(batch, batch_size))[: len(batch)]
        if not model.by_rows:
            passes = np.moveaxis(passes.reshape(*passes.shape[:2], -1), 1, 2)
        jacobians[start : start + batch_size] = passes.reshape(
            len(batch), *jacobians.shape[1:]
        )
    by_output = jacobians.reshape(len(x), -1, x[0].size)
    check_finite_derivatives("function", by_output.reshape(len(x), -1))
    are_zero = ~by_output.any(axis=(0, 2))
    if len(x) > 1 and are_zero.any():
        with ONE_AT_A_TIME:
            warn_where_lost(model.map, model.map.values(x[:_MOST_SAMPLES]), are_zero)
    return jacobians
