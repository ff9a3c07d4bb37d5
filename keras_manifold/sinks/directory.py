"""Where numbers, arrays and figures go.

A sink is any callable `(name, value, step)`. A `value` is a number, a
`matplotlib.figure.Figure`, or a mapping from names to NumPy arrays; `step` counts the
epochs (or batches) that were trained before. It may have three methods more:

- `begin(step)`: before the first look of a `fit`, with the step at which training begins;
- `flush()`: after each look and each epoch;
- `close()`: at the end of training. If an exception ends it, at the start of the next.

What a sink of your own raises ends the training, as an error in any callback does. Those
below warn once where a disk fails, and let the training go on.
"""

import contextlib
import glob
import math
import numbers
import os
import tempfile
import time
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold._storage.files import replacing
from keras_manifold.pages._reports import write_page
from keras_manifold.plot._rendering import is_figure, png_of
from keras_manifold.sinks._beside import Beside
from keras_manifold.sinks._failures import OneWarning
from keras_manifold.sinks._record import Record

# Of the time of training, at most, for pages that show it while it goes on.
_SHARE_OF_PAGES = 0.005
# Seconds after which nobody is writing a page any more.
_LONGEST_PAGE = 60.0


class DirectorySink:
    """Writes numbers, arrays and figures into a folder.

    Figures become `<name>_<step>.png`, arrays `<name>_<step>.npz`, and all numbers rows of
    `<prefix>_scalars.csv`, one a step, with the header `step,<names>`. The page
    `index.html` shows them all, for any browser: see `report`. It is written
    anew as training goes on, as often as takes less than 0.5 % of the time, and at the end.
    Every file is whole at any time, even if the process is killed. While `fit` runs,
    figures are drawn beside the training; they are there by the next look. A file that
    can't be written later on costs a warning, once, and not the training.

    Training that begins at step 0 is a new run: it is refused where another one has left
    results, unless this object wrote them itself, in an earlier `fit` (they are replaced
    then), or no more than the first epoch of a run was written. Training that begins later
    goes on with what stands there: rows of later steps are dropped.

    Args:
        directory: Made if missing.
        prefix: First part of the name of the CSV file.

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
        ...     sink = km.callbacks.DirectorySink(directory, prefix="all")
        ...     watch = km.ReconstructionGrid(x[:4], sinks=[sink])
        ...     history = model.fit(x, epochs=2, callbacks=[watch], verbose=0)
        ...     with open(f"{directory}/all_scalars.csv") as file:
        ...         print(file.readline().strip())
        step,reconstruction_mse,loss,reconstruction_loss
    """

    def __init__(self, directory: str | PathLike, *, prefix: str = "run"):
        self.directory = Path(directory)
        self.prefix = prefix
        self.make_directory()
        self.record = Record(self.directory / f"{prefix}_scalars.csv")
        self._files: dict[Path, int] = {}
        self._written: str | None = None  # the text of the CSV file, if it is ours
        self._has_begun = self._is_fitting = self._has_news = False
        self._next_page = 0.0
        self._beside = Beside()
        self._warning = OneWarning(f"Results can't be written to {self.directory}")
        self._page_warning = OneWarning(f"The page of {self.directory} can't be written")

    def begin(self, step: int) -> None:
        """Goes on with what was written up to a step, or begins anew at step 0."""
        self._beside.wait()  # for a `fit` that was interrupted
        self._has_begun = False
        self.make_directory()
        self._warning.forget()
        self._page_warning.forget()
        self.record.read()
        last = self.record.last_epoch()
        if step == 0 and last > 1 and self.record.as_text() != self._written:
            raise ValueError(
                "`directory` must be new, or hold the beginning of this run. Received: "
                f"directory={str(self.directory)!r}, where {self.record.path.name} holds a "
                f"run of {last} epochs, up to step {max(self.record.rows)}, while this "
                "training begins with epoch 0. Choose another `directory` (or `prefix`), "
                "or delete this one; to go on with that run, resume it with "
                f"keras.callbacks.BackupAndRestore or fit(initial_epoch={last})."
            )
        self._drop_after(step, last)
        self._remove_unfinished(self.record.path.name)
        # Other callbacks, of other runs too, write the page of this folder.
        self._remove_unfinished("index.html", older_than=_LONGEST_PAGE)
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
            self._write(f"{name}_{step:04d}.npz", step, value)
        elif is_figure(value) or callable(value):
            self._during_fit(self._write, f"{name}_{step:04d}.png", step, value)

    def flush(self) -> None:
        """Writes the numbers, and the page unless that would take long."""
        self._write_numbers()
        # A share of the time of training, however many looks there are to show.
        if time.monotonic() >= self._next_page:
            self._during_fit(self._write_page, running=True)
        self._beside.mark()

    def close(self) -> None:
        """Writes the numbers and the page of a run that has ended."""
        self._write_numbers()
        self._beside.end()
        if self._has_begun:
            self._write_page(running=False)
        self._is_fitting = False

    def _during_fit(self, work, *arguments, **options):
        """Has work done beside the training; at once when called by hand."""
        run = self._beside.begin if self._is_fitting else _called
        run(work, *arguments, **options)

    def _write_numbers(self):
        if self._has_news:
            with self._warning.instead_of(OSError):
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
            ...     sink = km.callbacks.DirectorySink(directory)
            ...     sink("codes", {"codes": np.ones((2, 3))}, 5)
            ...     sink.arrays("codes", 5)["codes"].shape
            (2, 3)
        """
        path = self.directory / f"{name}_{step:04d}.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        except (OSError, ValueError):
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
        for path, at in list(self._files.items()):  # of an earlier fit with this object
            if at > step:
                path.unlink(missing_ok=True)
                del self._files[path]

    def _write(self, file_name, step, value):
        path = self.directory / file_name
        with self._warning.instead_of(OSError):
            if path not in self._files:
                self._remove_unfinished(file_name)
            with replacing(path) as file:
                if isinstance(value, Mapping):
                    np.savez(file, **value)  # directions hardly shrink
                else:
                    file.write(png_of(value if is_figure(value) else value()))
            self._files[path] = step

    def _remove_unfinished(self, file_name, older_than=-math.inf):
        """Removes what a killed process was writing under a name, some seconds ago."""
        for path in self.directory.glob(f".{glob.escape(file_name)}.*"):
            if path.name.removeprefix(f".{file_name}.").isdecimal():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime >= older_than:
                        path.unlink()


def _names_in(directory):
    return os.listdir(directory) if os.path.isdir(directory) else []


def _called(work, *arguments, **options):
    work(*arguments, **options)
