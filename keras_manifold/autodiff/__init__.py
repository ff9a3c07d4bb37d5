"""Derivatives of functions from one tensor to one tensor, on the backend of Keras.

The place of the package that names a framework (`NoiseInjection` does too, for its path
through `tf.data`). All functions run eagerly and inside compiled steps, and what they
return can be differentiated again with respect to the weights, which is how a penalty
on a Jacobian is trained.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import keras

__all__ = ["jvp", "linearize", "pushforward", "recomputed_map", "vjp"]

_BACKENDS = ("tensorflow", "jax", "torch")


@functools.cache
def _framework() -> Any:
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise NotImplementedError(
            "Derivatives need a Keras backend that differentiates: 'tensorflow', 'jax' or "
            f"'torch'. Received: KERAS_BACKEND={backend!r}, which can load models and "
            "predict. Set the environment variable KERAS_BACKEND before importing keras."
        )
    return importlib.import_module(f"keras_manifold.autodiff.{backend}")


def jvp(function: Callable, x: Any, tangent: Any) -> tuple[Any, Any]:
    r"""Outputs of a function and the change $J(x)\,v$ along a tangent.

    Forward mode. Cost: about two evaluations of `function`.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`.
        tangent: Tensor of the shape and dtype of `x`.

    Returns:
        Tuple `(outputs, output_tangent)` of tensors of one shape. Where the
        outputs do not depend on `x` the tangent is zero.

    Raises:
        Exception: The backend's own, if `tangent` is not of the shape of `x`.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> outputs, change = autodiff.jvp(keras.ops.square, x, keras.ops.ones_like(x))
        >>> float(outputs[0, 0]), float(change[0, 0])
        (9.0, 6.0)
    """
    return _framework().jvp(function, x, tangent)


def linearize(function: Callable, x: Any) -> tuple[Any, Callable[..., Any]]:
    r"""Outputs of a function and the map $v \mapsto J(x)\,v$.

    Forward mode. Cost: one to three evaluations of `function`, and about one more for each
    call of the map, which may be called any number of times; two more on PyTorch.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`.

    Returns:
        Tuple `(outputs, push)`. `push(tangent)` takes a tensor of the shape and dtype of
        `x` and returns one of the shape of `outputs`; it is zero where the outputs do not
        depend on `x`.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> outputs, push = autodiff.linearize(keras.ops.square, x)
        >>> float(push(2 * keras.ops.ones_like(x))[0, 0])
        12.0
    """
    return _framework().linearize(function, x)


def vjp(function: Callable, x: Any) -> tuple[Any, Callable[..., Any]]:
    r"""Outputs of a function and the map $u \mapsto J(x)^\top u$.

    Reverse mode. Cost: one evaluation of `function`, and about two more for each
    call of the map, which may be called any number of times.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`.

    Returns:
        Tuple `(outputs, pullback)`. `pullback(cotangent)` takes a tensor of the
        shape and dtype of `outputs` and returns one of the shape of `x`; it is
        zero where the outputs do not depend on `x`.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> outputs, pullback = autodiff.vjp(keras.ops.square, x)
        >>> float(pullback(keras.ops.ones_like(outputs))[0, 0])
        6.0
    """
    return _framework().vjp(function, x)


def pushforward(
    function: Callable, x: Any, outputs: Any, pullback: Callable
) -> Callable[..., Any]:
    r"""The map $v \mapsto J(x)\,v$ beside the results of `vjp`, which it uses.

    Cost: that of `linearize`, without its evaluation of `function` on TensorFlow, and on
    JAX in compiled functions. Call it outside loops in which the map is used.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`.
        outputs: Tensor of shape `(batch, *output_shape)`: the first that `vjp` returned.
        pullback: The second.

    Returns:
        Callable `push`: see `linearize`.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> outputs, pullback = autodiff.vjp(keras.ops.square, x)
        >>> push = autodiff.pushforward(keras.ops.square, x, outputs, pullback)
        >>> float(push(keras.ops.ones_like(x))[0, 0])
        6.0
    """
    return _framework().pushforward(function, x, outputs, pullback)


def recomputed_map(function: Callable, x: Any, count: int) -> Any:
    r"""$f(x, 0), \dots, f(x, n-1)$, stacked, while one of them is computed at a time.

    When they are differentiated, with respect to `x` and the weights that `function` reads,
    each is computed again, so that the memory for intermediate results does not grow with
    `count`. Cost: two evaluations of `function` each, in place of one.

    Args:
        function: Callable from `x` and an integer, a Python number or a tensor of shape
            `()`, to a float32 tensor of one shape for all.
        x: Floating-point tensor of any shape. Gradients flow to `x` and to weights only,
            not to other tensors that `function` may hold.
        count: How many, at least 1.

    Returns:
        Tensor of shape `(count, ...)`.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> powers = autodiff.recomputed_map(
        ...     lambda x, i: x * keras.ops.cast(i, "float32"), x, 3)
        >>> keras.ops.convert_to_numpy(powers).ravel().tolist()
        [0.0, 3.0, 6.0]
    """
    return _framework().recomputed_map(function, x, count)
