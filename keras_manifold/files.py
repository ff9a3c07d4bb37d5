"""Files that are written whole or not at all, and arrays that grow on disk."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A binary file that takes the place of `path` once all of it is written.

    Args:
        path: File name in a folder that exists.

    Yields:
        The file, open for writing under a hidden name beside `path`.

    Raises:
        OSError: If it cannot be written; what stood under `path` before stays.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(aside, "wb") as file:
            yield file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


class GrowingArrays:
    """Arrays in a Zarr group on disk that grow along their first axis.

    A process that ends in the middle of an append loses what it was appending, nothing
    else: the group says how many rows are whole, and says so last.

    Args:
        path: Folder of the group, made if missing.
        fingerprint: What a run that goes on must share with the one that began, by name.

    Attributes:
        written: Rows that are whole.

    Raises:
        ValueError: If the folder holds something else, or a run with another fingerprint.
        ImportError: If Zarr is not installed.
        OSError: If it cannot be written.
    """

    def __init__(self, path, fingerprint):
        zarr = _zarr()
        path = Path(path)
        if path.exists() and not (path / "zarr.json").exists() and _holds_anything(path):
            raise ValueError(
                "`path` must be a new or empty folder, or one that an earlier run with "
                f"the same arguments wrote. Received: path={os.fspath(path)!r}."
            )
        self._group = zarr.open_group(path, mode="a")
        found = self._group.attrs.get("fingerprint")
        if found is None and next(iter(self._group), None) is not None:
            raise ValueError(
                "`path` must be a new or empty folder, or one that an earlier run with "
                f"the same arguments wrote. Received: path={os.fspath(path)!r}, a Zarr "
                "group of something else."
            )
        if found is None:
            self._group.attrs.update({"fingerprint": fingerprint, "written": 0})
        elif found != fingerprint:
            differing = [key for key in fingerprint if found.get(key) != fingerprint[key]]
            raise ValueError(
                "`path` must be new, or hold the beginning of the same run. Received: "
                f"path={os.fspath(path)!r}, whose run has another "
                f"{', '.join(differing)}. Delete the folder or choose another."
            )
        self.written = self._group.attrs["written"]

    def append(self, arrays):
        """Adds rows to each array, by name; the first rows make the arrays."""
        count = len(next(iter(arrays.values())))
        for name, rows in arrays.items():
            if name not in self._group:
                # Chunks of one append: none is read again.
                self._group.create_array(
                    name,
                    shape=(0, *rows.shape[1:]),
                    chunks=(count, *rows.shape[1:]),
                    dtype=rows.dtype,
                    compressors=None,  # directions are noise to a compressor
                )
            array = self._group[name]
            array.resize((self.written + count, *rows.shape[1:]))
            array[self.written :] = rows
        self.written += count
        self._group.attrs["written"] = self.written

    def finished(self):
        """The arrays as they are on disk, by name."""
        return dict(self._group.arrays())

    @staticmethod
    def load(path):
        """Arrays of a folder by name, read when sliced; in memory if it is unfinished."""
        try:
            group = _zarr().open_group(path, mode="r")
        except FileNotFoundError:
            raise ValueError(
                f"`path` must hold a Zarr group. Received: path={os.fspath(path)!r}."
            ) from None
        written = group.attrs.get("written", 0)
        arrays = dict(group.arrays())
        if all(array.shape[0] == written for array in arrays.values()):
            return arrays
        return {name: array[:written] for name, array in arrays.items()}


def _holds_anything(path):
    return not path.is_dir() or next(path.iterdir(), None) is not None


def _zarr():
    try:
        import zarr
    except ImportError:
        raise ImportError(
            "Results on disk need Zarr 3. Install it: pip install zarr."
        ) from None
    return zarr
