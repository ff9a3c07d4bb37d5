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
    """Trustworthiness and continuity of codes, by scikit-learn.

    Cost: all distances between samples, `(n, n)`; take a few thousand.

    Args:
        x: Samples, `(n, *input_shape)`.
        codes: Their codes, or points of a map of them, `(n, *code_shape)`.
        neighbors: Of each sample, at least 1 and below `n / 2`.

    Returns:
        `Preservation`, a tuple of both.

    Raises:
        ValueError: If `x` and `codes` differ in `n`, or `neighbors` is out of range.
        ImportError: If scikit-learn is missing (`pip install scikit-learn`).

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
    neighbors = check_count("neighbors", neighbors)
    if neighbors >= len(x) / 2:
        raise ValueError(
            f"`neighbors` must be below half the number of samples, {len(x)}. Received: "
            f"neighbors={neighbors}."
        )
    try:
        from sklearn.manifold import trustworthiness
    except ImportError as error:
        raise ImportError(
            f"neighbor_preservation needs scikit-learn. Received: {error}. Run: pip "
            "install scikit-learn."
        ) from error
    return Preservation(
        float(trustworthiness(x, codes, n_neighbors=neighbors)),
        float(trustworthiness(codes, x, n_neighbors=neighbors)),
    )
