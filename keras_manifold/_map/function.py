"""The Map: a user's function of each sample on its own."""

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold._map.checks import (
    check_derivatives_of_samples,
    check_eager,
    check_has_derivative,
    check_input,
    check_not_quantised,
    checked_output_shape,
)
from keras_manifold._map.fused import without_fused_kernels
from keras_manifold._map.interrupts import interrupts_deferred
from keras_manifold._map.passes import images_of_unit_vectors, repeated, sample_size

_here = threading.local()


def in_analysis() -> bool:
    """Whether this thread calls a Map, for whose outputs alone a model is asked."""
    return getattr(_here, "in_analysis", False)


@contextlib.contextmanager
def analysis() -> Iterator[None]:
    """While a model is asked for its outputs alone, without what penalties add."""
    outer, _here.in_analysis = in_analysis(), True
    try:
        yield
    finally:
        _here.in_analysis = outer


class Side(NamedTuple):
    r"""A linear map of each sample, from one side of its Jacobian to the other.

    Attributes:
        linear_map: $u \mapsto J^\top u$, or $v \mapsto J v$.
        like: Tensor of the shape and dtype that `linear_map` takes.
    """

    linear_map: Callable
    like: Any


class Linearized:
    r"""A function at given samples: its outputs, and both products with its Jacobian.

    Attributes:
        inputs: `(batch, *input_shape)`.
        outputs: `(batch, *output_shape)`.
        pull: $u \mapsto J^\top u$, from the shape of `outputs` to that of `inputs`.
    """

    def __init__(self, function: Callable, x: Any):
        self._function = function
        self.inputs = x
        self.outputs: Any
        self.pull: Callable[..., Any]
        self.outputs, self.pull = autodiff.vjp(function, x)

    @functools.cached_property
    def push(self) -> Callable[..., Any]:
        r"""$v \mapsto J v$; to be asked for outside the loop in which it is called."""
        return autodiff.pushforward(self._function, self.inputs, self.outputs, self.pull)

    @property
    def rows(self) -> Side:
        """From the side of the outputs: images of unit vectors are the rows of $J$."""
        return Side(self.pull, self.outputs)

    @property
    def columns(self) -> Side:
        """From the side of the inputs: images of unit vectors are the columns of $J$."""
        return Side(self.push, self.inputs)

    @property
    def shorter(self) -> Side:
        """From the smaller side; that of the outputs where a size is unknown."""
        rows, columns = sample_size(self.outputs), sample_size(self.inputs)
        by_rows = rows is None or columns is None or rows <= columns
        return self.rows if by_rows else self.columns


