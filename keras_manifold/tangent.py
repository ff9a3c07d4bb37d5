"""Tangent spaces: the singular vectors of a Jacobian."""

import contextlib
import itertools
import os
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold._arguments import check_at_most, check_choice, check_count
from keras_manifold._map.decomposition import Decomposition
from keras_manifold._storage.files import replacing
from keras_manifold._storage.growing_arrays import GrowingArrays
from keras_manifold._storage.stores import InMemory, OnDisk, Store
from keras_manifold._storage.streams import floating_batches, with_progress


@dataclass(frozen=True, eq=False)
class TangentSpace:
    """Tangent spaces of `n` samples, as NumPy arrays.

    Where `tangent_space` was given a `path`, or `load` a folder, they are Zarr arrays
    instead, which are read when they are sliced: `space.vectors[:]` is a NumPy array.

    Attributes:
        vectors: Tangent vectors in input space (of a decoder: in the space of
            reconstructions), orthonormal for each sample, shape `(n, k, *input_shape)`.
            Each one's entry of largest magnitude is positive; of entries that are equal in
            magnitude to 1e-4, the first.
        singular_values: How much the function stretches each of them, descending,
            shape `(n, k)`, at least 0, in units of output per unit of input.
        code_vectors: The matching orthonormal directions in code space, shape
            `(n, k, latent_dim)`. Of a reconstruction, where both sides are shaped as
            inputs: the directions of its outputs, `(n, k, *output_shape)`.
        errors: For each singular value the distance within which the matrix has one,
            shape `(n, k)`, where block Lanczos found it. `None` where all of the Jacobian
            was decomposed, to the accuracy of float32.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3)
        >>> space = km.tangent_space(model, x)
        >>> space.vectors.shape, space.singular_values.shape, space.code_vectors.shape
        ((5, 3, 8, 8, 1), (5, 3), (5, 3, 3))
    """

    vectors: np.ndarray
    singular_values: np.ndarray
    code_vectors: np.ndarray
    errors: np.ndarray | None = None

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
        return TangentSpace(**{name: array[:, :k] for name, array in self.arrays().items()})

    def save(self, path: str | PathLike) -> None:
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
            np.savez_compressed(file, **self.arrays())

    @classmethod
    def load(cls, path: str | PathLike) -> "TangentSpace":
        """Reads what `save`, `TangentAnalyzer` or `tangent_space(..., path=...)` wrote.

        Args:
            path: Name of the file, or of the folder: of a run that was cut off, it gives
                the samples that are written.

        Returns:
            `TangentSpace`.

        Raises:
            ValueError: If the file does not hold a tangent space.
            FileNotFoundError: If there is no such file.

        Examples:
            See `save`.
        """
        names = [field.name for field in fields(cls)]
        if Path(path).is_dir():
            return cls._of(path, GrowingArrays.load(path, names))
        try:
            file = np.load(path, allow_pickle=False)
        except ValueError:  # neither npz nor npy
            file = None
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError(
                f"`path` must be an npz file or a folder. Received: {os.fspath(path)!r}."
            )
        with file as arrays:
            return cls._of(path, {name: arrays[name] for name in names if name in arrays})

    @classmethod
    def _of(cls, path, arrays):
        needed = ("vectors", "singular_values", "code_vectors")
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise ValueError(
                f"A tangent space is made of the arrays {', '.join(needed)}. "
                f"Received: {path} without {', '.join(missing)}."
            )
        return cls(**arrays)

    def arrays(self) -> dict[str, Any]:
        """The arrays by name, without `errors` where there are none.

        Returns:
            Mapping from the names of the attributes to them.

        Examples:
            >>> import numpy as np, keras_manifold as km
            >>> model = km.AutoEncoder.dense(20, latent_dim=3)
            >>> space = km.tangent_space(model, np.ones((5, 20), "float32"))
            >>> list(space.arrays())
            ['vectors', 'singular_values', 'code_vectors']
        """
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: array for name, array in arrays.items() if array is not None}


def tangent_space(
    model: Any,
    x: Any,
    *,
    of: str = "encoder",
    k: int | None = None,
    method: str = "auto",
    batch_size: int = 32,
    seed: int | None = None,
    path: str | PathLike | None = None,
    verbose: str | int = "auto",
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
    layer, at each call for other callables. As with `predict`, a plain Python attribute of
    a layer is read when it is compiled, and not again. Where `keras.distribution` joins
    several processes, each of them computes all samples of `x`: they are not split.

    Args:
        model: `AutoEncoder`, or any object with an `encoder` and a `decoder`. Or a Keras
            layer or callable, which is taken for what `of` names: from `(batch,
            *input_shape)` to codes `(batch, latent_dim)` or to reconstructions, or, for
            `"decoder"`, from codes.
        x: Array of shape `(n, *input_shape)`, or an iterable of batches
            (`tf.data.Dataset`, `PyDataset`, torch `DataLoader`, generator); of the
            tuples `(x, y)` it may yield only `x` is used. Integers are cast to floating
            point.
        of: `"encoder"`, `"decoder"` or `"reconstruction"`.
        k: Number of directions, in [1, rank], where the rank is at most the shorter side of
            $J$ and, of a reconstruction through codes, `latent_dim`; `None` for all.
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
            called again with the same model, samples and arguments. `None` to keep them
            in memory.
        verbose: 0 for no progress bar, 1 for one, `"auto"` for one on runs that are long
            or of unknown length.

    Returns:
        `TangentSpace`: `vectors` `(n, k, *input_shape)`, `singular_values` `(n, k)`,
        `code_vectors` `(n, k, latent_dim)`; see there.

    Raises:
        ValueError: If an argument is out of range, `x` is empty, the codes are not of rank
            2, a function mixes samples, declares integer inputs or returns integers, or
            `path` holds something else.
        TypeError: If `model` can't be called and lacks the part that `of` names, or `x` is
            neither an array nor an iterable of batches of one.
        FloatingPointError: If the Jacobian of a sample has NaN or infinite entries.
        ImportError: If there is a `path` and Zarr is not installed.
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
    check_choice("of", of, ("encoder", "decoder", "reconstruction"))
    check_choice("method", method, ("auto", "dense", "lanczos"))
    if seed is not None:
        seed = check_count("seed", seed, least=0, note="or None")
    if k is not None:
        k = check_count("k", k, note="or None")
    batches, count = floating_batches(x, batch_size)
    first = next(batches, None)
    if first is None:
        raise ValueError("`x` must bring at least one batch. Received: an empty stream.")
    decomposition = Decomposition(model, first, of=of, k=k, method=method, seed=seed)
    if path is None:
        results: Store = InMemory(len(x) if hasattr(x, "shape") else None)
    else:
        results = OnDisk(path, decomposition.fingerprint())
    batches = with_progress(itertools.chain([first], batches), count, verbose)
    with contextlib.closing(results):
        results.check_function(decomposition, first)
        missing = decomposition.of_batches(results.missing(batches), results.written)
        for samples, arrays in missing:
            results.append(samples, arrays)
        return TangentSpace(**results.finished())
