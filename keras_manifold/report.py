"""Pages that show runs: one self-contained HTML file, while `fit` runs and after it.

Everything comes from the files that the callbacks leave in a folder. The page holds one
line for each of them, a fragment, so that the next write copies the lines of the files that
did not change and reads only the others.
"""

import base64
import contextlib
import csv
import functools
import hashlib
import html
import io
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold.dimension import local_dimension
from keras_manifold.files import replacing

# A page shows the first of everything; more can't be read on a screen.
_MOST_SHOWN = 16  # samples, and vectors of each
_MOST_VALUES = 128  # singular values of each sample
_MOST_PIXELS = 64  # along a side of a picture
_MOST_ENTRIES = 512  # of a vector that is no picture

# Part of every stamp: a page of another version is written anew.
_FORMAT = "1"
_GENERATOR = b'<meta name="generator" content="keras_manifold">'
_FRAGMENT = re.compile(
    rb'<script type="application/json" data-file="([^"]*)" data-stamp="([^"]*)">'
)
_LOOK = re.compile(r"(.+)_(\d+)\.npz")
# What NumPy raises for a file that is cut short or holds something else.
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_ROWS = ("input", "reconstruction", "noisy_input", "denoised")


def write_page(directory: str | PathLike, *, running: bool = False) -> Path:
    """Writes `index.html` into the folder of a run: its looks, step by step.

    A file for any browser, without a server or a network: tangent vectors, spectra and
    reconstructions under a slider, and the curves of what `fit` reported. It is made from
    the npz files of `TangentAnalyzer` and `ReconstructionGrid` and from CSV files whose
    first column is `step` (or `epoch`, as `keras.callbacks.CSVLogger` writes). The first 16
    samples and 16 vectors are shown. Cost: files that an earlier page has seen are not read
    again, so a page with hundreds of looks takes a fraction of a second.

    Args:
        directory: Folder of the run.
        running: Whether the run goes on: then the page loads itself again every few
            seconds.

    Returns:
        Path of the page.

    Raises:
        ValueError: If the folder is missing or holds no results.
        FileExistsError: If its `index.html` is not such a page.
        OSError: If the page can't be written; what stood there before stays.

    Examples:
        >>> import tempfile, numpy as np
        >>> from keras_manifold.report import write_page
        >>> folder = tempfile.TemporaryDirectory()
        >>> np.savez(f"{folder.name}/tangent_space_0001.npz",
        ...          vectors=np.ones((1, 1, 4, 4)) / 4, singular_values=np.ones((1, 1)))
        >>> write_page(folder.name).name
        'index.html'
        >>> folder.cleanup()
    """
    directory = Path(directory)
    _check_has_results(directory)
    path = directory / "index.html"
    _check_is_ours(path)
    _write(path, {directory.resolve().name: directory}, running=running)
    return path


def report(
    directories: Sequence[str | PathLike],
    path: str | PathLike,
    *,
    labels: Sequence[str] | None = None,
) -> Path:
    """Writes one HTML file that lays several runs side by side, on one scale.

    What `write_page` shows of one run, a column a run: one slider for all, tangent vectors
    and spectra on common scales, curves in common panels. Comparing pictures sample by
    sample means something if all runs watched the same samples.

    Args:
        directories: Folders of the runs, in the order in which they are shown.
        path: Name of the file, replaced if it exists.
        labels: One name a run; `None` for the names of the folders.

    Returns:
        Path of the file.

    Raises:
        TypeError: If `directories` is a single folder, or `labels` a single text.
        ValueError: If there is no folder, one of them is missing or holds no results, or
            the labels are of another number or not distinct.
        OSError: If the file can't be written; what stood there before stays.

    Examples:
        >>> import tempfile, numpy as np, keras_manifold as km
        >>> folder = tempfile.TemporaryDirectory()
        >>> runs = [f"{folder.name}/plain", f"{folder.name}/denoising"]
        >>> for run in runs:
        ...     os.mkdir(run)
        ...     np.savez(f"{run}/tangent_space_0001.npz",
        ...              vectors=np.ones((1, 1, 4, 4)) / 4, singular_values=np.ones((1, 1)))
        >>> km.report(runs, f"{folder.name}/compare.html").name
        'compare.html'
        >>> folder.cleanup()
    """
    for name, value in (("directories", directories), ("labels", labels)):
        if isinstance(value, str | PathLike):
            raise TypeError(
                f"`{name}` must be a list, one entry a run. Received: {name}={value!r}."
            )
    folders = [Path(directory) for directory in directories]
    if not folders:
        raise ValueError(
            "`directories` must name the folder of at least one run. Received: "
            f"directories={directories!r}."
        )
    names = [str(label) for label in labels] if labels is not None else None
    if names is None:
        names = [folder.resolve().name for folder in folders]
    if len(names) != len(folders):
        raise ValueError(
            f"`labels` must be one a run, {len(folders)} in all. Received: "
            f"labels={labels!r}."
        )
    if len(set(names)) < len(names):
        raise ValueError(
            "Each run needs a label of its own, which is the name of its folder unless "
            f"`labels` says otherwise. Received: {names}. Give `labels`."
        )
    for folder in folders:
        _check_has_results(folder)
    path = Path(path)
    _write(path, dict(zip(names, folders)), running=False)
    return path


