"""What the files of a run hold: plain numbers and small pictures, for a page."""

import base64
import csv
import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_manifold._storage import snapshots
from keras_manifold._storage.snapshots import (
    CODES,
    DENOISED,
    DIMENSION,
    EPOCH,
    FIELD,
    INPUT,
    LABELS,
    METRIC,
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
from keras_manifold.plot._look import PLAIN, Look
from keras_manifold.plot._samples import common_range, symmetric_range
from keras_manifold.preservation import neighbor_preservation

# A page shows the first of everything; more can't be read on a screen.
_MOST_SHOWN = 16  # samples, and vectors of each
_MOST_VALUES = 128  # singular values of each sample
_MOST_CODES = 256  # points of the latent space
_NEIGHBORS = 5  # of each, which the latent space keeps or not
_MOST_ARROWS = 400  # of a field
_LONGEST = 8  # axis of an ellipse around a code, in median small ones

SETUP = "run.json"  # what the run was made with, and when

UNREADABLE = (*snapshots.UNREADABLE, csv.Error, RecursionError)


class Content(NamedTuple):
    """What a page says of one file.

    Attributes:
        fragment: Numbers, as JSON has them; `None` for files that are not ours. Pictures
            are named in it.
        pictures: The pictures by their names, which follow from what they hold: what is the
            same in a hundred snapshots stands once in a page. PNG in base 64.
    """

    fragment: dict[str, Any] | None
    pictures: dict[str, bytes]


def result_files(directory: Path) -> list[Path]:
    """Files of a folder that a page shows, by their names."""
    return sorted(
        path
        for path in directory.iterdir()
        if (path.suffix == ".csv" or path.name == SETUP or Snapshot.is_named(path))
        and path.name[0] != "."
        and path.is_file()  # to open a pipe or a device may never end
    )


def is_result(path) -> bool:
    """Whether a file holds a snapshot or numbers of a run."""
    if path.name == SETUP:
        return False
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


def content(path: Path) -> Content:
    """What a page says of one file.

    Raises:
        One of `UNREADABLE`: If the file is cut short, or is not what its name says.
    """
    pictures: dict[str, bytes] = {}
    return Content(_fragment(path, pictures), pictures)


def _fragment(path, pictures):
    if path.name == SETUP:
        return {"kind": "setup", "values": _setup(path)}
    if path.suffix == ".csv":
        is_ours = _holds_numbers(path)
        return {"kind": "scalars", "values": _scalars(path)} if is_ours else None
    look = Look(**snapshots.look_beside(path))
    with Snapshot.open(path) as snapshot:
        if snapshot.kind is None:
            return None
        if snapshot.kind == "tangents":
            fragment = _tangents(snapshot.prefix, snapshot.arrays, look, pictures)
        else:
            fragment = _reconstructions(snapshot.arrays, look, pictures)
        about = {"kind": snapshot.kind, "name": snapshot.prefix, "step": snapshot.step}
    return {**about, **fragment}


def _setup(path):
    def no_number(_):
        return None  # NaN and Infinity, which JSON does not know

    with open(path, encoding="utf-8") as file:
        values = json.load(file, parse_constant=no_number)
    if not isinstance(values, dict):
        raise ValueError(f"{SETUP} must hold a JSON object. Received: {path}.")
    return values


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


def _as_drawn(values, look, before=1):
    """Samples as they are drawn, `before` axes before them, and the look that they take."""
    try:
        shaped = look.shaped(values.reshape(-1, *values.shape[before:]))
    except (ValueError, TypeError):  # said of other samples
        return values, PLAIN
    return shaped.reshape(*values.shape[:before], *shaped.shape[1:]), look


def _tangents(name, arrays, look, pictures):
    vectors = arrays[VECTORS][:_MOST_SHOWN, :_MOST_SHOWN]
    vectors, look_of_vectors = _as_drawn(vectors, look, before=2)
    singular_values = arrays[SINGULAR_VALUES]
    spectrum = arrays.get(SPECTRUM, singular_values)
    exact = spectrum.astype("float64")
    shown = exact[:, :_MOST_VALUES]
    ranges = [symmetric_range(row) for row in vectors]
    scalars = {
        NORM: np.sqrt((exact**2).sum(axis=1)).mean(),
        DIMENSION: local_dimension(exact).mean(),
        TOP: exact[:, 0].mean(),
    }
    inputs = arrays[INPUT][:_MOST_SHOWN] if INPUT in arrays else None
    labels = arrays[LABELS][:_MOST_CODES] if LABELS in arrays else None
    return {
        "samples": len(spectrum),
        "vectors": singular_values.shape[1],
        "values": spectrum.shape[1],
        "singular_values": _numbers(singular_values[:_MOST_SHOWN, :_MOST_SHOWN]),
        "spectrum": _numbers(spectrum[:_MOST_SHOWN, :_MOST_VALUES]),
        "mean": _numbers(shown.mean(axis=0)),
        "low": _numbers(shown.min(axis=0)),
        "high": _numbers(shown.max(axis=0)),
        "scalars": {
            full_name(name, key): _numbers(value) for key, value in scalars.items()
        },
        "pictures": _kept(
            sprite_of(vectors, ranges, signed=True, look=look_of_vectors), pictures
        ),
        "inputs": None if inputs is None else _unsigned(inputs, look, pictures),
        "codes": _codes(arrays) if CODES in arrays else None,
        "labels": None if labels is None else [str(label) for label in labels.tolist()],
    }


def _reconstructions(arrays, look, pictures):
    rows = {row: arrays[row] for row in ROWS if row in arrays}
    errors = {
        made: _mean_squared_error(rows[made], rows[INPUT])[:_MOST_SHOWN]
        for made in (RECONSTRUCTION, DENOISED)
        if made in rows
    }
    return {
        "samples": len(rows[INPUT]),
        "rows": list(rows),
        "errors": {made: _numbers(error) for made, error in errors.items()},
        "field": _field(arrays),
        # Not on the scale of all rows: what does not change with the snapshots, as the
        # inputs, is then the same picture in all of them. The page has one scale.
        "pictures": {
            row: _unsigned(values[:_MOST_SHOWN], look, pictures)
            for row, values in rows.items()
        },
    }


def _field(arrays):
    """Where the model moves points of the plane of its samples, or nothing."""
    field = arrays.get(FIELD)
    data = arrays[INPUT][:_MOST_CODES]
    if field is None or field.shape[1:] != (2, 2) or data[0].size != 2:
        return None
    points, denoised = field[:_MOST_ARROWS].astype("float64").transpose(1, 0, 2)
    return {
        key: [[_rounded(value) for value in pair] for pair in pairs.tolist()]
        for key, pairs in {
            "points": points,
            "moved": denoised - points,
            "data": data.reshape(-1, 2).astype("float64"),
        }.items()
    }


def _unsigned(values, look, pictures):
    values, look = _as_drawn(values, look)
    ranges = [common_range([values])]
    sprite = sprite_of(values[None], ranges, signed=False, look=look)
    return _kept(sprite, pictures)


def _kept(sprite, pictures):
    """A sprite with the name of its picture in place of the picture."""
    png = sprite.pop("png")
    digest = hashlib.blake2b(png, digest_size=12).digest()
    name = base64.urlsafe_b64encode(digest).decode()
    pictures[name] = png
    return {**sprite, "picture": name}


def _codes(arrays):
    """Codes as points of a plane: two numbers each, or their first principal components.

    With the decoder's metric, `(n, size, size)`, also an ellipse around each and the area
    that the decoder gives to a small square there.
    """
    codes = arrays[CODES]
    shape = codes.shape[1:]
    flat = codes.reshape(len(codes), -1)[:_MOST_CODES].astype("float64")
    size, share = flat.shape[1], None
    components = np.eye(size)
    if size > 2 and np.isfinite(flat).all():
        flat = flat - flat.mean(axis=0)
        _, values, components = np.linalg.svd(flat, full_matrices=False)
        components = components[:2]
        largest = np.abs(components).argmax(axis=1, keepdims=True)
        components *= np.sign(np.take_along_axis(components, largest, axis=1))
        energy = (values**2).sum()
        share = float((values[:2] ** 2).sum() / energy) if energy > 0 else None
        flat = flat @ components.T
    elif size > 2:
        flat = np.full((len(flat), 2), np.nan)  # the model has diverged
    return {
        "shape": list(shape),
        "share": share,
        # Four digits are enough for a picture.
        "points": [[_rounded(value) for value in point] for point in flat.tolist()],
        "kept": _kept_neighbors(arrays.get(INPUT), flat),
        **_of_metric(arrays.get(METRIC), len(codes), components),
    }


def _kept_neighbors(inputs, points):
    """Trustworthiness and continuity of the plane, `None` where they would mean nothing."""
    count = len(points)
    is_enough = inputs is not None and len(inputs) >= count > 2 * _NEIGHBORS
    if not is_enough or not np.isfinite(points).all():
        return None
    if not np.isfinite(inputs[:count]).all():
        return None
    kept = neighbor_preservation(inputs[:count], points, neighbors=_NEIGHBORS)
    return [_rounded(value) for value in kept]


def _of_metric(metric, count, components):
    """Ellipses of one length of the output, in a plane of codes, and areas.

    Returns:
        `ellipses`, for each sample the entries `[a, b, c]` of the matrix [[a, b], [b, c]]
        that makes its ellipse of the unit circle, all on the scale on which the smaller
        axis has a median of 1. `areas`, of a small square, decoded, in units of their
        median. `None` where the plane is none or the metric is not of these codes.
    """
    none = {"ellipses": None, "areas": None}
    size = components.shape[1]
    if metric is None or len(components) != 2 or metric.shape != (count, size, size):
        return none
    metric = components @ metric[:_MOST_CODES].astype("float64") @ components.T
    if not np.isfinite(metric).all():
        return none
    values, axes = np.linalg.eigh(metric)
    if not values.max() > 0:
        return none
    areas = np.sqrt(np.maximum(values, 0).prod(axis=1))
    middle = np.median(areas)
    # Where the decoder follows nothing, an ellipse would be without end.
    semi = 1 / np.sqrt(np.maximum(values, 1e-6 * values.max()))
    semi = np.minimum(semi / np.median(semi.min(axis=1)), _LONGEST)
    matrices = (axes * semi[:, None]) @ np.swapaxes(axes, 1, 2)
    return {
        "ellipses": [
            [_rounded(m[0, 0]), _rounded(m[0, 1]), _rounded(m[1, 1])] for m in matrices
        ],
        "areas": [_rounded(area) for area in areas / middle] if middle > 0 else None,
    }


def _rounded(value):
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _mean_squared_error(a, b):
    difference = a.astype("float64") - b
    return (difference**2).mean(axis=tuple(range(1, difference.ndim)))


def _numbers(values):
    """Nested lists of Python floats, None for what is not finite.

    They have the digits that tell a number from its neighbours of the same type, as NumPy
    writes them: fewer of single precision than of double.
    """
    values = np.asarray(values)
    if values.dtype != "float64":
        with np.errstate(over="ignore"):
            values = values.astype(str).astype("float64")
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()
