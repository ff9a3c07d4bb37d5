"""Numbers, figures, spectra and codes for TensorBoard, without TensorFlow."""

import contextlib
import itertools
import numbers
import os
import struct
import time
import weakref
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold._storage.snapshots import CODES, INPUT, SPECTRUM
from keras_manifold.plot._kinds import planes_of
from keras_manifold.plot._rendering import is_figure, png_of
from keras_manifold.plot.images import are_images
from keras_manifold.sinks._failures import OneWarning


class TensorBoardSink:
    """Writes what TensorBoard shows: `pip install keras_manifold[tensorboard]`.

    Numbers become scalars, figures images, the array `spectrum` a histogram, and the array
    `codes` a point cloud of the projector, with the images of the array `input` at the
    points if they are square. Other arrays are left out. Sinks of one folder share a file,
    so that a number which several callbacks report is there once. It is written at each
    `flush`; a failure costs a warning, once, and not the training.

    Training that begins at step 0 hides what the folder held before, and one that resumes
    hides the steps after that.

    Args:
        log_dir: Folder for the event files, made if missing.

    Raises:
        ImportError: If tensorboardX is not installed.
        OSError: If the folder can't be made or written.

    Examples:
        >>> import pathlib, tempfile
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> with tempfile.TemporaryDirectory() as log_dir:
        ...     watch = km.TangentAnalyzer(
        ...         x[:4], sinks=[km.sinks.TensorBoardSink(log_dir)])
        ...     history = model.fit(x, epochs=2, callbacks=[watch], verbose=0)
        ...     len(list(pathlib.Path(log_dir).glob("events.out.tfevents.*")))
        1
    """

    def __init__(self, log_dir: str | PathLike[str]):
        _tensorboardx()
        self.log_dir: Path = Path(log_dir)
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._events: _Events | None = _Events.of(self.log_dir, step=None)
        self._step = 0
        self._warning = OneWarning(f"Results can't be written to {self.log_dir}")

    def begin(self, step: int) -> None:
        """Hides what an earlier run wrote at later steps."""
        self._warning.forget()
        self._step = step
        with self._warning_of_failure():
            self._events = _Events.of(self.log_dir, step)

    def __call__(self, name: str, value: Any, step: int) -> None:
        """Writes a number, a figure, a spectrum or codes."""
        self._step = max(self._step, step)
        with self._warning_of_failure():
            if isinstance(value, numbers.Real):
                self._current().add_scalar(name, float(value), step)
            elif is_figure(value):
                self._current().add_image(name, png_of(value), step)
            elif isinstance(value, Mapping):
                self._add_arrays(name, value, step)

    def flush(self) -> None:
        """Writes what has come to the disk."""
        with self._warning_of_failure():
            if self._events is not None:
                self._events.flush()

    def close(self) -> None:
        """Writes the rest, and closes the file with the last sink that shares it."""
        self.flush()
        self._events = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_events": None}  # a copy opens the file for itself

    def _add_arrays(self, name, arrays, step):
        spectrum, codes = arrays.get(SPECTRUM), arrays.get(CODES)
        if spectrum is not None and np.isfinite(spectrum).all():
            self._current().add_histogram(f"{name}/{SPECTRUM}", spectrum, step)
        if codes is not None and np.isfinite(codes).all():
            self._current().add_embedding(f"{name}/{CODES}", codes, arrays.get(INPUT), step)

    def _current(self):
        """The event file; a new one after a failure, as the last record may be torn."""
        if self._events is None:
            self._events = _Events.of(self.log_dir, self._step)
        return self._events

    @contextlib.contextmanager
    def _warning_of_failure(self):
        with self._warning.instead_of(OSError):
            try:
                yield
            except OSError:
                if self._events is not None:
                    self._events.give_up()
                self._events = None
                raise


# Event files of this process: by folder those that sinks write, and how many there were.
_open: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_numbers = itertools.count()


class _Events:
    """An event file, which the sinks of one folder share.

    tensorboardX's own `SummaryWriter` writes from a thread, and waits for ever once that
    has failed on a full disk; its writer of records does not.
    """

    @classmethod
    def of(cls, log_dir, step):
        """The open file of a folder, or a new one that hides the steps after `step`."""
        events = _open.get(log_dir.resolve())
        if events is None or (step is not None and events._last_step > step):
            events = cls(log_dir)
            _open[log_dir.resolve()] = events
        if step is not None and not events._has_begun:
            events._begin(step)
        return events

    def __init__(self, log_dir):
        from tensorboardX.event_file_writer import EventsWriter

        self._log_dir = log_dir
        self._last_step = -1
        self._has_begun = False
        self._scalars: dict[str, tuple[int, float]] = {}
        # Two files of one second would have one name.
        suffix = f".{os.getpid()}.{next(_numbers):06d}"
        self._writer = EventsWriter(os.fspath(log_dir / "events"), suffix)
        self._writer.flush()
        (self._path,) = log_dir.glob(f"events*{suffix}")
        self._finalizer = weakref.finalize(self, _close, self._writer)

    def give_up(self):
        _open.pop(self._log_dir.resolve(), None)

    def add_scalar(self, name, value, step):
        from tensorboardX import summary

        if self._scalars.get(name) != (step, value):
            self._scalars[name] = (step, value)
            self._add(summary.scalar(name, value), step)

    def add_image(self, name, png, step):
        from tensorboardX.proto.summary_pb2 import Summary

        width, height = struct.unpack(">II", png[16:24])
        image = Summary.Image(
            encoded_image_string=png, width=width, height=height, colorspace=3
        )
        self._add(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def add_histogram(self, name, values, step):
        from tensorboardX import summary

        self._add(summary.histogram(name, values, bins=30), step)

    def add_embedding(self, name, codes, inputs, step):
        from tensorboardX import embedding

        folder = f"{step:05d}/{name}"
        path = self._log_dir / folder
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        images = _square_images(inputs)
        embedding.make_mat(codes, os.fspath(path))
        if images is not None:
            with np.errstate(invalid="ignore"):  # it leaves unused pixels as they come
                embedding.make_sprite(images, os.fspath(path))
        if is_new:  # a resumed run has it in the list already
            log_dir = os.fspath(self._log_dir)
            embedding.append_pbtxt(None, images, log_dir, folder, step, name)

    def flush(self):
        self._writer.flush()
        if not self._path.exists():  # bytes go into a file that has no name any more
            raise FileNotFoundError(f"{self._log_dir} is no longer there")

    def _begin(self, step):
        """Tells TensorBoard from which step on earlier files are out of date."""
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._has_begun = True
        first = step and step + 1  # the numbers of the epoch before stay
        start = SessionLog(status=SessionLog.START)
        event = Event(wall_time=time.time(), step=first, session_log=start)
        self._writer.write_event(event)

    def _add(self, summary, step):
        from tensorboardX.proto.event_pb2 import Event

        self._last_step = max(self._last_step, step)
        self._writer.write_event(Event(wall_time=time.time(), step=step, summary=summary))


def _close(writer):
    with contextlib.suppress(OSError):
        writer.close()


def _square_images(inputs):
    """Images as `(n, channels, side, side)`, which a sprite is made of, or `None`."""
    if inputs is None or not are_images(inputs := np.asarray(inputs)):
        return None
    planes = planes_of(inputs)
    return planes if planes.shape[2] == planes.shape[3] else None


def _tensorboardx():
    try:
        import tensorboardX
    except ImportError:
        raise ImportError(
            "`log_dir` and TensorBoardSink need tensorboardX. Install it: "
            "pip install keras_manifold[tensorboard]"
        ) from None
    return tensorboardX
