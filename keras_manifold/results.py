"""Where the arrays of a run go: to memory, or to disk, where the run can go on."""

import hashlib

import numpy as np

from keras_manifold.files import GrowingArrays

# Singular values, relative to the largest, that differ by rounding only, even in half
# precision and in batches of another size.
_SAME = 1e-2


class InMemory:
    """Arrays by name, which grow along their first axis.

    Args:
        total: Samples that will come, or `None` where nobody knows.
    """

    def __init__(self, total):
        self._total = total
        self._written = 0
        self._parts: list[dict] = []

    def missing(self, batches):
        """The batches that are still to be computed: all of them."""
        return batches

    def check_function(self, decomposition, first):
        """Nothing to hold the function against."""

    def close(self):
        """Nothing to close."""

    def append(self, samples, arrays):
        """Takes the arrays of some samples."""
        if self._total is None:
            self._parts.append(arrays)
            return
        if not self._parts:
            self._parts = [
                {
                    name: np.empty((self._total, *rows.shape[1:]), rows.dtype)
                    for name, rows in arrays.items()
                }
            ]
        for name, rows in arrays.items():
            self._parts[0][name][self._written : self._written + len(rows)] = rows
        self._written += len(samples)

    def finished(self):
        """All arrays by name."""
        if self._total is not None:
            return self._parts[0]
        # One array at a time, so that parts and result are not both held of all.
        names = list(self._parts[0])
        return {
            name: np.concatenate([part.pop(name) for part in self._parts]) for name in names
        }


class OnDisk:
    """Arrays in a Zarr group. A run that was cut off goes on after what it wrote.

    Args:
        path: Folder of the group.
        fingerprint: What a run that goes on must share with the one that began, by name.

    Raises:
        ValueError: If the folder holds something else, or a run with another fingerprint.
        ImportError: If Zarr is not installed.
        OSError: If it cannot be written, or another process writes to it.
    """

    def __init__(self, path, fingerprint):
        self._path = path
        self._arrays = GrowingArrays(path, fingerprint)
        self._digest = b""

    def check_function(self, decomposition, first):
        """Refuses a function whose first Jacobians are not those on disk.

        Args:
            decomposition: The function's `Decomposition`.
            first: The first batch of samples.
        """
        count = min(len(first), self._arrays.written)
        pieces = decomposition.of_batches(iter([first[:count]]) if count else iter([]))
        sigma = [arrays["singular_values"] for _, arrays in pieces]
        if not sigma:
            return
        found = np.concatenate(sigma)
        stored = self._arrays.rows("singular_values", count)
        differences = np.abs(found - stored).max(axis=1)
        if (differences > _SAME * stored.max(axis=1)).any():
            raise ValueError(
                f"`path` must hold the beginning of the same run. Received: path="
                f"{str(self._path)!r}, where the singular values of the first samples are "
                f"others, by up to {differences.max():.2g}: the function has changed. "
                "Delete the folder or choose another."
            )

    def missing(self, batches):
        """The batches without the samples on disk, once they are seen to be the same.

        Raises:
            ValueError: If they are not, or end before.
        """
        left = self._arrays.written
        for batch in batches:
            skipped, batch = batch[:left], batch[left:]
            left -= len(skipped)
            self._digest = _chained(self._digest, skipped)
            if len(skipped) and left == 0 and self._digest.hex() != self._arrays.note:
                raise ValueError(
                    f"`path` must hold the beginning of the same run. Received: path="
                    f"{str(self._path)!r}, whose {self._arrays.written} samples are not "
                    "the first of `x`. Delete the folder or choose another."
                )
            if len(batch):
                yield batch
        if left:
            raise ValueError(
                f"`path` must hold the beginning of the same run. Received: path="
                f"{str(self._path)!r} with {self._arrays.written} samples, and x with "
                f"{self._arrays.written - left}. Delete the folder or choose another."
            )

    def close(self):
        """Lets others write."""
        self._arrays.close()

    def append(self, samples, arrays):
        """Writes the arrays of some samples."""
        self._digest = _chained(self._digest, samples)
        self._arrays.append(arrays, note=self._digest.hex())

    def finished(self):
        """All arrays by name, read when they are sliced."""
        return self._arrays.finished()


def _chained(digest, samples):
    """A digest of all samples so far, however they come in batches."""
    for sample in samples:
        digest = hashlib.sha256(digest + np.ascontiguousarray(sample).tobytes()).digest()
    return digest
