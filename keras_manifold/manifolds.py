r"""Synthetic manifolds whose tangents and dimension are known.

Each function draws samples of a manifold of known shape, to hold what a model has learnt
against. All return a `Manifold` and follow the same rules:

- Samples are uniform by length, area or volume of the manifold, unless the docstring says
  otherwise.
- A docstring gives the point $y(\text{parameters})$ in the manifold's natural dimension.
  `ambient_dim` embeds it isometrically: $x = E y$ with a random matrix $E$ of orthonormal
  columns, kept as `embedding`; with `ambient_dim=None`, $x = y$.
- `noise` moves `x` only; `parameters` and `tangents` are those of the clean point.
- Under one `seed`, parameters, embedding and noise do not disturb one another: another
  `noise` or `ambient_dim` leaves the parameters as they were, another `n` leaves the
  embedding. To train and to test on one manifold, draw once and split.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import check_count, check_number

# Images rendered at once: their float64 derivatives stay far below what is returned.
_IMAGES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Manifold:
    """`n` samples of a manifold, with what is true there, as NumPy arrays.

    Attributes:
        x: The samples, float32, shape `(n, *ambient_shape)`.
        parameters: Where on the manifold each lies, float64, shape `(n, p)`; the function
            that drew it names them. In a union, NaN after those that a sample's part has.
        tangents: Orthonormal tangent vectors, float32, shape `(n, d, *ambient_shape)`: the
            derivatives by the parameters, in their order, made orthonormal one after
            another. In a union of different dimensions `d` is the largest, and the rows
            after a sample's own dimension are 0.
        dimension: Dimension `d` of the manifold, an `int`; of a `union`, an integer array
            of shape `(n,)`, one a sample, and sample `i` has `tangents[i, :dimension[i]]`.
        embedding: Orthonormal columns that take natural coordinates to `x`, float64, shape
            `(ambient_dim, natural_dim)`; `None` where `x` is in natural coordinates.
        parts: For a `union`: which of its arguments each sample came from, integers of
            shape `(n,)`. Otherwise `None`.

    Examples:
        >>> import keras_manifold as km
        >>> roll = km.manifolds.swiss_roll(100, ambient_dim=20, seed=0)
        >>> roll.x.shape, roll.tangents.shape, roll.dimension
        ((100, 20), (100, 2, 20), 2)
    """

    x: Annotated[NDArray[np.float32], "n *ambient_shape"]
    parameters: Annotated[NDArray[np.float64], "n p"]
    tangents: Annotated[NDArray[np.float32], "n d *ambient_shape"]
    dimension: int | Annotated[NDArray[np.integer], "n"]
    embedding: Annotated[NDArray[np.float64], "ambient_dim natural_dim"] | None = None
    parts: Annotated[NDArray[np.integer], "n"] | None = None


def line(
    n: int,
    *,
    length: float = 2.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a straight segment through the origin, uniform by length.

    $y = t$ with the parameter $t \in [-\ell / 2, \ell / 2]$ and $\ell$ the `length`; the
    natural dimension is 1.

    Args:
        n: Number of samples, at least 1.
        length: Length of the segment, above 0.
        ambient_dim: Embed in this many dimensions, at least 1; `None` for 1.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, 1)`.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.line(100, ambient_dim=5, seed=0).tangents.shape
        (100, 1, 5)
    """
    n = check_count("n", n)
    length = check_number("length", length, positive=True)
    space = _space(1, ambient_dim, noise, seed)
    t = space.rng.uniform(-length / 2, length / 2, (n, 1))
    return _embedded(t, t, np.ones((n, 1, 1)), space)


