"""Figures of denoisers: where they point, and the dimension that they see."""

import math
import numbers
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_manifold._arguments import check_count
from keras_manifold._map.checks import warn_where_not_finite
from keras_manifold._storage.streams import floating_samples
from keras_manifold.denoising import Denoiser, check_within_clip
from keras_manifold.plot._figures import axes_of, figure_of_size
from keras_manifold.plot._palette import category

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Length of the longest arrow, in cells of the grid.
_LONGEST = 1.4
# Entries whose extents differ by more are hardly in one unit: each has its own scale then.
_UNLIKE = 10


def denoising_field(
    model: Any,
    where: Any,
    *,
    plane: Sequence[int] | None = None,
    points: int = 20,
    cmap: str = "viridis",
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
) -> "Figure":
    r"""Arrows $r(x) - x$ of a denoiser on a grid, coloured by their length.

    They point back to the manifold, in the direction of the score. A network knows that
    within some standard deviations of its noise around the data; farther out the arrows
    mean nothing. All arrows are drawn by one factor, by which the longest spans 1.4 cells
    of the grid; the colours tell their true length. For data of more than two entries the
    grid lies in a plane through three of them, arrows show the part of $r(x) - x$ in the
    plane, and colours the length of the whole. Two entries whose ranges differ more than
    tenfold are drawn each on a scale of its own. The grid may reach beyond the clip of the
    model's noise, the data may not. Where outputs are NaN or infinite there is no arrow,
    and one warning.

    Args:
        model: `AutoEncoder`, or another Keras model or callable, from noisy samples to
            clean ones; or a mapping from names to several, drawn side by side on one scale.
        where: Array of data, `(n, *input_shape)`, drawn beneath the arrows; or, for two
            entries, a tuple of limits `((low, high), (low, high))`.
        plane: Three indices of data, for samples of more than two entries: the plane goes
            through these three. `None` for the first three, and for limits.
        points: Arrows along each side, at least 2.
        cmap: Name of matplotlib's colour map of lengths.
        ax: Axes of a figure to draw the field of one model in; `None` for a new one.
        figsize: Width and height of the new one in inches.
        title: Text above the figure.

    Returns:
        `matplotlib.figure.Figure`, one panel per model.

    Raises:
        ValueError: If `where` is neither data nor limits, `plane` is not of three points
            that span a plane, or given where there is one only, `points` is below 2, there
            is no model or one is no denoiser, data lie outside the clip of its noise,
            `figsize` is no pair, or `ax` is given for several models or with `figsize`.
        TypeError: If a model can't be called, or `ax` is none.

    Examples:
        >>> import keras, numpy as np, keras_manifold as km
        >>> to_circle = lambda x: x / keras.ops.norm(x, axis=1, keepdims=True)
        >>> figure = km.plot.denoising_field(to_circle, ((-2, 2), (-2, 2)), points=8)
        >>> [ax.get_ylabel() for ax in figure.axes]
        ['x₂', 'length of r(x) − x']

    References:
        Alain and Bengio (2014), What regularized auto-encoders learn from the
        data-generating distribution, JMLR 15.
    """
    check_count("points", points, least=2)
    _check_figsize(figsize)
    models = model if isinstance(model, Mapping) else {"": model}
    if not models:
        raise ValueError(
            "`model` must be a denoiser, or a mapping from names to at least one. "
            f"Received: model={model!r}."
        )
    if ax is not None and len(models) != 1:
        raise ValueError(
            "`ax` must be None for several models, which are drawn side by side. Received: "
            f"ax={ax!r} and {len(models)} models. Draw each in axes of its own."
        )
    if _are_limits(where):
        data, limits, frame = _limits(where, plane)
    else:
        samples = floating_samples(where)
        data, limits, frame = _spanned(samples, plane)
        for one in models.values():
            check_within_clip(one, samples)
    sides = [np.linspace(low, high, points) for low, high in limits]
    grid = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    x = frame.points(grid)
    fields = {name: _field(one, x) for name, one in models.items()}
    warn_where_not_finite(np.concatenate([*fields.values()]), stacklevel=2)
    lengths = {name: np.linalg.norm(field, axis=1) for name, field in fields.items()}
    longest = _largest(lengths.values())
    cells = np.array([side[1] - side[0] for side in sides])
    parts = {name: frame.components(field) for name, field in fields.items()}
    most = _largest(np.linalg.norm(part / cells, axis=1) for part in parts.values())
    has_two_units = frame.is_of_entries and _are_unlike(limits[:, 1] - limits[:, 0])
    width, height = figsize or (4.2 * len(models) + 0.8, 4.0)
    if ax is None:
        figure = figure_of_size(width, height, title)
        axes = figure.subplots(1, len(models), squeeze=False, sharex=True, sharey=True)[0]
    else:
        figure, ax = axes_of(ax, title, figsize, None)
        axes = [ax]
    for ax, name in zip(axes, fields):
        ax.plot(*data.T, ".", color="0.75", markersize=3, zorder=0)
        arrows = ax.quiver(
            *grid.T,
            *parts[name].T,
            lengths[name],
            cmap=cmap,
            clim=(0, longest),
            angles="xy",
            scale_units="xy",
            scale=most / _LONGEST,
            pivot="tail",
            width=0.005,
        )
        ax.set(xlim=limits[0], ylim=limits[1])
        ax.set_aspect("auto" if has_two_units else "equal")
        if name:
            ax.set_title(name)
        ax.set(xlabel=frame.labels[0])
    axes[0].set_ylabel(frame.labels[1])
    figure.colorbar(arrows, ax=list(axes), label="length of r(x) − x")
    return figure


