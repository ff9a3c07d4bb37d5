"""Whether codes have the neighbors that the data have."""

from typing import Any, NamedTuple

import numpy as np

from keras_manifold._arguments import check_count


class Preservation(NamedTuple):
    """How well codes keep the neighbors of the data.

    Attributes:
        trustworthiness: In [0, 1]: 1 where all neighbors among the codes are neighbors
            among the data.
        continuity: In [0, 1]: 1 where all neighbors among the data are neighbors among the
            codes.
    """

    trustworthiness: float
    continuity: float


def neighbor_preservation(x: Any, codes: Any, *, neighbors: int = 5) -> Preservation:
    r"""Trustworthiness and continuity of codes.

    Trustworthiness is $1 - \frac{2}{n k (2n - 3k - 1)} \sum_i \sum_j \max(r_{ij} - k, 0)$
    over the $k$ nearest neighbors $j$ of each $i$ among the codes, which are its
    $r_{ij}$-th among the data; continuity has both the other way around.

    Cost: all distances between samples, `(n, n)`; take a few thousand.

    Args:
        x: Samples, `(n, *input_shape)`.
        codes: Their codes, or points of a map of them, `(n, *code_shape)`.
        neighbors: Of each sample, at least 1 and below `n / 2`.

    Returns:
        `Preservation`, a tuple of both.

    Raises:
        ValueError: If `x` and `codes` differ in `n`, or have entries that are not finite,
            or `neighbors` is out of range.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).normal(size=(20, 3))
        >>> km.neighbor_preservation(x, 2 * x)
        Preservation(trustworthiness=1.0, continuity=1.0)

    References:
        Venna and Kaski (2006), Local multidimensional scaling, Neural Networks 19.
    """
    x, codes = (np.asarray(array).reshape(len(array), -1) for array in (x, codes))
    if len(x) != len(codes):
        raise ValueError(
            f"`x` and `codes` must be as many. Received: {len(x)} samples and {len(codes)} "
            "codes."
        )
    for name, points in (("x", x), ("codes", codes)):
        wrong = int((~np.isfinite(points).all(axis=1)).sum())
        if wrong:
            raise ValueError(
                f"`{name}` must be finite, as distances are. Received: NaN or infinite "
                f"entries in {wrong} of {len(points)}. Leave these out."
            )
    neighbors = check_count("neighbors", neighbors)
    if neighbors >= len(x) / 2:
        raise ValueError(
            f"`neighbors` must be below half the number of samples, {len(x)}. Received: "
            f"neighbors={neighbors}."
        )
    near, far = _ranks(x), _ranks(codes)
    return Preservation(_trust(near, far, neighbors), _trust(far, near, neighbors))


def _ranks(points):
    """Of each sample, the place of each by distance from it, `(n, n)`: itself 0."""
    points = points.astype("float64") - points.mean(axis=0, dtype="float64")
    norms = np.square(points).sum(axis=1)
    squares = norms[:, None] + norms - 2 * points @ points.T
    np.fill_diagonal(squares, -np.inf)
    order = np.argsort(squares, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(points))[None], axis=1)
    return ranks


def _trust(ranks, shown, neighbors):
    """One less what neighbors as shown are too far down the ranks, of the most possible."""
    count = len(ranks)
    is_neighbor = (shown > 0) & (shown <= neighbors)
    excess = np.maximum(ranks[is_neighbor] - neighbors, 0).sum()
    return float(1 - 2 * excess / (count * neighbors * (2 * count - 3 * neighbors - 1)))
