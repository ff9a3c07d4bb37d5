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
        ValueError: If `a` and `b` differ in `n` or in input shape, are complex, or are not
            orthonormal to 1e-2 in the inner products: nearer ones are made orthonormal.
        FloatingPointError: If they hold NaN or infinite entries.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x_axis, y_axis = np.eye(2)[:, None, None]
        >>> km.principal_angles(x_axis, y_axis).round(4).tolist()
        [[1.5708]]

    References:
        Björck and Golub (1973), Numerical methods for computing angles between linear
        subspaces, Mathematics of Computation 27.
    """
    first, second = _vectors("a", a), _vectors("b", b)
    _check_match("a", first, "b", second)
    first, second = _orthonormal("a", first), _orthonormal("b", second)
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
        ValueError: If the two differ in `n` or in input shape, are complex, or the vectors
            of `space` are not orthonormal: see `principal_angles`.
        FloatingPointError: If they hold NaN or infinite entries.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x_axis = np.array([[[1.0, 0.0]]])
        >>> km.captured_energy(x_axis, [[[2.0, 0.0], [1.0, 1.0]]]).round(4).tolist()
        [[1.0, 0.5]]

    References:
        Simard, Victorri, LeCun and Denker (1992), Tangent prop: a formalism for specifying
        selected invariances in an adaptive network, NIPS.
    """
    vectors, directions = _vectors("space", space), _vectors("directions", directions)
    _check_match("space", vectors, "directions", directions)
    vectors = _orthonormal("space", vectors)
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


def _vectors(name, space):
    vectors = np.asarray(getattr(space, "vectors", space))
    if vectors.ndim < 3:
        raise ValueError(
            "Tangent vectors must be of shape (n, k, *input_shape). "
            f"Received: shape {vectors.shape}."
        )
    if vectors.dtype.kind not in "biuf":
        raise ValueError(
            f"`{name}` must hold real numbers. Received: {name} of dtype {vectors.dtype}."
        )
    vectors = vectors.astype("float64")
    if not np.isfinite(vectors).all():
        raise FloatingPointError(
            f"`{name}` must be finite. Received: NaN or infinite entries in {name}."
        )
    return vectors


# How far inner products may be from those of orthonormal vectors: within the first, as
# rounding leaves them, nothing is done; within the second they are made orthonormal.
_EXACT = 1e-6
_NEARLY = 1e-2


def _orthonormal(name, vectors):
    """The vectors, orthonormal for each sample."""
    flat = _flat(vectors)
    grams = flat @ flat.swapaxes(1, 2)
    errors = np.abs(grams - np.eye(grams.shape[1])).max(axis=(1, 2), initial=0.0)
    if errors.max(initial=0.0) > _NEARLY:
        index = int(np.argmax(errors))
        raise ValueError(
            f"`{name}` must be orthonormal for each sample, to {_NEARLY} in the inner "
            f"products. Received: those of sample {index} differ by {errors[index]:.2g} "
            "(a vector of zeros does by 1). Take an orthonormal basis of their span, as "
            "np.linalg.qr(vectors.T)[0].T gives it for one sample."
        )
    if errors.max(initial=0.0) > _EXACT:
        bases, _ = np.linalg.qr(flat.swapaxes(1, 2))
        vectors = bases.swapaxes(1, 2).reshape(vectors.shape)
    return vectors
