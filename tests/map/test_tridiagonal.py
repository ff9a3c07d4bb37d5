import numpy as np
import pytest

from keras_manifold._map.tridiagonal import solve_block_tridiagonal


@pytest.mark.parametrize("length", [1, 2, 7])
def test_block_systems_are_solved_as_one_dense_matrix_is(length, rng):
    n, d = 4, 3
    diagonal = rng.normal(size=(n, length, d, d))
    diagonal = diagonal @ np.swapaxes(diagonal, 2, 3) + 9 * np.eye(d)
    beside = rng.normal(size=(n, length - 1, d, d))
    right = rng.normal(size=(n, length, d))
    found = solve_block_tridiagonal(diagonal, beside, right)
    for i in range(n):
        dense = np.zeros((length, d, length, d))
        for j in range(length):
            dense[j, :, j] = diagonal[i, j]
        for j in range(length - 1):
            dense[j, :, j + 1] = beside[i, j]
            dense[j + 1, :, j] = beside[i, j].T
        expected = np.linalg.solve(dense.reshape(length * d, -1), right[i].ravel())
        np.testing.assert_allclose(found[i].ravel(), expected, rtol=1e-10)


def test_a_singular_system_leaves_the_others_alone():
    diagonal = np.stack([np.zeros((2, 2, 2)), np.stack([np.eye(2)] * 2)])
    found = solve_block_tridiagonal(diagonal, np.zeros((2, 1, 2, 2)), np.ones((2, 2, 2)))
    assert np.isnan(found[0]).all()
    assert (found[1] == 1).all()