def circle(
    n: int,
    *,
    radius: float = 1.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a circle about the origin, uniform by length.

    $y = r (\cos t, \sin t)$ with the parameter $t \in [0, 2 \pi)$ and $r$ the `radius`;
    the natural dimension is 2.

    Args:
        n: Number of samples, at least 1.
        radius: Above 0.
        ambient_dim: Embed in this many dimensions, at least 2; `None` for 2.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, 1)`, in
        radians.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        A decoder from the parameter to `x` needs the formula and the embedding only.

        >>> import numpy as np
        >>> from keras_manifold import manifolds
        >>> samples = manifolds.circle(100, radius=3.0, ambient_dim=5, seed=0)
        >>> t = samples.parameters[:, 0]
        >>> y = 3.0 * np.stack([np.cos(t), np.sin(t)], axis=-1)
        >>> np.allclose(y @ samples.embedding.T, samples.x, atol=1e-6)
        True
    """
    n = check_count("n", n)
    radius = check_number("radius", radius, positive=True)
    space = _space(2, ambient_dim, noise, seed)
    t = space.rng.uniform(0, 2 * np.pi, n)
    y = radius * _columns(np.cos(t), np.sin(t))
    derivative = _columns(-np.sin(t), np.cos(t))
    return _embedded(t[:, None], y, _unit(derivative), space)


def helix(
    n: int,
    *,
    radius: float = 1.0,
    pitch: float = 1.0,
    turns: float = 2.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a right-handed helix, uniform by length.

    $y = (r \cos t, r \sin t, p t / 2 \pi)$ with the parameter $t \in [0, 2 \pi k)$, $r$ the
    `radius`, $p$ the `pitch` and $k$ the `turns`; the natural dimension is 3.

    Args:
        n: Number of samples, at least 1.
        radius: Distance from the axis, above 0.
        pitch: Rise along the axis in one turn, above 0.
        turns: Number of turns, above 0; need not be whole.
        ambient_dim: Embed in this many dimensions, at least 3; `None` for 3.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, 1)`, in
        radians.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.helix(100, turns=3, seed=0).x.shape
        (100, 3)
    """
    n = check_count("n", n)
    radius = check_number("radius", radius, positive=True)
    pitch = check_number("pitch", pitch, positive=True)
    turns = check_number("turns", turns, positive=True)
    space = _space(3, ambient_dim, noise, seed)
    t = space.rng.uniform(0, 2 * np.pi * turns, n)
    rise = pitch / (2 * np.pi)
    y = _columns(radius * np.cos(t), radius * np.sin(t), rise * t)
    derivative = _columns(-radius * np.sin(t), radius * np.cos(t), np.full(n, rise))
    return _embedded(t[:, None], y, _unit(derivative), space)


def sphere(
    n: int,
    *,
    dimension: int = 2,
    radius: float = 1.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a sphere of any dimension about the origin, uniform by area.

    With $d$ the `dimension`, $r$ the `radius` and angles $t_1, \dots, t_d$ as parameters,

    $$y_j = r \cos t_j \prod_{i<j} \sin t_i \quad (j \le d), \qquad
    y_{d+1} = r \prod_{i \le d} \sin t_i,$$

    so $y = r (\cos t_1, \sin t_1 \cos t_2, \sin t_1 \sin t_2)$ for $d = 2$: the first axis
    is the polar one. $t_d \in [0, 2 \pi)$, the others are in $[0, \pi]$; the natural
    dimension is $d + 1$. The angles are singular where one but the last has sine 0, which
    no sample meets (probability 0). The tangents are exact near it too, but the derivative
    of a decoder by the later angles grows small there.

    Args:
        n: Number of samples, at least 1.
        dimension: Dimension of the surface, at least 1 (a circle).
        radius: Above 0.
        ambient_dim: Embed in this many dimensions, at least `dimension + 1`; `None` for
            that.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, dimension)`,
        in radians.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.sphere(100, dimension=4, seed=0).tangents.shape
        (100, 4, 5)
    """
    n = check_count("n", n)
    d = check_count("dimension", dimension)
    radius = check_number("radius", radius, positive=True)
    space = _space(d + 1, ambient_dim, noise, seed)
    # The direction of a Gaussian vector is uniform.
    gaussian = space.rng.standard_normal((n, d + 1))
    tail_norms = np.sqrt(np.cumsum(gaussian[:, ::-1] ** 2, axis=1))[:, ::-1]
    angles = np.arctan2(tail_norms[:, 1:], gaussian[:, :-1])
    angles[:, -1] = np.arctan2(gaussian[:, -1], gaussian[:, -2]) % (2 * np.pi)
    point = np.zeros((n, d + 1))
    point[:, d] = 1
    tangents = np.zeros((n, d, d + 1))
    # Each angle turns the sphere of the later ones away from a new axis: the unit vectors
    # come out without a division by the sines, which may be small.
    for j in reversed(range(d)):
        cos, sin = np.cos(angles[:, j]), np.sin(angles[:, j])
        tangents[:, j, j] = -sin
        tangents[:, j, j + 1 :] = cos[:, None] * point[:, j + 1 :]
        point[:, j] = cos
        point[:, j + 1 :] *= sin[:, None]
    return _embedded(angles, radius * point, tangents, space)


