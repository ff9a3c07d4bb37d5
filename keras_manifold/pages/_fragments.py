"""What the files of a run hold: plain numbers and small pictures, for a page."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold._storage import snapshots
from keras_manifold._storage.snapshots import (
    DENOISED,
    DIMENSION,
    EPOCH,
    INPUT,
    NORM,
    RECONSTRUCTION,
    ROWS,
    SINGULAR_VALUES,
    SPECTRUM,
    STEP,
    TOP,
    VECTORS,
    Snapshot,
    full_name,
)
from keras_manifold.dimension.spectrum import local_dimension
from keras_manifold.pages._sprites import sprite_of
from keras_manifold.plot._samples import common_range, symmetric_range

# A page shows the first of everything; more can't be read on a screen.
_MOST_SHOWN = 16  # samples, and vectors of each
_MOST_VALUES = 128  # singular values of each sample

UNREADABLE = (*snapshots.UNREADABLE, csv.Error)


def result_files(directory: Path) -> list[Path]:
    """Files of a folder that may hold a snapshot or numbers, by their names."""
    return sorted(
        path
        for path in directory.iterdir()
        if (path.suffix == ".csv" or Snapshot.is_named(path)) and path.name[0] != "."
        # To open a pipe or a device may never end.
        if path.is_file()
    )


def is_result(path) -> bool:
    """Whether a file holds a snapshot or numbers of a run."""
    try:
        if path.suffix == ".csv":
            return _holds_numbers(path)
        with Snapshot.open(path) as snapshot:
            return snapshot.kind is not None
    except UNREADABLE:
        return False


def _holds_numbers(path):
    """Whether a CSV file is ours, or one of `CSVLogger`, by its first column."""
    with open(path, encoding="utf-8", errors="replace") as file:
        first = file.readline(64).split(",")[0].strip()
    return first in (STEP, EPOCH)


def content(path) -> dict[str, Any] | None:
    """What a page says of one file, as JSON has it; `None` for files that are not ours.

    Raises:
        One of `UNREADABLE`: If the file is cut short, or is not what its name says.
    """
    if path.suffix == ".csv":
        is_ours = _holds_numbers(path)
        return {"kind": "scalars", "values": _scalars(path)} if is_ours else None
    with Snapshot.open(path) as snapshot:
        if snapshot.kind is None:
            return None
        if snapshot.kind == "tangents":
            content = _tangents(snapshot.prefix, snapshot.arrays)
        else:
            content = _reconstructions(snapshot.arrays)
        about = {"kind": snapshot.kind, "name": snapshot.prefix, "step": snapshot.step}
    return {**about, **content}


def _scalars(path):
    """Numbers by step, `{name: [[step, value], ...]}`; NaN is None, empty cells are not."""
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        names = [name.strip() for name in next(reader)]
        first = 1 if names[0] == EPOCH else 0  # CSVLogger counts epochs from 0
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
    vectors = arrays[VECTORS][:_MOST_SHOWN, :_MOST_SHOWN]
    singular_values = arrays[SINGULAR_VALUES]
    spectrum = arrays.get(SPECTRUM, singular_values)
    spectrum = spectrum.astype("float64")
    shown = spectrum[:, :_MOST_VALUES]
    ranges = [symmetric_range(row) for row in vectors]
    scalars = {
        NORM: np.sqrt((spectrum**2).sum(axis=1)).mean(),
        DIMENSION: local_dimension(spectrum).mean(),
        TOP: spectrum[:, 0].mean(),
    }
    inputs = arrays[INPUT][:_MOST_SHOWN] if INPUT in arrays else None
    return {
        "samples": len(spectrum),
        "vectors": singular_values.shape[1],
        "values": spectrum.shape[1],
        "singular_values": _numbers(singular_values[:_MOST_SHOWN, :_MOST_SHOWN]),
        "spectrum": _numbers(shown[:_MOST_SHOWN]),
        "mean": _numbers(shown.mean(axis=0)),
        "low": _numbers(shown.min(axis=0)),
        "high": _numbers(shown.max(axis=0)),
        "scalars": {
            full_name(name, key): _numbers(value) for key, value in scalars.items()
        },
        "pictures": sprite_of(vectors, ranges, signed=True),
        "inputs": None
        if inputs is None
        else sprite_of(inputs[None], [common_range([inputs])], signed=False),
    }


def _reconstructions(arrays):
    rows = {row: arrays[row] for row in ROWS if row in arrays}
    shown = np.stack([row[:_MOST_SHOWN] for row in rows.values()])
    errors = {
        made: _mean_squared_error(rows[made], rows[INPUT])[:_MOST_SHOWN]
        for made in (RECONSTRUCTION, DENOISED)
        if made in rows
    }
    return {
        "samples": len(rows[INPUT]),
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
