"""Pages that show runs: one self-contained HTML file, while `fit` runs and after it.

Everything comes from the files that the callbacks leave in a folder. The page holds one
line for each of them, a fragment, so that the next write copies the lines of the files that
did not change and reads only the others.
"""

import base64
import contextlib
import functools
import hashlib
import html
import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from os import PathLike
from pathlib import Path

from keras_manifold._storage.files import replacing
from keras_manifold.pages._fragments import UNREADABLE, content, is_result, result_files

# Part of every stamp: a page of another version is written anew.
_FORMAT = "1"
_GENERATOR = b'<meta name="generator" content="keras_manifold">'
_FRAGMENT = re.compile(
    rb'<script type="application/json" data-file="([^"]*)" data-stamp="([^"]*)">'
)


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
        >>> from keras_manifold.pages._reports import write_page
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
        >>> import os, tempfile, numpy as np, keras_manifold as km
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
    if not any(is_result(path) for path in result_files(directory)):
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
    folder = resources.files("keras_manifold.pages") / "page"
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
    for path in result_files(directory):
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
            fragment = content(path)
        except FileNotFoundError:
            continue
        except UNREADABLE:
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


def _attribute(name):
    return html.escape(name).replace("\n", "&#10;").encode("ascii", "xmlcharrefreplace")


def _json(value):
    # "<" would let a name close the script element.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").encode()