def _check_has_results(directory):
    if not directory.is_dir():
        raise ValueError(
            "`directory` must be the folder of a run. Received: "
            f"directory={os.fspath(directory)!r}, which is no folder."
        )
    if not any(_is_result(path) for path in _files(directory)):
        raise ValueError(
            "`directory` must hold what TangentAnalyzer or ReconstructionGrid wrote with "
            f"the same `directory`. Received: directory={os.fspath(directory)!r}, without "
            "such npz or CSV files."
        )


def _check_is_ours(page):
    if page.exists():
        with open(page, "rb") as file:
            if _GENERATOR not in file.read(4096):
                raise FileExistsError(
                    "The page of a run is its index.html, but another page has that name. "
                    f"Received: {os.fspath(page)!r}. Rename it."
                )


def _write(path, runs, *, running):
    head, tail = _template()
    values = {
        "title": " · ".join(runs),
        "running": "true" if running else "false",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with replacing(path) as file:
        file.write(_filled(head, values))
        for label, directory in runs.items():
            file.write(b'<script type="application/json" data-run>')
            file.write(_json({"label": label}) + b"</script>\n")
            for line in _fragment_lines(directory):
                file.write(line)
        file.write(_filled(tail, values))


@functools.cache
def _template():
    """The page before and after its data, with styles and scripts put in."""
    folder = resources.files("keras_manifold") / "page"
    scripts = [
        (folder / name).read_text("utf-8")
        for name in (
            "vendor/d3.min.js",
            "vendor/plot.umd.min.js",
            "data.js",
            "state.js",
            "pictures.js",
            "charts.js",
            "head.js",
            "columns.js",
            "page.js",
        )
    ]
    # Nothing but these scripts may run, whatever a file's or a number's name holds.
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in scripts
    ]
    page = (folder / "page.html").read_text("utf-8")
    for name, text in {
        "hashes": " ".join(f"'sha256-{value}'" for value in hashes),
        "style": (folder / "page.css").read_text("utf-8"),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }.items():
        page = page.replace("{{" + name + "}}", text)
    head, _, tail = page.partition("{{runs}}")
    return head, tail


def _filled(template, values):
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", html.escape(value))
    return template.encode("utf-8", "xmlcharrefreplace")


def _fragment_lines(directory) -> Iterator[bytes]:
    """A line for each file of a run; one at a time, as there may be hundreds."""
    stamps = {}
    for path in _files(directory):
        with contextlib.suppress(FileNotFoundError):  # deleted a moment ago
            status = path.stat()
            stamp = f"{_FORMAT}-{status.st_mtime_ns}-{status.st_size}".encode()
            stamps[_attribute(path.name)] = path, stamp
    for name, stamp, line in _old_lines(directory / "index.html"):
        if name in stamps and stamps[name][1] == stamp:
            del stamps[name]
            yield line
    for name, (path, stamp) in stamps.items():
        try:
            fragment = _fragment(path)
        except FileNotFoundError:
            continue
        except _UNREADABLE:
            fragment, stamp = {"kind": "unreadable"}, b""  # and tried again next time
        yield (
            b'<script type="application/json" data-file="%b" data-stamp="%b">%b</script>\n'
            % (name, stamp, _json(fragment))
        )


def _old_lines(page):
    if not page.exists():
        return
    with open(page, "rb") as file:
        for line in file:
            found = _FRAGMENT.match(line)
            # A line that was cut short, by whoever copied the page, is not kept.
            if found and line.endswith(b"</script>\n"):
                yield found[1], found[2], line


def _files(directory):
    return sorted(
        path
        for path in directory.iterdir()
        if (path.suffix == ".csv" or _LOOK.fullmatch(path.name)) and path.name[0] != "."
    )


def _attribute(name):
    return html.escape(name).replace("\n", "&#10;").encode("ascii", "xmlcharrefreplace")


def _json(value):
    # "<" would let a name close the script element.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").encode()


def _is_result(path):
    try:
        return _kind(path) is not None
    except _UNREADABLE:
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


def _fragment(path) -> dict[str, Any] | None:
    """What the page says of one file; None for files that are not ours."""
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
    limits = [_largest(row) for row in vectors]
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
        "pictures": _sprite(vectors, [(-limit, limit) for limit in limits], signed=True),
        "inputs": None
        if inputs is None
        else _sprite(inputs[None], [_range(inputs)], signed=False),
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
