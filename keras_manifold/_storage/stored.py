"""Samples on disk as a data set of batches, for Keras's loops."""

from typing import Any

import keras
import numpy as np

from keras_manifold._arguments import check_count
from keras_manifold._storage.streams import is_on_disk, is_table, rows_of


def is_stored(x: Any) -> bool:
    """Whether samples are on disk, of which Keras itself would load all."""
    return is_table(x) or is_on_disk(x)


class StoredBatches(keras.utils.PyDataset):
    """Batches of samples on disk, which are read when they are asked for.

    Keras shuffles the order of the batches. What is shuffled here is the order within a
    batch: rows that are next to each other on disk are read at once.

    Args:
        x: Samples on disk, `(n, *input_shape)`.
        y: Targets, in memory or on disk, or `None`.
        sample_weight: Weights, likewise.
        batch_size: Samples in a batch; `None` for 32.
        shuffle: Whether to shuffle within batches, by NumPy's global generator, of which
            `keras.utils.set_random_seed` sets the seed.

    Raises:
        ValueError: If the three are not of one length, or there are no samples.
    """

    def __init__(self, x, y=None, sample_weight=None, *, batch_size=None, shuffle=False):
        super().__init__()
        self._size = check_count("batch_size", 32 if batch_size is None else batch_size)
        self._shuffle = shuffle
        self._rows = [rows_of(x)]
        self._count = int(x.shape[0])  # Zarr's arrays have no `len`
        for name, values in (("y", y), ("sample_weight", sample_weight)):
            if values is None or values is x:
                self._rows.append(None if values is None else self._rows[0])
                continue
            values = values if hasattr(values, "shape") else np.asarray(values)
            if values.shape[0] != self._count:
                raise ValueError(
                    f"`{name}` must be one per sample of `x`, {self._count} in all. "
                    f"Received: {values.shape[0]}."
                )
            self._rows.append(lambda a, b, values=values: np.asarray(values[a:b]))

    @property
    def num_batches(self):
        return -(-self._count // self._size)

    def __getitem__(self, index):
        start = index * self._size
        stop = min(start + self._size, self._count)
        order = np.random.permutation(stop - start) if self._shuffle else slice(None)
        found = [None if rows is None else rows(start, stop)[order] for rows in self._rows]
        return keras.utils.pack_x_y_sample_weight(*found)
