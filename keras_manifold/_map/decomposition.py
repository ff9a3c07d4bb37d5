"""From a model to the singular triplets of its Jacobians, in one of three ways."""

import contextlib
import functools
import hashlib
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from keras import ops

from keras_manifold._arguments import check_at_most
from keras_manifold._map.blas import ONE_BLAS_THREAD
from keras_manifold._map.functions import (
    check_codes,
    check_input,
    evaluated,
    independent_output_shape,
)
from keras_manifold._map.singular import (
    Triplets,
    lanczos_triplets,
    product_triplets,
    wide_triplets,
)
from keras_manifold._storage.streams import padded
from keras_manifold.jacobians import (
    FactorsModel,
    JacobianModel,
    LinearMapModel,
)

# Block Lanczos: vectors in a block beyond `k`, residual relative to the largest singular
# value at which it ends, and blocks at most.
_OVERSAMPLING = 8
_TOLERANCE = 1e-5
_MOST_BLOCKS = 30

# It takes about as many passes as this many times its block; where there are no more than
# the minimum, all of the Jacobian is computed.
_PASSES_A_VECTOR = 32
_FEW_PASSES = 1024

# Rows of matrices whose arithmetic runs on one thread.
_SMALL_MATRIX = 128

# Numbers that the bases of block Lanczos hold at a time.
_ENTRIES_HELD = 2**25


class Decomposition:
    """Tangent vectors, singular values and code vectors of a model at given samples.

    Args:
        model: As in `tangent_space`, and so are `of`, `k`, `method` and `seed`.
        sample: One sample, of shape `input_shape`.

    Attributes:
        k: Directions of each sample.
        method: `"dense"`, `"factors"` or `"lanczos"`.
    """

    def __init__(self, model, sample, *, of, k, method, seed):
        self.of = of
        self._input_shape = sample.shape
        self._encoder, functions, name = _functions(model, of)
        if self._encoder is not None:
            check_input("encoder", self._encoder, sample)
            independent_output_shape("encoder", self._encoded, sample)
            sample = self._codes(sample[None])[0]
        if of == "decoder":
            check_codes(sample.shape)
        if len(functions) == 2:
            way: Any = _Factors(functions, sample)
        else:
            way = _Dense(functions, sample, name)
        if of == "encoder":
            check_codes(way.output_shape)
        most = way.passes
        self.k = most if k is None else k
        check_at_most("k", self.k, most, f"the Jacobian's rank is at most {most}")
        block = self.k + _OVERSAMPLING
        if method == "lanczos" or (
            method == "auto" and most > max(_FEW_PASSES, _PASSES_A_VECTOR * block)
        ):
            if k is None:
                raise ValueError(
                    "`k` must be a number of directions for block Lanczos. Received: "
                    f"k=None, for a Jacobian of rank {most} at most. Give the number of "
                    'leading ones, or method="dense" for all.'
                )
            way = _Lanczos(functions, sample, way.output_shape, self.k, block, seed)
        self.method = way.name
        self.seed = seed
        self._functions = functions
        self._way = way
        self._shapes = way.output_shape, sample.shape

    def fingerprint(self):
        """What a run must share with another one to go on where it ended.

        Returns:
            Mapping of names to numbers and texts; weights by a digest.
        """
        digest = hashlib.sha256()
        encoder = () if self._encoder is None else (self._encoder,)
        for function in (*encoder, *self._functions):
            for variable in getattr(function, "weights", ()):
                digest.update(ops.convert_to_numpy(variable).tobytes())
        return {
            "of": self.of,
            "k": self.k,
            "method": self.method,
            "seed": self.seed,
            "input_shape": list(self._input_shape),
            "weights": digest.hexdigest(),
        }

    def of_batches(self, batches, start=0):
        """The arrays of `TangentSpace`, by name, batch by batch.

        The float64 arithmetic of one batch runs beside the passes of the next.

        Args:
            batches: Iterator over NumPy arrays `(n, *input_shape)`.
            start: Index of the first sample, for errors.

        Yields:
            Tuples of the samples of a batch, or of a part of it, and a mapping from names
            to arrays.
        """
        pending: deque = deque()
        full_size = 0
        with self._way.blas_threads, ThreadPoolExecutor(1) as pool:
            for batch in _pieces(batches, self._way.samples_at_a_time):
                full_size = max(full_size, len(batch))
                derivatives = self._derivatives(padded(batch, full_size), start)
                derivatives = [array[: len(batch)] for array in derivatives]
                pending.append((batch, pool.submit(self._arrays, derivatives, start)))
                start += len(batch)
                if len(pending) > 1:
                    yield _done(pending.popleft())
            while pending:
                yield _done(pending.popleft())

    def _encoded(self, x):
        return evaluated(self._encoder, x)

    def _codes(self, x):
        return ops.convert_to_numpy(self._encoded(ops.convert_to_tensor(x)))

    def _derivatives(self, batch, start):
        points = batch if self._encoder is None else self._codes(batch)
        return self._way.derivatives(points, start)

    def _arrays(self, derivatives, start):
        _check_finite(derivatives, start)
        triplets = self._way.triplets(derivatives, self.k)
        vectors, codes = triplets.right, triplets.left
        shapes = self._shapes[::-1]
        if self.of == "decoder":
            vectors, codes, shapes = codes, vectors, self._shapes
        signs = _signs_of_largest(vectors)
        arrays = {
            "vectors": _signed(vectors, signs).reshape(*signs.shape[:2], *shapes[0]),
            "singular_values": _finite_float32(triplets.sigma),
            "code_vectors": _signed(codes, signs).reshape(*signs.shape[:2], *shapes[1]),
        }
        if triplets.errors is not None:
            arrays["errors"] = triplets.errors.astype("float32")
        return arrays


