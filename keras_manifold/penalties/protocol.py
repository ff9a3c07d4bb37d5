"""What a penalty is."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from keras_manifold._arguments import Part


@runtime_checkable
class Penalty(Protocol):
    r"""A term of the loss, one value per sample, of a function and its derivative.

    Usually a Keras layer, so that it is saved with the model and its random numbers are
    resumed. It may also have `with_outputs(function, x) -> (outputs, values)`: then the
    forward pass is shared with that of the model where both are the same.

    Attributes:
        name: Name of its metric.
        of: Part of the model whose function it gets, at the clean inputs; a penalty of
            the `"decoder"` gets their codes.
        weight: Factor in the loss, a number or a scalar `keras.Variable`.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> class Energy(keras.layers.Layer):
        ...     of, weight = "encoder", 0.1
        ...     def __call__(self, function, x):
        ...         return keras.ops.sum(keras.ops.square(function(x)), axis=-1)
        >>> isinstance(Energy(name="energy"), km.penalties.Penalty)
        True
        >>> model = km.AutoEncoder.dense(20, 2, penalties=[Energy(name="energy")])
        >>> model.compile("adam", loss="mse")
        >>> sorted(model.fit(np.ones((8, 20), "float32"), verbose=0).history)
        ['energy', 'loss', 'reconstruction_loss']
    """

    name: str
    of: Part
    weight: Any

    def __call__(self, function: Callable, x: Any) -> Any:
        """Values without the weight, shape `(batch,)`.

        Args:
            function: Callable from one tensor to one tensor, in inference mode.
            x: Points, a tensor of shape `(batch, *input_shape)` of the function.
        """
        ...
