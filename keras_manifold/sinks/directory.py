"""Numbers, arrays and figures in the folder of a run."""

import functools
import math
import numbers
import os
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold._storage.files import remove_unfinished, replacing
from keras_manifold._storage.snapshots import (
    UNREADABLE,
    Snapshot,
    file_name,
    samples_beside,
    samples_file,
    scalars_file,
)
from keras_manifold.pages._reports import write_page
from keras_manifold.plot._rendering import is_figure, png_of
from keras_manifold.sinks._beside import Beside
from keras_manifold.sinks._failures import OneWarning
from keras_manifold.sinks._files import Files
from keras_manifold.sinks._lock import RunLock
from keras_manifold.sinks._record import Record
from keras_manifold.sinks._run_file import RunFile

# Of the time of training, at most, for pages that show it while it runs.
_SHARE_OF_PAGES = 0.005
# Seconds after which nobody is writing a page any more.
_LONGEST_PAGE = 60.0


class DirectorySink:
    """Writes numbers, arrays and figures into a folder.

    Of each name's figures at most 8 and the last are kept. Arrays that do not change,
    `input`, `noisy_input` and `labels`, stand once in `<prefix>_samples.npz`; vectors and
    reconstructions of all but the last snapshot have half precision, in steps of at most
    1/256 of their standard deviation. `TangentSpace.load` and `arrays` put them together
    again.
    `run.json` says with what the run was made: see `claim`.
    Figures become `<name>_<step>.png`, arrays `<name>_<step>.npz`, and all numbers rows of
    `<prefix>_scalars.csv`, one a step, with the header `step,<names>`. The page
    `index.html` shows them all, for any browser: see `report`. It is written
    again while training continues, as often as takes less than 0.5 % of the time, and at
    the end. Every file is whole at any time, even if the process is killed. While `fit`
    runs, figures are drawn beside the training; they are there by the next snapshot. A file
    that can't be written later on costs a warning, once, and not the training.

    Training that begins at step 0 is a new run: it is refused where another one has left
    results, unless this object wrote them itself, in an earlier `fit` (they are replaced
    then), or no more than the first epoch of a run was written. Training that begins later
    resumes that run: rows of later steps are dropped.

    Args:
        directory: Made if missing.
        prefix: First part of the name of the CSV file.
        overwrite: Whether a new run removes what another one left under this prefix,
            instead of being refused: the files that `.<prefix>.files` lists, nothing else.

    Raises:
        OSError: If the directory can't be made or written.
        ValueError: At the start of `fit`, if the directory holds another run.

    Examples:
        >>> import tempfile
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> model.compile("adam", loss="mse")
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     sink = km.sinks.DirectorySink(directory, prefix="all")
        ...     watch = km.ReconstructionGrid(x[:4], sinks=[sink])
        ...     history = model.fit(x, epochs=2, callbacks=[watch], verbose=0)
        ...     with open(f"{directory}/all_scalars.csv") as file:
        ...         print(file.readline().strip())
        step,reconstruction_mse,loss,reconstruction_loss
    """

    def __init__(
        self,
        directory: str | PathLike[str],
        *,
        prefix: str = "run",
        overwrite: bool = False,
    ):
        self.directory: Path = Path(directory)
        self.prefix = prefix
        self.overwrite = overwrite
        self.make_directory()
        self.record: Record = Record(self.directory / scalars_file(prefix))
        self._run_file = RunFile(self.directory)
        self._listed = Files(self.directory, prefix)
        self._shared: dict[str, np.ndarray] | None = None  # as the samples file has it
        self._last: dict[str, Snapshot] = {}
        self._facts: Mapping[str, Any] | None = None
        self._fit: object = None
        self._lock: RunLock | None = None
        self._files: dict[Path, int] = {}
        self._written: str | None = None  # the text of the CSV file, if it is ours
        self._has_begun = self._is_fitting = self._has_news = False
        self._next_page = 0.0
        self._beside = Beside()
        self._warning = OneWarning(f"Results can't be written to {self.directory}")
        self._page_warning = OneWarning(f"The page of {self.directory} can't be written")

    def claim(self, fit: object = None, facts: Mapping[str, Any] | None = None) -> None:
        """Makes the folder, and keeps others from writing under this prefix until `close`.

        `TangentAnalyzer` and `ReconstructionGrid` do so with their `directory`. A sink of
        your own may serve several callbacks, and is not claimed.

        Args:
            fit: The `params` of a callback, which all callbacks of one `fit` share. What
                an earlier `fit` of this thread left claimed, as an exception ended it, is
                taken over.
            facts: What `run.json` says of the run, as JSON can hold it. `None` for no such
                file.

        Raises:
            ValueError: If another callback, of this `fit` or of another process, has it.
            OSError: If the directory can't be made or written.

        Examples:
            >>> import tempfile, keras_manifold as km
            >>> with tempfile.TemporaryDirectory() as directory:
            ...     sink = km.sinks.DirectorySink(directory)
            ...     sink.claim()
            ...     try:
            ...         km.sinks.DirectorySink(directory).claim()
            ...     except ValueError as error:
            ...         print(str(error).partition(".")[0])
            ...     sink.close()
            A run in progress must have `directory` and `prefix` to itself
        """
        self.make_directory()
        self._lock = RunLock(self.directory, self.prefix, fit)
        self._fit, self._facts = fit, facts
        self._has_begun = False

    def begin(self, step: int) -> None:
        """Resumes what was written up to a step, or begins anew at step 0."""
        self._beside.wait()  # for a `fit` that was interrupted
        self._has_begun = False
        self.make_directory()
        self._warning.forget()
        self._page_warning.forget()
        self.record.read()
        last = self.record.last_epoch()
        self._listed.read()
        for name in self._listed.names:  # a killed run may have been longer than this one
            self._remove_unfinished(name)
        self._shared, self._last = None, {}
        if step == 0 and self.overwrite:
            self._listed.remove_all()
            self.record.read()
            last = 0
        if step == 0 and last > 1 and self.record.as_text() != self._written:
            raise ValueError(
                "`directory` must be new, or hold the beginning of this run. Received: "
                f"directory={str(self.directory)!r}, where {self.record.path.name} holds a "
                f"run of {last} epochs, up to step {max(self.record.rows)}, while this "
                "training begins with epoch 0. Choose another `directory` (or `prefix`), "
                'such as "runs/{time}", or pass overwrite=True; to continue that run, '
                "resume it with "
                f"keras.callbacks.BackupAndRestore or fit(initial_epoch={last})."
            )
        self._drop_after(step, last)
        self._remove_unfinished(self.record.path.name)
        # Other callbacks, of other runs too, write the page of this folder.
        self._remove_unfinished("index.html", older_than=_LONGEST_PAGE)
        if self._facts is not None:
            self._remove_unfinished(self._run_file.path.name, older_than=_LONGEST_PAGE)
            with self._warning.instead_of(OSError):
                self._run_file.begin(self.prefix, self._facts, step, self._fit)
        self._has_begun = self._is_fitting = True

    def __call__(self, name: str, value: Any, step: int) -> None:
        """Writes a figure or arrays; keeps a number for the next `flush`.

        In place of a figure it takes a callable that makes one, beside the training.
        """
        if isinstance(value, numbers.Real):
            if not self._has_begun:  # called by hand: adds to what stands there
                self.record.read()
                self._has_begun = True
            self.record.put(name, float(value), step)
            self._has_news = True
        elif isinstance(value, Mapping):
            self._put_arrays(Snapshot(name, step, value))
        elif is_figure(value) or callable(value):
            path = file_name(name, step, "png")
            dropped = self._listed.superfluous_pictures(name, step)
            self._during_fit(self._write, path, step, functools.partial(_draw, value))
            for at in dropped:
                self._during_fit(self._remove, file_name(name, at, "png"))

    def flush(self) -> None:
        """Writes the numbers, and the page unless that would take long."""
        self._write_numbers()
        # A share of the time of training, however many snapshots there are to show.
        if time.monotonic() >= self._next_page:
            self._during_fit(self._write_page, running=True)
        self._beside.mark()

    def close(self) -> None:
        """Writes the numbers and the page of a run that has ended; others may begin."""
        try:
            if self._lock is None or self._lock.is_held:
                self._write_numbers()
                self._beside.end()
                with self._warning.instead_of(OSError):
                    self._run_file.end()
                if self._has_begun:
                    self._write_page(running=False)
            else:  # another `fit` has taken the folder over since ours was interrupted
                self._beside.end()
        finally:
            self._is_fitting = False
            if self._lock is not None:
                self._lock.release()
            self._lock = None

    def _put_arrays(self, snapshot):
        """Writes a snapshot, and that before it again, smaller."""
        own, shared = snapshot.split()
        if shared.arrays:
            self._put_shared(snapshot.prefix, shared, snapshot.step)
            kept = {
                name: array
                for name, array in shared.arrays.items()
                if not _are_same(array, (self._shared or {}).get(name))
            }
            own = replace(own, arrays={**own.arrays, **kept})
        before = self._last.get(own.name)
        if before is not None and before.step < own.step:
            name = file_name(before.name, before.step, "npz")
            self._write(name, before.step, before.write_small)
        self._write(file_name(own.name, own.step, "npz"), own.step, own.write)
        if self._is_fitting:  # called by hand, nobody says which is the last
            self._last[own.name] = own

    def _put_shared(self, prefix, shared, step):
        """Writes what all snapshots share, at the first one."""
        if self._shared is None:
            name = samples_file(prefix)
            found = samples_beside(self.directory / file_name(prefix, 0, "npz"))
            if step == 0 or not found:
                self._write(name, 0, shared.write_small)
                found = samples_beside(self.directory / file_name(prefix, 0, "npz"))
            self._shared = found

    def _remove(self, name):
        path = self.directory / name
        with self._warning.instead_of(OSError):
            path.unlink(missing_ok=True)
            self._files.pop(path, None)

    def _during_fit(self, work, *arguments, **options):
        """Has work done beside the training; at once when called by hand."""
        run = self._beside.begin if self._is_fitting else _called
        run(work, *arguments, **options)

    def _write_numbers(self):
        if self._has_news:
            with self._warning.instead_of(OSError):
                if self._is_fitting:
                    self._listed.add(self.record.path.name)
                self.record.write()
                self._written = self.record.as_text()
                self._has_news = False

    def _write_page(self, *, running):
        started = time.monotonic()
        with self._page_warning.instead_of(Exception):  # whatever else the folder holds
            try:
                write_page(self.directory, running=running)
            except Exception:
                if self.record.path.name in _names_in(self.directory):
                    raise  # otherwise there is nothing to show, and why is said already
        ended = time.monotonic()
        self._next_page = ended + (ended - started) / _SHARE_OF_PAGES

    def arrays(self, name: str, step: int) -> dict[str, np.ndarray] | None:
        """The arrays that were written under a name and step.

        Args:
            name: As the sink got it, without step and ending.
            step: The same.

        Returns:
            Mapping from names to arrays; `None` if no whole file stands there.

        Examples:
            >>> import tempfile, numpy as np, keras_manifold as km
            >>> with tempfile.TemporaryDirectory() as directory:
            ...     sink = km.sinks.DirectorySink(directory)
            ...     sink("codes", {"codes": np.ones((2, 3))}, 5)
            ...     sink.arrays("codes", 5)["codes"].shape
            (2, 3)
        """
        try:
            with Snapshot.open(self.directory / file_name(name, step, "npz")) as snapshot:
                return dict(snapshot.arrays)
        except UNREADABLE:
            return None

    def make_directory(self) -> None:
        """Makes the folder, and tries that it can be written.

        Raises:
            OSError: If it can't.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.directory):
            pass  # it can be written

    def _drop_after(self, step, last):
        dropped = [at for at in self.record.rows if at > step]
        # More than what a kill before the next backup leaves.
        if step > 0 and len(set(map(self.record.epoch_at, dropped))) > 2:
            warnings.warn(
                f"Training resumes at step {step}, and {self.record.path} goes up to step "
                f"{max(dropped)}, epoch {last}: the rows after step {step} are dropped.",
                stacklevel=2,
            )
        self.record.drop_after(step)
        later = [path for path, at in self._files.items() if at > step]
        if any(path.exists() for path in later):  # of an earlier fit with this object
            warnings.warn(
                f"Training begins at step {step}: {len(later)} files of later steps, which "
                f"an earlier fit with this object wrote to {self.directory}, are deleted. "
                "Give a new callback another `directory` or `prefix` to keep both.",
                stacklevel=2,
            )
        for path in later:
            path.unlink(missing_ok=True)
            del self._files[path]

    def _write(self, name, step, write):
        """Has `write(file)` fill the file of a name."""
        path = self.directory / name
        with self._warning.instead_of(OSError):
            if path not in self._files:
                self._remove_unfinished(name)
                if self._is_fitting:
                    self._listed.add(name)
            with replacing(path) as file:
                write(file)
            self._files[path] = step

    def _remove_unfinished(self, name, older_than=-math.inf):
        remove_unfinished(self.directory / name, older_than=older_than)

    def __getstate__(self) -> dict[str, Any]:
        # A copy has claimed nothing.
        return {**vars(self), "_lock": None, "_fit": None}


def _draw(figure, file):
    file.write(png_of(figure if is_figure(figure) else figure()))


def _are_same(array, other):
    """Whether two arrays hold the same bytes, NaN and texts too."""
    if other is None:
        return False
    array = np.asarray(array)
    same = (array.shape, array.dtype) == (other.shape, other.dtype)
    return same and array.tobytes() == other.tobytes()


def _names_in(directory):
    return os.listdir(directory) if os.path.isdir(directory) else []


def _called(work, *arguments, **options):
    work(*arguments, **options)
