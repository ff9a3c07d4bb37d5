"""What the files of a run hold: plain numbers and small pictures, for a page."""

import csv
import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold.dimension.spectrum import local_dimension
from keras_manifold.pages._sprites import sprite_of
from keras_manifold.plot._samples import common_range, symmetric_range

# A page shows the first of everything; more can't be read on a screen.
_MOST_SHOWN = 16  # samples, and vectors of each
_MOST_VALUES = 128  # singular values of each sample

_LOOK = re.compile(r"(.+)_(\d+)\.npz")
# What NumPy raises for a file that is cut short or holds something else.
UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, csv.Error),
)
_ROWS = ("input", "reconstruction", "noisy_input", "denoised")


def result_files(directory: Path) -> list[Path]:
    """Files of a folder that may hold a look or numbers, by their names."""
    return sorted(
        path
        for path in directory.iterdir()
        if (path.suffix == ".csv" or _LOOK.fullmatch(path.name)) and path.name[0] != "."
    )


def is_result(path) -> bool:
    """Whether a file holds a look or numbers of a run."""
    try:
        return _kind(path) is not None
    except UNREADABLE:
        return False


def _kind(path):
    """What a file holds, by its columns or arrays; None for files that are not ours."""
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline(64).split(",")[0].strip()
        return "scalars" if first in ("step", "epoch") else None
    with np.load(path, allow_pickle=False) as arrays:
        names = set(arrays.files)
    if {"vectors", "singular_values"} <= names:
        return "tangents"
    if {"input", "reconstruction"} <= names:
        return "reconstructions"
    return None


def content(path) -> dict[str, Any] | None:
    """What a page says of one file, as JSON has it; `None` for files that are not ours.

    Raises:
        One of `UNREADABLE`: If the file is cut short, or is not what its name says.
    """
    kind = _kind(path)
    if kind is None:
        return None
    if kind == "scalars":
        return {"kind": kind, "values": _scalars(path)}
    name, _, step = path.stem.rpartition("_")
    name = name.removesuffix("_space")
    with np.load(path, allow_pickle=False) as arrays:
        if kind == "tangents":
            content = _tangents(name, arrays)
        else:
            content = _reconstructions(arrays)
    return {"kind": kind, "name": name, "step": int(step), **content}


def _scalars(path):
    """Numbers by step, `{name: [[step, value], ...]}`; NaN is None, empty cells are not."""
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        names = [name.strip() for name in next(reader)]
        first = 1 if names[0] == "epoch" else 0  # CSVLogger counts epochs from 0
        columns: dict[str, dict[int, float | None]] = {name: {} for name in names[1:]}
        for row in reader:
            step = _number(row[0]) if row else None
            if step is None:
                continue
            for name, cell in zip(names[1:], row[1:]):
                if cell.strip():
                    columns[name][int(step) + first] = _number(cell)
    return {name: sorted(column.items()) for name, column in columns.items() if column}


def _number(cell):
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _tangents(name, arrays):
    vectors = arrays["vectors"][:_MOST_SHOWN, :_MOST_SHOWN]
    singular_values = arrays["singular_values"]
    spectrum = arrays.get("spectrum", singular_values)
    spectrum = spectrum.astype("float64")
    shown = spectrum[:, :_MOST_VALUES]
    ranges = [symmetric_range(row) for row in vectors]
    scalars = {
        "norm": np.sqrt((spectrum**2).sum(axis=1)).mean(),
        "dimension": local_dimension(spectrum).mean(),
        "top": spectrum[:, 0].mean(),
    }
    inputs = arrays["input"][:_MOST_SHOWN] if "input" in arrays else None
    return {
        "samples": len(spectrum),
        "vectors": singular_values.shape[1],
        "values": spectrum.shape[1],
        "singular_values": _numbers(singular_values[:_MOST_SHOWN, :_MOST_SHOWN]),
        "spectrum": _numbers(shown[:_MOST_SHOWN]),
        "mean": _numbers(shown.mean(axis=0)),
        "low": _numbers(shown.min(axis=0)),
        "high": _numbers(shown.max(axis=0)),
        "scalars": {f"{name}_{key}": _numbers(value) for key, value in scalars.items()},
        "pictures": sprite_of(vectors, ranges, signed=True),
        "inputs": None
        if inputs is None
        else sprite_of(inputs[None], [common_range([inputs])], signed=False),
    }


def _reconstructions(arrays):
    rows = {row: arrays[row] for row in _ROWS if row in arrays}
    shown = np.stack([row[:_MOST_SHOWN] for row in rows.values()])
    errors = {
        made: _mean_squared_error(rows[made], rows["input"])[:_MOST_SHOWN]
        for made in ("reconstruction", "denoised")
        if made in rows
    }
    return {
        "samples": len(rows["input"]),
        "rows": list(rows),
        "errors": {made: _numbers(error) for made, error in errors.items()},
        "pictures": sprite_of(shown, [common_range([shown])] * len(shown), signed=False),
    }


def _mean_squared_error(a, b):
    difference = a.astype("float64") - b
    return (difference**2).mean(axis=tuple(range(1, difference.ndim)))


def _numbers(values):
    """Nested lists of Python floats in full precision, None for what is not finite."""
    values = np.asarray(values, dtype="float64")
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()