def torus(
    n: int,
    *,
    major_radius: float = 2.0,
    minor_radius: float = 1.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a torus about the third axis, uniform by area.

    $y = ((R + r \cos v) \cos u, (R + r \cos v) \sin u, r \sin v)$ with the parameters
    $u, v \in [0, 2 \pi)$, $R$ the `major_radius` and $r$ the `minor_radius`; the natural
    dimension is 3. The area element is $r (R + r \cos v)$: more samples lie on the outer
    side, and $v$ is not uniform.

    Args:
        n: Number of samples, at least 1.
        major_radius: From the centre to the middle of the tube, above `minor_radius`.
        minor_radius: Of the tube, above 0.
        ambient_dim: Embed in this many dimensions, at least 3; `None` for 3.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, 2)`, `u` and
        `v` in radians.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.torus(100, ambient_dim=10, noise=0.01, seed=0).tangents.shape
        (100, 2, 10)
    """
    n = check_count("n", n)
    major = check_number("major_radius", major_radius, positive=True)
    minor = check_number("minor_radius", minor_radius, positive=True)
    if minor >= major:
        raise ValueError(
            "`minor_radius` must be smaller than `major_radius`, or the torus meets "
            f"itself. Received: minor_radius={minor_radius!r}, "
            f"major_radius={major_radius!r}."
        )
    space = _space(3, ambient_dim, noise, seed)
    u, v = _sampled(
        space.rng,
        n,
        low=(0, 0),
        high=(2 * np.pi, 2 * np.pi),
        density=lambda u, v: major + minor * np.cos(v),
        bound=major + minor,
    )
    from_axis = major + minor * np.cos(v)
    y = _columns(from_axis * np.cos(u), from_axis * np.sin(u), minor * np.sin(v))
    by_u = _columns(-np.sin(u), np.cos(u), np.zeros(n))
    by_v = _columns(-np.sin(v) * np.cos(u), -np.sin(v) * np.sin(u), np.cos(v))
    return _embedded(_columns(u, v), y, _unit(by_u, by_v), space)


def swiss_roll(
    n: int,
    *,
    turns: float = 1.5,
    height: float = 21.0,
    scale: float = 1.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a Swiss roll, uniform by area.

    $y = s (t \cos t, h, t \sin t)$ with the parameters $t \in [3 \pi / 2, 3 \pi / 2 +
    2 \pi k]$ and $h \in [0, \text{height}]$, $k$ the `turns` and $s$ the `scale`; the
    natural dimension is 3. With the defaults it is the surface of
    `sklearn.datasets.make_swiss_roll`, which however draws $t$ uniformly and so has more
    samples inside; here their density along $t$ is that of the length, $\sqrt{1 + t^2}$.

    Args:
        n: Number of samples, at least 1.
        turns: Number of turns of the spiral, above 0; need not be whole.
        height: Width of the rolled sheet, along the second axis, before scaling; above 0.
        scale: Factor on all three coordinates, above 0; 0.1 brings the defaults near 1.
        ambient_dim: Embed in this many dimensions, at least 3; `None` for 3.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0;
            not scaled.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, 2)`: `t` in
        radians, and `h`.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.swiss_roll(100, scale=0.1, seed=0).parameters.shape
        (100, 2)
    """
    n = check_count("n", n)
    turns = check_number("turns", turns, positive=True)
    height = check_number("height", height, positive=True)
    scale = check_number("scale", scale, positive=True)
    space = _space(3, ambient_dim, noise, seed)
    start, end = 1.5 * np.pi, (1.5 + 2 * turns) * np.pi
    t, h = _sampled(
        space.rng,
        n,
        low=(start, 0),
        high=(end, height),
        density=lambda t, h: np.hypot(1, t),
        bound=math.hypot(1, end),
    )
    cos, sin, zero = np.cos(t), np.sin(t), np.zeros(n)
    y = scale * _columns(t * cos, h, t * sin)
    by_t = _columns(cos - t * sin, zero, sin + t * cos)
    by_h = _columns(zero, np.ones(n), zero)
    return _embedded(_columns(t, h), y, _unit(by_t, by_h), space)


def mobius_band(
    n: int,
    *,
    radius: float = 1.0,
    width: float = 1.0,
    ambient_dim: int | None = None,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a Möbius band with one half-twist, uniform by area.

    $y = ((R + w \cos \tfrac u 2) \cos u, (R + w \cos \tfrac u 2) \sin u,
    w \sin \tfrac u 2)$ with the parameters $u \in [0, 2 \pi)$ and $w$ in
    $[-\text{width} / 2, \text{width} / 2]$, and $R$ the `radius`; the natural dimension is
    3. $(u + 2 \pi, w)$ and $(u, -w)$ are one point, so the tangents turn over from one end
    of $u$ to the other: no smooth choice of them covers the band.

    Args:
        n: Number of samples, at least 1.
        radius: Of the centre line, above 0.
        width: Of the band, above 0 and less than twice the radius.
        ambient_dim: Embed in this many dimensions, at least 3; `None` for 3.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, 2)`: `u` in
        radians, and `w`.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.mobius_band(100, width=0.5, seed=0).dimension
        2
    """
    n = check_count("n", n)
    radius = check_number("radius", radius, positive=True)
    half = check_number("width", width, positive=True) / 2
    if half >= radius:
        raise ValueError(
            "`width` must be less than twice `radius`, or the band meets itself. "
            f"Received: width={width!r}, radius={radius!r}."
        )
    space = _space(3, ambient_dim, noise, seed)
    u, w = _sampled(
        space.rng,
        n,
        low=(0, -half),
        high=(2 * np.pi, half),
        density=lambda u, w: np.hypot(w / 2, radius + w * np.cos(u / 2)),
        bound=math.hypot(half / 2, radius + half),
    )
    cos, sin, cos_half, sin_half = np.cos(u), np.sin(u), np.cos(u / 2), np.sin(u / 2)
    from_axis = radius + w * cos_half
    inwards = -w / 2 * sin_half
    y = _columns(from_axis * cos, from_axis * sin, w * sin_half)
    by_u = _columns(
        inwards * cos - from_axis * sin, inwards * sin + from_axis * cos, w / 2 * cos_half
    )
    by_w = _columns(cos_half * cos, cos_half * sin, sin_half)
    return _embedded(_columns(u, w), y, _unit(by_u, by_w), space)


