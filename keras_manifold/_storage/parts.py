"""Parts of one run, which several processes write into one folder."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_manifold._storage.folders import folder
from keras_manifold._storage.growing_arrays import (
    GrowingArrays,
    add_attributes,
    attributes_of,
    begin_group,
    written_in,
)
from keras_manifold._storage.joined import Joined
from keras_manifold._storage.stores import OnDisk, is_told_the_same, told_of

# What the group of all parts says of them, under this name.
_PARTS = "parts"

# Of the names of the groups of its parts.
_PREFIX = "part_"

# And this, what its function does to a sample.
_FUNCTION = "function"

# Seconds for which a process waits for others that begin at the same time.
_PATIENCE = 60.0


def checked_part(part: Any, path: Any) -> tuple[int, int] | None:
    """The part as two whole numbers, or `None`.

    Raises:
        ValueError: If it is none, or there is no `path`.
    """
    if part is None:
        return None
    try:
        index, count = part
        is_one = index == int(index) and count == int(count) and 0 <= index < count
    except (TypeError, ValueError, OverflowError):
        is_one = False
    if not is_one:
        raise ValueError(
            "`part` must be (i, n): which one, from 0 to n - 1, of how many. Received: "
            f"part={part!r}."
        )
    if path is None:
        raise ValueError(
            "Parts of a run meet in a folder. Received: "
            f"part={part!r} and path=None. Pass the same `path` to all of them."
        )
    return int(index), int(count)


class OnePart(OnDisk):
    """One of several parts of a run, in a folder that they share.

    The folder is a Zarr group that says what all parts have in common, with one group per
    part. Each has a lock of its own; that of the folder is held while one begins.

    Args:
        path: The folder.
        part: Which one, from 0, and how many there are.
        fingerprint: As `OnDisk` takes it.
        batches: All samples, of this part and of the others: `Batches`.

    Raises:
        ValueError, ImportError, OSError: As `OnDisk` does, and ValueError if the parts that
            are there are of another run.
    """

    def __init__(self, path, part, fingerprint, batches):
        index, count = part
        self._part, self._shared = part, folder(path)
        self._batch_size = batches.batch_size
        begin, end = batches.part(*part)
        self._expected = end - begin
        self._some = some = batches.some()
        shared = {
            "n": count,
            "samples": batches.samples,
            "batches": batches.count,
            "batch_size": batches.batch_size,
            **fingerprint,
            "data": hashlib.sha256(np.ascontiguousarray(some).tobytes()).hexdigest(),
        }
        # Without waiting for a run that is no part.
        _check_shared(self._shared, part, shared)
        with self._alone():
            if _check_shared(self._shared, part, shared) is None:
                begin_group(self._shared, {_PARTS: shared}, _PREFIX)
        # Where there are no locks, others may have begun at the same time: `load_run` sees.
        super().__init__(_of_part(self._shared, index), {**shared, "part": index})

    @contextlib.contextmanager
    def _alone(self):
        """While no other part reads or writes what all have in common."""
        lock = self._shared.locked(_PATIENCE)
        try:
            yield
        finally:
            lock.release()

    def check_function(self, decomposition, first):
        """Refuses a function that does other things to a sample than that of another part.

        Args:
            decomposition: The function's `Decomposition`.
            first: The first batch of samples of this part.
        """
        super().check_function(decomposition, first)
        pieces = decomposition.of_batches(iter([self._some[:1]]), size=self._batch_size)
        found = told_of(next(arrays for _, arrays in pieces))
        with self._alone():
            stored = attributes_of(self._shared).get(_FUNCTION)
            if stored is None:
                add_attributes(self._shared, {_FUNCTION: found})
            elif not is_told_the_same(found, stored):
                raise ValueError(
                    "`path` must be new, or hold parts of the same run. Received: "
                    f"part={self._part!r} and path={str(self._shared)!r}, for "
                    "whose parts the tangent space of the first sample is another: the "
                    "function has changed. Delete the folder or choose another."
                )

    def missing(self, batches):
        """As that of `OnDisk`.

        Raises:
            ValueError: As there, and if there are fewer batches than `x` has promised.
        """
        count = 0

        def counted():
            nonlocal count
            for batch in batches:
                count += 1
                yield batch

        yield from super().missing(counted())
        if count != self._expected:
            raise ValueError(
                f"`x` must bring the batches that it promises. Received: {count} of "
                f"{self._expected} for part={self._part!r}. Correct its length, or run "
                "all parts where all of its data are."
            )


def load_run(
    path: str | os.PathLike[str], names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays of a run, in parts or not, and what it was begun with, by names.

    Args:
        path: The folder.
        names: Arrays to read, where there are such.

    Raises:
        ValueError: If parts are missing, unfinished or of another run, by their numbers; if
            the folder holds nothing such, or nothing is written yet.
    """
    attributes = attributes_of(path)
    if _PARTS in attributes:
        return _load_parts(folder(path), names, attributes[_PARTS])
    return GrowingArrays.load(path, names), attributes.get("fingerprint") or {}


def _load_parts(path, names, shared):
    count = shared["n"]
    missing, unfinished = [], []
    for index in range(count):
        written = written_in(_of_part(path, index))
        if written is None:
            missing.append(index)
        elif not attributes_of(_of_part(path, index)).get("finished"):
            unfinished.append(f"{index} ({written} samples)")
    if missing or unfinished:
        wrong = [
            f"{word}: {', '.join(map(str, which))}"
            for word, which in (("missing", missing), ("unfinished", unfinished))
            if which
        ]
        again = missing[0] if missing else unfinished[0].split()[0]
        raise ValueError(
            f"All {count} parts of a run must be finished to be read as one. Received: "
            f"path={str(path)!r}, of whose parts are {'; '.join(wrong)}. Run these "
            f"(again), as with part=({again}, {count}), or load one that is there: "
            f"{str(_of_part(path, '<i>'))!r}."
        )
    others = [
        str(index)
        for index in range(count)
        if attributes_of(_of_part(path, index))["fingerprint"] != {**shared, "part": index}
    ]
    if others:
        raise ValueError(
            "All parts of a run must be of the same model, data and arguments. Received: "
            f"path={str(path)!r}, of whose parts {', '.join(others)} are not: they began "
            "at the same moment as others. Delete these and run them again."
        )
    parts = [GrowingArrays.load(_of_part(path, index), names) for index in range(count)]
    common = [name for name in names if all(name in part for part in parts)]
    return {name: Joined([part[name] for part in parts]) for name in common}, shared


def _of_part(path, index):
    return path.child(f"{_PREFIX}{index}")


def _check_shared(path, part, shared):
    """What the parts in a folder have in common, seen to be the same; `None` without."""
    attributes = attributes_of(path) if path.has_group() else {}
    if "fingerprint" in attributes:
        raise ValueError(
            "`path` must be new, or hold parts of the same run. Received: "
            f"part={part!r} and path={str(path)!r}, which holds a run that is not in "
            "parts. Leave `part` out to go on with it, or choose another folder."
        )
    found = attributes.get(_PARTS)
    if found is None:
        return None
    differing = [key for key in shared if found.get(key) != shared[key]]
    if differing:
        raise ValueError(
            "`path` must be new, or hold parts of the same run. Received: "
            f"part={part!r} and path={str(path)!r}, whose parts have another "
            f"{', '.join(_said(key, found, shared) for key in differing)}. Delete the "
            "folder or choose another."
        )
    return found


def _said(key, found, shared):
    """A name and, unless it is a digest, both values."""
    if key in ("weights", "data"):
        return key
    return f"{key} ({found.get(key)!r} there, {shared[key]!r} here)"
