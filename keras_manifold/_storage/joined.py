"""Arrays one after another, as one, and rows of arrays that need not be in memory."""

import bisect
import itertools
import operator
from typing import Any

import numpy as np


class Joined:
    """Arrays one after another along their first axis, read when they are sliced.

    Indexed as a Zarr array is: by whole numbers, slices and an ellipsis, and by a sequence
    of numbers or truth values along the first axis.

    Args:
        arrays: At least one, of one dtype and of one shape but for the first axis.
        lengths: Rows that count of each; `None` for all.

    Attributes:
        arrays: The same.
        shape, dtype, ndim: Of all of it.
    """

    def __init__(self, arrays, lengths=None):
        self.arrays = tuple(arrays)
        first = self.arrays[0]
        lengths = [array.shape[0] for array in self.arrays] if lengths is None else lengths
        self._ends = list(itertools.accumulate(lengths))
        self._starts = [0, *self._ends[:-1]]
        self.shape = (self._ends[-1], *first.shape[1:])
        self.dtype = np.dtype(first.dtype)
        self.ndim = len(self.shape)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"<Joined: {len(self.arrays)} arrays, shape {self.shape}, {self.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(
                "Arrays that are joined can't be had without a copy. Received: copy=False."
            )
        return np.asarray(self[:], dtype)

    def __getitem__(self, key: Any, /) -> Any:
        rows, *others = _all_axes(key, self.ndim)
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._between(start, max(start, stop), others)
            rows = range(start, stop, step)
        elif not np.ndim(rows):
            row = operator.index(rows)
            if not -len(self) <= row < len(self):
                raise IndexError(
                    f"The first index must be in [-{len(self)}, {len(self) - 1}]. "
                    f"Received: {row}."
                )
            number, row = self._place(row % len(self))
            return np.asarray(self.arrays[number][(row, *others)])
        rows = rows if isinstance(rows, np.ndarray) else list(rows)
        return self._at(np.arange(len(self))[rows], others)

    @property
    def oindex(self):
        """The array itself: a sequence along the first axis is no matter to it."""
        return self

    def _place(self, row):
        """The array of a row, and the row in it."""
        number = bisect.bisect_right(self._ends, row)
        return number, row - self._starts[number]

    def _between(self, start, stop, others):
        found: list[np.ndarray] = []
        for array, begin, end in zip(self.arrays, self._starts, self._ends):
            low, high = max(start, begin), min(stop, end)
            if low < high or (start == stop and not found):
                part = array[(slice(low - begin, max(low, high) - begin), *others)]
                found.append(np.asarray(part))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _at(self, rows, others):
        found = self._between(0, 0, others)
        found = np.empty((len(rows), *found.shape[1:]), found.dtype)
        numbers = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(numbers):
            array, is_here = self.arrays[number], numbers == number
            taken = rows_at(array, rows[is_here] - self._starts[number])
            found[is_here] = taken[(slice(None), *others)]
        return found


def rows_at(array: Any, places: Any) -> np.ndarray:
    """The rows at some places, as a NumPy array.

    Args:
        array: Of NumPy or Zarr, or joined.
        places: Whole numbers of at least 0, in any order.
    """
    places = np.asarray(places)
    if len(places) and (np.diff(places) == 1).all():
        return np.asarray(array[places[0] : places[-1] + 1])
    if not hasattr(array, "oindex"):
        return np.asarray(array[places])
    return np.asarray(array.oindex[places])


def _all_axes(key, ndim):
    """The index of each axis."""
    keys = key if isinstance(key, tuple) else (key,)
    whole = slice(None)
    places = [place for place, one in enumerate(keys) if one is Ellipsis]
    if places:
        missing = (whole,) * (ndim - len(keys) + 1)
        keys = (*keys[: places[0]], *missing, *keys[places[0] + 1 :])
    if len(keys) > ndim or any(one is None or one is Ellipsis for one in keys):
        raise IndexError(
            f"The index must be of {ndim} axes at most, without new ones. Received: "
            f"{key!r}."
        )
    return (*keys, *(whole,) * (ndim - len(keys)))
