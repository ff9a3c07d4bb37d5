"""Ways from a Map to the singular triplets of its Jacobians."""

import contextlib
import functools
import math
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from keras_manifold._map.blas import ONE_BLAS_THREAD
from keras_manifold._map.budget import samples_held
from keras_manifold._map.compiled import BothFactors, Products, ShorterSide
from keras_manifold._map.singular import (
    Triplets,
    lanczos_triplets,
    product_triplets,
    wide_triplets,
)

# Residual relative to the largest singular value at which block Lanczos ends, and blocks
# at most.
_TOLERANCE = 1e-5
_MOST_BLOCKS = 30

# Rows of matrices whose arithmetic runs on one thread.
_SMALL_MATRIX = 128


class Way(Protocol):
    """A way from a Map to the leading singular triplets of its Jacobians.

    Attributes:
        name: What `tangent_space` calls it.
        passes: Bound on the rank of each Jacobian.
        output_shape: Shape of one output.
        samples_at_a_time: Of one call of `derivatives`, at most.
        blas_threads: To be held while both are called.
    """

    name: str
    passes: int
    output_shape: tuple[int, ...]
    samples_at_a_time: int

    @property
    def blas_threads(self) -> AbstractContextManager: ...

    def derivatives(self, batch: np.ndarray, start: int) -> list[np.ndarray]:
        """What the framework has to compute, each `(batch, any, any)`.

        Args:
            batch: Samples, `(batch, *input_shape)`.
            start: Index of the first one, for errors.
        """
        ...

    def triplets(self, derivatives: list[np.ndarray], k: int) -> Triplets:
        """What NumPy makes of it: the `k` leading triplets of $J$, in float64."""
        ...


class Dense:
    """All of the Jacobian, by the passes of its shorter side."""

    name = "dense"

    @property
    def blas_threads(self):
        # Small products lose more than they gain by a second thread, which waits for the
        # cores that the passes use.
        is_small = self.passes <= _SMALL_MATRIX
        return ONE_BLAS_THREAD if is_small else contextlib.nullcontext()

    def __init__(self, function, samples):
        self._model = ShorterSide.of(function, samples)
        self.passes = self._model.passes
        self.output_shape = self._model.map.output_shape
        self.samples_at_a_time = samples_held(self._model.entries)

    def derivatives(self, batch, start):
        vectors = self._model.predict_on_batch(batch)
        return [vectors.reshape(*vectors.shape[:2], -1)]

    def triplets(self, derivatives, k):
        (passes,) = derivatives
        triplets = wide_triplets(passes, k)
        return triplets if self._model.by_rows else triplets.transposed()


class Factors(Dense):
    """The Jacobian of a decoder after an encoder, by those of the two."""

    name = "factors"

    def __init__(self, function, samples):
        self._model = BothFactors.of(function, samples)
        self.output_shape = self._model.map.output_shape
        self.passes = min(self._model.passes, samples[0].size, math.prod(self.output_shape))
        self.samples_at_a_time = samples_held(self._model.entries)

    def derivatives(self, batch, start):
        factors = self._model.predict_on_batch(batch)
        return [factor.reshape(*factor.shape[:2], -1) for factor in factors]

    def triplets(self, derivatives, k):
        rows, columns = derivatives
        return product_triplets(columns, rows, k)


class Lanczos:
    """Products with the Jacobian only."""

    name = "lanczos"
    blas_threads = contextlib.nullcontext()

    def __init__(self, function, samples, output_shape, *, k, block, seed):
        sizes = math.prod(output_shape), samples[0].size
        self.passes = min(sizes)
        self.output_shape = output_shape
        self._k = k
        self._models = [
            Products.of(function, samples, forwards=forwards) for forwards in (True, False)
        ]
        # The basis is held on the shorter side.
        self._is_wide = sizes[0] < sizes[1]
        if self._is_wide:
            self._models.reverse()
        block = min(block, *sizes)
        rng = np.random.default_rng(0 if seed is None else seed)
        self._start = rng.normal(size=(block, min(sizes)))
        self.samples_at_a_time = samples_held(10 * block * sum(sizes))

    def derivatives(self, batch, start):
        def product(model, vectors):
            # Blocks of one size compile once.
            block = np.zeros(
                (len(batch), *self._start.shape[:1], vectors.shape[2]), batch.dtype
            )
            block[:, : vectors.shape[1]] = vectors
            images = model.predict_on_batch([batch, block])[:, : vectors.shape[1]]
            check_finite([images], start)
            return images

        push, pull = (functools.partial(product, model) for model in self._models)
        left, sigma, right, errors = lanczos_triplets(
            push,
            pull,
            np.broadcast_to(self._start, (len(batch), *self._start.shape)),
            self._k,
            tolerance=_TOLERANCE,
            most_blocks=_MOST_BLOCKS,
        )
        return [left, sigma[..., None], right, errors[..., None]]

    def triplets(self, derivatives, k):
        left, sigma, right, errors = derivatives
        found = Triplets(left, sigma[..., 0], right, errors[..., 0])
        return found.transposed() if self._is_wide else found


def check_finite(derivatives, start):
    finite = np.logical_and.reduce(
        [np.isfinite(array).all(axis=(1, 2)) for array in derivatives]
    )
    if not finite.all():
        raise FloatingPointError(
            "The Jacobian must be finite to be decomposed. Received: NaN or infinite "
            f"entries in sample {start + np.argmin(finite)} and in {np.sum(~finite) - 1} "
            "others beside it. The weights or the inputs have overflowed: look at the "
            "training loss."
        )
