"""Arrays that grow on disk."""

from keras_manifold._storage.folders import folder, zarr
from keras_manifold._storage.joined import Joined

# A chunk of an array on disk: the file that is written again when rows are added to it.
_BYTES_A_CHUNK = 2**22


class GrowingArrays:
    """Arrays in a Zarr group on disk that grow along their first axis.

    A process that ends in the middle of an append loses what it was appending, nothing
    else: the group says how many rows are whole, and says so last.

    Args:
        path: Folder of the group, made if missing: a path, an address or a `Folder`.
        fingerprint: What a run that resumes must share with the one that began, by name.

    Attributes:
        written: Rows that are whole.
        note: Text that came with the last append, or `""`.

    Raises:
        ValueError: If the folder holds something else, or a run with another fingerprint.
        ImportError: If Zarr is not installed.
        OSError: If it cannot be written; `BlockingIOError` if another run is writing.
    """

    def __init__(self, path, fingerprint):
        zarr()  # which may be missing
        path = folder(path)
        _check_free(path)
        self._lock = path.locked()
        try:
            self._group = path.opened("a")
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
                f"path={str(path)!r}, whose run has another "
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
        with zarr().config.set({"array.write_empty_chunks": True}):
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
        path = folder(path)
        group = path.opened("r")
        arrays = {name: group[name] for name in names if name in group}
        written = group.attrs.get("written", None)
        if not arrays or written == 0:
            raise ValueError(
                f"`path` must hold results. Received: path={str(path)!r}, where "
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
    path = folder(path)
    return dict(path.opened("r").attrs) if path.holds_anything() else {}


def written_in(path):
    """Rows that are whole in a folder, or `None` where no run has begun in it."""
    path = folder(path)
    return attributes_of(path).get("written") if path.has_group() else None


def begin_group(path, attributes, prefix):
    """Makes a group of other groups, and says what they are.

    Args:
        path: Its folder.
        attributes: What it says, by name.
        prefix: Of the names of its groups, which others may have begun already.

    Raises:
        ValueError: If the folder holds something else.
    """
    path = folder(path)
    _check_free(path)
    group = path.opened("a")
    if not all(name.startswith(prefix) for name in group):
        _refuse(path, "a Zarr group of something else")
    group.attrs.update(attributes)


def add_attributes(path, attributes):
    """Says more of a group that is there."""
    folder(path).opened("a").attrs.update(attributes)


def _check_free(path):
    """Refuses a folder that holds something but no group."""
    if path.holds_anything() and not path.has_group():
        _refuse(path, "which holds something else")


def _check_whole(path, arrays, written):
    """Refuses arrays that have lost chunks, in whose place Zarr gives zeros."""
    for name, array in arrays.items():
        expected = -(-written // array.chunks[0])
        if array.nchunks_initialized < expected:
            raise ValueError(
                f"The arrays must be whole. Received: path={str(path)!r}, where "
                f"{expected - array.nchunks_initialized} of {expected} chunks of {name} "
                "are missing. Copy the folder again, or delete it and begin anew."
            )


def _refuse(path, found):
    raise ValueError(
        "`path` must be a new or empty folder, or one that an earlier run with "
        f"the same arguments wrote. Received: path={str(path)!r}, {found}."
    )
