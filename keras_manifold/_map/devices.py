"""Samples that are shared out among the devices of a process."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_manifold._storage.streams import padded


def shared_out(arrays: Any, weights: Sequence[Any]) -> Any:
    """Arrays with their samples on several devices, where Keras has a distribution set.

    Keras does so for the batches of `fit`, not for those of `predict_on_batch`.

    Args:
        arrays: One or a list, each with the same samples along its first axis.
        weights: Variables of the model that will get them. They say where the model is:
            devices of other processes can't be fed from here.

    Returns:
        The arrays themselves where there is one device; else tensors, of more samples where
        these can't be shared evenly, the last of them repeated.
    """
    distribution = keras.distribution.distribution()
    value: Any = getattr(next(iter(weights), None), "value", None)
    devices = getattr(getattr(value, "sharding", None), "device_set", ())
    if distribution is None or len(devices) < 2 or not value.is_fully_addressable:
        return arrays
    mesh = distribution.device_mesh
    count = mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
    if isinstance(arrays, (list, tuple)):
        return [_on_devices(array, distribution, count) for array in arrays]
    return _on_devices(arrays, distribution, count)


def _on_devices(array, distribution, count):
    array = np.asarray(array)
    array = padded(array, -(-len(array) // count) * count)
    layout = distribution.get_data_layout(array.shape)
    return keras.distribution.distribute_tensor(ops.convert_to_tensor(array), layout)
