"""When a callback looks at the model, and to whom it hands what it sees."""

import functools
import numbers
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import check_choice, check_count
from keras_manifold._storage.streams import floating_samples
from keras_manifold.plot._rendering import png_of
from keras_manifold.sinks._lock import RunLock
from keras_manifold.sinks.directory import DirectorySink
from keras_manifold.sinks.tensorboard import TensorBoardSink

# Rows or columns of a figure, beyond which it can't be read.
_MOST_SHOWN = 16


class Watch(keras.callbacks.Callback):
    """Looks at a model before training and then every few epochs or batches.

    A subclass says in `look(step)` what it sees: it calls `self.emit` for arrays and
    `self.emit_figure` for figures, and returns scalars by their names without the prefix.
    `on_begin` prepares for a `fit`, and `go_on(find)` for one that resumes. `in_logs` says
    whether its scalars go into Keras's `logs`.
    """

    scalars: ClassVar[tuple[str, ...]]
    in_logs: ClassVar[bool] = False

    # Names that callbacks of this kind add to `logs`: the others do not pass them on.
    _names_in_logs: ClassVar[set[str]] = set()

    def __init__(
        self, x, *, every=1, unit="epoch", directory=None, log_dir=None, sinks=(), prefix
    ):
        super().__init__()
        if prefix != Path(prefix).name or prefix.startswith("."):
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
        self.unit = check_choice("unit", unit, ("epoch", "batch"))
        self.directory = directory
        self.log_dir = log_dir
        self.sinks = tuple(sinks)
        self.prefix = prefix
        self.history: dict[str, list] = {"step": []}
        # Keras runs callbacks that do nothing after a batch beside the training.
        self.async_safe = self.unit == "epoch"
        self._directory_sink: DirectorySink | None = None
        self._lock: RunLock | None = None
        self._open_sinks: list[Any] = []
        self._step: Any = None  # the first epoch sets it

    def on_train_begin(self, logs=None):
        self._finish()  # what a `fit` that was interrupted left open
        self._step = None
        self.on_begin()
        if _is_first_process():
            self._open_sinks = self._own_sinks() + list(self.sinks)
        if self.in_logs:
            self._names_in_logs.update(map(self._full_name, self.scalars))

    def on_epoch_begin(self, epoch, logs=None):
        if self._step is None:  # here, as BackupAndRestore may have restored an epoch
            self._begin(epoch)
        self._step_before_epoch = self._step

    def on_train_batch_end(self, batch, logs=None):
        if self.unit == "epoch":
            return
        before = self._step
        # The last of several steps in one execution may lie beyond the end of the epoch.
        trained = min(batch + 1, self.params.get("steps") or batch + 1)
        self._step = self._step_before_epoch + trained
        if self._step // self.every > before // self.every:
            self._look()
            self._tell("flush")

    def on_epoch_end(self, epoch, logs=None):
        self._epochs = epoch + 1
        if self.unit == "epoch":
            self._step = epoch + 1
            if self._step % self.every == 0:
                self._look()
        self._pass_on(logs or {})
        self._tell("flush")
        if logs is not None and self.in_logs:
            logs.update(self._last)

    def on_train_end(self, logs=None):
        self._finish()

    def emit(self, name, value, step):
        for sink in self._open_sinks:
            sink(name, value, step)

    def emit_figure(self, name, step, make, *arguments, **options):
        """Hands a figure on, made by `make(*arguments, **options)` when it is wanted."""
        value: Any = functools.partial(make, *arguments, **options)
        # Drawn beside the training, unless somebody else may do with it as he likes.
        if not all(isinstance(sink, DirectorySink) for sink in self._open_sinks):
            value = value()
            png_of(value)
        self.emit(name, value, step)

    @property
    def has_sinks(self):
        """Whether figures and arrays go anywhere."""
        return bool(self._open_sinks)

    def on_begin(self):
        """Checks the model and forgets the run before, if there was one."""

    def go_on(self, find):
        """Takes up what the last look before a resumed training saw.

        Args:
            find: Callable from a name to the arrays of that look, or `None`.
        """

    def look(self, step):
        raise NotImplementedError

    def shown(self, values):
        """The first of some values shaped like samples, with channels last if images."""
        values = values[:_MOST_SHOWN]
        if keras.config.image_data_format() == "channels_first" and self.x.ndim == 4:
            return np.moveaxis(values, -3, -1)
        return values

    def when(self, step):
        """In words, for titles."""
        return "before training" if step == 0 else f"after {self.unit} {step}"

    def _own_sinks(self):
        own: list[Any] = []
        if self.directory is not None:
            if self._directory_sink is None:  # kept: it may replace what it wrote itself
                self._directory_sink = DirectorySink(self.directory, prefix=self.prefix)
            else:
                self._directory_sink.make_directory()
            self._lock = RunLock(self.directory, self.prefix, self.params)
            own.append(self._directory_sink)
        if self.log_dir is not None:
            own.append(TensorBoardSink(self.log_dir))
        return own

    def _begin(self, epoch):
        self._epochs = epoch
        self._step = epoch if self.unit == "epoch" else self._batches_before(epoch)
        try:
            self._tell("begin", self._step)
        except BaseException:
            self._finish()  # gives the lock back
            raise
        self._take_up_history()
        self._look()
        self._tell("flush")

    def _batches_before(self, epoch):
        """Batches of the epochs before: by their size, or else by the optimizer's count."""
        steps = self.params.get("steps")
        if epoch == 0 or steps:
            return epoch * (steps or 0)
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    def _take_up_history(self):
        """The looks before this training: of the folder, or else of an earlier `fit`."""
        directory = self._directory_in_use()
        if directory is not None:
            names = [self._full_name(name) for name in self.scalars]
            self.history = directory.record.columns(names)
        kept = [i for i, at in enumerate(self.history["step"]) if at < self._step]
        for name, values in self.history.items():
            self.history[name] = [values[i] for i in kept]
        if directory is not None and kept:
            last = self.history["step"][-1]
            self.go_on(lambda name: directory.arrays(name, last))

    def _directory_in_use(self):
        """The folder's sink, in the process that writes."""
        is_open = self._directory_sink in self._open_sinks
        return self._directory_sink if is_open else None

    def _look(self):
        self._last = {
            self._full_name(name): float(value)
            for name, value in self.look(self._step).items()
        }
        for name, value in self._last.items():
            self.emit(name, value, self._step)
        if self.unit == "batch":
            self.emit("epoch", self._epochs, self._step)
        for name, value in {"step": self._step, **self._last}.items():
            self.history.setdefault(name, []).append(value)

    def _pass_on(self, logs):
        """Hands the numbers of Keras on, in the unit of the looks."""
        if self.unit == "batch":
            self.emit("epoch", self._epochs, self._step)
        for name, value in logs.items():
            if name not in self._names_in_logs and isinstance(value, numbers.Real):
                # The two that say when it is are ours.
                name = f"logs_{name}" if name in ("step", "epoch") else name
                self.emit(name, float(value), self._step)

    def _full_name(self, name):
        return f"{self.prefix}_{name}"

    def _tell(self, method, *arguments):
        for sink in self._open_sinks:
            if hasattr(sink, method):
                getattr(sink, method)(*arguments)

    def _finish(self):
        if self._lock is not None and not self._lock.is_held:
            # Another `fit` has taken the folder over since ours was interrupted.
            self._open_sinks = [
                s for s in self._open_sinks if s is not self._directory_sink
            ]
        try:
            self._tell("close")
        finally:
            self._open_sinks = []
            if self._lock is not None:
                self._lock.release()
            self._lock = None


def _is_first_process():
    """Whether this process writes, where `keras.distribution` joins several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return True
    if hasattr(distribution, "data_shard_id"):
        return distribution.data_shard_id == 0
    return distribution._process_id == 0  # Keras before 3.15 has no public name for it
