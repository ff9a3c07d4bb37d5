"""Layers that do the same in training as in inference."""

import functools
import inspect
from typing import Any

import keras
from keras import layers


def is_plain(layer: Any) -> bool:
    """Whether a layer is known to do the same in training as in inference.

    And to give nothing but its outputs: losses and masks would not leave a function that
    is differentiated.
    """
    if type(layer) in (keras.Sequential, functional_class()):
        return all(map(is_plain, layer.layers))
    # Dense takes `training` too, but reads it only when it is quantized.
    reads_training = (
        "training" in inspect.signature(layer.call).parameters
        if type(layer) not in (layers.Dense, layers.EinsumDense)
        else layer.quantization_mode is not None
    )
    return (
        getattr(layers, type(layer).__name__, None) is type(layer)
        and getattr(layer, "activity_regularizer", None) is None
        and not reads_training
        and type(layer) is not layers.Masking
    )


@functools.cache
def functional_class() -> type:
    """The class of functional models, which has no public name.

    To be asked for once outside compiled steps, as it makes a model.
    """
    inputs = keras.Input((1,))
    return type(keras.Model(inputs, layers.Identity()(inputs)))
