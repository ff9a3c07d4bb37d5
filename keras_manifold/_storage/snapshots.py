"""What a callback saw of a model at one step: a snapshot, its names and its files."""

import contextlib
import functools
import json
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np

from keras_manifold._arguments import Part
from keras_manifold._storage import archives

# Arrays of a tangent space. The first three are those of `TangentSpace`.
VECTORS = "vectors"
SINGULAR_VALUES = "singular_values"
CODE_VECTORS = "code_vectors"
SPECTRUM = "spectrum"  # all singular values, where vectors are the leading ones
CODES = "codes"
METRIC = "metric"  # of the decoder at the codes, where it was asked for
# Arrays of reconstructions, in the order in which they are shown. A tangent space has the
# first, too.
INPUT = "input"
RECONSTRUCTION = "reconstruction"
NOISY_INPUT = "noisy_input"
DENOISED = "denoised"
FIELD = "field"  # (m, 2, 2): points of a grid, and what the model makes of each
SAMPLE = "sample"  # where a chain came to that began at the input
ROWS = (INPUT, RECONSTRUCTION, NOISY_INPUT, DENOISED, SAMPLE)
LABELS = "labels"  # of the samples, where the user gave some

# What is the same in all snapshots of a run, and stands once in a file of its own.
OF_SAMPLES = (INPUT, NOISY_INPUT, LABELS)
# What has half precision in all snapshots but the last.
_ROUNDED = (VECTORS, CODE_VECTORS, RECONSTRUCTION, DENOISED)
# Error by rounding, at most, as a share of the standard deviation; and the step that makes
# it, where bits that say nothing would be stored otherwise.
_MOST_ROUNDING = 2e-3
_STEP = 1 / 256
# Entries of a vector from which on such steps leave it of length 1 to 1e-3.
_LONG = 64

# What a run was made with.
RUN_FILE = "run.json"
# What it says of each callback by its prefix, besides how many samples it watches.
OF = "of"
LOOK = ("image_shape", "bands", "feature_names", "channel_names")
OWN_FACTS = (OF, "k", "every", "unit", *LOOK)

# Scalars of a tangent space, means over the samples, and of reconstructions.
NORM, DIMENSION, TOP, DRIFT = "norm", "dimension", "top", "drift"
NORM_ERROR = "norm_error"  # where the norm is estimated
# Of the model, where asked for.
DECODER_DISTORTION = "decoder_distortion"
DENOISER_DIMENSION = "denoiser_dimension"
MSE, DENOISED_MSE = "mse", "denoised_mse"
MOVED = "moved"

# Columns of the CSV file: when a row was seen. Epochs where steps are batches.
STEP, EPOCH = "step", "epoch"

# What tells the arrays of a tangent space from others of the same prefix, and the numbers.
_SPACE, _SCALARS = "space", "scalars"
# What files of a callback have after its prefix, besides steps: no prefix ends in it.
RESERVED = tuple(f"_{name}" for name in (_SPACE, VECTORS, SPECTRUM, _SCALARS))
_NPZ = re.compile(r"(.+)_(\d+)\.npz")

# What reading a file raises that is cut short or holds something else.
UNREADABLE = archives.UNREADABLE


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
    return f"{full_name(prefix, _SCALARS)}.csv"


def samples_file(prefix: str) -> str:
    """The file with what all snapshots of a callback share."""
    return f"{prefix}_samples.npz"


def file_name(name: str, step: int, ending: Literal["npz", "png"]) -> str:
    """The file with the arrays, or with the figure, of a name and step."""
    return f"{name}_{step:04d}.{ending}"