def linear_subspace(
    n: int,
    *,
    dimension: int,
    ambient_dim: int,
    stddev: float = 1.0,
    noise: float = 0.0,
    seed: int | None = None,
) -> Manifold:
    r"""Samples of a random linear subspace, Gaussian within it.

    $x = E y$ with the parameters $y \sim N(0, s^2 I)$, $s$ the `stddev`, and a random $E$
    of orthonormal columns. The natural dimension is `dimension`, and the tangents are the
    columns of $E$ at every sample. With noise of standard deviation $\nu$, the covariance
    of $x$ is $s^2 E E^\top + \nu^2 I$, for which the best encoder, denoiser and
    reconstruction are known.

    Args:
        n: Number of samples, at least 1.
        dimension: Dimension of the subspace, at least 1.
        ambient_dim: Dimension of the space around it, at least `dimension`.
        stddev: Standard deviation of each parameter, above 0.
        noise: Standard deviation of Gaussian noise on every coordinate of `x`, at least 0.
        seed: A whole number of at least 0, for the same samples again.

    Returns:
        `Manifold` with `x` of shape `(n, ambient_dim)` and `parameters` `(n, dimension)`;
        `embedding` is never `None`.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.linear_subspace(100, dimension=3, ambient_dim=20).embedding.shape
        (20, 3)
    """
    n = check_count("n", n)
    d = check_count("dimension", dimension)
    ambient_dim = check_count(
        "ambient_dim", ambient_dim, least=d, note="which is `dimension`"
    )
    stddev = check_number("stddev", stddev, positive=True)
    space = _space(d, ambient_dim, noise, seed)
    y = stddev * space.rng.standard_normal((n, d))
    return _embedded(y, y, np.broadcast_to(np.eye(d), (n, d, d)), space)