def dimension_curve(
    curve: Any,
    *,
    dimension: float | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
) -> "Figure":
    """Local dimension against the scale of the noise.

    The line is the median over the samples, the band holds the middle 80 % of them.

    Args:
        curve: `DimensionCurve`, or a mapping from names to several.
        dimension: The true dimension, drawn as a dashed line, or `None`.
        ax: Axes of a figure to draw in; `None` for a new one.
        figsize: Width and height of the new one in inches.
        title: Text above the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        TypeError: If `curve` or `ax` is none.
        ValueError: If both `ax` and `figsize` are given, or `figsize` is no pair.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> curve = km.DimensionCurve(np.array([0.1, 1.0]), np.ones((2, 5)), "stein")
        >>> km.plot.dimension_curve(curve).axes[0].get_xscale()
        'log'
    """
    _check_figsize(figsize)
    curves = curve if isinstance(curve, Mapping) else {"": curve}
    for one in curves.values():
        if not (hasattr(one, "stddevs") and hasattr(one, "dimensions")):
            raise TypeError(
                "`curve` must be a DimensionCurve, or a mapping from names to them. "
                f"Received: {one!r} of type {type(one).__name__}."
            )
    size = figsize or (5.5, 3.6)
    figure, ax = axes_of(ax, title, figsize, lambda: figure_of_size(*size, title))
    for i, (name, one) in enumerate(curves.items()):
        low, middle, high = np.quantile(one.dimensions, [0.1, 0.5, 0.9], axis=1)
        ax.plot(one.stddevs, middle, marker=".", color=category(i), label=name)
        ax.fill_between(one.stddevs, low, high, color=category(i), alpha=0.15, lw=0)
    if dimension is not None:
        ax.axhline(dimension, color="0.4", ls="--", lw=1, zorder=0)
    ax.set_xscale("log", subs=())
    ax.xaxis.get_major_locator().set_params(subs=(1, 2, 5))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("standard deviation of the noise")
    ax.set_ylabel("dimension")
    ax.grid(alpha=0.3)
    if any(curves):
        ax.legend(frameon=False)
    return figure


class _Plane:
    """Coordinates of a plane in the space of samples.

    Args:
        origin: A point of it, of the shape of a sample.
        axes: Two orthonormal directions, `(2, size)`.
        labels: Of both axes.
    """

    def __init__(self, origin, axes, labels):
        self.origin, self.axes, self.labels = origin, axes, labels
        self.is_of_entries: bool = origin.size == 2

    def points(self, coordinates):
        """Samples at coordinates `(n, 2)`, float32."""
        flat = coordinates @ self.axes + self.origin.reshape(-1)
        return flat.reshape(-1, *self.origin.shape).astype("float32")

    def components(self, vectors):
        """The part of flat vectors `(n, size)` in the plane, `(n, 2)`."""
        return vectors @ self.axes.T


