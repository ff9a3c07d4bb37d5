"""Where the arrays of a run go: to memory, or to disk, where the run can resume."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from keras_manifold._storage.growing_arrays import GrowingArrays

# Images of a unit vector, relative to the largest singular value, that differ by rounding
# only, even in half precision and in batches of another size.
_SAME = 1e-2

# Projections of such an image, as long as sigma, that differ by more than rounding.
_OTHER = 0.1

# Numbers that say what a function does to a sample.
_NUMBERS_TOLD = 8


@runtime_checkable
class Sliceable(Protocol):
    """A NumPy array, or one on disk: a slice of either is a NumPy array."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray: ...


@runtime_checkable
class Store(Protocol):
    """Arrays by name, which grow along their first axis as samples are computed.

    Called in this order: `check_function` with the first batch, `missing` once, `append`
    for each batch that it yields, `finished`, and `close`, also after an exception.
    """

    @property
    def written(self) -> int:
        """Samples that it holds already."""
        ...

    def check_function(self, decomposition: Any, first: np.ndarray) -> None:
        """Raises ValueError if the function is not the one whose arrays it holds."""
        ...

    def missing(self, batches: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        """The batches without the samples that it holds already, which come first."""
        ...

    def append(self, samples: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Takes the arrays of the next samples, whose first axis is theirs."""
        ...

    def finished(self) -> Mapping[str, Any]:
        """All arrays by name, in the order in which they came."""
        ...

    def close(self) -> None:
        """Lets others write. What is finished can still be read."""
        ...


class InMemory:
    """Arrays by name, which grow along their first axis.

    Args:
        total: Samples that will come, or `None` where nobody knows.

    Attributes:
        written: Samples that are here already.
    """

    def __init__(self, total):
        self._total = total
        self.written = 0
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
            self._parts.append(dict(arrays))
            self.written += len(samples)
            return
        if not self._parts:
            self._parts = [
                {
                    name: np.empty((self._total, *rows.shape[1:]), rows.dtype)
                    for name, rows in arrays.items()
                }
            ]
        for name, rows in arrays.items():
            self._parts[0][name][self.written : self.written + len(rows)] = rows
        self.written += len(samples)

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
    """Arrays in a Zarr group. A run that was cut off resumes after what it wrote.

    Args:
        path: Folder of the group.
        fingerprint: What a run that resumes must share with the one that began, by name.

    Attributes:
        written: Samples that are whole on disk.

    Raises:
        ValueError: If the folder holds something else, or a run with another fingerprint.
        ImportError: If Zarr is not installed.
        OSError: If it cannot be written, or another process writes to it.
    """

    def __init__(self, path, fingerprint):
        self._path = path
        self._arrays = GrowingArrays(path, fingerprint)
        self._digest = b""

    @property
    def written(self):
        return self._arrays.written

    def check_function(self, decomposition, first):
        """Refuses a function whose first Jacobians are not those on disk.

        Args:
            decomposition: The function's `Decomposition`.
            first: The first batch of samples.
        """
        count = min(len(first), self.written)
        if not count:
            return
        pieces = decomposition.of_batches(iter([first[:count]]), size=len(first))
        images = np.concatenate([_image_of_a_vector(arrays) for _, arrays in pieces])
        stored = {name: array[:count] for name, array in self._arrays.finished().items()}
        differences = np.linalg.norm(images - _image_of_a_vector(stored), axis=1)
        if (differences > _SAME * stored["singular_values"].max(axis=1)).any():
            raise ValueError(
                f"`path` must hold the beginning of the same run. Received: path="
                f"{str(self._path)!r}, where the tangent spaces of the first samples are "
                "others: the function has changed. Delete the folder or choose another."
            )

    def missing(self, batches):
        """The batches without the samples on disk, once they are seen to be the same.

        Raises:
            ValueError: If they are not, or end before.
        """
        left = self.written
        for batch in batches:
            skipped, batch = batch[:left], batch[left:]
            left -= len(skipped)
            self._digest = _chained(self._digest, skipped)
            if len(skipped) and left == 0 and self._digest.hex() != self._arrays.note:
                raise ValueError(
                    f"`path` must hold the beginning of the same run. Received: path="
                    f"{str(self._path)!r}, whose {self.written} samples are not "
                    "the first of `x`. Delete the folder or choose another."
                )
            if len(batch):
                yield batch
        if left:
            raise ValueError(
                f"`path` must hold the beginning of the same run. Received: path="
                f"{str(self._path)!r} with {self.written} samples, and x with "
                f"{self.written - left}. Delete the folder or choose another."
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
        self._arrays.finish()
        return self._arrays.finished()


def _image_of_a_vector(arrays):
    """A vector's image under U Σ Vᵀ of each sample, which ties leave as it is."""
    flat = {
        name: array.reshape(*array.shape[:2], -1).astype("float64")
        for name, array in arrays.items()
        if name in ("vectors", "singular_values", "code_vectors")
    }
    size = flat["vectors"].shape[2]
    vector = np.random.default_rng(0).normal(size=size) / np.sqrt(size)
    components = flat["vectors"] @ vector * flat["singular_values"][..., 0]
    return np.einsum("nk,nko->no", components, flat["code_vectors"])


def told_of(arrays):
    """A few numbers that tell one function from another, of the arrays of a sample."""
    size = np.prod(arrays["vectors"].shape[2:])
    image = _image_of_a_vector(arrays)[0] * np.sqrt(size)  # as long as sigma
    directions = np.random.default_rng(1).normal(size=(_NUMBERS_TOLD, image.size))
    sigma = arrays["singular_values"][0].astype("float64")
    return {"image": (directions @ image).tolist(), "singular_values": sigma.tolist()}


def is_told_the_same(one, other):
    """Whether two results of `told_of` differ by rounding alone."""
    sigma = [told["singular_values"] for told in (one, other)]
    if len(sigma[0]) != len(sigma[1]):
        return False
    largest = max(map(max, sigma))
    # Other directions change the image by sigma; rounding, at near ties, by a part of it.
    changes = np.abs(np.subtract(one["image"], other["image"])).max()
    others = np.abs(np.subtract(*sigma)).max()
    return bool(others <= _SAME * largest and changes <= _OTHER * largest)


def _chained(digest, samples):
    """A digest of all samples so far, however they come in batches."""
    for sample in samples:
        digest = hashlib.sha256(digest + np.ascontiguousarray(sample).tobytes()).digest()
    return digest
