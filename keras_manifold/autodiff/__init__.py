"""Derivatives of functions from one tensor to one tensor, on the backend of Keras.

The place of the package that names a framework (`NoiseInjection` does too, for its path
through `tf.data`). All functions run eagerly and inside compiled steps, and what they
return can be differentiated again with respect to the weights, which is how a penalty
on a Jacobian is trained.

The first use changes the framework for the whole process. On TensorFlow it registers
second derivatives that are missing: of resizing, softsign and variances. On PyTorch it
replaces the derivative of hard_sigmoid by one of the same values that has a derivative.
First derivatives stay as they are.
"""

import contextlib
import functools
import importlib
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras

__all__ = [
    "jvp",
    "linearize",
    "pushforward",
    "recomputed_map",
    "vjp",
]

_BACKENDS = ("tensorflow", "jax", "torch")


def is_available() -> bool:
    """Whether the backend of Keras differentiates.

    Returns:
        False under NumPy and OpenVINO, which predict only.

    Examples:
        >>> from keras_manifold import autodiff
        >>> autodiff.is_available()
        True
    """
    return keras.backend.backend() in _BACKENDS


def compiles() -> bool:
    """Whether Keras compiles what predicts on this backend, for each shape once.

    Returns:
        False on PyTorch, where a new shape costs nothing.
    """
    return getattr(_framework(), "COMPILES", True)


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


# What the frameworks say of an operation without a derivative, up to its name.
_MISSING = re.compile(
    r"gradient registry has no entry for: (\w+)"
    r"|No gradient defined for operation .*\(op type: (\w+)\)"
    r"|erivative for '?([\w:]+)'? is not implemented"
    r"|Trying to use forward AD with (\w+) that"
    r"|Differentiation rule for '([^']+)' not implemented"
    r"|[Tt]ranspose rule \(for reverse-mode differentiation\) for '([^']+)' not implemented"
    r"|can't apply forward-mode differentiation \(jvp\) to a (custom_vjp) function"
    r"|Reverse-mode differentiation does not work for (lax.while_loop)"
    r"|implement the forward mode AD formula.*override the (jvp)"
)


class MissingDerivativeError(ValueError):
    """An operation has no derivative, or no second one, on this backend."""


@contextlib.contextmanager
def missing_derivatives_named() -> Iterator[None]:
    """Says which operation lacks a derivative, where a framework's error says so inside.

    Raises:
        MissingDerivativeError: Instead of the framework's own error. Others pass.

    Examples:
        >>> from keras_manifold import autodiff
        >>> try:
        ...     with autodiff.missing_derivatives_named():
        ...         raise LookupError("gradient registry has no entry for: LRNGrad")
        ... except autodiff.MissingDerivativeError as error:
        ...     print("LRNGrad" in str(error))
        True
    """
    try:
        yield
    except MissingDerivativeError:
        raise
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        found = _MISSING.search(str(error))
        if found is None:
            raise
        operation = next(filter(None, found.groups()))
        raise _missing(operation) from error


def _missing(operation):
    return MissingDerivativeError(
        "Each operation must have the derivatives that are taken of it: a first one for a "
        "Jacobian, a second one for its forward products and to train a penalty. Received: "
        f"{operation}, which has none in {keras.backend.backend()}. Replace the layer that "
        "uses it, or take another backend."
    )


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