def _check_figsize(figsize):
    is_pair = isinstance(figsize, (tuple, list, np.ndarray)) and np.shape(figsize) == (2,)
    is_fine = is_pair and all(
        isinstance(side, numbers.Real) and 0 < float(side) < math.inf for side in figsize
    )
    if figsize is not None and not is_fine:
        raise ValueError(
            "`figsize` must be a width and a height above 0 in inches, or None. Received: "
            f"figsize={figsize!r}."
        )


def _field(model, x):
    """What a model adds to each point, flat; NaN at a point where it is not finite."""
    denoised = Denoiser(model, x, batch_size=256, are_data=False)(x)
    field = (denoised.astype("float64") - x).reshape(len(x), -1)
    return np.where(np.isfinite(field).all(axis=1, keepdims=True), field, np.nan)


def _largest(arrays):
    """The largest of the finite numbers; 1 if there is none above 0."""
    return max(array[np.isfinite(array)].max(initial=0.0) for array in arrays) or 1.0


def _are_limits(where):
    return isinstance(where, (tuple, list))


def _limits(where, plane):
    _check_no_plane(plane, "limits", "which are of two entries")
    try:
        limits = np.asarray(where, "float64")
    except (TypeError, ValueError):
        limits = np.array(np.nan)
    is_fine = limits.shape == (2, 2) and np.isfinite(limits).all()
    if not is_fine or (limits[:, 0] >= limits[:, 1]).any():
        raise ValueError(
            "`where` must be an array of data, or limits ((low, high), (low, high)) with "
            f"low < high. Received: where={where!r}. Pass data as np.asarray(data)."
        )
    return np.empty((0, 2)), limits, _Plane(np.zeros(2), np.eye(2), ("x₁", "x₂"))


def _check_no_plane(plane, what, why):
    if plane is not None:
        raise ValueError(
            f"`plane` must be None for {what}, {why}. Received: plane={plane!r}."
        )


def _spanned(x, plane):
    size = x[0].size
    if size < 2:
        raise ValueError(
            "Samples must have at least two entries. Received: samples of shape "
            f"{x[0].shape}."
        )
    if size == 2:
        _check_no_plane(plane, "data of two entries", "which have one plane only")
        frame = _Plane(np.zeros(x.shape[1:]), np.eye(2), ("x₁", "x₂"))
        data = x.reshape(-1, 2).astype("float64")
        return data, with_margin(data, 0.15, is_of_entries=True), frame
    try:
        indices = (0, 1, 2) if plane is None else tuple(map(operator.index, plane))
    except TypeError:
        indices = ()
    is_three = len(set(indices)) == 3 and all(0 <= i < len(x) for i in indices)
    if not is_three:
        raise ValueError(
            "`plane` must be three different indices of the data. Received: "
            f"plane={plane!r} for {len(x)} samples."
        )
    first, *others = x[list(indices)].reshape(3, -1).astype("float64")
    directions, sizes = np.linalg.qr(np.stack(others, -1) - first[:, None])
    if np.abs(np.diag(sizes)).min() <= 1e-6 * np.abs(sizes).max():
        raise ValueError(
            "`plane` must be three points that do not lie on one line. Received: "
            f"plane={plane!r}."
        )
    signs = np.where(np.diag(sizes) < 0, -1.0, 1.0)  # towards the second and third point
    labels = tuple(
        f"towards sample {i}, in the plane of samples {indices}" for i in indices[1:]
    )
    frame = _Plane(x[indices[0]].astype("float64"), (directions * signs).T, labels)
    data = np.concatenate([np.zeros((1, 2)), (signs[:, None] * sizes).T])
    return data, with_margin(data, 0.5), frame


def with_margin(data: Any, share: float, is_of_entries: bool = False) -> NDArray[Any]:
    """Limits around data: by the larger extent, or by each of two that are of two units."""
    low, high = data.min(axis=0), data.max(axis=0)
    extents = high - low
    has_two_units = is_of_entries and _are_unlike(extents)
    margin = share * extents if has_two_units else share * extents.max() or 1.0
    return np.stack([low - margin, high + margin], axis=-1)


def _are_unlike(extents):
    return 0 < _UNLIKE * extents.min() < extents.max()
