"""Arrays that grow on disk."""

import os
from pathlib import Path

from keras_manifold._storage.files import locked
from keras_manifold._storage.joined import Joined

# A chunk of an array on disk: the file that is written again when rows are added to it.
_BYTES_A_CHUNK = 2**22


class GrowingArrays:
    """Arrays in a Zarr group on disk that grow along their first axis.

    A process that ends in the middle of an append loses what it was appending, nothing
    else: the group says how many rows are whole, and says so last.

    Args:
        path: Folder of the group, made if missing.
        fingerprint: What a run that resumes must share with the one that began, by name.
        lock: Name of its lock file; `None` for one beside the folder.

    Attributes:
        written: Rows that are whole.
        note: Text that came with the last append, or `""`.

    Raises:
        ValueError: If the folder holds something else, or a run with another fingerprint.
        ImportError: If Zarr is not installed.
        OSError: If it cannot be written; `BlockingIOError` if another run is writing.
    """

    def __init__(self, path, fingerprint, lock=None):
        zarr = _zarr()
        path = local(path)
        _check_free(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the group, whose readers warn of files that they don't know.
        self._lock = locked(lock or path.with_name(f".{path.name}.lock"))
        try:
            self._group = _opened(zarr, path, "a")
            self._check_or_begin(path, fingerprint)
        except BaseException:
            self.close()
            raise

    def _check_or_begin(self, path, fingerprint):
        attributes = self._group.attrs
        found = attributes.get("fingerprint")
        if found is None:
            if attributes.get("parts"):
                _refuse(path, "which holds a run in parts: pass part=(i, n) for one")
            if next(iter(self._group), None) is not None:
                _refuse(path, "a Zarr group of something else")
            attributes.update(
                {"fingerprint": fingerprint, "written": 0, "note": "", "arrays": []}
            )
        elif found != fingerprint:
            differing = [key for key in fingerprint if found.get(key) != fingerprint[key]]
            raise ValueError(
                "`path` must be new, or hold the beginning of the same run. Received: "
                f"path={os.fspath(path)!r}, whose run has another "
                f"{', '.join(differing)}. Delete the folder or choose another."
            )
        self.written, self.note = attributes["written"], attributes["note"]
        arrays = self.finished()
        for array in arrays.values():
            array.resize((self.written, *array.shape[1:]))  # the rest is not whole
        _check_whole(path, arrays, self.written)

    def append(self, arrays, note=""):
        """Adds rows to each array, by name; the first rows make the arrays."""
        if self.written:  # an earlier version may have begun with fewer
            arrays = {name: arrays[name] for name in self._group.attrs["arrays"]}
        count = len(next(iter(arrays.values())))
        sizes = [rows[:1].nbytes for rows in arrays.values()]
        rows_a_chunk = max(1, _BYTES_A_CHUNK // max(sizes))
        # A chunk of zeros must not look like one that was lost.
        with _zarr().config.set({"array.write_empty_chunks": True}):
            for name, rows in arrays.items():
                if self.written == 0:
                    self._group.create_array(
                        name,
                        shape=(0, *rows.shape[1:]),
                        chunks=(rows_a_chunk, *rows.shape[1:]),
                        dtype=rows.dtype,
                        compressors=None,  # directions are noise to a compressor
                        overwrite=True,
                    )
                array = self._group[name]
                array.resize((self.written + count, *rows.shape[1:]))
                array[self.written :] = rows
        self.written += count
        self.note = note
        self._group.attrs.update(
            {"written": self.written, "note": note, "arrays": list(arrays)}
            | {"finished": False}
        )

    def finish(self):
        """Says that no more rows will come."""
        if not self._group.attrs.get("finished"):
            self._group.attrs.update({"finished": True})

    def finished(self):
        """The arrays as they are on disk, by name."""
        return {name: self._group[name] for name in self._group.attrs["arrays"]}

    def close(self):
        """Lets others write."""
        self._lock.release()

    @staticmethod
    def load(path, names):
        """Arrays of a folder, read when sliced; of a run that goes on, what is whole.

        Args:
            path: Folder of the group.
            names: Arrays to read, where there are such.

        Raises:
            ValueError: If there is no group, or nothing is written yet.
        """
        path = local(path)
        group = _opened(_zarr(), path, "r")
        arrays = {name: group[name] for name in names if name in group}
        written = group.attrs.get("written", None)
        if not arrays or written == 0:
            raise ValueError(
                f"`path` must hold results. Received: path={os.fspath(path)!r}, where "
                "nothing of them is written yet."
            )
        if written is None:
            return arrays
        _check_whole(path, arrays, written)
        if all(array.shape[0] == written for array in arrays.values()):
            return arrays
        return {name: Joined([array], [written]) for name, array in arrays.items()}


def attributes_of(path):
    """What the group in a folder says, by name; nothing where the folder is empty.

    Raises:
        ValueError: If the folder holds something else.
    """
    path = local(path)
    if path.is_dir() and not _holds_anything(path):
        return {}
    return dict(_opened(_zarr(), path, "r").attrs)


def written_in(path):
    """Rows that are whole in a folder, or `None` where no run has begun in it."""
    path = local(path)
    return attributes_of(path).get("written") if (path / "zarr.json").exists() else None


def begin_group(path, attributes):
    """Makes a group of other groups, and says what they are.

    Raises:
        ValueError: If the folder holds something else.
    """
    _check_free(path)
    group = _opened(_zarr(), path, "a")
    if next(iter(group), None) is not None:
        _refuse(path, "a Zarr group of something else")
    group.attrs.update(attributes)


def add_attributes(path, attributes):
    """Says more of a group that is there."""
    _opened(_zarr(), path, "a").attrs.update(attributes)


def local(path):
    """The folder itself, whatever becomes of the working directory and of links."""
    if "://" in os.fspath(path):
        raise ValueError(
            "`path` must be a folder of this machine's file system. Received: "
            f"path={os.fspath(path)!r}."
        )
    return Path(path).resolve()


def _check_free(path):
    """Refuses a folder that holds something but no group."""
    if path.exists() and not (path / "zarr.json").exists() and _holds_anything(path):
        _refuse(path, "which holds something else")


def _holds_anything(path):
    # Zarr leaves its unfinished files behind when it is killed.
    return not path.is_dir() or any(p.suffix != ".partial" for p in path.iterdir())


def _check_whole(path, arrays, written):
    """Refuses arrays that have lost chunks, in whose place Zarr gives zeros."""
    for name, array in arrays.items():
        expected = -(-written // array.chunks[0])
        if array.nchunks_initialized < expected:
            raise ValueError(
                f"The arrays must be whole. Received: path={os.fspath(path)!r}, where "
                f"{expected - array.nchunks_initialized} of {expected} chunks of {name} "
                "are missing. Copy the folder again, or delete it and begin anew."
            )


def _refuse(path, found):
    raise ValueError(
        "`path` must be a new or empty folder, or one that an earlier run with "
        f"the same arguments wrote. Received: path={os.fspath(path)!r}, {found}."
    )


def _opened(zarr, path, mode):
    try:
        return zarr.open_group(path, mode=mode)
    except (FileNotFoundError, zarr.errors.ContainsArrayError):
        raise ValueError(
            f"`path` must hold a Zarr group. Received: path={os.fspath(path)!r}."
        ) from None


def _zarr():
    try:
        import zarr
    except ImportError:
        raise ImportError(
            "Results on disk need Zarr 3.1.3. Install it: pip install keras_manifold[zarr]."
        ) from None
    return zarr
