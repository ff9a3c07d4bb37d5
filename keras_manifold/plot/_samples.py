"""Samples as what they are drawn as: small pictures of images, small panels of curves."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_manifold.plot._kinds import MOST_BARS, Kind
from keras_manifold.plot._look import PLAIN, Look
from keras_manifold.plot._palette import NOT_FINITE, colours_of, rgb

# More is not seen at the size of a cell: entries are left out, as on the page.
_MOST_PIXELS = 256  # along a side of an image
_MOST_ENTRIES = 1024  # of a series or a table

Limits = tuple[float, float]


class Panel(NamedTuple):
    """A series or a table, to be drawn on a scale.

    Attributes:
        values: `(channels, length)`, NaN where an entry is not finite.
        limits: Value at the lower edge, and at the upper.
        is_bars: Whether entries are bars from 0, instead of points of a line.
    """

    values: np.ndarray
    limits: Limits
    is_bars: bool


class Samples(NamedTuple):
    """Samples of one shape and kind, `planes` as `planes_of` has them, thinned."""

    kind: Kind
    planes: np.ndarray
    look: Look = PLAIN

    def cells(self, limits: Limits, *, signed: bool) -> Sequence[np.ndarray | Panel]:
        """What stands in the cells of a mosaic, one entry per sample."""
        if self.kind == "image":
            return _pictures(self.planes, limits, signed, self.look.cmap)
        values = np.where(np.isfinite(self.planes), self.planes, np.nan)[:, :, 0]
        length = values.shape[-1]
        is_bars = self.kind == "table" and length <= MOST_BARS
        return [Panel(sample, limits, is_bars) for sample in values]

    def note(self, limits: Limits, *, signed: bool) -> str:
        """The scale in words, or "" where the picture tells it."""
        low, high = limits
        if self.kind == "image":
            return f"colours\n±{high:#.2g}" if signed else ""
        words = f"±{high:#.2g}" if signed else f"{low:.2g} to {high:.2g}"
        return f"scale\n{words}".replace("-", "−")


def samples_of(values: Any, look: Look = PLAIN) -> Samples:
    """Samples `(n, *shape)` of any shape, in float64."""
    values = np.asarray(values)
    if values.ndim < 2:
        raise ValueError(
            "Samples must be an array of shape (n, ...), with at least one axis for what a "
            f"sample holds. Received: shape {values.shape}. Pass x[None] for a single one."
        )
    if np.iscomplexobj(values):
        raise TypeError(
            f"Samples must be real numbers. Received: dtype={values.dtype}. Pass their "
            "absolute values, or real and imaginary parts as two channels."
        )
    values = look.shaped(values)
    kind, planes = look.planes(values)
    most = _MOST_PIXELS if kind == "image" else _MOST_ENTRIES
    every = max(1, -(-max(planes.shape[2:]) // most))
    return Samples(kind, planes[:, :, ::every, ::every].astype("float64"), look)


def common_range(rows: Sequence[np.ndarray]) -> Limits:
    """From the smallest value, or 0, to the largest."""
    finite = [row[np.isfinite(row)] for row in rows]
    finite = [values for values in finite if values.size]
    if not finite:
        return 0.0, 1.0
    low = min(0.0, *(values.min() for values in finite))
    high = max(values.max() for values in finite)
    return low, high if high > low else low + 1.0


def symmetric_range(row: np.ndarray) -> Limits:
    """The smallest range around 0 that holds all values."""
    limit = np.abs(row[np.isfinite(row)]).max(initial=0.0)
    limit = limit if limit > 0 else 1.0
    return -limit, limit


def _pictures(planes, limits, signed, cmap):
    """RGB of images, with entries that are not finite in a colour of their own."""
    low, high = limits
    images = np.moveaxis(planes, 1, -1)
    is_finite = np.isfinite(images)
    share = np.clip((np.where(is_finite, images, low) - low) / (high - low), 0.0, 1.0)
    if share.shape[-1] == 1:
        share = _coloured(share[..., 0], signed, cmap)
    return np.where(is_finite, share, rgb(NOT_FINITE))


def _coloured(share, signed, cmap):
    if cmap is None:
        return colours_of(share, signed=signed)
    import matplotlib

    is_map = callable(cmap) and hasattr(cmap, "N")
    if not is_map and (not isinstance(cmap, str) or cmap not in matplotlib.colormaps):
        raise ValueError(
            "`cmap` must be a matplotlib colour map or its name, such as "
            f'"viridis", or None. Received: cmap={cmap!r}.'
        )
    return (cmap if is_map else matplotlib.colormaps[cmap])(share)[..., :3]