def is_file_of(prefix: str, name: str) -> bool:
    """Whether a callback of this prefix names a file of numbers, arrays or figures so."""
    if name == scalars_file(prefix):
        return True
    kinds = "|".join(map(re.escape, RESERVED))
    named = rf"{re.escape(prefix)}({kinds})?_\d{{4,}}\.(npz|png)"
    return re.fullmatch(named, name) is not None


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

    def write_small(self, file: BinaryIO) -> None:
        """The same, compressed, and vectors and reconstructions in half precision."""
        arrays: dict[str, Any] = {
            name: _rounded(array, name) if name in _ROUNDED else array
            for name, array in self.arrays.items()
        }
        np.savez_compressed(file, **arrays)

    def split(self) -> tuple["Snapshot", "Snapshot"]:
        """What belongs to this step, and what all snapshots of its callback share."""
        own: dict[str, np.ndarray] = {}
        shared: dict[str, np.ndarray] = {}
        for name, array in self.arrays.items():
            (shared if name in OF_SAMPLES else own)[name] = array
        return replace(self, arrays=own), replace(self, arrays=shared)

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
        with archives.regular_file(path) as file:  # NumPy would leave it open if cut short
            members = np.load(file, allow_pickle=False)
            if not isinstance(members, np.lib.npyio.NpzFile):
                raise ValueError(f"A snapshot must be an npz file. Received: {path}.")
            with members:
                snapshot = cls(name, int(step), {})
                beside = samples_beside(path)
                shared = {key: beside[key] for key in beside if key not in members}
                yield replace(snapshot, arrays=_OpenArrays(members, shared))


def samples_beside(path: PathLike[str]) -> dict[str, np.ndarray]:
    """What all snapshots share that stand beside one, or nothing.

    Args:
        path: File of a snapshot, of which `Snapshot.is_named` is true.
    """
    path = Path(path)
    prefix = path.name.rpartition("_")[0].removesuffix(f"_{_SPACE}")
    try:
        with (
            archives.regular_file(path.with_name(samples_file(prefix))) as file,
            np.load(file, allow_pickle=False) as members,
        ):
            return {name: members[name] for name in OF_SAMPLES if name in members}
    except UNREADABLE:
        return {}


def part_beside(path: PathLike[str]) -> str | None:
    """Whose Jacobian a snapshot is of, as `run.json` beside it says, or `None`.

    Args:
        path: File of a snapshot, of which `Snapshot.is_named` is true.
    """
    part = _facts_beside(path).get(OF)
    return part if part in get_args(Part) else None


def look_beside(path: PathLike[str]) -> dict[str, Any]:
    """How samples are drawn, as `run.json` beside a snapshot says: what of `LOOK` it has.

    Args:
        path: File of a snapshot, of which `Snapshot.is_named` is true.
    """
    facts = _facts_beside(path)
    return {name: facts[name] for name in LOOK if facts.get(name) is not None}


def _facts_beside(path):
    """What `run.json` says of the callback of a snapshot."""
    path = Path(path)
    prefix = path.name.rpartition("_")[0].removesuffix(f"_{_SPACE}")
    try:
        facts = json.loads(path.with_name(RUN_FILE).read_text("utf-8"))
        facts = facts["watches"][prefix]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _rounded(array, name):
    """In half precision, where that loses next to nothing, and in steps."""
    is_vector = name in (VECTORS, CODE_VECTORS)
    if not is_vector or math.prod(array.shape[2:]) >= _LONG:
        with np.errstate(all="ignore"):
            step = np.exp2(np.floor(np.log2(_STEP * array.std())))
        if np.isfinite(step) and step > 0:
            array = (np.rint(array / step) * step).astype(array.dtype)
    with np.errstate(over="ignore"):
        half = array.astype("float16")
        error = np.abs(half.astype("float32") - array).max(initial=0.0)
    return half if error <= _MOST_ROUNDING * array.std() else array


class _OpenArrays(Mapping):
    """The arrays of an open file, each read when it is asked for, and some others."""

    def __init__(self, members: Mapping, shared: Mapping):
        self._members = {**dict.fromkeys(members), **shared}
        self._file = members
        self._shared = shared

    def __getitem__(self, name):
        array = self._shared[name] if name in self._shared else self._file[name]
        if not isinstance(array, np.ndarray):  # NumPy returns other members as bytes
            raise ValueError(f"A snapshot must hold arrays only. Received: {name}.")
        return array

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)
