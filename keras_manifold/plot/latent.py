"""Figures of the space of codes: curves in it, and maps of a decoder's geometry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_manifold._arguments import check_count
from keras_manifold._map.decoders import decoded
from keras_manifold.metric import checked_codes, pullback_metric
from keras_manifold.plot._figures import axes_of, figure_of_size
from keras_manifold.plot._palette import category
from keras_manifold.plot.images import image_grid
from keras_manifold.preservation import neighbor_preservation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Labels that have a colour each and stand in a legend.
_MOST_CATEGORIES = 12


def curves(
    curves: Any,
    model: Any = None,
    *,
    frames: int = 9,
    straight: bool = True,
    title: str | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    cmap: str | None = None,
    image_shape: Sequence[int] | None = None,
    bands: Sequence[int] | int | None = None,
    feature_names: Sequence[str] | None = None,
    channel_names: Sequence[str] | None = None,
) -> "Figure":
    """Curves in codes, or what a decoder makes of them.

    Without a `model` the codes are drawn in their plane, each curve beside the straight
    line between its ends (dashed); of more than two codes, in the plane of their two
    principal axes. With a `model` each curve is a row of decoded samples at equal steps,
    drawn as `image_grid` draws samples of their shape, and the straight line another.

    Args:
        curves: `Curves`, or points, `(n, points, *code_shape)`.
        model: As in [`geodesics`][keras_manifold.geodesics]; `None` for the codes.
        frames: Decoded samples in a row, at least 2.
        straight: Whether straight lines are shown too.
        title: Text above the figure.
        ax: `matplotlib.axes.Axes` to draw into; `None` for a figure of its own.
        figsize: Width and height of the figure in inches; `None` for what it needs.
        cmap: How decoded samples are drawn, as in
            [`image_grid`][keras_manifold.plot.image_grid], and so are the next four.
        image_shape: See `image_grid`.
        bands: See `image_grid`.
        feature_names: See `image_grid`.
        channel_names: See `image_grid`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If points are not of the shape above, `frames` is out of range, or
            there is no `model` whose samples could be drawn as an argument says.
        FloatingPointError: If they are not finite.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2, activation="tanh")
        >>> curves = km.geodesics(model, np.zeros((1, 2)), np.ones((1, 2)), steps=8)
        >>> figure = km.plot.curves(curves, model)
        >>> type(figure).__name__
        'Figure'
    """
    points = checked_codes("curves", getattr(curves, "codes", curves), axes=3)
    frames = check_count("frames", frames, least=2)
    share = np.linspace(0, 1, points.shape[1]).reshape(1, -1, *(1,) * (points.ndim - 2))
    lines = (1 - share) * points[:, :1] + share * points[:, -1:]
    look: dict[str, Any] = {
        "cmap": cmap,
        "image_shape": image_shape,
        "bands": bands,
        "feature_names": feature_names,
        "channel_names": channel_names,
    }
    if model is None:
        given = [name for name, value in look.items() if value is not None]
        if given:
            raise ValueError(
                f"`{given[0]}` must be None where codes are drawn, as it is for decoded "
                f"samples. Received: {given[0]}={look[given[0]]!r} and model=None. Pass "
                "the `model`."
            )
        return _in_codes(points, lines if straight else None, title, ax, figsize)
    at = np.linspace(0, points.shape[1] - 1, frames).round().astype(int)
    rows, labels = [], []
    lengths = getattr(curves, "lengths", None), getattr(curves, "straight_lengths", None)
    for i in range(len(points)):
        for name, of, length in zip(("curve", "straight"), (points, lines), lengths):
            if straight or of is points:
                rows.append(decoded(model, of[i, at].astype("float32")))
                labels.append(name if length is None else f"{name}\n{length[i]:.3g}")
    return image_grid(rows, row_labels=labels, title=title, ax=ax, figsize=figsize, **look)


def latent_map(
    model: Any,
    codes: Any,
    labels: Any = None,
    *,
    x: Any = None,
    curves: Any = None,
    volume: bool = True,
    indicatrices: int = 12,
    resolution: int = 48,
    title: str | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> "Figure":
    r"""A map of codes, with what the decoder's metric does to it.

    - The colour behind is the logarithm of the area that the decoder gives to a small
      square of the map: where it is bright, a step in codes is a large step of the output.
    - Ellipses are indicatrices: from their centre to their edge the decoder's output moves
      by one length, the same for all. Circles of one size would be an isometry.
    - Curves are drawn beside straight lines between their ends (dashed).

    Two codes are the map. Of more it is a slice: the plane through their mean along their
    two principal axes, onto which codes and curves are projected; metric and area are
    those of the slice itself.

    Args:
        model: As in [`geodesics`][keras_manifold.geodesics].
        codes: Codes, `(n, *code_shape)`, at least two in a code.
        labels: One per code, `(n,)`: up to 12 different ones get a colour each; more
            numbers, a scale.
        x: The samples, `(n, *input_shape)`: the title then says with which trustworthiness
            and continuity the map shows their neighbors (those of
            [`neighbor_preservation`][keras_manifold.neighbor_preservation]).
        curves: `Curves` to be drawn, or points, `(m, points, *code_shape)`.
        volume: Whether the area is shown.
        indicatrices: Ellipses along each side, at least 0.
        resolution: Points of the area along each side, at least 2.
        title: Text above the figure.
        ax: Axes of a figure to draw in; `None` for a new one.
        figsize: Inches of the new one; `None` for 6.0 × 5.2.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If codes have one entry, if labels are not as many, or a number is out
            of range; and as in `pullback_metric`.
        FloatingPointError: If codes are not finite.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=2)
        >>> codes = np.random.default_rng(0).normal(size=(30, 2))
        >>> figure = km.plot.latent_map(model, codes, labels=np.arange(30) % 3)
        >>> type(figure).__name__
        'Figure'

    References:
        Tissot (1881), Mémoire sur la représentation des surfaces.
    """
    codes = checked_codes("codes", codes)
    indicatrices = check_count("indicatrices", indicatrices, least=0)
    resolution = check_count("resolution", resolution, least=2)
    plane = _plane_of(codes.reshape(len(codes), -1))
    points = plane.coordinates(codes.reshape(len(codes), -1))
    if labels is not None and len(labels) != len(codes):
        raise ValueError(
            f"`labels` must be one per code. Received: {len(labels)} labels and "
            f"{len(codes)} codes."
        )
    if x is not None:
        kept = neighbor_preservation(x, points)
        words = (
            f"trustworthiness {kept.trustworthiness:.2f}, continuity {kept.continuity:.2f}"
        )
        title = words if title is None else f"{title}\n{words}"
    paths = None
    if curves is not None:
        paths = checked_codes("curves", getattr(curves, "codes", curves), axes=3)
        paths = plane.coordinates(paths.reshape(*paths.shape[:2], -1))
    low, high = _limits(points if paths is None else np.vstack([points, *paths]))

    def metric(at):
        at = plane.points(at).astype("float32").reshape(-1, *codes.shape[1:])
        return plane.axes @ pullback_metric(model, at, batch_size=256) @ plane.axes.T

    size = figsize or (6.0, 5.2)
    figure, ax = axes_of(
        ax, title, figsize, lambda: figure_of_size(size[0], size[1], title)
    )
    if volume:
        _draw_area(figure, ax, metric(_grid(low, high, resolution)), low, high, resolution)
    if indicatrices:
        centres = _grid(low, high, indicatrices, inside=True)
        _draw_indicatrices(ax, centres, metric(centres), (high - low) / indicatrices)
    _draw_codes(figure, ax, points, labels)
    if paths is not None:
        _draw_paths(ax, paths, paths[:, [0, -1]])
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_aspect("equal")
    _name_axes(ax, plane)
    return figure


class _Plane(NamedTuple):
    """A plane of codes: where its origin is, two orthonormal axes, and its share."""

    origin: np.ndarray
    axes: np.ndarray
    share: float | None  # of the codes' variance; None where it is all of the codes

    def coordinates(self, codes):
        return (codes - self.origin) @ self.axes.T

    def points(self, coordinates):
        return self.origin + coordinates @ self.axes


def _plane_of(codes):
    size = codes.shape[1]
    if size < 2:
        raise ValueError(
            "A map needs codes of at least two entries. Received: codes of shape "
            f"{codes.shape}."
        )
    codes = codes.astype("float64")
    if size == 2:
        return _Plane(np.zeros(2), np.eye(2), None)
    mean = codes.mean(axis=0)
    _, sigma, axes = np.linalg.svd(codes - mean, full_matrices=True)
    total = np.square(sigma).sum()
    share = float(np.square(sigma[:2]).sum() / total) if total > 0 else 0.0
    return _Plane(mean, axes[:2], share)


def _limits(points):
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * max(float((high - low).max()), 1e-6)
    return low - margin, high + margin


def _grid(low, high, count, inside=False):
    """Points of a grid, row by row, `(count * count, 2)`; `inside`: centres of cells."""
    share = (np.arange(count) + 0.5) / count if inside else np.linspace(0, 1, count)
    sides = [low[i] + share * (high[i] - low[i]) for i in (0, 1)]
    return np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)


def _draw_area(figure, ax, metric, low, high, resolution):
    determinants = np.linalg.det(metric)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = 0.5 * np.log(determinants)
    area = np.where(np.isfinite(area), area, np.nan).reshape(resolution, resolution)
    if np.isnan(area).all():
        return
    half = (high - low) / (resolution - 1) / 2
    extent = (low[0] - half[0], high[0] + half[0], low[1] - half[1], high[1] + half[1])
    image = ax.imshow(area, origin="lower", extent=extent, cmap="gray", aspect="auto")
    figure.colorbar(image, ax=ax, label="log area, decoded", shrink=0.8)


def _draw_indicatrices(ax, centres, metric, cell):
    from matplotlib.collections import PolyCollection

    lengths, axes = np.linalg.eigh(metric)
    # Where the decoder follows nothing, an ellipse would be without end.
    lengths = np.sqrt(np.maximum(lengths, 1e-12 * max(float(lengths.max()), 1e-30)))
    radius = 0.4 * float(cell.min()) * np.median(lengths[:, 0])
    semi = np.minimum(radius / lengths, 2 * float(cell.max()))
    angle = np.linspace(0, 2 * np.pi, 33)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    ellipses = centres[:, None] + np.swapaxes((axes * semi[:, None]) @ circle, 1, 2)
    ax.add_collection(
        PolyCollection(
            ellipses, facecolors="none", edgecolors=category(1), linewidths=0.7, zorder=2
        )
    )


def _draw_codes(figure, ax, points, labels):
    settings = {"s": 9, "linewidths": 0.3, "edgecolors": "white", "zorder": 3}
    if labels is None:
        ax.scatter(*points.T, color=category(0), **settings)
        return
    labels = np.asarray(labels)
    names = np.unique(labels)
    if len(names) > _MOST_CATEGORIES:
        shown = ax.scatter(
            *points.T, c=labels.astype("float64"), cmap="viridis", **settings
        )
        figure.colorbar(shown, ax=ax, label="label", shrink=0.8)
        return
    from matplotlib import colormaps

    palette = colormaps["Paired"]
    for i, name in enumerate(names):
        at = labels == name
        ax.scatter(*points[at].T, color=palette(i), label=str(name), **settings)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")


def _draw_paths(ax, paths, lines):
    for i, path in enumerate(paths):
        ax.plot(*path.T, color=category(0), lw=1.8, zorder=4)
        if lines is not None:
            ax.plot(*lines[i].T, color="0.35", lw=1.2, ls="--", zorder=4)
        ax.plot(*path[[0, -1]].T, ls="", marker="o", ms=4, color=category(0), zorder=5)


def _in_codes(points, lines, title, ax, figsize):
    flat = points.reshape(*points.shape[:2], -1)
    size = figsize or (4.6, 4.2)
    figure, ax = axes_of(
        ax, title, figsize, lambda: figure_of_size(size[0], size[1], title)
    )
    if flat.shape[2] == 1:
        share = np.linspace(0, 1, flat.shape[1])
        for i, path in enumerate(flat):
            ax.plot(share, path[:, 0], color=category(i), lw=1.6)
        ax.set_xlabel("share of the curve")
        ax.set_ylabel("code")
        return figure
    plane = _plane_of(flat.reshape(-1, flat.shape[2]))
    ends = None if lines is None else plane.coordinates(flat[:, [0, -1]])
    _draw_paths(ax, plane.coordinates(flat), ends)
    ax.set_aspect("equal", adjustable="datalim")
    ax.grid(alpha=0.3)
    _name_axes(ax, plane)
    return figure


def _name_axes(ax, plane):
    if plane.share is None:
        ax.set_xlabel("code 1")
        ax.set_ylabel("code 2")
    else:
        ax.set_xlabel(f"principal axis 1  (plane: {plane.share:.0%} of the variance)")
        ax.set_ylabel("principal axis 2")
