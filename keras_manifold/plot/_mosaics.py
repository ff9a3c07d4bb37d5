"""Figures of many small pictures or panels on one pair of axes.

Many axes would take seconds to lay out.
"""

from typing import NamedTuple

import numpy as np

from keras_manifold.plot._figures import axes_of, figure_of_size
from keras_manifold.plot._look import PLAIN
from keras_manifold.plot._palette import NOT_FINITE, category
from keras_manifold.plot._samples import Panel

_MOST_CELLS = 100
_PICTURE_INCHES = (0.85, 1.7)  # width, and the most height
_PANEL_INCHES = 1.2
_PANEL_SHAPE = (27, 48)  # in units of their own
# Names of channels in a line of their key.
_MOST_BESIDE = 6


class _Grid(NamedTuple):
    """Where cells stand, in pixels of the images or units of the panels."""

    height: int
    width: int
    down: int
    right: int
    rows: int
    columns: int
    inches: float  # of a unit

    @property
    def shape(self):
        gap_down, gap_right = self.down - self.height, self.right - self.width
        return self.rows * self.down - gap_down, self.columns * self.right - gap_right

    def corner(self, row, column):
        """Top and left of a cell."""
        return row * self.down, column * self.right


def mosaic(
    cells,
    *,
    row_labels=None,
    column_labels=None,
    cell_labels=None,
    row_notes=None,
    title=None,
    ax=None,
    figsize=None,
    look=PLAIN,
):
    """Figure of samples in rows, or the one of which `ax` is a part.

    `cells` are rows of RGB images of one size, or of panels; `None` leaves a place empty.
    """
    _check_fits(cells)
    names = look.feature_names
    grid = _grid_of(cells, has_labels=bool(cell_labels), entries=len(names or ()))
    has_heads = bool(cell_labels or column_labels)
    figure, ax = axes_of(
        ax,
        title,
        figsize,
        lambda: _empty_figure(
            *(grid, title, row_labels, has_heads, any(row_notes or ()), figsize),
            below=_inches_below(look),
        ),
    )
    places = [
        (cell, *grid.corner(r, c))
        for r, row in enumerate(cells)
        for c, cell in enumerate(row)
        if cell is not None
    ]
    paint = _paint_panels if isinstance(places[0][0], Panel) else _paint_pictures
    paint(ax, places, grid)
    _frame(ax, places, grid)
    row_centres = np.arange(grid.rows) * grid.down + (grid.height - 1) / 2
    column_centres = np.arange(grid.columns) * grid.right + (grid.width - 1) / 2
    ax.set_yticks(row_centres if row_labels else [], row_labels or [])
    ax.set_xticks(column_centres if column_labels else [], column_labels or [])
    for r, texts in enumerate(cell_labels or []):
        for c, text in enumerate(texts):
            label = ax.text(
                column_centres[c],
                r * grid.down - 0.8,
                text,
                ha="center",
                va="bottom",
                fontsize=6.5,
                parse_math=False,
            )
            label.set_in_layout(r == 0)  # below it they lie within the axes
    for r, note in enumerate(row_notes or []):
        x = len(cells[r]) * grid.right - 0.5
        ax.text(x, row_centres[r], note, va="center", fontsize="x-small")
    _name_entries(ax, grid, look)
    return figure


def _check_fits(cells):
    rows, columns = len(cells), max(map(len, cells))
    if max(rows, columns) > _MOST_CELLS:
        raise ValueError(
            f"A figure must have at most {_MOST_CELLS} rows and columns to be readable. "
            f"Received: {rows} rows and {columns} columns. Choose some of the samples, "
            "such as index=range(16)."
        )


def _name_entries(ax, grid, look):
    """Names of a table's entries below the columns, and of a series' channels in a key."""
    height, _ = grid.shape
    for c in range(grid.columns if look.feature_names is not None else 0):
        for i, name in enumerate(look.feature_names):
            x = c * grid.right - 0.5 + (i + 0.5) * grid.width / len(look.feature_names)
            ax.text(x, height, name, rotation=90, va="top", ha="center", fontsize=6)
    if look.channel_names is not None:
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=category(i), label=name)
            for i, name in enumerate(look.channel_names)
        ]
        ax.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            ncols=min(len(handles), _MOST_BESIDE),
            frameon=False,
            fontsize="small",
        )


