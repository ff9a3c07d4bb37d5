"""Pages that show runs: one self-contained HTML file, while `fit` runs and after it.

Everything comes from the files that the callbacks leave in a folder.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from keras_manifold._storage.files import replacing
from keras_manifold.pages._angles import angles_between
from keras_manifold.pages._fragments import is_result, result_files
from keras_manifold.pages._lines import as_json, lines_of
from keras_manifold.pages._template import is_ours, page_around

_PAGE = "index.html"
# What numbers and pictures of a page may take, so that with its scripts, 0.6 MB, it stays
# below 8 MB. Only pictures are left out to that end.
_MOST_BYTES = 7_200_000


def report(
    runs: str
    | PathLike[str]
    | Sequence[str | PathLike[str]]
    | Mapping[str, str | PathLike[str]],
    path: str | PathLike[str] | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> Path:
    """Writes one HTML file that shows a run, or several side by side on one scale.

    A file for any browser, without a server or a network: tangent vectors, spectra and
    reconstructions under a slider, and the curves of what `fit` reported. It is made from
    the npz files of `TangentAnalyzer` and `ReconstructionGrid` and from CSV files whose
    first column is `step` (or `epoch`, as `keras.callbacks.CSVLogger` writes). The first 16
    samples and 16 vectors are shown. Several runs stand in one column each: one slider for
    all, tangent vectors and spectra on common scales, curves in common panels. Comparing
    pictures sample by sample means something if all runs watched the same samples.

    Runs of one label, such as repetitions with other seeds, are shown as their mean and
    spread.

    Cost: files that an earlier page in the run's folder has seen are not read again, so a
    page with hundreds of snapshots takes a fraction of a second. It stays below 8 MB: of
    long runs, the pictures of every second snapshot are shown, or of every fourth, and the
    page says so; numbers and spectra are those of all. Pictures have 31 levels (tangent
    vectors) or 63 (inputs), which is finer than the eye; numbers are exact.

    Args:
        runs: Folder of a run, a list of folders in the order in which they are shown, or a
            mapping from labels to folders.
        path: Name of the file, replaced if it exists. `None` for `index.html` in the folder
            of the run, where the callbacks keep its page too; for one run only.
        labels: One name per run, the same one for those that belong together; `None` for
            the names of the folders, or the keys of a mapping.

    Returns:
        Path of the file.

    Raises:
        TypeError: If `runs` or `labels` are of other types.
        ValueError: If there is no folder, one of them is missing or holds no results, the
            labels are of another number, folders of one name have no labels, or several
            runs have no `path`.
        FileExistsError: If the folder's `index.html` is not such a page.
        OSError: If the file can't be written; what stood there before stays.

    Examples:
        >>> import os, tempfile, numpy as np, keras_manifold as km
        >>> folder = tempfile.TemporaryDirectory()
        >>> runs = [f"{folder.name}/plain", f"{folder.name}/denoising"]
        >>> for run in runs:
        ...     os.mkdir(run)
        ...     np.savez(f"{run}/tangent_space_0001.npz",
        ...              vectors=np.ones((1, 1, 4, 4)) / 4, singular_values=np.ones((1, 1)))
        >>> km.report(runs[0]).name
        'index.html'
        >>> km.report(runs, f"{folder.name}/compare.html").name
        'compare.html'
        >>> folder.cleanup()
    """
    named = _named_folders(runs, labels)
    for _, folder in named:
        _check_has_results(folder)
    if path is None:
        if len(named) > 1:
            raise ValueError(
                "`path` must name the file for a page of several runs. Received: path=None "
                f"for runs {[label for label, _ in named]}. Give one, such as "
                'path="compare.html".'
            )
        ((label, folder),) = named
        return _write_into(folder, label, running=False)
    path = Path(path)
    _check_is_a_file_name(path)
    _write(path, named, running=False)
    return path


def write_page(directory: str | PathLike[str], *, running: bool = False) -> Path:
    """Writes the page of a run into its folder, as `report` does.

    Args:
        directory: Folder of the run.
        running: Whether the run continues: then the page loads itself again every few
            seconds.

    Returns:
        Path of the page.

    Raises:
        ValueError: If the folder is missing or holds no results.
        FileExistsError: If its `index.html` is not such a page.
        OSError: If the page can't be written; what stood there before stays.
    """
    directory = Path(directory)
    _check_has_results(directory)
    return _write_into(directory, _name_of(directory), running=running)


def _write_into(directory, label, *, running):
    path = directory / _PAGE
    _check_is_ours(path)
    _write(path, [(label, directory)], running=running)
    return path


def _named_folders(runs, labels) -> list[tuple[str, Path]]:
    if isinstance(runs, Mapping):
        if labels is not None:
            raise ValueError(
                "`labels` must be None where `runs` is a mapping, whose keys are the "
                f"labels. Received: labels={labels!r}."
            )
        labels, runs = list(runs), list(runs.values())
    folders = _folders(runs)
    if isinstance(labels, str | PathLike) or not isinstance(labels, Iterable | None):
        raise TypeError(
            f"`labels` must be a list, one entry per run. Received: labels={labels!r}."
        )
    names = [_name_of(f) for f in folders] if labels is None else [str(n) for n in labels]
    if len(names) != len(folders):
        raise ValueError(
            f"`labels` must be one per run, {len(folders)} in all. Received: "
            f"labels={labels!r}."
        )
    if labels is None and len(set(names)) < len(names):
        raise ValueError(
            "Folders must have different names, which are the labels of the runs unless "
            f"`labels` says otherwise. Received: {names}. Give `labels`; runs of one label "
            "are shown as their mean."
        )
    return list(zip(names, folders))


def _folders(runs) -> list[Path]:
    if isinstance(runs, str | PathLike):
        return [Path(runs)]
    folders = list(runs) if isinstance(runs, Iterable) else None
    if folders is None or not all(isinstance(f, str | PathLike) for f in folders):
        raise TypeError(
            "`runs` must be the folder of a run, a list of folders, or a mapping from "
            f"labels to folders. Received: runs={runs!r}."
        )
    if not folders:
        raise ValueError(
            f"`runs` must name the folder of at least one run. Received: runs={runs!r}."
        )
    return [Path(folder) for folder in folders]


def _name_of(folder):
    return folder.resolve().name


def _check_has_results(directory):
    if not directory.is_dir():
        raise ValueError(
            "`runs` must name folders of runs. Received: "
            f"{os.fspath(directory)!r}, which is no folder. Pass the `directory` that the "
            "callbacks had."
        )
    if not any(is_result(path) for path in result_files(directory)):
        raise ValueError(
            "The folder of a run must hold what TangentAnalyzer or ReconstructionGrid "
            f"wrote. Received: {os.fspath(directory)!r}, without such npz or CSV files. "
            "Pass the `directory` that the callbacks had."
        )


def _check_is_a_file_name(path):
    if path.is_dir():
        raise ValueError(
            "`path` must name the HTML file to be written. Received: "
            f"path={os.fspath(path)!r}, which is a folder. Add a name for the file."
        )
    if not path.parent.is_dir():
        raise ValueError(
            "`path` must lead into a folder that exists. Received: "
            f"path={os.fspath(path)!r}. Make its folder first."
        )


def _check_is_ours(page):
    if page.exists() and not is_ours(page):
        raise FileExistsError(
            "The page of a run is its index.html, but another page has that name. "
            f"Received: {os.fspath(page)!r}. Rename it."
        )


def _title(labels):
    """The names of a few runs, or how many there are."""
    return " · ".join(labels) if len(labels) <= 4 else f"{len(labels)} runs compared"


def _write(path, runs, *, running):
    head, tail = page_around(
        {
            "title": _title(list(dict.fromkeys(label for label, _ in runs))),
            "running": "true" if running else "false",
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    known: set[bytes] = set()
    with replacing(path) as file:
        file.write(head)
        for label, directory in runs:
            file.write(b'<script type="application/json" data-run>')
            file.write(as_json({"label": label}) + b"</script>\n")
            for line in lines_of(
                directory,
                directory / _PAGE,
                most_bytes=_MOST_BYTES // len(runs),
                known=known,
            ):
                file.write(line)
        if len(runs) > 1:
            file.write(b'<script type="application/json" id="angles">')
            file.write(as_json(angles_between([folder for _, folder in runs])))
            file.write(b"</script>\n")
        file.write(tail)
