"""How subspaces, such as tangent spaces, lie to each other."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray


def principal_angles(a: Any, b: Any) -> Annotated[NDArray[np.float64], "n k"]:
    r"""Principal angles between the tangent spaces of matching samples.

    The singular values of $A_i B_i^\top$ are their cosines; small angles are taken from
    the sines instead, the singular values of $B_i - B_i A_i^\top A_i$, which keeps full
    precision where the cosine is flat. Cost: two SVDs of at most `k × size` a sample.

    Args:
        a: `TangentSpace`, or orthonormal vectors of shape `(n, k_a, *input_shape)`.
        b: The same, for the same `n` samples.

    Returns:
        Radians in [0, π/2], ascending, shape `(n, min(k_a, k_b))`.

    Raises:
        ValueError: If `a` and `b` differ in `n` or in input shape.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x_axis, y_axis = np.eye(2)[:, None, None]
        >>> km.principal_angles(x_axis, y_axis).round(4).tolist()
        [[1.5708]]

    References:
        Björck and Golub (1973), Numerical methods for computing angles between linear
        subspaces, Mathematics of Computation 27.
    """
    first, second = _vectors(a), _vectors(b)
    _check_match("a", first, "b", second)
    larger, smaller = sorted(
        map(_flat, (first, second)),
        key=lambda v: v.shape[1],
        reverse=True,
    )
    cross = smaller @ larger.swapaxes(1, 2)
    cosines = np.linalg.svd(cross, compute_uv=False)
    residual = smaller - cross @ larger
    sines = np.linalg.svd(residual, compute_uv=False)[:, ::-1]
    from_sines = np.arcsin(np.clip(sines, 0.0, 1.0))
    from_cosines = np.arccos(np.clip(cosines, 0.0, 1.0))
    return np.where(cosines > np.sqrt(0.5), from_sines, from_cosines)


def captured_energy(space: Any, directions: Any) -> Annotated[NDArray[np.float64], "n m"]:
    r"""How much of each direction lies in the tangent space of its sample.

    $\sum_i \langle v_i, d \rangle^2 / \|d\|^2$ over the tangent vectors $v_i$: 1 for a
    direction in their span, 0 for one at a right angle to it; for a random direction it is
    about `k / size`. Cost: `k × m` inner products a sample.

    Args:
        space: `TangentSpace`, or orthonormal vectors of shape `(n, k, *input_shape)`.
        directions: Directions at the same samples, of any length, shape `(n, m,
            *input_shape)`, such as `symmetries.image_tangents` gives.

    Returns:
        Fractions in [0, 1], shape `(n, m)`; 0 for a direction of length 0.

    Raises:
        ValueError: If the two differ in `n` or in input shape.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x_axis = np.array([[[1.0, 0.0]]])
        >>> km.captured_energy(x_axis, [[[2.0, 0.0], [1.0, 1.0]]]).round(4).tolist()
        [[1.0, 0.5]]

    References:
        Simard, Victorri, LeCun and Denker (1992), Tangent prop: a formalism for specifying
        selected invariances in an adaptive network, NIPS.
    """
    vectors, directions = _vectors(space), _vectors(directions)
    _check_match("space", vectors, "directions", directions)
    vectors, directions = _flat(vectors), _flat(directions)
    lengths = np.linalg.norm(directions, axis=2, keepdims=True)
    directions = directions / np.where(lengths > 0, lengths, 1.0)
    shares = np.square(directions @ vectors.swapaxes(1, 2)).sum(axis=2)
    return np.clip(shares, 0.0, 1.0)


def _flat(vectors):
    return vectors.reshape(*vectors.shape[:2], -1)


def _check_match(name_a, a, name_b, b):
    if a.shape[0] != b.shape[0] or a.shape[2:] != b.shape[2:]:
        raise ValueError(
            f"`{name_a}` and `{name_b}` must have the same number of samples and the same "
            f"input shape. Received: {name_a} of shape {a.shape} and {name_b} of shape "
            f"{b.shape}."
        )


def _vectors(space):
    vectors = np.asarray(getattr(space, "vectors", space))
    if vectors.ndim < 3:
        raise ValueError(
            "Tangent vectors must be of shape (n, k, *input_shape). "
            f"Received: shape {vectors.shape}."
        )
    return vectors.astype("float64")