def _done(samples_and_future):
    samples, future = samples_and_future
    return samples, future.result()


class _Dense:
    """All of the Jacobian, by the passes of its shorter side."""

    name = "dense"

    @property
    def blas_threads(self):
        # Small products lose more than they gain by a second thread, which waits for the
        # cores that the passes use.
        is_small = self.passes <= _SMALL_MATRIX
        return ONE_BLAS_THREAD if is_small else contextlib.nullcontext()

    def __init__(self, functions, sample, name):
        self._model = JacobianModel.of(*functions, sample=sample, argument=name)
        self.passes = self._model.passes
        self.output_shape = self._model.output_sample_shape
        self.samples_at_a_time = self._model.samples_at_a_time(2**30)

    def derivatives(self, batch, start):
        vectors = self._model.predict_on_batch(batch)
        return [vectors.reshape(*vectors.shape[:2], -1)]

    def triplets(self, derivatives, k):
        (passes,) = derivatives
        triplets = wide_triplets(passes, k)
        return triplets if self._model.by_rows else triplets.transposed()


class _Factors(_Dense):
    """The Jacobian of a decoder after an encoder, by those of the two."""

    name = "factors"

    def __init__(self, functions, sample):
        self._model = FactorsModel.of(*functions, sample=sample)
        self.output_shape = self._model.output_sample_shape
        self.passes = min(self._model.passes, sample.size, math.prod(self.output_shape))
        self.samples_at_a_time = self._model.samples_at_a_time(2**30)

    def derivatives(self, batch, start):
        factors = self._model.predict_on_batch(batch)
        return [factor.reshape(*factor.shape[:2], -1) for factor in factors]

    def triplets(self, derivatives, k):
        rows, columns = derivatives
        return product_triplets(columns, rows, k)


class _Lanczos:
    """Products with the Jacobian only."""

    name = "lanczos"
    blas_threads = contextlib.nullcontext()

    def __init__(self, functions, sample, output_shape, k, block, seed):
        sizes = math.prod(output_shape), sample.size
        self.output_shape = output_shape
        self._k = k
        self._models = [
            LinearMapModel.of(*functions, sample=sample, forwards=forwards)
            for forwards in (True, False)
        ]
        # The basis is held on the shorter side.
        self._is_wide = sizes[0] < sizes[1]
        if self._is_wide:
            self._models.reverse()
        block = min(block, *sizes)
        rng = np.random.default_rng(0 if seed is None else seed)
        self._start = rng.normal(size=(block, min(sizes)))
        self.samples_at_a_time = max(1, _ENTRIES_HELD // (10 * block * sum(sizes)))

    def derivatives(self, batch, start):
        def product(model, vectors):
            # Blocks of one size compile once.
            block = np.zeros((len(batch), *self._start.shape[:1], vectors.shape[2]), "f4")
            block[:, : vectors.shape[1]] = vectors
            images = model.predict_on_batch([batch, block])[:, : vectors.shape[1]]
            _check_finite([images], start)
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


def _check_finite(derivatives, start):
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


def _functions(model, of):
    """An encoder that gives the points, if any, the functions, and their name for users."""
    encoder, decoder = (getattr(model, name, None) for name in ("encoder", "decoder"))
    if of == "encoder" and encoder is not None:
        return None, (encoder,), "encoder"
    if of == "decoder" and encoder is not None and decoder is not None:
        return encoder, (decoder,), "decoder"
    if of == "reconstruction" and encoder is not None and decoder is not None:
        return None, (encoder, decoder), "model"
    if not callable(model) or encoder is not None or decoder is not None:
        parts = "an `encoder`" if of == "encoder" else "an `encoder` and a `decoder`"
        raise TypeError(
            f'For of="{of}", `model` must have {parts} or be callable. '
            f"Received: model={model!r} of type {type(model).__name__}."
        )
    return None, (model,), "model"


def _pieces(batches, size):
    """The batches in pieces of at most a size."""
    for batch in batches:
        for start in range(0, len(batch), size):
            yield batch[start : start + size]


def _signs_of_largest(vectors):
    # The first of those that tie, whatever rounding makes of them.
    sizes = np.abs(vectors)
    is_largest = sizes >= (1 - 1e-4) * sizes.max(axis=2, keepdims=True)
    largest = np.argmax(is_largest, axis=2)[..., None]
    return np.where(np.take_along_axis(vectors, largest, axis=2) < 0, -1.0, 1.0)


def _finite_float32(sigma):
    largest = np.finfo("float32").max
    if (sigma > largest).any():
        raise FloatingPointError(
            f"Singular values must be below {largest:.2g}, as results are float32. "
            f"Received: {sigma.max():.2g}."
        )
    return sigma.astype("float32")


def _signed(vectors, signs):
    signed = np.empty(vectors.shape, "float32")
    return np.multiply(vectors, signs, out=signed, casting="same_kind")
