"""Every oracle is NumPy's float64 SVD, or a matrix made from known factors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_manifold._map.singular import lanczos_triplets, product_triplets, wide_triplets

SPECTRA = {
    "decaying": [1, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7],
    "deficient": [1, 1, 1, 0, 0, 0],
    "repeated": [2, 2, 1, 1, 1e-5, 1e-5],
    "zero": [0, 0, 0, 0, 0, 0],
}


def orthonormal(rng, size, k):
    return np.linalg.qr(rng.normal(size=(size, k)))[0]


def with_spectrum(rng, sigma, rows, columns):
    return (
        orthonormal(rng, rows, len(sigma)) * sigma @ orthonormal(rng, columns, len(sigma)).T
    )


def assert_triplets(found, matrices, k, tolerance=1e-12):
    left, sigma, right = found[:3]
    expected = np.linalg.svd(matrices, compute_uv=False)[:, :k]
    largest = expected[:, :1]
    assert sigma.shape == expected.shape
    assert (np.abs(sigma - expected) <= tolerance * largest).all()
    for vectors in (left, right):
        gram = vectors @ vectors.swapaxes(1, 2)
        np.testing.assert_allclose(gram, np.broadcast_to(np.eye(k), gram.shape), atol=1e-7)
    images = right @ matrices.swapaxes(1, 2)
    assert (
        np.abs(images - sigma[..., None] * left) <= 10 * tolerance * largest[..., None]
    ).all()


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_triplets_of_wide_matrices_are_numpys_whatever_the_rank(spectrum, scale, rng):
    sigma = scale * np.array(SPECTRA[spectrum])
    matrices = np.stack([with_spectrum(rng, sigma, 6, 20) for _ in range(3)])
    for k in (1, 4, 6):
        # A Gram matrix loses what is below the root of the rounding, 1e-8.
        assert_triplets(wide_triplets(matrices, k), matrices, k, tolerance=1e-8)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_triplets_of_a_product_are_those_of_the_formed_product(spectrum, scale, rng):
    sigma = scale * np.array(SPECTRA[spectrum])
    columns = np.stack([rng.normal(size=(6, 30)) for _ in range(3)])
    rows = np.stack([with_spectrum(rng, sigma, 6, 20) for _ in range(3)])
    for k in (1, 6):
        assert_triplets(
            product_triplets(columns, rows, k), columns.swapaxes(1, 2) @ rows, k
        )


def test_a_product_may_have_a_wide_middle(rng):
    columns, rows = rng.normal(size=(2, 9, 5)), rng.normal(size=(2, 9, 4))
    found = product_triplets(columns, rows, 4)
    assert_triplets(found, columns.swapaxes(1, 2) @ rows, 4)


def lanczos(matrices, k, block, rng, **options):
    def push(vectors):
        return vectors @ matrices.swapaxes(1, 2)

    def pull(vectors):
        return vectors @ matrices

    start = rng.normal(size=(len(matrices), block, matrices.shape[2]))
    options = {"tolerance": 1e-9, "most_blocks": 30} | options
    return lanczos_triplets(push, pull, start, k, **options)


@given(
    seed=st.integers(0, 2**16),
    rows=st.integers(2, 40),
    columns=st.integers(2, 40),
    decay=st.floats(0.3, 1.0),
)
def test_block_lanczos_finds_numpys_triplets(seed, rows, columns, decay):
    rng = np.random.default_rng(seed)
    rank = min(rows, columns)
    sigma = decay ** np.arange(rank)
    matrices = np.stack([with_spectrum(rng, sigma, rows, columns) for _ in range(2)])
    k = min(3, rank)
    found = lanczos(matrices, k, min(5, rank), rng, most_blocks=60)
    assert_triplets(found, matrices, k, tolerance=1e-8)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_block_lanczos_takes_any_rank_and_scale(spectrum, scale, rng):
    sigma = scale * np.array(SPECTRA[spectrum])
    matrices = np.stack([with_spectrum(rng, sigma, 60, 50) for _ in range(2)])
    assert_triplets(lanczos(matrices, 4, 6, rng), matrices, 4, tolerance=1e-8)


def test_errors_of_block_lanczos_bound_the_distance_to_a_singular_value(rng):
    # A flat spectrum, cut off early: far from converged.
    matrices = rng.normal(size=(3, 200, 150))
    _, sigma, _, errors = lanczos(matrices, 5, 8, rng, most_blocks=3)
    every = np.linalg.svd(matrices, compute_uv=False)
    distance = np.abs(sigma[..., None] - every[:, None]).min(axis=2)
    assert (errors > 1e-3 * every[:, :1]).all()
    assert (distance <= errors).all()


def test_block_lanczos_ends_when_it_has_converged(rng):
    matrices = with_spectrum(rng, np.array([3.0, 2.0, 1.0]), 60, 50)[None]
    products = []

    def push(vectors):
        products.append(len(vectors[0]))
        return vectors @ matrices.swapaxes(1, 2)

    start = rng.normal(size=(1, 5, 50))
    lanczos_triplets(push, lambda u: u @ matrices, start, 3, tolerance=1e-6, most_blocks=9)
    assert len(products) == 2
