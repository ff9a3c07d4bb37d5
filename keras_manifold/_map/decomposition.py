"""From a model to the singular triplets of its Jacobians, in one of three ways."""

import hashlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from keras import ops

from keras_manifold._arguments import check_at_most
from keras_manifold._map.checks import check_eager, warn_where_lost
from keras_manifold._map.compiled import ONE_AT_A_TIME, SAMPLES_CHECKED, Compiled, Products
from keras_manifold._map.function import Map
from keras_manifold._map.ways import Dense, Factors, Lanczos, Way, check_finite
from keras_manifold._storage.streams import padded, result_dtype

# Vectors in a block of Lanczos beyond `k`. It takes about as many passes as this many times
# its block; where there are no more than the minimum, all of the Jacobian is computed.
_OVERSAMPLING = 8
_PASSES_A_VECTOR = 32
_FEW_PASSES = 1024


def takes_lanczos(most: int, k: int) -> bool:
    """Whether `k` directions come by block Lanczos, where the rank is at most `most`."""
    return most > max(_FEW_PASSES, _PASSES_A_VECTOR * (k + _OVERSAMPLING))


class Decomposition:
    """Tangent vectors, singular values and code vectors of a model at given samples.

    Args:
        model: As in `tangent_space`, and so are `of`, `k`, `method` and `seed`.
        samples: A few, `(any, *input_shape)`, with which the model is checked.

    Attributes:
        k: Directions of each sample.
        method: `"dense"`, `"factors"` or `"lanczos"`.
    """

    def __init__(self, model, samples, *, of, k, method, seed):
        check_eager()
        self.of = of
        samples = samples[:SAMPLES_CHECKED]
        self._input_shape = samples.shape[1:]
        self._points, self._function = _maps(model, of)
        if self._points is not None:
            Compiled.of(self._points, samples)  # checks it, once for layers
            samples = self._codes(samples)
        is_composed = len(self._function.functions) == 2
        way: Way = (Factors if is_composed else Dense)(self._function, samples)
        most = way.passes
        self.k = most if k is None else k
        check_at_most("k", self.k, most, f"the Jacobian's rank is at most {most}")
        block = self.k + _OVERSAMPLING
        if method == "lanczos" or (method == "auto" and takes_lanczos(most, self.k)):
            if k is None:
                raise ValueError(
                    "`k` must be a number of directions for block Lanczos. Received: "
                    f"k=None, for a Jacobian of rank {most} at most. Give the number of "
                    'leading ones, or method="dense" for all.'
                )
            shape = way.output_shape
            way = Lanczos(self._function, samples, shape, k=self.k, block=block, seed=seed)
        self.method = way.name
        self.seed = seed
        self._way = way
        self._shapes = way.output_shape, samples.shape[1:]

    def fingerprint(self):
        """What a run must share with another one to go on where it ended.

        Returns:
            Mapping of names to numbers and texts; weights by a digest.
        """
        digest = hashlib.sha256()
        points = () if self._points is None else self._points.functions
        with ONE_AT_A_TIME:
            for function in (*points, *self._function.functions):
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

    def of_batches(self, batches, start=0, *, size=0):
        """The arrays of `TangentSpace`, by name, batch by batch.

        The float64 arithmetic of one batch runs beside the passes of the next.

        Args:
            batches: Iterator over NumPy arrays `(n, *input_shape)`.
            start: Index of the first sample, for errors.
            size: To which smaller batches are filled up, so that the last ones are computed
                as all others are: their bits are those of a run that began earlier.

        Yields:
            Tuples of the samples of a batch, or of a part of it, and a mapping from names
            to arrays.
        """
        pending: deque = deque()
        full_size = min(size, self._way.samples_at_a_time)
        is_lost, firsts = True, []
        with self._way.blas_threads, ThreadPoolExecutor(1) as pool:
            for batch in _pieces(batches, self._way.samples_at_a_time):
                full_size = max(full_size, len(batch))
                derivatives = self._derivatives(padded(batch, full_size), start)
                derivatives = [array[: len(batch)] for array in derivatives]
                if is_lost:
                    is_lost = not all(array.any() for array in derivatives)
                    firsts.append(batch[:2])
                pending.append((batch, pool.submit(self._arrays, derivatives, start)))
                start += len(batch)
                if len(pending) > 1:
                    yield _done(pending.popleft())
            while pending:
                yield _done(pending.popleft())
        if is_lost and firsts:
            self._warn_where_lost(np.concatenate(firsts))

    def _warn_where_lost(self, x):
        points = x if self._points is None else self._codes(x)
        with ONE_AT_A_TIME:
            outputs = self._function.values(points)
        warn_where_lost(self._function, outputs, np.ones(outputs[0].size, bool))

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one output."""
        return tuple(self._shapes[0])

    @property
    def is_square(self) -> bool:
        """Whether outputs have the shape of inputs."""
        outputs, inputs = self._shapes
        return tuple(outputs) == tuple(inputs)

    def remainders(
        self, x: np.ndarray, arrays: Mapping[str, np.ndarray], seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""What the singular values beyond the leading ones add up to, by random probes.

        A random sign vector $u$ without its part along the leading left singular vectors
        gives $\|J^\top u\|^2$, whose mean is $\sum_{i > k} \sigma_i^2$, and then
        $\|J J^\top u\|^2$, without that part, for the sum of fourth powers.

        Args:
            x: Samples, `(n, *input_shape)`.
            arrays: Their leading triplets, as `of_batches` gives them.
            seed: For the probes.

        Returns:
            Sums of squares and of fourth powers, each `(n, probes)`, one per probe.
        """
        left = arrays["vectors" if self.of == "decoder" else "code_vectors"]
        left = left.reshape(*left.shape[:2], -1).astype("float64")
        sample = x[:1] if self._points is None else self._codes(x[:1])
        pull, push = (
            Products.of(self._function, sample, forwards=forwards)
            for forwards in (False, True)
        )
        probes = self.k + _OVERSAMPLING  # the block that Lanczos has compiled
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (probes, left.shape[2]))
        squares, fourths = [], []
        for i in range(len(x)):  # as Lanczos does where samples are large
            point = x[i : i + 1] if self._points is None else self._codes(x[i : i + 1])
            u = _without(signs, left[i])
            v = pull.predict_on_batch([point, u[None].astype("float32")])[0]
            w = push.predict_on_batch([point, v.reshape(1, probes, -1)])[0]
            w = _without(w.reshape(probes, -1).astype("float64"), left[i])
            squares.append(np.square(v.reshape(probes, -1).astype("float64")).sum(axis=1))
            fourths.append(np.square(w).sum(axis=1))
        return np.stack(squares), np.stack(fourths)

    def _codes(self, x):
        with ONE_AT_A_TIME:
            return ops.convert_to_numpy(self._points(ops.convert_to_tensor(x)))

    def _derivatives(self, batch, start):
        points = batch if self._points is None else self._codes(batch)
        return self._way.derivatives(points, start)

    def _arrays(self, derivatives, start):
        check_finite(derivatives, start)
        triplets = self._way.triplets(derivatives, self.k)
        vectors, codes = triplets.right, triplets.left
        shapes = self._shapes[::-1]
        if self.of == "decoder":
            vectors, codes, shapes = codes, vectors, self._shapes
        signs = _signs_of_largest(vectors)
        arrays = {
            "vectors": _signed(vectors, signs).reshape(*signs.shape[:2], *shapes[0]),
            "singular_values": _finite(triplets.sigma),
            "code_vectors": _signed(codes, signs).reshape(*signs.shape[:2], *shapes[1]),
        }
        if triplets.errors is not None:
            arrays["errors"] = triplets.errors.astype(result_dtype())
        return arrays


