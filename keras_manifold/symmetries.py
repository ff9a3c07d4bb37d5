"""Tangent directions of images that are known: shifts, rotation, scaling, thickness."""

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal[
    "shift_y", "shift_x", "rotation", "scaling", "shear_y", "shear_x", "thickness"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# How fast the content at (y, x), seen from the centre, moves in y and in x.
_VELOCITIES = {
    "shift_y": lambda y, x: (1.0, 0.0),
    "shift_x": lambda y, x: (0.0, 1.0),
    "rotation": lambda y, x: (-x, y),
    "scaling": lambda y, x: (y, x),
    "shear_y": lambda y, x: (x, 0.0),
    "shear_x": lambda y, x: (0.0, y),
}


def image_tangents(
    x: ArrayLike, kinds: Iterable[Kind] = ("shift_y", "shift_x", "rotation", "scaling")
) -> Annotated[NDArray[np.float32], "n kinds height width channels"]:
    r"""Directions in which an image changes when its content moves, turns or grows.

    A transform $T_t$ that moves the content at $p = (y, x)$ to $T_t(p)$ turns the image
    $f$ into $f(T_t^{-1}(p))$. Its tangent is the derivative by $t$ at $t = 0$,
    $-(v_y\, \partial_y f + v_x\, \partial_x f)$ with $v = \partial_t T_t(p)$, divided
    by its norm. Here $y$ is in pixels down and $x$ in pixels to the right of the centre
    of the image, $((H - 1) / 2, (W - 1) / 2)$ counted from the centre of the first pixel.

    - `"shift_y"`, `"shift_x"`: $T_t(p) = (y + t, x)$, down; $(y, x + t)$, to the right.
    - `"rotation"`: counter-clockwise as displayed, by $t$ radians about the centre:
      $(y \cos t - x \sin t,\ x \cos t + y \sin t)$.
    - `"scaling"`: larger about the centre, $e^t p$.
    - `"shear_y"`, `"shear_x"`: $(y + t x, x)$ and $(y, x + t y)$.
    - `"thickness"`: bright strokes grow by $t$ pixels on each side. This is grey-level
      dilation, $f_t(p) = \max_{|q| \le t} f(p + q)$, of each channel on its own; its
      derivative is $|\nabla f| = ((\partial_y f)^2 + (\partial_x f)^2)^{1/2}$. Dark
      strokes grow along minus that.

    The derivatives are those of the natural cubic spline through the pixels: exact for
    linear ramps, of fourth order in the size of a pixel for smooth images, of first
    order within a few pixels of a border where the image bends. The spline needs no
    values beyond the border: a digit ends in black there, a photograph does not.

    The tangent distance of Keysers (2003, `td.c`) takes $|\nabla f|^2$ for thickness:
    the square of this one, normalised again. We take $|\nabla f|$ because strokes that
    are drawn thicker change by it.

    A direction in which an image does not change is all 0, such as each one of a
    constant image; a norm of at most $10^{-6}$ of that of the two terms counts as 0. A
    change that is 0 for the continuous image only, as that of a disc by rotation about
    its centre, leaves the error of the spline, and the tangent is that error at norm 1.

    Cost: $O(H + W)$ a pixel, in float64; about 64 bytes for each value in `x` beside
    the result.

    Args:
        x: Images of shape `(n, height, width, channels)`, channels last, `n` at least 1,
            sides of at least 2 pixels, finite. Any real dtype: uint8 is taken as the
            same numbers, and the scale does not matter.
        kinds: Which tangents, in which order: any of the names above.

    Returns:
        float32 array of shape `(n, len(kinds), height, width, channels)`. The norm of
        each tangent over `(height, width, channels)` is 1, or 0 as said above.

    Raises:
        ValueError: If `x` is not images of this shape or not finite, or if `kinds` is
            empty, a plain string, or holds an unknown name.

    Examples:
        >>> import numpy as np
        >>> from keras_manifold import symmetries
        >>> brighter_to_the_right = np.tile(np.arange(4.0), (4, 1))[None, :, :, None]
        >>> tangents = symmetries.image_tangents(
        ...     brighter_to_the_right, ["shift_x", "shift_y"]
        ... )
        >>> tangents.shape
        (1, 2, 4, 4, 1)
        >>> tangents[0, :, 0, 0, 0].tolist()
        [-0.25, 0.0]

    References:
        Simard, Victorri, LeCun and Denker (1992), Tangent Prop: a formalism for
        specifying selected invariances in an adaptive network. NeurIPS 4.

        Simard, LeCun, Denker and Victorri (1998), Transformation invariance in pattern
        recognition: tangent distance and tangent propagation. Neural Networks: Tricks of
        the Trade, Springer.
    """
    images = _checked_images(x)
    names = _checked_kinds(kinds)
    peak = np.abs(images).max(axis=(1, 2, 3), keepdims=True)
    images = images / np.where(peak == 0, 1.0, peak)
    slope_y = _spline_derivative(images, axis=1)
    slope_x = _spline_derivative(images, axis=2)
    height, width = images.shape[1:3]
    from_centre_y = (np.arange(height) - (height - 1) / 2)[:, None, None]
    from_centre_x = (np.arange(width) - (width - 1) / 2)[None, :, None]
    shape = (len(images), len(names), *images.shape[1:])
    tangents = np.zeros(shape, dtype="float32")
    for i, kind in enumerate(names):
        if kind == "thickness":
            change = np.hypot(slope_y, slope_x)
            norm = terms = _norm(change)
        else:
            velocity_y, velocity_x = _VELOCITIES[kind](from_centre_y, from_centre_x)
            along_y, along_x = velocity_y * slope_y, velocity_x * slope_x
            change = -(along_y + along_x)
            norm, terms = _norm(change), _norm(along_y) + _norm(along_x)
        changes = norm > 1e-6 * terms
        np.divide(change, norm, out=tangents[:, i], where=changes, casting="same_kind")
    return tangents


def _checked_images(x):
    shape = np.shape(x)
    if len(shape) != 4 or 0 in shape:
        advice = {
            2: "For a single grey image pass x[None, ..., None].",
            3: "For grey images pass x[..., None]; for a single image pass x[None].",
        }.get(len(shape), "Put the samples first and the channels last.")
        raise ValueError(
            "`x` must be images of shape (n, height, width, channels) with at least one "
            f"sample. Received: x of shape {shape}. {advice}"
        )
    if min(shape[1:3]) < 2:
        raise ValueError(
            "`x` must be images of at least 2 pixels a side, of shape (n, height, width, "
            f"channels). Received: x of shape {shape}. For channels first pass "
            "np.moveaxis(x, 1, -1)."
        )
    images = np.asarray(x, dtype="float64")
    broken = ~np.isfinite(images).all(axis=(1, 2, 3))
    if broken.any():
        raise ValueError(
            f"`x` must be finite. Received: NaN or infinity in {broken.sum()} of "
            f"{len(images)} images, the first of them x[{broken.argmax()}]. Leave them out."
        )
    return images


def _checked_kinds(kinds):
    known = f"any of {KINDS}"
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise ValueError(
            f"`kinds` must be a list or tuple of {known}. Received: kinds={kinds!r}. "
            "For one kind pass a list of one."
        )
    kinds = tuple(kinds)
    if not kinds:
        raise ValueError(f"`kinds` must hold {known}. Received: kinds={kinds}.")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"`kinds` must hold {known}. Received: {unknown[0]!r} in it.")
    return kinds


def _spline_derivative(images, axis):
    r"""Slope at each pixel of the natural cubic spline through the pixels along an axis.

    The slopes solve $f'_{i-1} + 4 f'_i + f'_{i+1} = 3 (f_{i+1} - f_{i-1})$, and
    $2 f'_0 + f'_1 = 3 (f_1 - f_0)$ at either end: the same with $f_0$ repeated beyond it.
    """
    lines = np.moveaxis(images, axis, 0)
    side = len(lines)
    extended = np.concatenate([lines[:1], lines, lines[-1:]])
    # Differences first: where an image is constant its slope is 0 exactly.
    differences = 3 * (extended[2:] - extended[:-2])
    system = np.diag(np.full(side, 4.0)) + np.eye(side, k=1) + np.eye(side, k=-1)
    system[0, 0] = system[-1, -1] = 2.0
    slopes = np.linalg.solve(system, differences.reshape(side, -1))
    return np.moveaxis(slopes.reshape(lines.shape), 0, axis)


def _norm(images):
    return np.sqrt(np.sum(images**2, axis=(1, 2, 3), keepdims=True))
