"""What a callback saw of a model at one step: a snapshot, its names and its files."""

import builtins
import contextlib
import functools
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

# Arrays of a tangent space. The first three are those of `TangentSpace`.
VECTORS = "vectors"
SINGULAR_VALUES = "singular_values"
CODE_VECTORS = "code_vectors"
SPECTRUM = "spectrum"  # all singular values, where vectors are the leading ones
CODES = "codes"
# Arrays of reconstructions, in the order in which they are shown. A tangent space has the
# first, too.
INPUT = "input"
RECONSTRUCTION = "reconstruction"
NOISY_INPUT = "noisy_input"
DENOISED = "denoised"
SAMPLE = "sample"  # where a chain came to that began at the input
ROWS = (INPUT, RECONSTRUCTION, NOISY_INPUT, DENOISED, SAMPLE)

# Scalars of a tangent space, means over the samples, and of reconstructions.
NORM, DIMENSION, TOP, DRIFT = "norm", "dimension", "top", "drift"
MSE, DENOISED_MSE = "mse", "denoised_mse"
MOVED = "moved"

# Columns of the CSV file: when a row was seen. Epochs where steps are batches.
STEP, EPOCH = "step", "epoch"

# What tells the arrays of a tangent space from others of the same prefix.
_SPACE = "space"
_NPZ = re.compile(r"(.+)_(\d+)\.npz")

# What NumPy raises for a file that is cut short or holds something else.
UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)


def full_name(prefix: str, name: str) -> str:
    """The name of a scalar or drawing of a callback, for everybody else."""
    return f"{prefix}_{name}"


def space_name(prefix: str) -> str:
    """The name of the arrays of a tangent space."""
    return full_name(prefix, _SPACE)


def name_from_logs(name: str) -> str:
    """The name of a number in Keras's `logs`: the two that say when it was are ours."""
    return f"logs_{name}" if name in (STEP, EPOCH) else name


def scalars_file(prefix: str) -> str:
    """The file with the numbers of a run."""
    return f"{prefix}_scalars.csv"


def file_name(name: str, step: int, ending: Literal["npz", "png"]) -> str:
    """The file with the arrays, or with the figure, of a name and step."""
    return f"{name}_{step:04d}.{ending}"


class Drawing:
    """A figure that is made once, when somebody asks for it.

    Args:
        make: Returns a `matplotlib.figure.Figure` for the arguments that follow.
    """

    def __init__(self, make: Callable, *arguments: Any, **options: Any):
        self._make = functools.partial(make, *arguments, **options)
        self._figure: Any = None
        self._lock = threading.Lock()  # sinks may ask from several threads

    def __call__(self) -> Any:
        """The figure."""
        with self._lock:
            if self._figure is None:
                self._figure = self._make()
            return self._figure


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a callback saw of a model at one step.

    Attributes:
        name: Of the arrays.
        step: Epochs or batches that were trained before.
        arrays: NumPy arrays by the names above, first axis the samples; of an open file,
            read when they are asked for.
        drawings: Figures by their full names.
        scalars: Numbers by their full names.
    """

    name: str
    step: int
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["tangents", "reconstructions"] | None:
        """What the arrays show; `None` for those of somebody else."""
        if {VECTORS, SINGULAR_VALUES} <= self.arrays.keys():
            return "tangents"
        made = self.arrays.keys() & {RECONSTRUCTION, SAMPLE}
        if INPUT in self.arrays and made:
            return "reconstructions"
        return None

    @property
    def prefix(self) -> str:
        """What the names of the callback begin with."""
        return self.name.removesuffix(f"_{_SPACE}")

    def values(self) -> Iterator[tuple[str, Any]]:
        """Names and values as sinks get them: arrays, drawings, numbers."""
        if self.arrays:
            yield self.name, self.arrays
        yield from self.drawings.items()
        yield from self.scalars.items()

    def write(self, file: BinaryIO) -> None:
        """Writes the arrays. `file_name` says where they are looked for."""
        arrays: dict[str, Any] = dict(self.arrays)
        np.savez(file, **arrays)  # not compressed, as directions hardly shrink

    @staticmethod
    def is_named(path: PathLike[str]) -> bool:
        """Whether a file may hold a snapshot, by its name."""
        return _NPZ.fullmatch(Path(path).name) is not None

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: PathLike[str]) -> Iterator["Snapshot"]:
        """What `write` wrote: the arrays, while the file is open.

        Args:
            path: A file of which `is_named` is true.

        Yields:
            The `Snapshot`.

        Raises:
            One of `UNREADABLE`, also from its arrays: If the file is cut short, or is not
                what its name says.
        """
        name, step = _NPZ.fullmatch(Path(path).name).groups()  # type: ignore[union-attr]
        with builtins.open(path, "rb") as file:  # NumPy would leave it open if cut short
            members = np.load(file, allow_pickle=False)
            if not isinstance(members, np.lib.npyio.NpzFile):
                raise ValueError(f"A snapshot must be an npz file. Received: {path}.")
            with members:
                yield cls(name, int(step), _OpenArrays(members))


class _OpenArrays(Mapping):
    """The arrays of an open file, each read when it is asked for."""

    def __init__(self, members: Mapping):
        self._members = members

    def __getitem__(self, name):
        array = self._members[name]
        if not isinstance(array, np.ndarray):  # NumPy returns other members as bytes
            raise ValueError(f"A snapshot must hold arrays only. Received: {name}.")
        return array

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)
