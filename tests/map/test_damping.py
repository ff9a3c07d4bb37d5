"""Damped steps on problems whose minima are known."""

import numpy as np

from keras_manifold._map.damping import Damping, damped

SETTINGS = {"first": 0.1, "free": 1.0, "least": 1e-3}


def test_damping_falls_with_steps_that_are_taken_and_rises_with_others():
    damping = Damping(3, **SETTINGS)
    at = np.array([0, 2])
    before, after = np.ones(2), np.array([0.5, np.nan])
    judged = damping.judged(
        at, before, after, np.ones(2), tolerance=1e-6, noise=np.zeros(2)
    )
    assert judged.is_taken.tolist() == [True, False]
    assert not judged.is_solved.any()
    np.testing.assert_allclose(damping.values, [0.01, 0.1, 1.0])


def test_it_stays_above_its_least_and_ends_where_no_step_is_left():
    damping = Damping(1, **SETTINGS)
    at, one = np.array([0]), np.ones(1)
    for _ in range(5):
        damping.judged(at, one, 0.5 * one, one, tolerance=1e-6, noise=0 * one)
    assert damping.values[0] == 1e-3
    for _ in range(12):
        damping.judged(at, one, 2 * one, one, tolerance=1e-6, noise=0 * one)
    assert not damping.is_usable(at).any()


def test_a_small_decrease_ends_only_what_is_next_to_undamped():
    at, one = np.array([0, 1]), np.ones(2)
    damping = Damping(2, **SETTINGS)
    damping.values[:] = [0.1, 10.0]
    judged = damping.judged(at, one, one - 1e-9, one, tolerance=1e-6, noise=np.zeros(2))
    assert judged.is_solved.tolist() == [True, False]


def test_what_can_not_gain_more_than_rounding_hides_is_solved():
    at, one = np.array([0, 1]), np.ones(2)
    judged = Damping(2, **SETTINGS).judged(
        at, one, 2 * one, np.array([1e-5, 1e-3]), tolerance=1e-6, noise=1e-4 * one
    )
    assert judged.is_solved.tolist() == [True, False]


def test_the_diagonal_grows_in_its_own_units_and_where_it_is_zero(rng):
    factors = rng.normal(size=(4, 6, 5, 3)) * [1.0, 100.0, 0.0]
    matrices = np.swapaxes(factors, 2, 3) @ factors
    added = damped(matrices, np.array([0.0, 1.0, 2.0, 3.0])) - matrices
    diagonal = np.einsum("...dd->...d", added)
    np.testing.assert_allclose(added, diagonal[..., None] * np.eye(3), atol=1e-9)
    scale = np.einsum("...dd->...d", matrices)
    assert (diagonal[0] == 0).all()
    assert (diagonal[1:] > 0).all()
    np.testing.assert_allclose(diagonal[2, :, 1], 2 * scale[2, :, 1], rtol=2e-3)
    np.testing.assert_allclose(damped(np.zeros((1, 2, 2)), np.ones(1))[0], 1e-3 * np.eye(2))


def test_damped_steps_find_the_minimum_of_rosenbrock():
    x = np.array([[-1.2, 1.0], [2.0, -2.0], [0.0, 0.0]])
    damping, done = Damping(3, first=1e-3, free=1e-2, least=1e-7), np.zeros(3, bool)

    def residuals(x):
        return np.stack([10 * (x[:, 1] - x[:, 0] ** 2), 1 - x[:, 0]], axis=1)

    for _ in range(200):
        at = np.flatnonzero(~done)
        if not len(at):
            break
        r = residuals(x[at])
        jacobian = np.zeros((len(at), 2, 2))
        jacobian[:, 0, 0], jacobian[:, 0, 1], jacobian[:, 1, 0] = -20 * x[at, 0], 10, -1
        gradient = np.einsum("nij,ni->nj", jacobian, r)
        matrix = np.swapaxes(jacobian, 1, 2) @ jacobian
        steps = -np.linalg.solve(damped(matrix, damping.values[at]), gradient[..., None])
        moved, gains = x[at] + steps[..., 0], -(gradient * steps[..., 0]).sum(axis=1)
        before, after = (np.square(residuals(p)).sum(axis=1) for p in (x[at], moved))
        taken, done[at] = damping.judged(
            at, before, after, gains, tolerance=1e-12, noise=np.full(len(at), 1e-20)
        )
        x[at[taken]] = moved[taken]
    np.testing.assert_allclose(x, 1.0, atol=1e-6)