def blobs(
    n: int,
    *,
    image_size: tuple[int, int] = (28, 28),
    length: float = 3.0,
    width: float = 1.5,
    rotation: bool = True,
    margin: float | None = None,
    seed: int | None = None,
) -> Manifold:
    r"""Images of one elongated Gaussian blob, moved about and turned.

    The pixel in row $i$ and column $j$, counted from 0, is

    $$\exp\left(-\frac{a^2}{2 \ell^2} - \frac{b^2}{2 w^2}\right), \qquad
    \begin{aligned}
    a &= (j - c_x) \cos t + (i - c_y) \sin t, \\
    b &= (i - c_y) \cos t - (j - c_x) \sin t,
    \end{aligned}$$

    with the parameters $(c_y, c_x, t)$, $\ell$ the `length` and $w$ the `width`. They are
    uniform: $c_y$ and $c_x$ at least `margin` from the outer pixels' centres,
    $t \in [0, \pi)$, after which the blob repeats. Pixels are in [0, 1], and there is no
    background. The tangents are the analytic derivatives of these pixels, so they hold for
    a blob that the border cuts.

    Args:
        n: Number of images, at least 1.
        image_size: Height and width in pixels, each at least 3.
        length: Standard deviation along the blob in pixels, above `width`; without
            rotation they may be equal.
        width: Standard deviation across the blob in pixels, at least 0.5, or the blob
            could fall between pixels.
        rotation: Whether the blob turns. Without, $t = 0$ (the blob lies along a row), the
            parameters are $(c_y, c_x)$ and the dimension is 2.
        margin: Least distance of the blob's centre from the outermost rows and columns in
            pixels, at least 0 and less than half of what lies between them; `None` for
            twice the length.
        seed: A whole number of at least 0, for the same images again.

    Returns:
        `Manifold` with `x` of shape `(n, height, width, 1)`, `parameters` `(n, 3)`: row
        and column in pixels, and the angle from the row's direction towards the column's
        in radians; `tangents` `(n, 3, height, width, 1)`. `embedding` is `None`.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from keras_manifold import manifolds
        >>> manifolds.blobs(10, image_size=(20, 24), seed=0).tangents.shape
        (10, 3, 20, 24, 1)
    """
    n = check_count("n", n)
    size = _image_size(image_size)
    length = check_number("length", length, positive=True)
    width = check_number("width", width, positive=True)
    if width < 0.5:
        raise ValueError(f"`width` must be at least 0.5 pixels. Received: width={width!r}.")
    if not isinstance(rotation, bool | np.bool_):
        raise ValueError(
            f"`rotation` must be True or False. Received: rotation={rotation!r}."
        )
    if length < width or (rotation and length == width):
        raise ValueError(
            "`length` must be above `width`; they may be equal with rotation=False only, "
            "as a round blob does not change when turned. "
            f"Received: length={length!r}, width={width!r}, rotation={rotation!r}."
        )
    margin = 2 * length if margin is None else check_number("margin", margin)
    if 2 * margin >= min(size) - 1:
        raise ValueError(
            f"`margin` must be less than {(min(size) - 1) / 2} for image_size={size}. "
            f"Received: margin={margin!r}. Take larger images, or a smaller margin; it "
            "is twice the length by default."
        )
    rng = _streams(seed)[0]
    centres = rng.uniform(margin, np.subtract(size, 1) - margin, (n, 2))
    angles = rng.uniform(0, np.pi, n) if rotation else np.zeros(n)
    d = 3 if rotation else 2
    x = np.empty((n, *size, 1), dtype="float32")
    tangents = np.empty((n, d, *size, 1), dtype="float32")
    for start in range(0, n, _IMAGES_AT_ONCE):
        some = slice(start, start + _IMAGES_AT_ONCE)
        images, derivatives = _blob_images(centres[some], angles[some], size, length, width)
        x[some, ..., 0] = images
        flat = derivatives[:, :d].reshape(len(images), d, -1)
        tangents[some] = _orthonormal(flat).reshape(len(images), d, *size, 1)
    return Manifold(x, np.column_stack([centres, angles])[:, :d], tangents, d)


