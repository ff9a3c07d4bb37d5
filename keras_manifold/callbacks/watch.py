"""When a callback looks at the model, and to whom it hands what it sees."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from keras_manifold.arguments import check_count
from keras_manifold.callbacks.sinks import DirectorySink
from keras_manifold.stream import floating_samples

# Rows or columns of a figure, beyond which it can't be read.
_MOST_SHOWN = 16


class Watch(keras.callbacks.Callback):
    """Looks at a model before training and then every few epochs.

    A subclass says in `look(step)` what it sees: it calls `self.emit(name, value, step)`
    and returns the scalars that go into Keras's `logs`.
    """

    def __init__(self, x, *, every=1, directory=None, sinks=(), prefix):
        super().__init__()
        if prefix != Path(prefix).name:
            raise ValueError(
                "`prefix` must be the first part of a file's name; folders go into "
                f"`directory`. Received: prefix={prefix!r}."
            )
        for sink in sinks:
            if not callable(sink):
                raise TypeError(
                    "Each of `sinks` must be callable as sink(name, value, step). "
                    f"Received: {sink!r}."
                )
        self.x = np.array(floating_samples(x))  # a copy: the user's array may change
        self.every = check_count("every", every)
        self.directory = directory
        self.sinks = tuple(sinks)
        self.prefix = prefix

    def on_train_begin(self, logs=None):
        self._scalars = None
        self._open_sinks: list[Callable] = []
        if _is_first_process():
            self._open_sinks += self.sinks
            if self.directory is not None:
                self._open_sinks.append(DirectorySink(self.directory))
        self.begin()

    def on_epoch_begin(self, epoch, logs=None):
        if self._scalars is None:
            self._scalars = self.look(step=epoch)

    def on_epoch_end(self, epoch, logs=None):
        step = epoch + 1
        if step % self.every == 0:
            self._scalars = self.look(step=step)
        if logs is not None:
            logs.update(self._scalars)

    def emit(self, name, value, step):
        for sink in self._open_sinks:
            sink(name, value, step)

    def begin(self):
        """Forget the run before, if there was one."""

    def look(self, step):
        raise NotImplementedError

    def shown(self, values):
        """The first of some values shaped like samples, with channels last if images."""
        values = values[:_MOST_SHOWN]
        if keras.config.image_data_format() == "channels_first" and self.x.ndim == 4:
            return np.moveaxis(values, -3, -1)
        return values


def _is_first_process():
    """Whether this process writes, where `keras.distribution` joins several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return True
    if hasattr(distribution, "data_shard_id"):
        return distribution.data_shard_id == 0
    return distribution._process_id == 0  # Keras before 3.15 has no public name for it
