"""Curves of least energy between fixed ends: damped Gauss-Newton steps, many at once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_manifold._map.damping import Damping, damped
from keras_manifold._map.energy import Blocks, CurveEnergy
from keras_manifold._map.tridiagonal import solve_block_tridiagonal

# Damping, in units of the stiffness of a curve's longest wave.
_DAMPING = {"first": 0.1, "free": 1.0, "least": 1e-3}
# Newton's equations for a step of a curve that is shot, at most.
MOST_EQUATIONS = 8


class Relaxed(NamedTuple):
    """Curves, `(n, points, *code_shape)`, and for each whether and when it converged."""

    codes: np.ndarray
    converged: np.ndarray
    iterations: np.ndarray


def relaxed(
    energy: CurveEnergy,
    curves: np.ndarray,
    *,
    tolerance: float,
    max_iterations: int,
    settled: Callable[[int], None],
) -> Relaxed:
    r"""Curves of least discretised energy, from given ones, whose ends stay.

    Gauss-Newton: $r_i$ is replaced by $r_i + J_{i+1} \delta_{i+1} - J_i \delta_i$, whose
    least squares are a block-tridiagonal system. Levenberg and Marquardt's damping, one for
    each curve, shortens steps that would raise the energy; it vanishes on the way.

    A curve has converged once a step, with next to no damping, lowered its energy by less
    than `tolerance` of it; or once no step does, and what is left to gain by the quadratic
    model is below `tolerance` or what the decoder's precision resolves.

    Args:
        energy: Of the decoder.
        curves: Where to begin, `(n, points, *code_shape)`.
        tolerance: Relative decrease.
        max_iterations: Systems solved for each curve, at most.
        settled: Called with the number of curves that are done, after each iteration.
    """
    curves = curves.astype("float64")
    count, points = curves.shape[:2]
    flat = curves.reshape(count, points, -1)
    squares, norms = energy.segments(curves)
    energies = squares.sum(axis=1)
    stiffness = (np.pi / (points - 1)) ** 2
    damping = Damping(count, **_DAMPING)
    gain = np.zeros(count)  # by the model, of the first step from where a curve is
    converged = energies == 0
    iterations = np.zeros(count, int)
    is_new = ~converged
    running = ~converged
    blocks = _no_blocks(count, points, flat.shape[2])
    for _ in range(max_iterations):
        if not running.any():
            break
        for kept, found in zip(blocks, energy.blocks(curves[is_new])):
            kept[is_new] = found
        at = np.flatnonzero(running)
        part = Blocks(*(array[at] for array in blocks))
        steps = _steps(part, damping.values[at] * stiffness)
        gains = -(part.gradient * steps).sum(axis=(1, 2))
        gain[at] = np.where(is_new[at], gains, gain[at])
        moved = flat[at].copy()
        moved[:, 1:-1] += steps
        found = _energies(energy, moved.reshape(-1, *curves.shape[1:]))
        iterations[at] += 1
        # Rounding of the outputs moves the energy by about as much.
        noise = 2 * energy.epsilon * np.sqrt(energies[at] * norms[at])
        is_lower, is_done = damping.judged(
            at, energies[at], found, gain[at], tolerance=tolerance, noise=noise
        )
        lowered = at[is_lower]
        flat[lowered], energies[lowered] = moved[is_lower], found[is_lower]
        converged[at[is_done]] = True
        running[at] = ~is_done & damping.is_usable(at)
        is_new[:] = False
        is_new[lowered] = running[lowered]
        settled(int(count - running.sum()))
    return Relaxed(curves.astype("float32"), converged, iterations)


def shot(energy: CurveEnergy, codes: np.ndarray, first: np.ndarray, steps: int) -> Relaxed:
    """Curves from codes, step by step, each of which continues the one before.

    Args:
        energy: Of the decoder.
        codes: Where to begin, `(n, *code_shape)`.
        first: The velocity there, in codes per step, of the same shape.
        steps: How many.
    """
    count = len(codes)
    begin, velocity = codes.astype("float64"), first.astype("float64")
    # Half the acceleration: the steps to both sides of the first point are
    # half - velocity and half + velocity, and the outputs' bend at it is normal.
    half = np.zeros_like(begin)
    good, solved = np.ones(count, bool), np.zeros(count, int)

    def around(half, at):
        ends = begin[at] - velocity[at] + half[at], begin[at] + velocity[at] + half[at]
        return np.stack([ends[0], begin[at], ends[1]], axis=1)

    _solve(energy, half, around, good, solved, 2 * np.abs(velocity), share=0.5)
    points = np.repeat(begin[:, None], steps + 1, axis=1)
    points[:, 1] = begin + velocity + half
    for i in range(2, steps + 1):
        last = points[:, i - 2 : i].copy()
        new = 2 * last[:, 1] - last[:, 0]

        def after(new, at, last=last):
            return np.concatenate([last[at], new[at, None]], axis=1)

        _solve(energy, new, after, good, solved, np.abs(last[:, 1] - last[:, 0]))
        new[~good] = last[~good, 1]
        points[:, i] = new
    return Relaxed(points.astype("float32"), good, solved)


def _solve(energy, unknown, curve_of, good, solved, scale, share=1.0):
    """Moves an unknown until the outputs bend by nothing along the manifold, in place."""
    size = int(np.prod(unknown.shape[1:]))
    flat = unknown.reshape(len(unknown), size)
    scale = scale.reshape(len(unknown), size).max(axis=1)
    at = np.flatnonzero(good & (scale > 0))
    last = np.full(len(unknown), np.inf)
    if not len(at):
        return
    for _ in range(MOST_EQUATIONS):
        blocks = energy.blocks(curve_of(unknown, at))
        matrices = blocks.diagonal[:, 0]
        # Directions that no output follows keep their velocity.
        least = 1e-7 * np.einsum("ndd->n", matrices)[:, None, None] + 1e-30
        with np.errstate(invalid="ignore"):
            change = share * np.linalg.solve(
                matrices + least * np.eye(size), blocks.gradient[:, 0, :, None]
            )
            change = change[..., 0]
            moved = np.abs(change).max(axis=1)
        solved[at] += 1
        is_finite = np.isfinite(moved) & (moved < 10 * scale[at])
        good[at[~is_finite]] = False
        # Below what rounding leaves, changes no longer fall.
        is_done = (moved <= 1e-6 * scale[at]) | (moved >= 0.5 * last[at])
        is_taken = is_finite & ~((moved >= last[at]) & (last[at] < np.inf))
        flat[at[is_taken]] += change[is_taken]
        stalled = is_finite & is_done & (moved > 0.1 * scale[at])
        good[at[stalled]] = False
        last[at] = moved
        at = at[is_finite & ~is_done]
        if not len(at):
            return
    good[at[last[at] > 1e-2 * scale[at]]] = False


def _no_blocks(count, points, size):
    return Blocks(
        np.zeros((count, points - 2, size)),
        np.zeros((count, points - 2, size, size)),
        np.zeros((count, points - 3, size, size)),
    )


def _energies(energy, curves):
    squares, _ = energy.segments(curves)
    sums = squares.sum(axis=1)
    return np.where(np.isfinite(sums), sums, np.inf)


def _steps(blocks, damping):
    """The damped Gauss-Newton step at the inner points."""
    diagonal = damped(2 * blocks.diagonal, damping)
    return solve_block_tridiagonal(diagonal, -blocks.beside, -blocks.gradient)