def union(*manifolds: Manifold, seed: int | None = None) -> Manifold:
    """All samples of several manifolds, shuffled: data whose dimension varies.

    The parts may differ in their numbers of samples, dimensions and parameters. Give them
    different seeds, or parts of the same natural dimension lie in the same subspace. All
    lie about the origin, and may cross: `dataclasses.replace(part, x=part.x + 3)` moves one
    away, with the tangents as they are.

    Args:
        *manifolds: `Manifold`s in the same ambient space, one or more.
        seed: A whole number of at least 0, for the same order again.

    Returns:
        `Manifold` with `dimension` an integer array of shape `(n,)`, and `parts`, the
        position of each sample's manifold among the arguments. `tangents` are
        `(n, d, *ambient_shape)` with `d` the largest dimension and rows of 0 after a
        sample's own; `parameters` `(n, p)` with `p` the largest number and NaN after a
        sample's own. `embedding` is `None`: the parts keep theirs.

    Raises:
        ValueError: If there are none, one is not a `Manifold`, or their ambient spaces
            differ.

    Examples:
        >>> from keras_manifold import manifolds
        >>> curve = manifolds.circle(30, ambient_dim=5, seed=0)
        >>> surface = manifolds.sphere(70, ambient_dim=5, seed=1)
        >>> both = manifolds.union(curve, surface, seed=2)
        >>> both.tangents.shape
        (100, 2, 5)
        >>> sorted(set(both.dimension.tolist()))
        [1, 2]
    """
    if not manifolds:
        raise ValueError("`union` takes one or more Manifolds. Received: none.")
    for i, part in enumerate(manifolds):
        if not isinstance(part, Manifold):
            raise ValueError(
                "`union` takes Manifolds one after another. Received: "
                f"{type(part).__name__} at position {i}. Unpack a list as "
                "union(*manifolds)."
            )
    shapes = [part.x.shape[1:] for part in manifolds]
    if len(set(shapes)) > 1:
        raise ValueError(
            "`union` needs one ambient space for all. Received: samples of shape "
            f"{', '.join(str(shape) for shape in shapes)}. Draw each with the same "
            "`ambient_dim`."
        )
    rng = _streams(seed)[0]
    counts = [len(part.x) for part in manifolds]
    n = sum(counts)
    parameters = np.full((n, max(part.parameters.shape[1] for part in manifolds)), np.nan)
    d = max(part.tangents.shape[1] for part in manifolds)
    tangents = np.zeros((n, d, *shapes[0]), dtype="float32")
    x = np.empty((n, *shapes[0]), dtype="float32")
    dimension = np.empty(n, dtype=int)
    order = rng.permutation(n)
    for part, rows in zip(manifolds, np.split(order, np.cumsum(counts)[:-1])):
        x[rows] = part.x
        parameters[rows, : part.parameters.shape[1]] = part.parameters
        tangents[rows, : part.tangents.shape[1]] = part.tangents
        dimension[rows] = part.dimension
    parts = np.empty(n, dtype=int)
    parts[order] = np.repeat(np.arange(len(manifolds)), counts)
    return Manifold(x, parameters, tangents, dimension, parts=parts)


