"""Derivatives of a Map as predictions of a Keras model, which is compiled once.

**What makes a compiled function stale.** Keras compiles a function at its first call and
reads plain Python attributes of layers then, not again: that holds for `predict`, and here.
What was compiled for layers and models is kept with the first of them, and lives as long.
It follows the values of their variables, and it is made anew when one of these changed: a
layer was added, removed or replaced, at any depth; a layer got other variables or another
dtype; an attribute of a layer that is a function, a text, a number, `None`, an array, or a
tuple or list of these was assigned (`Normalization.adapt` does so); `AutoEncoder.compile`
was called. What is elsewhere is not seen, such as a global name that a `Lambda` reads or an
attribute that begins with an underscore: call `compile`, or
`keras_manifold.forget_compiled(model)`, after changing it. Other callables are compiled at
each call, and nothing of them is kept.
"""

import math
import numbers
import threading
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold import autodiff
from keras_manifold._map.budget import passes_at_once
from keras_manifold._map.checks import check_eager, warn_where_half
from keras_manifold._map.devices import shared_out
from keras_manifold._map.function import Map
from keras_manifold._map.interrupts import interrupts_deferred
from keras_manifold._map.passes import images_of_unit_vectors
from keras_manifold._storage.streams import result_dtype

# On JAX, Keras takes the variables away while it predicts: a thread that calls the same
# layers meanwhile finds none. Held by whoever calls what a user handed in.
ONE_AT_A_TIME = threading.RLock()

# Samples at hand with which a function is checked, at most.
SAMPLES_CHECKED = 5

# Attribute of a layer that keeps what was compiled for it, beyond what Keras tracks.
KEPT = "__keras_manifold__"


def forget_compiled(model: Any) -> None:
    """Drops what `jacobian`, `tangent_space` and callbacks have compiled for a model.

    Needed after something was changed that calls read and that is no public attribute of a
    layer, such as a global name that a `Lambda` reads: a compiled function keeps the value
    with which it was compiled, as that of `predict` does until `compile` is called again.
    Changed weights, attributes and layers are followed without this, and
    `AutoEncoder.compile` calls it.

    Args:
        model: Keras layer or model, or any object with an `encoder` and a `decoder`.

    Raises:
        TypeError: If `model` is neither.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> scale = keras.layers.Rescaling(2.0)
        >>> float(km.jacobian(scale, np.ones((1, 1), "float32"))[0, 0, 0])
        2.0
        >>> km.forget_compiled(scale)
    """
    parts = [getattr(model, name, None) for name in ("encoder", "decoder")]
    layers = [part for part in (model, *parts) if isinstance(part, keras.Layer)]
    if not layers:
        raise TypeError(
            "`model` must be a Keras layer or model, or have an `encoder` or a `decoder` "
            f"that is one. Received: model={model!r} of type {type(model).__name__}. Of "
            "other callables nothing is kept."
        )
    for layer in layers:
        vars(layer).pop(KEPT, None)


class Compiled(keras.Model):
    """A model whose predictions are derivatives of a Map at its inputs.

    Args:
        function: The `Map`.
        samples: A few, with which it is checked, `(any, *input_shape)`.

    Attributes:
        map: The same, checked.
    """

    takes_columns = False  # of J, by forward products

    def __init__(self, function: Map, samples: np.ndarray):
        samples = samples.astype(result_dtype())
        super().__init__(dtype=samples.dtype.name)
        self.functions = function.functions  # Keras follows their variables
        self.map = function.checked(samples)
        for name, part in zip(function.names, function.functions):
            warn_where_half(name, part)
        if self.takes_columns:
            autodiff.check_forward_products(self.map, ops.convert_to_tensor(samples))

    @classmethod
    def of(cls, function: Map, samples: np.ndarray, **settings: Any) -> Any:
        """The model of a Map, which its first function keeps if all are Keras layers.

        It lives as long as that layer: a cache of our own would keep both alive.
        """
        check_eager()
        functions = function.functions
        with ONE_AT_A_TIME:
            if not all(isinstance(layer, keras.Layer) for layer in functions):
                return cls(function, samples, **settings)

            kept = vars(functions[0]).setdefault(KEPT, {})
            key = (
                cls,
                len(functions),
                samples.dtype.name,
                samples.shape[1:],
                *settings.items(),
            )
            if key not in kept or kept[key][0] != list(map(_state, functions)):
                model = cls(function, samples, **settings)
                # The first call has built the layers.
                kept[key] = list(map(_state, functions)), model
            return kept[key][1]

    def predict_on_batch(self, x):
        named = autodiff.missing_derivatives_named()
        with ONE_AT_A_TIME, interrupts_deferred(), named:
            given = shared_out(x, self.weights)
            found = super().predict_on_batch(given)
        if given is x:
            return found
        count = len(x[0] if isinstance(x, (list, tuple)) else x)
        return keras.tree.map_structure(lambda array: array[:count], found)


def _state(layer, above=()):
    """What may change of a layer that is compiled, other than its values."""
    if id(layer) in above:  # layers may refer to each other
        return id(layer)
    above = (*above, id(layer))
    parts = [_state(part, above) for part in getattr(layer, "layers", ())]
    settings = {
        name: _seen(value, above)
        for name, value in vars(layer).items()
        if name[0] != "_" and name not in _OF_TRAINING
    }
    variables = list(map(id, layer.variables))
    return id(layer), layer.dtype_policy.name, variables, parts, settings


