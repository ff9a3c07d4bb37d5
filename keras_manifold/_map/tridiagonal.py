"""Block-tridiagonal systems, many of them at once, in float64 NumPy."""

import numpy as np


def solve_block_tridiagonal(
    diagonal: np.ndarray, beside: np.ndarray, right: np.ndarray
) -> np.ndarray:
    r"""Solutions of $B_{i-1}^\top x_{i-1} + A_i x_i + B_i x_{i+1} = c_i$.

    Forward elimination and back substitution. Cost: `m` solutions of `n` systems of size
    `d`, each with `d + 1` right-hand sides.

    Args:
        diagonal: $A$, symmetric, `(n, m, d, d)`.
        beside: $B$, `(n, m - 1, d, d)`.
        right: $c$, `(n, m, d)`.

    Returns:
        `(n, m, d)`, NaN where a system can't be solved.
    """
    count, length, size = right.shape
    ratios = np.empty((length, count, size, size))
    solutions = np.empty((length, count, size, 1))
    for i in range(length):
        pivot, rest = diagonal[:, i], right[:, i, :, None]
        if i:
            above = np.swapaxes(beside[:, i - 1], 1, 2)
            pivot = pivot - above @ ratios[i - 1]
            rest = rest - above @ solutions[i - 1]
        if i < length - 1:
            rest = np.concatenate([rest, beside[:, i]], axis=2)
        solved = _solutions(pivot, rest)
        solutions[i] = solved[:, :, :1]
        if i < length - 1:
            ratios[i] = solved[:, :, 1:]
    for i in range(length - 2, -1, -1):
        solutions[i] -= ratios[i] @ solutions[i + 1]
    return np.moveaxis(solutions[..., 0], 0, 1)


def _solutions(matrices, right):
    try:
        return np.linalg.solve(matrices, right)
    except np.linalg.LinAlgError:  # one of them is singular: the others are not its victims
        solved = np.full(right.shape, np.nan)
        for i, (matrix, sides) in enumerate(zip(matrices, right)):
            try:
                solved[i] = np.linalg.solve(matrix, sides)
            except np.linalg.LinAlgError:
                continue
        return solved
