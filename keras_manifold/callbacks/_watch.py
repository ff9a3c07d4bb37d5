"""When a callback takes a snapshot of the model."""

import itertools
import numbers
import warnings
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_manifold._arguments import Unit, check_choice, check_count
from keras_manifold._storage.snapshots import (
    EPOCH,
    OWN_FACTS,
    RESERVED,
    STEP,
    Snapshot,
    full_name,
    name_from_logs,
)
from keras_manifold.callbacks._folders import folder_of, tell_where
from keras_manifold.callbacks._logs import names_in_logs
from keras_manifold.callbacks._samples import WatchedSamples
from keras_manifold.callbacks._setup import setup_of
from keras_manifold.sinks._recipients import Recipients
from keras_manifold.sinks.directory import DirectorySink
from keras_manifold.sinks.tensorboard import TensorBoardSink

# Seconds of snapshots of an epoch that are worth a warning.
_SLOW = 10.0


class Watch(keras.callbacks.Callback):
    """Takes a snapshot of a model before training and then every few epochs or batches.

    A subclass says in `_snapshot(step)` what it sees. `_prepare` checks the model before
    training, and `_resume(arrays)` takes up what the last snapshot before a resumed
    training saw. `in_logs` says whether the scalars go into Keras's `logs`.
    """

    scalars: tuple[str, ...]
    in_logs: ClassVar[bool] = False

    def __init__(
        self,
        x: Any,
        *,
        every: int = 1,
        unit: Unit = "epoch",
        directory: Any = None,
        log_dir: Any = None,
        sinks: Any = (),
        prefix: str,
        labels: Any = None,
        image_shape: Any = None,
        bands: Any = None,
        feature_names: Any = None,
        channel_names: Any = None,
        overwrite: bool = False,
        say_where: Any = None,
    ):
        super().__init__()
        if prefix != Path(prefix).name or prefix.startswith("."):
            raise ValueError(
                "`prefix` must be the first part of a file's name; folders go into "
                f"`directory`. Received: prefix={prefix!r}."
            )
        if prefix.endswith(RESERVED):
            raise ValueError(
                f"`prefix` must not end in {', '.join(RESERVED)}, as files of a callback "
                f"whose prefix is shorter do. Received: prefix={prefix!r}. Choose another."
            )
        for sink in sinks:
            if not callable(sink):
                raise TypeError(
                    "Each of `sinks` must be callable as sink(name, value, step). "
                    f"Received: {sink!r}."
                )
        self._samples = WatchedSamples(
            x, labels, image_shape, bands, feature_names, channel_names
        )
        self.x: np.ndarray = self._samples.x
        self.labels: Any = self._samples.labels
        self.image_shape: tuple[int, ...] | None = self._samples.image_shape
        self.bands: tuple[int, ...] | None = self._samples.bands
        self.feature_names: tuple[str, ...] | None = self._samples.feature_names
        self.channel_names: tuple[str, ...] | None = self._samples.channel_names
        self.overwrite: bool = overwrite
        self.say_where: Any = say_where
        self.every: int = check_count("every", every)
        self.unit: Unit = check_choice("unit", unit, Unit)
        self.directory: Any = directory
        self.log_dir: Any = log_dir
        self.sinks: tuple[Any, ...] = tuple(sinks)
        self.prefix = prefix
        self.history: dict[str, list[Any]] = {STEP: []}
        # Keras runs callbacks that do nothing after a batch beside the training.
        self.async_safe: bool = self.unit == "epoch"
        self._directory_sink: DirectorySink | None = None
        self._recipients = Recipients()
        self._names_in_logs: set[str] = set()
        self._has_warned_of_time = False
        self._seconds_of_snapshots = 0.0
        self._step: Any = None  # the first epoch sets it

    @property
    def logged(self) -> tuple[str, ...]:
        """Names of what it adds to Keras's `logs`."""
        return tuple(map(self._full_name, self.scalars)) if self.in_logs else ()

    def on_train_begin(self, logs: Any = None) -> None:
        self._recipients.close()  # what a `fit` that was interrupted left open
        self._step = None
        self._prepare()
        if _is_first_process():
            self._recipients.open(itertools.chain(self._own_sinks(), self.sinks))
        self._names_in_logs = names_in_logs(self.model, self.params)
        if self.in_logs:
            self._names_in_logs.update(map(self._full_name, self.scalars))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._step is None:  # here, as BackupAndRestore may have restored an epoch
            self._begin(epoch)
        self._step_before_epoch = self._step
        self._epoch_began, self._seconds_of_snapshots = monotonic(), 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.unit == "epoch":
            return
        before = self._step
        # The last of several steps in one execution may lie beyond the end of the epoch.
        trained = min(batch + 1, self.params.get("steps") or batch + 1)
        self._step = self._step_before_epoch + trained
        if self._step // self.every > before // self.every:
            self._take()
            self._recipients.flush()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epochs = epoch + 1
        training = monotonic() - self._epoch_began - self._seconds_of_snapshots
        if self.unit == "epoch":
            self._step = epoch + 1
            if self._step % self.every == 0:
                self._take()
        self._warn_if_slow(training)
        self._pass_on(logs or {})
        self._recipients.flush()
        if logs is not None and self.in_logs:
            logs.update(self._last)

    def on_train_end(self, logs: Any = None) -> None:
        self._recipients.close()

    def _prepare(self):
        """Checks the model and forgets the run before, if there was one."""

    def _resume(self, arrays):
        """Takes up what the last snapshot before a resumed training saw.

        Args:
            arrays: Callable from a name to the arrays of that snapshot, or `None`.
        """

    def _snapshot(self, step) -> Snapshot:
        raise NotImplementedError

    @property
    def _has_recipients(self):
        """Whether figures and arrays go anywhere."""
        return len(self._recipients) > 0

    def _when(self, step):
        """In words, for titles."""
        return "before training" if step == 0 else f"after {self.unit} {step}"

    def _own_sinks(self):
        """Yields the sinks of `directory` and `log_dir`."""
        if self.directory is not None:
            folder = folder_of(self.directory, self.params)
            sink = self._directory_sink  # kept: it may replace what it wrote itself
            if sink is None or sink.directory != folder:
                sink = DirectorySink(folder, prefix=self.prefix, overwrite=self.overwrite)
                self._directory_sink = sink
            sink.claim(self.params, self._facts())
            if self.say_where or (self.say_where is None and self.params.get("verbose")):
                tell_where(folder / "index.html", self.params)
            yield sink
        if self.log_dir is not None:
            yield TensorBoardSink(self.log_dir)

    def _facts(self):
        """What `run.json` says of this run."""
        own = {name: getattr(self, name, None) for name in OWN_FACTS}
        return {**setup_of(self.model, self.x, self.params), **own}

    def _begin(self, epoch):
        self._epochs = epoch
        self._step = epoch if self.unit == "epoch" else self._batches_before(epoch)
        self._recipients.begin(self._step)
        self._take_up_history()
        self._take()
        self._recipients.flush()

    def _batches_before(self, epoch):
        """Batches of the epochs before: by their size, or else by the optimizer's count."""
        steps = self.params.get("steps")
        if epoch == 0 or steps:
            return epoch * (steps or 0)
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    def _take_up_history(self):
        """Scalars before this training: of the folder, or else of an earlier `fit`."""
        directory = self._directory_in_use()
        if directory is not None:
            names = [self._full_name(name) for name in self.scalars]
            self.history = directory.record.columns(names)
        kept = [i for i, at in enumerate(self.history[STEP]) if at < self._step]
        for name, values in self.history.items():
            self.history[name] = [values[i] for i in kept]
        if directory is not None and kept:
            last = self.history[STEP][-1]
            self._resume(lambda name: directory.arrays(name, last))

    def _directory_in_use(self):
        """The folder's sink, in the process that writes."""
        is_open = self._directory_sink in self._recipients
        return self._directory_sink if is_open else None

    def _take(self):
        began = monotonic()
        snapshot = self._snapshot(self._step)
        self._seconds_of_snapshots += monotonic() - began
        self._last = snapshot.scalars
        self._recipients.put_all(snapshot)
        self._put_epoch()
        for name, value in {STEP: self._step, **snapshot.scalars}.items():
            self.history.setdefault(name, []).append(value)

    def _pass_on(self, logs):
        """Hands the numbers of Keras on, in the unit of the snapshots."""
        self._put_epoch()
        for name, value in logs.items():
            if name not in self._names_in_logs and isinstance(value, numbers.Real):
                self._recipients.put(name_from_logs(name), float(value), self._step)

    def _warn_if_slow(self, training):
        """Once, where the snapshots of an epoch took longer than its training."""
        seconds = self._seconds_of_snapshots
        if seconds > max(training, _SLOW) and not self._has_warned_of_time:
            self._has_warned_of_time = True
            warnings.warn(
                f"The snapshots of an epoch of {type(self).__name__} took {seconds:.0f} s, "
                f"its training {training:.0f} s. Give fewer samples, a smaller `k`, or a "
                "larger `every`.",
                stacklevel=2,
            )

    def _put_epoch(self):
        if self.unit == "batch":
            self._recipients.put(EPOCH, self._epochs, self._step)

    def _full_scalars(self, values):
        return {self._full_name(name): float(value) for name, value in values.items()}

    def _full_name(self, name):
        return full_name(self.prefix, name)


def _is_first_process():
    """Whether this process writes, where `keras.distribution` joins several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return True
    if hasattr(distribution, "data_shard_id"):
        return distribution.data_shard_id == 0
    return distribution._process_id == 0  # Keras before 3.15 has no public name for it