def _grid_of(cells, *, has_labels, entries=0):
    first = next(cell for row in cells for cell in row if cell is not None)
    if isinstance(first, Panel):
        height, width = _PANEL_SHAPE
        # Names of entries need a tenth of an inch each.
        width = max(width, round(0.1 * entries / _PANEL_INCHES * width))
        inches = _PANEL_INCHES / _PANEL_SHAPE[1]
    else:
        height, width = first.shape[:2]
        widest, highest = _PICTURE_INCHES
        inches = min(widest / width, highest / height)
    return _Grid(
        height,
        width,
        down=height + max(1, round((0.35 if has_labels else 0.08) * height)),
        right=width + max(1, round(0.08 * width)),
        rows=len(cells),
        columns=max(len(row) for row in cells),
        inches=inches,
    )


def _inches_below(look):
    """Room for the names of entries, which stand upright, or for a key of channels."""
    longest = max(map(len, look.feature_names or ()), default=0)
    lines = -(-len(look.channel_names or ()) // _MOST_BESIDE)
    return max(0.05 * longest + 0.1 if longest else 0.0, 0.22 * lines + 0.15 * bool(lines))


def _empty_figure(grid, title, row_labels, has_heads, has_notes, figsize, *, below):
    height, width = (side * grid.inches for side in grid.shape)
    size = width + (1.7 if row_labels else 0.9), height + (0.7 if title else 0.3)
    if figsize is not None or below:
        width, height = figsize or (size[0], size[1] + below)
        return figure_of_size(width, height, title)
    if row_labels:  # of any length
        return figure_of_size(*size, title)
    # What stands around the images is of a known size: no need to measure it.
    figure = figure_of_size(*size, title, layout=None)
    top = (0.4 if title else 0.1) + (0.2 if has_heads else 0.0)
    figure.subplots_adjust(
        left=0.05 / size[0],
        right=1 - (0.75 if has_notes else 0.05) / size[0],
        bottom=0.05 / size[1],
        top=1 - top / size[1],
    )
    return figure


def _paint_pictures(ax, places, grid):
    # RGBA in bytes is drawn in half the time of RGB in floating-point numbers.
    canvas = np.full((*grid.shape, 4), 255, "uint8")
    for image, top, left in places:
        rows, columns = slice(top, top + grid.height), slice(left, left + grid.width)
        canvas[rows, columns, :3] = (image * 255).round()
    ax.imshow(canvas, interpolation="nearest")


def _paint_panels(ax, places, grid):
    """Bars or lines, with thin lines at zero and where entries are not finite."""
    from matplotlib.collections import LineCollection, PolyCollection

    zeros, gaps = [], []
    curves: list[np.ndarray] = []
    bars: list[list] = []
    colours: dict[str, list[str]] = {"curves": [], "bars": []}
    for panel, top, left in places:
        length = panel.values.shape[1]
        x = left - 0.5 + (np.arange(length) + 0.5) * grid.width / length
        (zero,) = _heights(np.zeros(1), panel.limits, top, grid)
        zeros.append([(left - 0.5, zero), (left - 0.5 + grid.width, zero)])
        for i in np.flatnonzero(~np.isfinite(panel.values).all(axis=0)):
            gaps.append([(x[i], top - 0.5), (x[i], top - 0.5 + grid.height)])
        for channel, values in enumerate(panel.values):
            y = _heights(values, panel.limits, top, grid)
            if panel.is_bars:
                drawn = _bars(x, y, zero, half=0.35 * grid.width / length)
                bars += drawn
                colours["bars"] += [category(channel)] * len(drawn)
            else:
                curves.append(np.column_stack([x, y]))
                colours["curves"].append(category(channel))
    height, width = grid.shape
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    ax.set_aspect("equal")
    for collection in (
        LineCollection(zeros, colors="0.7", linewidths=0.5),
        LineCollection(gaps, colors=NOT_FINITE, linewidths=1.2),
        PolyCollection(bars, facecolors=colours["bars"], linewidths=0),
        LineCollection(curves, colors=colours["curves"], linewidths=0.9),
    ):
        ax.add_collection(collection)


def _bars(x, y, zero, half):
    return [
        [(a - half, zero), (a - half, b), (a + half, b), (a + half, zero)]
        for a, b in zip(x, y)
        if np.isfinite(b)
    ]


def _heights(values, limits, top, grid):
    low, high = limits
    margin = 0.06 * grid.height
    share = np.clip((values - low) / (high - low), 0.0, 1.0)
    return top - 0.5 + grid.height - margin - share * (grid.height - 2 * margin)


def _frame(ax, places, grid):
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    frames = [
        Rectangle((left - 0.5, top - 0.5), grid.width, grid.height)
        for _, top, left in places
    ]
    outlines = PatchCollection(frames, facecolor="none", edgecolor="0.7", linewidth=0.6)
    outlines.set_clip_on(False)
    ax.add_collection(outlines)
    ax.set_anchor("N")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
