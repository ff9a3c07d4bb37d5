"""Tangent spaces: the singular vectors of a Jacobian."""

import contextlib
import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import keras
import numpy as np

from keras_manifold._arguments import (
    Part,
    Verbose,
    check_at_most,
    check_choice,
    check_count,
    check_verbose,
)
from keras_manifold._map.decomposition import Decomposition
from keras_manifold._storage.archives import MOST_BYTES, read_arrays
from keras_manifold._storage.files import replacing
from keras_manifold._storage.folders import is_folder
from keras_manifold._storage.joined import rows_at
from keras_manifold._storage.parts import OnePart, checked_part, load_run
from keras_manifold._storage.snapshots import (
    INPUT,
    Snapshot,
    part_beside,
    samples_beside,
)
from keras_manifold._storage.stores import InMemory, OnDisk, Sliceable, Store
from keras_manifold._storage.streams import Batches, with_progress
from keras_manifold.plot._overview import overview
from keras_manifold.plot._rendering import rendered

Method = Literal["auto", "dense", "lanczos"]

# Directions of a sample above which feature maps as codes are worth a word.
_MANY = 1024


_ARRAYS = ("vectors", "singular_values", "code_vectors", "errors", "inputs")


@dataclass(frozen=True, eq=False, repr=False)
class TangentSpace:
    """Tangent spaces of `n` samples, as NumPy arrays.

    Where `tangent_space` was given a `path`, or `load` a folder, they are Zarr arrays
    instead, which are read when they are sliced: `space.vectors[:]` is a NumPy array.

    `len(space)` is `n`. `space[i]`, `space[2:5]` and `space[[0, 7]]` are the `TangentSpace`
    of these samples, with `n` of 1, 3 and 2, in memory; iteration goes through single ones.
    In a notebook it shows the first samples, their tangent vectors and spectra.

    Attributes:
        vectors: Tangent vectors in input space (of a decoder: in the space of
            reconstructions), orthonormal for each sample, shape `(n, k, *input_shape)`.
            Each one's entry of largest magnitude is positive; of entries that are equal in
            magnitude to 1e-4, the first.
        singular_values: How much the function stretches each of them, descending,
            shape `(n, k)`, at least 0, in units of output per unit of input.
        code_vectors: The matching orthonormal directions in code space, shape
            `(n, k, *code_shape)`, such as `(n, k, latent_dim)`; codes that are feature
            maps keep their shape here and count as flattened elsewhere. Of a
            reconstruction, where both sides are shaped as inputs: the directions of its
            outputs, `(n, k, *output_shape)`.
        errors: For each singular value the distance within which the matrix has one,
            shape `(n, k)`, where block Lanczos found it. `None` where all of the Jacobian
            was decomposed, to the accuracy of float32.
        inputs: The samples themselves, `(n, *input_shape)`. `None` where nobody kept them.
        of: What was decomposed: `"encoder"`, `"decoder"` or `"reconstruction"`. `None`
            where nobody noted it.
        half_precision: Whether the vectors were stored with 11 bits or fewer, as callbacks
            do: they are orthonormal to 1e-3 then.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3)
        >>> space = km.tangent_space(model, x)
        >>> space.vectors.shape, space.singular_values.shape, space.code_vectors.shape
        ((5, 3, 8, 8, 1), (5, 3), (5, 3, 3))
        >>> space[1:3]
        <TangentSpace of the encoder: 2 samples of shape (8, 8, 1), 3 directions>
    """

    vectors: Annotated[Sliceable, "n k *input_shape"]
    singular_values: Annotated[Sliceable, "n k"]
    code_vectors: Annotated[Sliceable, "n k *code_shape"]
    errors: Annotated[Sliceable, "n k"] | None = None
    inputs: Annotated[Sliceable, "n *sample_shape"] | None = None
    of: Part | None = None
    half_precision: bool = False

    def __len__(self) -> int:
        return self.singular_values.shape[0]

    def __iter__(self) -> Iterator["TangentSpace"]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice | Sequence[int]) -> "TangentSpace":
        places = _places(index, len(self))
        taken: dict[str, Any] = {
            name: rows_at(array, places) for name, array in self.arrays().items()
        }
        return replace(self, **taken)

    def __repr__(self) -> str:
        count, k = self.singular_values.shape
        samples, directions = (
            f"{number} {word}{'' if number == 1 else 's'}"
            for number, word in ((count, "sample"), (k, "direction"))
        )
        of = f" of the {self.of}" if self.of else ""
        shape = tuple(self.vectors.shape[2:])
        half = ", in half precision" if self.half_precision else ""
        return f"<TangentSpace{of}: {samples} of shape {shape}, {directions}{half}>"

    def _repr_png_(self):
        return rendered(overview(self[:3])) if len(self) else None

    def leading(self, k: int) -> "TangentSpace":
        """The same with the `k` leading directions only.

        Args:
            k: At least 1, at most the number of directions at hand.

        Returns:
            `TangentSpace` with `k` directions a sample, in memory.

        Raises:
            ValueError: If `k` is out of range.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense(20, latent_dim=3)
            >>> space = km.tangent_space(model, np.ones((5, 20), "float32"))
            >>> space.leading(2).vectors.shape
            (5, 2, 20)
        """
        available = self.singular_values.shape[1]
        check_at_most("k", k, available, f"the tangent space has {available}")
        arrays = self.arrays()
        arrays.pop("inputs", None)
        return replace(self, **{name: array[:, :k] for name, array in arrays.items()})

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the arrays to one `.npz` file, whole or not at all.

        Args:
            path: File name, taken as it is; `.npz` is its usual ending.

        Raises:
            OSError: If the file cannot be written.

        Examples:
            >>> import tempfile, numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense(20, latent_dim=3)
            >>> space = km.tangent_space(model, np.ones((5, 20), "float32"))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     space.save(f"{folder}/space.npz")
            ...     loaded = km.TangentSpace.load(f"{folder}/space.npz")
            >>> loaded.vectors.shape
            (5, 3, 20)
        """
        with replacing(path) as file:
            arrays: dict[str, Any] = self.arrays()
            if self.half_precision:
                arrays["vectors"] = _half(self.vectors)
            if self.of is not None:
                arrays["of"] = np.array(self.of)
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(
        cls, path: str | PathLike[str], *, max_bytes: int = MOST_BYTES
    ) -> "TangentSpace":
        """Reads what `save`, `TangentAnalyzer` or `tangent_space(..., path=...)` wrote.

        Args:
            path: Name of the file, or of the folder, or its address in an object store: of
                a run that was cut off, it gives the samples that are written. The parts of
                a run are read as one.
            max_bytes: What the headers of a file may promise, which is seen before it is
                read; folders are read as they are sliced.

        Returns:
            `TangentSpace`.

        Raises:
            ValueError: If the file does not hold a tangent space, is cut short or damaged,
                or promises more than `max_bytes`; if parts are missing or unfinished, by
                their numbers.
            FileNotFoundError: If there is no such file.

        Examples:
            See `save`.
        """
        if is_folder(path):
            on_disk, run = load_run(path, _ARRAYS)
            return cls._of(path, on_disk, run.get("of"))
        names = (*_ARRAYS, "of", INPUT)
        found: dict[str, Any] = read_arrays(path, names, max_bytes=max_bytes)
        of = str(found.pop("of")) if "of" in found else None
        if of is None and Snapshot.is_named(Path(path)):
            of = part_beside(Path(path))
        of_callback = found.pop(INPUT, None)
        if "inputs" not in found:
            file = Path(path)
            samples = samples_beside(file) if Snapshot.is_named(file) else {}
            of_callback = samples.get(INPUT) if of_callback is None else of_callback
            if of_callback is not None:
                found["inputs"] = of_callback
        return cls._of(path, found, of)

    @classmethod
    def _of(cls, path, arrays, of):
        needed = ("vectors", "singular_values", "code_vectors")
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise ValueError(
                f"A tangent space is made of the arrays {', '.join(needed)}. "
                f"Received: {path} without {', '.join(missing)}."
            )
        is_half = arrays["vectors"].dtype == "float16"
        if is_half:  # arithmetic with so few bits would lose more
            arrays = {name: _full(array) for name, array in arrays.items()}
        return cls(**arrays, of=of, half_precision=is_half)

    def arrays(self) -> dict[str, Any]:
        """The arrays by name, without those that are `None`.

        Returns:
            Mapping from the names of the attributes to them.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense(20, latent_dim=3)
            >>> space = km.tangent_space(model, np.ones((5, 20), "float32"))
            >>> list(space.arrays())
            ['vectors', 'singular_values', 'code_vectors', 'inputs']
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return {name: array for name, array in arrays.items() if array is not None}