class _Space(NamedTuple):
    """Where a manifold will be put, and the random numbers to draw its parameters with."""

    rng: np.random.Generator
    embedding: np.ndarray | None
    noise: float
    noise_rng: np.random.Generator


def _space(natural_dim, ambient_dim, noise, seed) -> _Space:
    if ambient_dim is not None:
        why = "the natural dimension; None means just that"
        ambient_dim = check_count("ambient_dim", ambient_dim, least=natural_dim, note=why)
    noise = check_number("noise", noise)
    rng, embedding_rng, noise_rng = _streams(seed)
    embedding = None
    if ambient_dim is not None:
        gaussian = embedding_rng.standard_normal((natural_dim, ambient_dim))
        embedding = _orthonormal(gaussian).T
    return _Space(rng, embedding, noise, noise_rng)


def _embedded(parameters, y, tangents, space: _Space) -> Manifold:
    x = y
    if space.embedding is not None:
        x = y @ space.embedding.T
        tangents = tangents @ space.embedding.T
    if space.noise:
        x = x + space.noise * space.noise_rng.standard_normal(x.shape)
    return Manifold(
        x.astype("float32"),
        parameters,
        tangents.astype("float32"),
        tangents.shape[1],
        space.embedding,
    )


def _sampled(
    rng: np.random.Generator,
    n: int,
    *,
    low: tuple[float, ...],
    high: tuple[float, ...],
    density: Callable[..., np.ndarray],
    bound: float,
) -> tuple[np.ndarray, ...]:
    """Draws from a box with a density of at most `bound`, by rejection."""
    accepted = np.empty((0, len(low)))
    while len(accepted) < n:
        proposed = rng.uniform(low, high, (n, len(low)))
        heights = rng.uniform(0, bound, n)
        accepted = np.concatenate([accepted, proposed[heights < density(*proposed.T)]])
    return tuple(accepted[:n].T)


def _blob_images(centres, angles, size, length, width):
    """Pixels, and their derivatives by row, column and angle up to a positive factor."""
    rows = np.arange(size[0])[:, None] - centres[:, 0, None, None]
    columns = np.arange(size[1]) - centres[:, 1, None, None]
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    along = columns * cos + rows * sin
    across = rows * cos - columns * sin
    images = np.exp(-((along / length) ** 2 + (across / width) ** 2) / 2)
    slope_along, slope_across = along / length**2, across / width**2
    derivatives = images[:, None] * np.stack(
        [
            slope_along * sin + slope_across * cos,
            slope_along * cos - slope_across * sin,
            # By the angle: without 1/width² - 1/length², which may round to nothing.
            along * across,
        ],
        axis=1,
    )
    return images, derivatives


def _columns(*columns):
    return np.stack(columns, axis=-1)


def _unit(*derivatives):
    """Derivatives that are orthogonal already, of shapes `(n, q)`, as `(n, d, q)`."""
    vectors = np.stack(derivatives, axis=1)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _orthonormal(vectors):
    """Rows made orthonormal one after another, each on its own side of those before."""
    q, r = np.linalg.qr(np.swapaxes(vectors, -1, -2))
    signs = np.sign(np.diagonal(r, axis1=-2, axis2=-1))
    return np.swapaxes(q, -1, -2) * signs[..., None]


def _streams(seed):
    """Generators for parameters, embedding and noise, none of which disturbs another."""
    if seed is not None:
        seed = check_count("seed", seed, least=0, note="or None")
    return np.random.default_rng(seed).spawn(3)


def _image_size(value: Any) -> tuple[int, int]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(
            "`image_size` must be a pair (height, width). "
            f"Received: image_size={value!r}. There is always one channel."
        )
    height, width = (
        check_count("image_size", v, least=3, note="in each entry") for v in value
    )
    return height, width
