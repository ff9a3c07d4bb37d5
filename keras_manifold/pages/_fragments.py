"""What the files of a run hold: plain numbers and small pictures, for a page."""

import base64
import csv
import io
import math
import zlib
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

# A page shows the first of everything; more can't be read on a screen.
_MOST_SHOWN = 16  # samples, and vectors of each
_MOST_VALUES = 128  # singular values of each sample
_MOST_PIXELS = 64  # along a side of a picture
_MOST_ENTRIES = 512  # of a vector that is no picture

UNREADABLE = (*snapshots.UNREADABLE, csv.Error)


def result_files(directory: Path) -> list[Path]:
    """Files of a folder that may hold a snapshot or numbers, by their names."""
    return sorted(
        path
        for path in directory.iterdir()
        if (path.suffix == ".csv" or Snapshot.is_named(path)) and path.name[0] != "."
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
    limits = [_largest(row) for row in vectors]
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
        "pictures": _sprite(vectors, [(-limit, limit) for limit in limits], signed=True),
        "inputs": None
        if inputs is None
        else _sprite(inputs[None], [_range(inputs)], signed=False),
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
        "pictures": _sprite(shown, [_range(shown)] * len(shown), signed=False),
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


def _largest(values):
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0


def _range(values):
    finite = values[np.isfinite(values)]
    low = float(finite.min(initial=0.0))
    high = float(finite.max(initial=low))
    return low, high if high > low else low + 1.0


def _sprite(values, ranges, *, signed):
    """Samples `(rows, columns, *input_shape)` as one small grey PNG.

    A byte is 0 where the value is not finite, otherwise 1 + how many of `levels` steps it
    lies above the lower end of its row's range. The page gives it colours.
    """
    is_image, planes, every = _planes(values)
    # Fewer levels make smaller files; even ones have 0 in the middle of a signed range.
    levels = (30 if signed else 62) if is_image else 254
    low, high = (
        np.array(ends).reshape(-1, 1, 1, 1, 1) for ends in zip(*ranges, strict=True)
    )
    with np.errstate(invalid="ignore"):
        share = np.clip((planes.astype("float64") - low) / (high - low), 0, 1)
        codes = 1 + np.rint(share * levels)
    codes = np.where(np.isfinite(planes), codes, 0).astype("uint8")
    rows, columns, channels, height, width = codes.shape
    across = columns * channels if is_image else 1
    sheet = codes.reshape(-1, across, height, width).swapaxes(1, 2)
    return {
        "rows": rows,
        "columns": columns,
        "channels": channels,
        "height": height,
        "width": width,
        "across": across,
        "levels": levels,
        "ranges": ranges,
        "signed": signed,
        "image": is_image,
        "every": every,
        "png": _png(sheet.reshape(-1, across * width)),
    }


def _planes(values):
    """Channels first, `(rows, columns, channels, height, width)`, thinned to what is shown.

    What is no picture has a height of 1. Entries are left out rather than averaged: the
    speckle of a poor tangent vector would vanish in means.
    """
    shape = values.shape[2:]
    is_image = True
    if len(shape) == 3 and shape[-1] in (1, 3):
        planes = np.moveaxis(values, -1, 2)
    elif len(shape) == 3 and shape[0] in (1, 3):
        planes = values
    elif len(shape) == 2 and not _is_sequence(shape):
        planes = values[:, :, None]
    else:
        is_image = False
        if len(shape) != 2:
            values = values.reshape(*values.shape[:2], 1, -1)
        elif shape[0] > shape[1]:
            values = values.swapaxes(2, 3)
        planes = values[:, :, :, None, :]
    longest = max(planes.shape[3:])
    every = max(1, -(-longest // (_MOST_PIXELS if is_image else _MOST_ENTRIES)))
    return is_image, planes[:, :, :, ::every, ::every], every


def _is_sequence(shape):
    """Whether samples of two axes are a few channels over time rather than a picture."""
    return min(shape) < 4 and max(shape) >= 4 * min(shape)


def _png(codes):
    from PIL import Image

    file = io.BytesIO()
    # As small as any other way for these codes, which repeat little, and five times faster.
    Image.fromarray(codes).save(file, "PNG", compress_type=zlib.Z_RLE)
    return base64.b64encode(file.getvalue()).decode()
