"""Every way from a Map to singular triplets keeps the same promises."""

import numpy as np
import pytest
from keras import ops

from keras_manifold._map.function import Map
from keras_manifold._map.singular import Triplets
from keras_manifold._map.ways import Dense, Factors, Lanczos

INPUTS, CODES, OUTPUTS, K = 12, 4, 9, 3


class DifferencesWay:
    """A third party's: central differences and NumPy's SVD."""

    name = "differences"

    def __init__(self, function, sample):
        import contextlib

        self.function = function.checked(sample)
        self.output_shape = self.function.output_shape
        self.passes = min(sample[0].size, int(np.prod(self.output_shape)))
        self.samples_at_a_time = 5
        self.blas_threads = contextlib.nullcontext()

    def derivatives(self, batch, start):
        moves = 1e-2 * np.eye(batch.shape[1], dtype="float32")
        columns = [
            (self.function.values(batch + move) - self.function.values(batch - move)) / 2e-2
            for move in moves
        ]
        return [np.stack(columns, axis=2)]

    def triplets(self, derivatives, k):
        u, sigma, vt = np.linalg.svd(derivatives[0].astype("float64"), full_matrices=False)
        return Triplets(u[:, :, :k].swapaxes(1, 2), sigma[:, :k], vt[:, :k])


@pytest.fixture
def matrices(rng):
    f = rng.normal(size=(CODES, INPUTS)).astype("float32")
    g = rng.normal(size=(OUTPUTS, CODES)).astype("float32")
    return f, g


def encoder(f):
    return Map(lambda x: ops.matmul(x, f.T), "encoder")


def composed(f, g):
    return encoder(f).then(Map(lambda x: ops.matmul(x, g.T), "decoder"))


SAMPLE = np.zeros((1, INPUTS), "float32")
WAYS = {
    "dense": lambda f, g: (Dense(encoder(f), SAMPLE), f),
    "dense, of columns": lambda f, g: (
        Dense(Map(lambda x: ops.matmul(x, f)), np.zeros((1, CODES), "float32")),
        f.T,
    ),
    "factors": lambda f, g: (Factors(composed(f, g), SAMPLE), g @ f),
    "lanczos": lambda f, g: (
        Lanczos(encoder(f), SAMPLE, (CODES,), k=K, block=4, seed=0),
        f,
    ),
    "third party": lambda f, g: (DifferencesWay(encoder(f), SAMPLE), f),
}


@pytest.fixture(params=WAYS)
def way_and_matrix(request, matrices):
    return WAYS[request.param](*matrices)


def found(way, matrix, k=K):
    x = np.random.default_rng(1).normal(size=(4, matrix.shape[1])).astype("float32")
    with way.blas_threads:
        return way.triplets(way.derivatives(x, 0), k)


def test_singular_values_are_those_of_the_matrix(way_and_matrix):
    way, matrix = way_and_matrix
    expected = np.linalg.svd(matrix.astype("float64"), compute_uv=False)[:K]
    sigma = found(way, matrix).sigma
    tolerance = 1e-3 if way.name == "differences" else 1e-5
    assert np.abs(sigma - expected).max() <= tolerance * expected[0]


def test_vectors_are_orthonormal_and_belong_together(way_and_matrix):
    way, matrix = way_and_matrix
    triplets = found(way, matrix)
    for vectors in (triplets.left, triplets.right):
        grams = vectors @ vectors.swapaxes(1, 2)
        np.testing.assert_allclose(
            grams, np.broadcast_to(np.eye(K), grams.shape), atol=1e-5
        )
    images = triplets.right @ matrix.T
    expected = triplets.sigma[..., None] * triplets.left
    np.testing.assert_allclose(images, expected, atol=1e-3 * triplets.sigma.max())


def test_attributes_say_what_the_decomposition_needs(way_and_matrix):
    way, matrix = way_and_matrix
    assert way.output_shape == matrix.shape[:1]
    assert np.linalg.matrix_rank(matrix) <= way.passes <= min(matrix.shape)
    assert way.samples_at_a_time >= 1
    assert isinstance(way.name, str)


def test_sides_are_numpy_arrays_with_one_entry_a_sample(way_and_matrix):
    way, matrix = way_and_matrix
    x = np.ones((3, matrix.shape[1]), "float32")
    for array in way.derivatives(x, 0):
        assert isinstance(array, np.ndarray)
        assert len(array) == 3
        assert array.ndim == 3