def tangent_space(
    model: Any,
    x: Any,
    *,
    of: Part = "encoder",
    k: int | None = None,
    method: Method = "auto",
    batch_size: int = 32,
    seed: int | None = None,
    path: str | PathLike[str] | None = None,
    part: tuple[int, int] | None = None,
    verbose: Verbose = "auto",
) -> TangentSpace:
    r"""Tangent space of the learned manifold at each sample.

    The Jacobian $J = U \Sigma V^\top$ at each $x$ is decomposed:

    - `of="encoder"`: of the code by the input. The tangent vectors are the right singular
      vectors, the directions in input space that the code follows.
    - `of="decoder"`: of the reconstruction by the code, at the code of $x$. The tangent
      vectors are the left singular vectors: the decoder's image moves along them.
    - `of="reconstruction"`: of the reconstruction by the input. The tangent vectors are
      the right singular vectors. It has at most the rank `latent_dim`, and its triplets
      come from the factors $J = J_g J_f$, without forming it.

    They agree with a float64 SVD of the same $J$: singular values to 1e-5 of the largest,
    vectors orthonormal to 1e-5 even where $J$ has a lower rank than `k`. Where singular
    values are equal, only the space that their vectors span is determined.

    Cost: `"dense"` takes a pass (about two evaluations) for each entry of the shorter side
    of $J$ and one eigendecomposition of a Gram matrix of that size, in float64; a
    reconstruction through its code takes `latent_dim` passes through each half. `"lanczos"`
    never forms $J$: it takes about 16 products with $J$ and with $J^\top$ for each of `k +
    8` vectors. The compilation comes on top, once for an encoder or decoder that is a Keras
    layer, at each call for other callables; `forget_compiled` says when a change of a layer
    is followed. Where `keras.distribution` was set before a Keras model was made, the
    samples of a batch are split over the devices of the process; where it joins several
    processes, each of them computes all samples of `x`, or its `part`.

    Args:
        model: `AutoEncoder`, or any object with an `encoder` and a `decoder`. Or a Keras
            layer or callable, which is taken for what `of` names: from `(batch,
            *input_shape)` to codes `(batch, *code_shape)` or to reconstructions, or, for
            `"decoder"`, from codes.
        x: Array of shape `(n, *input_shape)`, or an iterable of batches
            (`tf.data.Dataset`, `PyDataset`, torch `DataLoader`, generator); of the
            tuples `(x, y)` it may yield only `x` is used. Integers are cast to floating
            point. Arrays on disk (memory-mapped, of Zarr, HDF5 or dask) and tables of one
            column of Hugging Face's `datasets` are read batch by batch.
        of: `"encoder"`, `"decoder"` or `"reconstruction"`.
        k: Number of directions, in [1, rank], where the rank is at most the shorter side of
            $J$ and, of a reconstruction, the size of a code; `None` for all.
        method: `"dense"`, `"lanczos"`, or `"auto"`: dense (of a reconstruction, through
            the code) but where the shorter side of $J$ is above 1,024 and above 32 times
            `k + 8`.
        batch_size: Samples at a time, at least 1; fewer where their Jacobians would take
            more than about 200 MB. Streams bring their own.
        seed: Integer, at least 0, for the random vectors with which `"lanczos"` begins;
            `None` for the same ones in every run.
        path: Folder into which the results go as they come, as a Zarr group with the arrays
            of `TangentSpace` (`pip install zarr`): memory does not grow with the
            number of samples. A run that was cut off goes on from what it wrote if it is
            called again with the same model, samples and arguments. Or the address of one
            in an object store, such as `s3://bucket/run`, through fsspec (`pip install
            keras_manifold[remote]` and what the store needs, such as s3fs): object stores
            have no locks, so that nothing keeps two processes from writing the same
            results. `None` to keep them in memory.
        part: `(i, n)`, for one of `n` processes that share `path`: the i-th of `n`
            contiguous parts of the samples, from 0, cut between batches. Each is a run that
            goes on when it was cut off; `TangentSpace.load(path)` reads all of them as one,
            with the bits of a run in one process on such a machine if all batches but the
            last are of one size. `x` must say how many samples or batches it has, and bring
            the same ones in the same order to every process, of which a few samples are
            compared. `None` for all samples.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one on runs that are long
            or of unknown length.

    Returns:
        `TangentSpace`: `vectors` `(n, k, *input_shape)`, `singular_values` `(n, k)`,
        `code_vectors` `(n, k, *code_shape)`; see there. With `part`, of its samples only.

    Raises:
        ValueError: If an argument is out of range, `x` is empty, a function mixes
            samples, declares integer inputs or returns integers, or `path` holds something
            else, such as parts of another number, model or samples.
        TypeError: If `model` can't be called and lacks the part that `of` names, or `x` is
            neither an array nor an iterable of batches of one.
        FloatingPointError: If the Jacobian of a sample has NaN or infinite entries.
        ImportError: If there is a `path` and Zarr is not installed, or what its address
            needs.
        OSError: If `path` can't be written; `BlockingIOError` if another run is writing
            to it.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=4)
        >>> x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
        >>> space = km.tangent_space(model, x, k=2)
        >>> space.vectors.shape, space.singular_values.shape, space.code_vectors.shape
        ((3, 2, 8, 8, 1), (3, 2), (3, 2, 4))

    References:
        Rifai, Dauphin, Vincent, Bengio and Muller (2011), The manifold tangent
        classifier, NIPS.
    """
    check_choice("of", of, Part)
    check_choice("method", method, Method)
    check_verbose(verbose)
    if seed is not None:
        seed = check_count("seed", seed, least=0, note="or None")
    if k is not None:
        k = check_count("k", k, note="or None")
    part = checked_part(part, path)
    source = Batches(x, batch_size)
    begin, end = (0, source.count) if part is None else source.part(*part)
    batches = source.between(begin, end)
    first = next(batches, None)
    if first is None:
        asked = "" if part is None else f" for part={part!r}"
        raise ValueError(
            f"`x` must bring at least one batch. Received: an empty stream{asked}."
        )
    size = len(first) if part is None else source.batch_size
    decomposition = Decomposition(model, first, of=of, k=k, method=method, seed=seed)
    if of == "encoder" and decomposition.is_square and is_whole(model):
        warn_of_whole(model)
    elif (
        of == "encoder"
        and k is None
        and len(decomposition.code_shape) > 1
        and decomposition.k > _MANY
    ):
        shape = decomposition.code_shape
        warnings.warn(
            f"The codes are feature maps of shape {shape}, which count as flattened: "
            f"{decomposition.k} directions a sample are computed. Received: k=None. Pass "
            f"k=..., or pool them, by {_pooling(shape)} after the last layer.",
            stacklevel=2,
        )
    if path is None:
        results: Store = InMemory(source.samples)
    elif part is None:
        results = OnDisk(path, decomposition.fingerprint())
    else:
        results = OnePart(path, part, decomposition.fingerprint(), source)
    count = None if end is None else end - begin
    batches = with_progress(itertools.chain([first], batches), count, verbose)
    with contextlib.closing(results):
        results.check_function(decomposition, first)
        start = results.written + begin * size
        missing = decomposition.of_batches(results.missing(batches), start, size=size)
        for samples, arrays in missing:
            results.append(samples, {**arrays, "inputs": samples})
        return TangentSpace(**results.finished(), of=of)


