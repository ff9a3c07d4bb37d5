"""When a callback looks at the model, and to whom it hands what it sees."""

import keras
import numpy as np

from keras_manifold.callbacks.sinks import DirectorySink
from keras_manifold.jacobian import floating_samples


class Watch(keras.callbacks.Callback):
    """Looks at a model before training and then every few epochs.

    A subclass says in `look(step)` what it sees: it calls `self.emit(name, value, step)`
    and returns the scalars that go into Keras's `logs`.
    """

    def __init__(self, x, *, every=1, directory=None, sinks=(), prefix):
        super().__init__()
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(
                "`every` must be a whole number of epochs, at least 1. "
                f"Received: every={every!r}."
            )
        for sink in sinks:
            if not callable(sink):
                raise TypeError(
                    "Each of `sinks` must be callable as sink(name, value, step). "
                    f"Received: {sink!r}."
                )
        self.x = np.array(floating_samples(x))  # a copy: the user's array may change
        self.every = every
        self.directory = directory
        self.sinks = tuple(sinks)
        self.prefix = prefix

    def on_train_begin(self, logs=None):
        self._scalars = None
        self._open_sinks = list(self.sinks)
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
