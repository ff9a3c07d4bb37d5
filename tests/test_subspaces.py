import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_manifold as km


def spanned(*angles):
    """A plane turned by the given angles out of the first two axes of four."""
    vectors = np.zeros((1, len(angles), 4))
    for i, angle in enumerate(angles):
        vectors[0, i, i], vectors[0, i, i + 2] = np.cos(angle), np.sin(angle)
    return vectors


@pytest.mark.parametrize(
    "angles", [(0.0, 0.0), (1e-6, 1e-3), (0.3, 1.2), (0.7853, 0.7855), (0.1, np.pi / 2)]
)
def test_principal_angles_are_those_by_which_a_plane_was_turned(rng, angles):
    mixing, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    found = km.principal_angles(spanned(0.0, 0.0), mixing @ spanned(*angles))
    np.testing.assert_allclose(found[0], angles, atol=1e-9)


def test_principal_angles_agree_with_scipy(rng):
    from scipy.linalg import subspace_angles

    a, b = (np.linalg.qr(rng.normal(size=(4, 9, k)))[0].swapaxes(1, 2) for k in (3, 5))
    expected = [np.sort(subspace_angles(a[i].T, b[i].T)) for i in range(4)]
    np.testing.assert_allclose(km.principal_angles(a, b), expected, atol=1e-9)
    np.testing.assert_allclose(km.principal_angles(b, a), expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 1, 4), (1, 1, 5)])
def test_principal_angles_of_spaces_that_do_not_match_are_refused(shape):
    with pytest.raises(ValueError, match="same number of samples and the same input shape"):
        km.principal_angles(np.ones((1, 1, 4)), np.ones(shape))


@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 3))
def test_captured_energy_is_that_of_the_orthogonal_projection(seed, k, m):
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.normal(size=(3, 8, k)))[0].swapaxes(1, 2)
    directions = rng.normal(size=(3, m, 8))
    found = km.captured_energy(
        vectors.reshape(3, k, 4, 2), 7 * directions.reshape(3, m, 4, 2)
    )
    for sample in range(3):
        projection = np.linalg.lstsq(vectors[sample].T, directions[sample].T)[0]
        projected = vectors[sample].T @ projection
        shares = (projected**2).sum(0) / (directions[sample] ** 2).sum(1)
        np.testing.assert_allclose(found[sample], shares, atol=1e-12)


def test_captured_energy_of_the_vectors_themselves_is_one(rng):
    lab = km.AutoEncoder.convolutional((28, 28, 1), latent_dim=8, filters=(4,))
    space = km.tangent_space(lab, rng.uniform(size=(2, 28, 28, 1)).astype("float32"), k=4)
    np.testing.assert_allclose(km.captured_energy(space, space.vectors), 1, atol=1e-6)
    beside = km.captured_energy(space.leading(2), space.vectors[:, 2:])
    np.testing.assert_allclose(beside, 0, atol=1e-9)
    assert km.captured_energy(space, np.zeros((2, 1, 28, 28, 1))).tolist() == [[0], [0]]


def test_captured_energy_of_directions_that_do_not_match_is_refused():
    with pytest.raises(ValueError, match=r"space of shape .* directions of shape"):
        km.captured_energy(np.ones((1, 1, 4)), np.ones((1, 1, 5)))


def test_vectors_that_are_not_orthonormal_are_refused_and_nearly_so_made_it(rng):
    exact = np.linalg.qr(rng.normal(size=(3, 6, 2)))[0].swapaxes(1, 2)
    other = np.linalg.qr(rng.normal(size=(3, 6, 2)))[0].swapaxes(1, 2)
    nearly = exact * 1.002
    want = km.principal_angles(exact, other)
    np.testing.assert_allclose(km.principal_angles(nearly, other), want, atol=1e-9)
    shares = km.captured_energy(exact, other)
    np.testing.assert_allclose(km.captured_energy(nearly, other), shares, atol=1e-9)
    zero = exact.copy()
    zero[1, 0] = 0.0
    for wrong in (2 * exact, zero, exact[:, [0, 0]]):
        with pytest.raises(ValueError, match="must be orthonormal for each sample"):
            km.principal_angles(other, wrong)
        with pytest.raises(ValueError, match="must be orthonormal for each sample"):
            km.captured_energy(wrong, other)


def test_complex_and_not_finite_vectors_are_refused():
    axis = np.eye(4)[None, :2]
    with pytest.raises(ValueError, match="must hold real numbers"):
        km.principal_angles(1j * axis, axis)
    with pytest.raises(ValueError, match="must hold real numbers"):
        km.captured_energy(axis, 1j * axis)
    with pytest.raises(FloatingPointError, match="must be finite"):
        km.captured_energy(axis, np.nan * axis)