def _seen(value, above):
    """Equal for values that calls can't tell apart, as far as that is known."""
    if isinstance(value, keras.Layer):
        return _state(value, above) if not hasattr(value, "layers") else id(value)
    if isinstance(value, keras.Variable):  # on some backends it is a tensor, too
        return id(value)
    if value is None or isinstance(value, (str, bool, numbers.Number)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return [_seen(entry, above) for entry in value[:_ENTRIES_SEEN]]
    is_tensor = ops.is_tensor(value)
    if isinstance(value, np.ndarray) or is_tensor:
        if math.prod(value.shape) > _ENTRIES_READ:
            return id(value)
        array = ops.convert_to_numpy(value) if is_tensor else value
        return array.shape, array.tobytes()
    return id(value) if callable(value) else None


# What `compile`, `fit` and `predict` assign to a model, and no call reads.
_OF_TRAINING = frozenset(
    {"compiled", "history", "loss", "optimizer", "training"}
    | {"steps_per_execution", "unrolled_steps_per_execution"}
    | {"train_function", "test_function", "predict_function"}
    | {"stop_training", "stop_evaluating", "stop_predicting"}
)

# Entries of a tuple or list that are compared, and of an array; larger ones by identity.
_ENTRIES_SEEN, _ENTRIES_READ = 100, 10_000


class ShorterSide(Compiled):
    """The Jacobian by the passes of its shorter side.

    Predictions: rows, `(batch, outputs, *input_shape)`, where a sample has no more outputs
    than inputs, else columns, `(batch, inputs, *output_shape)`.

    Args:
        function: The `Map`.
        samples: A few, `(any, *input_shape)`.
        chunk_size: Passes that run at once, or `None` for as many as keep 64 samples in
            a pass.

    Attributes:
        passes: Length of the shorter side.
        by_rows: Whether it is the side of the outputs.
        entries: Of the Jacobian of a sample.
    """

    def __init__(self, function, samples, *, chunk_size=None):
        super().__init__(function, samples)
        self.chunk_size = chunk_size
        sizes = math.prod(self.map.output_shape), samples[0].size
        self.by_rows = sizes[0] <= sizes[1]
        self.passes = min(sizes)
        self.entries = math.prod(sizes)
        self._has_columns = True
        if not self.by_rows:
            try:
                autodiff.check_forward_products(self.map, ops.convert_to_tensor(samples))
            except autodiff.MissingDerivativeError:
                self._has_columns = False

    def call(self, x):
        chunk_size = self.chunk_size or passes_at_once(x.shape[0], self.passes)
        chunk_size = min(chunk_size, self.passes)
        if not self.by_rows and self._has_columns:
            try:
                with autodiff.missing_derivatives_named():
                    return ops.moveaxis(self.map.columns(x, chunk_size), 0, 1)
            except autodiff.MissingDerivativeError:
                # Backward passes need less of the operations, and are as right.
                self._has_columns = False
        rows = ops.moveaxis(self.map.rows(x, chunk_size), 0, 1)
        if self.by_rows:
            return rows
        rows = ops.reshape(rows, (ops.shape(rows)[0], rows.shape[1], -1))
        columns = ops.swapaxes(rows, 1, 2)
        shape = (-1, self.passes, *self.map.output_shape)
        return ops.reshape(columns, shape)


class BothFactors(Compiled):
    r"""The factors of the Jacobian of a decoder after an encoder, $J = GF$.

    Predictions: the rows of $F$, `(batch, codes, *input_shape)`, and the columns of $G$,
    `(batch, codes, *output_shape)`.

    Attributes:
        passes: Entries of a code.
        entries: Of both factors of a sample.
    """

    def __init__(self, function, samples):
        super().__init__(function, samples)
        encoder, decoder = self.map.parts
        codes = encoder(ops.convert_to_tensor(samples))
        autodiff.check_forward_products(decoder, codes)
        self.passes = math.prod(self.map.shapes[1])
        self.entries = self.passes * (math.prod(self.map.output_shape) + samples[0].size)

    def call(self, x):
        encoder, decoder = self.map.parts
        encoding = encoder.at(x)
        rows = images_of_unit_vectors(*encoding.rows)
        columns = decoder.columns(encoding.outputs)
        return ops.moveaxis(rows, 0, 1), ops.moveaxis(columns, 0, 1)


class Products(Compiled):
    r"""Products of vectors with the Jacobian.

    Inputs: `x`, `(batch, *input_shape)`, and vectors, `(batch, k, size)`. Predictions:
    $J v$ of each, `(batch, k, outputs)`, or $J^\top u$, `(batch, k, inputs)`.

    Args:
        function: The `Map`.
        samples: A few, `(any, *input_shape)`.
        forwards: Whether to multiply with $J$, else with $J^\top$.
    """

    def __init__(self, function, samples, *, forwards):
        super().__init__(function, samples)
        if forwards:
            autodiff.check_forward_products(self.map, ops.convert_to_tensor(samples))
        self.forwards = forwards

    def call(self, inputs):
        x, vectors = inputs
        count = vectors.shape[1]
        x = ops.reshape(ops.repeat(x, count, axis=0), (-1, *x.shape[1:]))
        if self.forwards:
            vectors = ops.cast(ops.reshape(vectors, ops.shape(x)), x.dtype)
            images = autodiff.jvp(self.map, x, vectors)[1]
        else:
            outputs, pull = autodiff.vjp(self.map, x)
            vectors = ops.cast(ops.reshape(vectors, ops.shape(outputs)), outputs.dtype)
            images = pull(vectors)
        images = ops.reshape(images, (-1, count, math.prod(images.shape[1:])))
        return ops.cast(images, self.compute_dtype)
