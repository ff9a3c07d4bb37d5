import numpy as np
import pytest

from keras_manifold.dimension import denoiser_dimension


@pytest.mark.parametrize("dimension", [0, 1, 4, 7])
def test_a_denoiser_that_projects_has_the_dimension_of_its_plane(dimension, rng):
    plane, _ = np.linalg.qr(rng.normal(size=(7, dimension)))
    noise = 0.3 * rng.normal(size=(4000, 3, 7))
    clean = rng.normal(size=(3, 7)) @ plane @ plane.T
    found = denoiser_dimension(noise, (clean + noise) @ plane @ plane.T)
    # Chi-square variables of that many degrees of freedom: five standard errors.
    np.testing.assert_allclose(found, dimension, atol=5 * np.sqrt(2 * dimension / 4000))


def test_the_best_denoiser_of_a_gaussian_counts_the_noise_that_it_keeps(rng):
    """E[x | x + noise] = S (S + s²)⁻¹ (x + noise), of divergence Σ λ / (λ + s²)."""
    variances, noise_variance = np.array([4.0, 1.0, 0.25, 0.0]), 0.25
    gains = variances / (variances + noise_variance)
    noise = np.sqrt(noise_variance) * rng.normal(size=(8000, 1, 2, 2))
    x = np.sqrt(variances) * rng.normal(size=4)
    denoised = (x + noise.reshape(-1, 1, 4)) * gains
    found = denoiser_dimension(noise, denoised.reshape(noise.shape))
    assert found == pytest.approx(gains.sum(), abs=5 * np.sqrt(2 * (gains**2).sum() / 8000))


@pytest.mark.parametrize(
    ("noise", "denoised", "message"),
    [
        (
            np.ones((3, 2, 4)),
            np.ones((3, 2, 5)),
            r"of one shape .*\(3, 2, 5\)",
        ),
        (np.ones((1, 2, 4)), np.ones((1, 2, 4)), "at least two draws"),
        (np.ones((3, 4)), np.ones((3, 4)), r"shape \(3, 4\)"),
        (np.zeros((3, 2, 4)), np.ones((3, 2, 4)), "other than 0.*mean square 0.0"),
        (np.full((3, 2, 4), np.nan), np.ones((3, 2, 4)), "mean square nan"),
        (np.full((3, 2, 4), np.inf), np.ones((3, 2, 4)), "mean square inf"),
        ("a", "b", "`noise` must be an array of numbers.*noise of type str"),
        (
            np.ones((3, 2, 4)),
            [[1.0], [1.0, 2.0]],
            "`denoised` must .*denoised of type list",
        ),
    ],
)
def test_draws_that_say_nothing_are_refused(noise, denoised, message):
    with pytest.raises(ValueError, match=message):
        denoiser_dimension(noise, denoised)