class Map:
    """A user's function of each sample on its own, in inference mode.

    The one place that knows how to call what users hand in: Keras layers and models (with
    `training=False`) and any callables. Whatever needs a derivative stands on it.

    Args:
        function: Keras layer or model, callable, or `Map` (which stays what it is).
        name: What the user calls the function, for errors.

    Attributes:
        functions: The functions, one after the other; more than one after `then`.
        names: What the user calls them.
        shapes: Shape of one sample, and of what each function makes of it, once `checked`;
            empty before.
    """

    def __init__(self, function: Any, name: str = "function"):
        is_map = isinstance(function, Map)
        self.functions: tuple[Any, ...] = function.functions if is_map else (function,)
        self.names: tuple[str, ...] = function.names if is_map else (name,)
        self.shapes: tuple[tuple[int, ...], ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.shapes[0]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one output."""
        return self.shapes[-1]

    @property
    def has_fixed_batch(self) -> bool:
        """Whether it has a model such as a stateful RNN, which takes no sample alone."""
        models = (f for f in self.functions if isinstance(f, keras.Model))
        inputs: Any = (getattr(model, "inputs", None) or () for model in models)
        return any(tensor.shape[0] for tensors in inputs for tensor in tensors)

    def then(self, other: "Map") -> "Map":
        """The composition, `other` after this one. It keeps both: see `parts`."""
        composed = Map(self)
        composed.functions += other.functions
        composed.names += other.names
        return composed

    @property
    def parts(self) -> "tuple[Map, ...]":
        """A map of each function alone."""
        return tuple(map(Map, self.functions, self.names))

    def __call__(self, x: Any) -> Any:
        """Outputs, a tensor, in inference mode."""
        with analysis():
            for function in self.functions:
                if isinstance(function, keras.Layer):
                    with without_fused_kernels(function):
                        x = function(x, training=False)
                else:
                    x = function(x)
            return x

    def values(self, x: np.ndarray, *, as_tensors: bool = True) -> Any:
        """Outputs at NumPy samples, compiled where the function is a Keras model.

        Args:
            x: `(batch, *input_shape)`.
            as_tensors: Whether callables that are no Keras layers get tensors, else NumPy
                arrays.

        Returns:
            NumPy array; what else the function may return, as it is.

        Raises:
            TypeError: Within a function that is being compiled.
        """
        check_eager()
        for part, function in zip(self.parts, self.functions):
            if isinstance(function, keras.Model):
                with interrupts_deferred():
                    outputs = function.predict_on_batch(x)
                # Under tf.distribute, each replica's in turn.
                x = outputs[: len(x)] if hasattr(outputs, "shape") else outputs
            else:
                x = part(ops.convert_to_tensor(x) if as_tensors else x)
        return ops.convert_to_numpy(x) if ops.is_tensor(x) else x

    def at(self, x: Any) -> Linearized:
        """Outputs at samples with both products of the Jacobian, by one forward pass."""
        return Linearized(self, x)

    def rows(self, x: Any, chunk_size: int = 1) -> Any:
        """All rows of each Jacobian, `(outputs, batch, *input_shape)`, pass by pass.

        Args:
            x: `(batch, *input_shape)`.
            chunk_size: Rows in a pass, which holds all samples as many times.
        """
        outputs, pull = autodiff.vjp(self, repeated(x, chunk_size))
        return images_of_unit_vectors(pull, outputs, chunk_size)

    def columns(self, x: Any, chunk_size: int = 1) -> Any:
        """All columns of each Jacobian, `(inputs, batch, *output_shape)`, pass by pass.

        Args:
            x: `(batch, *input_shape)`.
            chunk_size: Columns in a pass, which holds all samples as many times.
        """
        return self.outputs_and_columns(x, chunk_size)[1]

    def outputs_and_columns(self, x: Any, chunk_size: int = 1) -> tuple[Any, Any]:
        """The outputs, `(batch, *output_shape)`, beside `columns`, by one forward pass."""
        repeats = repeated(x, chunk_size)
        with without_fused_kernels(*self.functions):  # PyTorch calls them in each pass
            passes = math.ceil(math.prod(x.shape[1:]) / chunk_size)
            outputs, push = autodiff.linearize(self, repeats, passes)
            columns = images_of_unit_vectors(push, repeats, chunk_size)
        return outputs[: ops.shape(outputs)[0] // chunk_size], columns

    def check_inputs(self) -> None:
        """Refuses models of integers, which have no derivative.

        Raises:
            ValueError: By the name of the function.
        """
        for name, function in zip(self.names, self.functions):
            check_has_derivative(name, function)
            check_not_quantised(name, function)

    def checked(self, samples: np.ndarray) -> "Map":
        """This map, once it is seen to be one: with its shapes, in an instance of its own.

        Each function must take one input of the shape of the sample before it, and return
        one tensor of floating-point numbers, which another sample beside does not change.

        Args:
            samples: One or a few, `(any, *input_shape)`.

        Raises:
            ValueError, TypeError: What is wrong, by the name of the function.
        """
        self.check_inputs()
        checked = Map(self)
        checked.shapes = (samples.shape[1:],)
        for part, name in zip(self.parts, self.names):
            check_input(name, part.functions[0], samples[0])
            checked.shapes += (checked_output_shape(name, part, samples),)
            if len(checked.shapes) <= len(self.functions):
                samples = ops.convert_to_numpy(part(ops.convert_to_tensor(samples)))
        return checked

    def check_penalised(self, samples: np.ndarray) -> None:
        """Checks for a penalty, with samples at hand.

        Args:
            samples: One or a few, `(any, *input_shape)`.

        Raises:
            ValueError, TypeError: As `checked`, and if a derivative can't be
                differentiated.
            FloatingPointError: If a derivative is not finite at a sample.
        """
        if self.has_fixed_batch:
            return
        self.checked(samples)
        x = ops.convert_to_tensor(samples)
        autodiff.check_second_derivatives(self, x)
        check_derivatives_of_samples(" and ".join(self.names), self, samples)

    def check_derivatives(self, samples: np.ndarray, indices: np.ndarray) -> None:
        """Checks derivatives at samples that are more telling than others.

        Args:
            samples: A few, `(n, *input_shape)`.
            indices: Of these in the user's data, `(n,)`.

        Raises:
            FloatingPointError: If a derivative is not finite at a sample.
        """
        if not self.has_fixed_batch:
            name = " and ".join(self.names)
            check_derivatives_of_samples(name, self, samples, indices)

    def check_as_declared(self) -> None:
        """Checks for a penalty, with a random sample of the shape that a model declares.

        Raises:
            ValueError: If the function mixes samples or returns whole numbers, or if its
                derivative can't be differentiated.
        """
        self.check_inputs()
        for name, part in zip(self.names, self.parts):
            inputs: Any = getattr(part.functions[0], "inputs", None) or ()
            if not autodiff.is_available() or part.has_fixed_batch:
                continue
            if len(inputs) != 1 or None in inputs[0].shape[1:]:
                continue
            sample = np.random.default_rng(0).uniform(size=(1, *inputs[0].shape[1:]))
            sample = sample.astype("float32")
            checked_output_shape(name, part, sample)
            autodiff.check_second_derivatives(part, ops.convert_to_tensor(sample))
