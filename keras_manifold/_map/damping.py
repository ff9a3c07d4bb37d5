"""Levenberg and Marquardt's damping of Gauss-Newton steps, many problems at once."""

from typing import NamedTuple

import numpy as np

# Where no step is left that would lower anything.
_MOST = 1e9
_DOWN, _UP = 0.1, 10.0


class Judged(NamedTuple):
    """Of each step: whether it is taken, and whether its problem is solved."""

    is_taken: np.ndarray
    is_solved: np.ndarray


class Damping:
    """The damping of each of many problems, which steps that raise the value increase.

    Args:
        count: Problems.
        first: Where it begins, and at least where it goes after a step that was refused.
        free: Up to which a step is as good as an undamped one.
        least: Where it ends; above 0, so that it can rise again.

    Attributes:
        values: `(count,)`.
    """

    def __init__(self, count: int, *, first: float, free: float, least: float):
        self.values = np.full(count, first)
        self._first, self._free, self._least = first, free, least

    def judged(self, at, before, after, gains, *, tolerance, noise) -> Judged:
        """What becomes of a step of some problems, whose damping falls or rises.

        A problem is solved once a step with next to no damping lowered its value by no more
        than `tolerance` of it; or once a step doesn't lower it, and what is left to gain is
        below that or below `noise`.

        Args:
            at: Indices of the problems.
            before: Their values.
            after: Their values after the step; what is not finite is refused.
            gains: What an undamped step from here should gain by the quadratic model.
            tolerance: Share of the value.
            noise: What rounding hides of each value.
        """
        small = tolerance * before
        with np.errstate(invalid="ignore"):
            is_taken = after < before
            is_last = is_taken & (before - after <= small) & (self.values[at] <= self._free)
            is_flat = ~is_taken & (gains <= np.maximum(small, noise))
        self.values[at] = np.where(
            is_taken,
            np.maximum(self.values[at] * _DOWN, self._least),
            np.maximum(self.values[at], self._first) * _UP,
        )
        return Judged(is_taken, is_last | is_flat)

    def is_usable(self, at) -> np.ndarray:
        """Whether problems have steps left to try."""
        return self.values[at] < _MOST


def damped(matrices: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Matrices of normal equations with damping on their diagonals, in units of these.

    Args:
        matrices: Symmetric, `(n, ..., d, d)`.
        damping: `(n,)`.
    """
    scale = np.einsum("...dd->...d", matrices)
    inner = tuple(range(1, scale.ndim))
    # Directions that no output follows get a share of the others' damping.
    mean = scale.mean(axis=inner, keepdims=True)
    scale = scale + 1e-3 * np.where(mean > 0, mean, 1.0)
    found = matrices.copy()
    index = np.arange(matrices.shape[-1])
    found[..., index, index] += damping.reshape(-1, *(1,) * len(inner)) * scale
    return found
