"""Singular triplets of many matrices, in float64 NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Below this share of the largest singular value, dividing by it would lose the
# orthogonality that the Gram matrix's eigenvectors carry.
_WELL_CONDITIONED = 1e-4


class Triplets(NamedTuple):
    r"""Leading singular triplets of matrices $A = \sum_i \sigma_i u_i v_i^\top$.

    Attributes:
        left: $u_i$, `(n, k, rows)`.
        sigma: $\sigma_i$, descending, `(n, k)`.
        right: $v_i$, `(n, k, columns)`.
        errors: Bounds on the error of each $\sigma_i$, `(n, k)`, or `None` where rounding
            is all that there is.
    """

    left: np.ndarray
    sigma: np.ndarray
    right: np.ndarray
    errors: np.ndarray | None = None

    def transposed(self) -> "Triplets":
        """Those of the transposed matrices."""
        return Triplets(self.right, self.sigma, self.left, self.errors)


def wide_triplets(matrices: np.ndarray, k: int) -> Triplets:
    r"""Triplets of matrices with few rows, from their Gram matrices.

    From the eigenvectors $U$ of $A A^\top$ and the rows of $U^\top A = \Sigma V^\top$.
    Where a singular value is too small to divide by, a QR decomposition of these rows takes
    its place, which is orthonormal whatever the rank.

    Args:
        matrices: `(n, rows, columns)`, finite, `rows` at most `columns`.
        k: Triplets of each, at most `rows`.

    Returns:
        `Triplets`.
    """
    matrices = matrices.astype("float64")
    return _triplets_by_gram(matrices @ matrices.swapaxes(1, 2), matrices, k)


def _triplets_by_gram(gram, matrices, k):
    _, left = np.linalg.eigh(gram)
    left = left[:, :, ::-1][:, :, :k].swapaxes(1, 2)
    right = left @ matrices
    sigma = np.sqrt(np.einsum("nkc,nkc->nk", right, right))
    if np.any(sigma[:, 1:] > sigma[:, :-1]):  # rounding near 0 has undone the order
        order = np.argsort(-sigma, axis=1, kind="stable")
        sigma = np.take_along_axis(sigma, order, axis=1)
        left = np.take_along_axis(left, order[..., None], axis=1)
        right = np.take_along_axis(right, order[..., None], axis=1)
    deficient = np.flatnonzero((sigma <= _WELL_CONDITIONED * sigma[:, :1]).any(axis=1))
    completed = [_orthonormal_rows(right[sample]) for sample in deficient]
    right /= np.where(sigma > 0, sigma, 1.0)[..., None]
    for sample, rows in zip(deficient, completed):
        right[sample] = rows
    return Triplets(left, sigma, right)


def _orthonormal_rows(rows):
    q, r = np.linalg.qr(rows.T)
    return np.where(np.diag(r) < 0, -1.0, 1.0)[:, None] * q.T


def product_triplets(columns: np.ndarray, rows: np.ndarray, k: int) -> Triplets:
    r"""Triplets of products $A = GF$ of few columns with few rows, without forming them.

    With $G = Q_G R_G$ and $F^\top = Q_F R_F$ they are those of the small matrix $R_G
    R_F^\top$, turned by $Q_G$ and $Q_F$: exact, and orthonormal whatever the rank.

    Args:
        columns: Of $G$, `(n, m, outputs)`, finite, `m` at most `outputs`.
        rows: Of $F$, `(n, m, inputs)`, finite, `m` at most `inputs`.
        k: Triplets of each, at most `m`.

    Returns:
        `Triplets`.
    """
    q_g, r_g = np.linalg.qr(columns.astype("float64").swapaxes(1, 2))
    q_f, r_f = np.linalg.qr(rows.astype("float64").swapaxes(1, 2))
    u, sigma, vt = np.linalg.svd(r_g @ r_f.swapaxes(1, 2))
    left = u[:, :, :k].swapaxes(1, 2) @ q_g.swapaxes(1, 2)
    return Triplets(left, sigma[:, :k], vt[:, :k] @ q_f.swapaxes(1, 2))


def lanczos_triplets(
    push: Callable,
    pull: Callable,
    start: np.ndarray,
    k: int,
    *,
    tolerance: float,
    most_blocks: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""Leading triplets of matrices that are known by their products, by block Lanczos.

    Right vectors are sought in the space that the residuals of the best ones so far span:
    the Krylov space of $A^\top A$, with each block orthogonal to all before. Each block
    costs as many products with $A$ and with $A^\top$ as it has vectors. It ends when the
    residuals $\|A^\top u_i - \sigma_i v_i\|$ of the leading `k` fall below `tolerance`
    times the largest singular value, or with the last block. Those of $A v_i - \sigma_i
    u_i$ are 0 but for the rounding of squares, below 1e-8 of the largest. A singular value
    of $A$ lies within the residual of each $\sigma_i$.

    Args:
        push: $V \mapsto AV$, from `(n, block, columns)` to `(n, block, rows)`.
        pull: $U \mapsto A^\top U$, the other way.
        start: First block, random, `(n, block, columns)`, with `block` at least `k` and at
            most `rows` and `columns`.
        k: Triplets of each matrix.
        tolerance: Relative to the largest singular value of each matrix.
        most_blocks: Blocks at most, at least 1.

    Returns:
        The arrays of `Triplets`, with the residuals as errors.

    References:
        Golub, Luk and Overton (1981), A block Lanczos method for computing the singular
        values and corresponding singular vectors of a matrix, ACM Transactions on
        Mathematical Software 7.
    """
    rng = np.random.default_rng(0)
    size, columns = start.shape[1:]
    basis = np.zeros((len(start), 0, columns))
    block = _orthonormal_beside(basis, start, rng)
    images, gram = None, np.zeros((len(start), 0, 0))
    for _ in range(most_blocks):
        pushed = push(block).astype("float64")
        basis = np.concatenate([basis, block], axis=1)
        images = pushed if images is None else np.concatenate([images, pushed], axis=1)
        gram = _bordered(gram, images @ pushed.swapaxes(1, 2))
        turn, sigma, left = _triplets_by_gram(gram, images, size)[:3]
        right = turn @ basis
        residuals = pull(left).astype("float64") - sigma[..., None] * right
        errors = np.linalg.norm(residuals[:, :k], axis=2)
        remaining = columns - basis.shape[1]
        if not remaining or (errors <= tolerance * sigma[:, :1]).all():
            break
        block = _orthonormal_beside(basis, residuals[:, :remaining], rng)
    return left[:, :k], sigma[:, :k], right[:, :k], errors


def _bordered(matrices, columns):
    """Symmetric matrices with more columns, `(n, rows, new)`, and rows of the same."""
    known = matrices.shape[2]
    rows = columns[:, :known].swapaxes(1, 2)
    return np.concatenate([np.concatenate([matrices, rows], axis=1), columns], axis=2)


def _orthonormal_beside(basis, vectors, rng):
    """Orthonormal vectors of the span of `vectors` and, where it is too small, random ones.

    Orthogonal to the rows of `basis`, `(n, any, size)`.
    """
    norms = np.linalg.norm(vectors, axis=2, keepdims=True)
    negligible = norms <= 1e-30 + 1e-12 * norms.max(axis=1, keepdims=True)
    random = rng.normal(size=vectors.shape[1:])
    vectors = np.where(negligible, random, vectors / np.where(negligible, 1.0, norms))
    for _ in range(2):  # once leaves what rounding leaves of nearly dependent vectors
        vectors = vectors - (vectors @ basis.swapaxes(1, 2)) @ basis
        vectors = np.linalg.qr(vectors.swapaxes(1, 2))[0].swapaxes(1, 2)
    return vectors