def warn_of_whole(model: Any) -> None:
    """Says what to do where an encoder with outputs like its inputs is an autoencoder."""
    code, shape = _narrowest(model)
    pooled = f", and {_pooling(shape)} after it" if len(shape) > 1 else ""
    name = getattr(model, "name", model)
    warnings.warn(
        "The outputs have the shape of the inputs: is the model a whole autoencoder? "
        f'Received: of="encoder" and model={name!r}. Then pass of="reconstruction", or '
        "its encoder alone, such as keras.Model(model.input, "
        f"model.get_layer({code!r}).output){pooled}. If it is an encoder, all is well.",
        stacklevel=3,
    )


def is_whole(model: Any) -> bool:
    """Whether it is one layer or model, instead of something with an encoder."""
    return isinstance(model, keras.Layer) and not hasattr(model, "encoder")


def _narrowest(model):
    """The name of the layer with the fewest outputs, and their shape."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for layer in getattr(model, "layers", ()):
        try:
            shape = tuple(layer.output.shape[1:])
        except (AttributeError, ValueError, RuntimeError):  # several, or not built
            continue
        if shape and None not in shape:
            found.append((layer.name, shape))
    return min(found, key=lambda one: math.prod(one[1]), default=("code", ()))


def _pooling(shape):
    """The layer that makes one vector of feature maps."""
    return f"keras.layers.GlobalAveragePooling{max(1, len(shape) - 1)}D()"


def _places(index, count):
    """The samples that an index names, as whole numbers from 0."""
    try:
        places = np.atleast_1d(np.arange(count)[index])
    except IndexError:
        raise IndexError(
            f"The index of a sample must be in [-{count}, {count - 1}], a slice or a list "
            f"of such, as there are {count} samples. Received: {index!r}."
        ) from None
    return places


def _half(array):
    return np.asarray(array).astype("float16")


def _full(array):
    return array.astype("float32") if array.dtype == "float16" else array