def _without(vectors, directions):
    """Vectors `(p, size)` without their parts along orthonormal directions `(k, size)`."""
    return vectors - vectors @ directions.T @ directions


def _done(samples_and_future):
    samples, future = samples_and_future
    return samples, future.result()


def _maps(model, of):
    """The map to the points, if they are others than the samples, and that of `of`."""
    parts = [getattr(model, name, None) for name in ("encoder", "decoder")]
    encoder, decoder = (
        None if part is None else Map(part, name)
        for part, name in zip(parts, ("encoder", "decoder"))
    )
    if of == "encoder" and encoder is not None:
        return None, encoder
    if of == "decoder" and encoder is not None and decoder is not None:
        return encoder, decoder
    if of == "reconstruction" and encoder is not None and decoder is not None:
        return None, encoder.then(decoder)
    if not callable(model) or encoder is not None or decoder is not None:
        needed = "an `encoder`" if of == "encoder" else "an `encoder` and a `decoder`"
        raise TypeError(
            f'For of="{of}", `model` must have {needed} or be callable. '
            f"Received: model={model!r} of type {type(model).__name__}."
        )
    return None, Map(model, "model")


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


def _finite(sigma):
    largest = np.finfo(result_dtype()).max
    if (sigma > largest).any():
        raise FloatingPointError(
            f"Singular values must be below {largest:.2g}, as results are "
            f"{result_dtype()}. Received: {sigma.max():.2g}."
        )
    return sigma.astype(result_dtype())


def _signed(vectors, signs):
    signed = np.empty(vectors.shape, result_dtype())
    return np.multiply(vectors, signs, out=signed, casting="same_kind")