def linearize(
    function: Callable, x: Any, products: int = 1
) -> tuple[Any, Callable[..., Any]]:
    r"""Outputs of a function and the map $v \mapsto J(x)\,v$.

    Forward mode. Cost: one to three evaluations of `function`, and about one more for each
    call of the map, which may be called any number of times; two more on PyTorch, four
    through convolutions, unless many products are told of.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`.
        products: How many will be asked for, about. On PyTorch, where nothing is
            differentiated again, many products through convolutions are traced first,
            which takes a tenth of a second.

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
    return _framework().linearize(function, x, products)


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
        >>> keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(outputs))).tolist()
        [[6.0]]
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

    When they are differentiated, with respect to `x` and the weights that `function` reads
    (the same for each integer), each is computed again, so that the memory for intermediate
    results does not grow with `count`. Cost: two evaluations of `function` each, in place
    of one.

    Args:
        function: Callable from `x` and an integer, a Python number or a tensor of shape
            `()`, to a float32 tensor of one shape for all, float64 where `x` is.
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


def together(linear_map: Callable) -> Callable[..., Any]:
    r"""The map of several vectors at once, by one pass where that is possible.

    Cost: the arithmetic of as many passes, with the overhead of one. Where an operation
    can't be vectorised, one pass after the other. Whether it pays, `go_together` says.

    Args:
        linear_map: `push` of `linearize`, or `pullback` of `vjp`.

    Returns:
        Callable from vectors, a tensor of shape `(k, batch, ...)`, to their images, of the
        same form.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> outputs, pullback = autodiff.vjp(keras.ops.square, x)
        >>> images = autodiff.together(pullback)(keras.ops.ones((2, 1, 1)))
        >>> keras.ops.convert_to_numpy(images).ravel().tolist()
        [6.0, 6.0]
    """
    vectorised = _framework().together
    can_be = True

    def images_of(vectors):
        nonlocal can_be
        count = vectors.shape[0]
        if can_be and count > 1:
            # A framework says in ways of its own what it can't vectorise; what is wrong
            # with the function, a pass alone says again.
            with contextlib.suppress(Exception):
                return vectorised(linear_map, vectors)
            can_be = False
        return keras.ops.stack([linear_map(vectors[i]) for i in range(count)])

    return images_of


def go_together(x: Any, outputs: Any) -> bool:
    """Whether several passes are faster by `together` than one after the other.

    They are not on TensorFlow where nothing is compiled, through loops, or in what XLA
    compiles; nor through large convolutions on PyTorch on a CPU.

    Args:
        x: Where a function is differentiated, `(batch, ...)`.
        outputs: Its outputs there, as `linearize` and `vjp` return them.

    Examples:
        >>> import keras
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.ones((1, 2))
        >>> outputs, pullback = autodiff.vjp(keras.ops.square, x)
        >>> if autodiff.go_together(x, outputs):  # not on TensorFlow here: not compiled
        ...     pullback = autodiff.together(pullback)
    """
    return _framework().go_together(x, outputs)


# Where a step is compiled for batches of any size, or Keras asks for shapes alone.
_SAMPLES_ASSUMED = 128

# Entries of tensors that stay near a processor; for a GPU a guess, not measured.
_ENTRIES_OF_CPU, _ENTRIES_OF_GPU = 2**18, 2**24


def passes_together(function: Callable, x: Any, outputs: Any, count: int) -> int:
    """Passes for `together` to take at a time, of many.

    So few that their tensors stay near the processor; more where that made more groups than
    are compiled in a short time.

    Args:
        function: Callable from one tensor to one tensor.
        x: Where it is differentiated, `(batch, ...)`. A batch of unknown size is taken for
            128 samples, another side for 1.
        outputs: Its outputs there, as `linearize` and `vjp` return them.
        count: Passes in all, at least 1.

    Returns:
        From 1 to `count`.

    Examples:
        >>> import keras
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.ones((1, 2))
        >>> autodiff.passes_together(keras.ops.square, x, x, 32)
        32
    """
    framework = _framework()
    batch, *_ = x.shape
    between = framework.shapes_between(function, x, outputs) if count > 1 else []
    shapes = [tuple(shape) for shape in (x.shape, outputs.shape, *between)]
    of_batch = [shape[1:] for shape in shapes if shape[:1] == (batch,)]
    entries = max(math.prod(side or 1 for side in shape) for shape in of_batch)
    entries *= batch if isinstance(batch, int) else _SAMPLES_ASSUMED
    held = _ENTRIES_OF_CPU if framework.is_on_cpu(x) else _ENTRIES_OF_GPU
    groups = math.ceil(count * entries / held)
    most = framework.most_groups(count, is_one_each=groups >= count)
    return math.ceil(count / max(1, min(groups, most)))


def bytes_held(function: Callable, x: Any) -> int | None:
    r"""About what $J^\top u$ of all samples leaves in memory until it is differentiated.

    Twice the results of all operations of `function`: each has a cotangent, which is held,
    and another one on the way back. Cost: less than a pass.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`.

    Returns:
        Bytes; for 128 samples where the size of the batch is not known, and `None` where
        another side is not, or where TensorFlow or JAX loop.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.ones((2, 3))
        >>> autodiff.bytes_held(keras.ops.square, x) >= 2 * 3 * 4
        True
    """
    batch, *sides = x.shape
    if not all(isinstance(side, int) for side in sides):
        return None
    batch = batch if isinstance(batch, int) else _SAMPLES_ASSUMED
    return _framework().bytes_held(function, x, (batch, *sides))


def check_second_derivatives(function: Callable, x: Any) -> None:
    r"""Refuses a function whose derivative $J^\top u$ can't be differentiated.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`, with values.

    Raises:
        MissingDerivativeError: By the name of the operation that the backend knows.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_manifold import autodiff
        >>> x = keras.ops.convert_to_tensor(np.array([[3.0]], "float32"))
        >>> autodiff.check_second_derivatives(keras.ops.square, x)
    """
    with missing_derivatives_named():
        _framework().check_second_derivatives(function, x)


def check_forward_products(function: Callable, x: Any) -> None:
    """The same where forward products are second derivatives, which is on TensorFlow.

    Args:
        function: Callable from one tensor to one tensor.
        x: Floating-point tensor of shape `(batch, *input_shape)`, with values.

    Raises:
        MissingDerivativeError: By the name of the operation that the backend knows.

    Examples:
        See `check_second_derivatives`.
    """
    if keras.backend.backend() == "tensorflow":
        check_second_derivatives(function, x)


def records_gradients() -> bool:
    """Whether a training that begins here has gradients.

    Returns:
        False within `torch.no_grad()` and `torch.inference_mode()`.

    Examples:
        >>> from keras_manifold import autodiff
        >>> autodiff.records_gradients()
        True
    """
    recorded = getattr(_framework(), "records_gradients", None) if is_available() else None
    return recorded is None or recorded()


def is_concrete(x: Any) -> bool:
    """Whether a tensor has values now, and not only within a compiled function.

    Args:
        x: Tensor of the backend.

    Returns:
        Whether it can be converted to NumPy, and what is computed with it too.

    Examples:
        >>> import keras
        >>> from keras_manifold import autodiff
        >>> autodiff.is_concrete(keras.ops.ones((2, 3)))
        True
    """
    return not isinstance(x, keras.KerasTensor) and _framework().is_concrete(x)
