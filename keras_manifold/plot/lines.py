"""Figures of curves: spectra and what `fit` reported."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_manifold._storage.joined import rows_at
from keras_manifold._storage.snapshots import STEP
from keras_manifold.plot._figures import axes_of, figure_of_size
from keras_manifold.plot._palette import category
from keras_manifold.plot._titles import title_of, title_of_spaces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Spectra that are read of results on disk.
_MOST_SPECTRA = 100_000


def spectrum(
    singular_values: Any,
    *,
    title: str | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> "Figure":
    """Singular values against their index, on a logarithmic scale.

    Args:
        singular_values: Array of shape `(m,)` or `(n, m)`, a `TangentSpace`, or a mapping
            from names to any of these, drawn side by side. For several samples the line
            is the median and the band runs from the smallest to the largest. Of results on
            disk at most 100,000 samples are read, spread evenly, as the axis says then.
        title: Text above the figure; `None` for what tangent spaces are of, `""` for none.
        ax: `matplotlib.axes.Axes` to draw into; `None` for a figure of its own.
        figsize: Width and height of the figure in inches.

    Returns:
        `matplotlib.figure.Figure`.

    Examples:
        >>> import keras_manifold as km
        >>> spectra = {"plain": [3.0, 2.0, 1.0], "contractive": [1.0, 0.1, 0.01]}
        >>> figure = km.plot.spectrum(spectra)
        >>> figure.axes[0].get_yscale()
        'log'
    """
    named = (
        singular_values if isinstance(singular_values, Mapping) else {"": singular_values}
    )
    if title is None:
        title = title_of_spaces("Singular values", named)
    figure, ax = axes_of(ax, title, figsize, lambda: _figure_of_spectra(title, figsize))
    drawn = "all of them"
    for colour, (name, values) in enumerate(named.items()):
        values = getattr(values, "singular_values", values)
        count = (getattr(values, "shape", None) or (0,))[0]
        if count > _MOST_SPECTRA and not isinstance(values, np.ndarray):
            places = np.linspace(0, count - 1, _MOST_SPECTRA).astype(int)
            values = rows_at(values, places)
            drawn = f"{_MOST_SPECTRA:,} of {count:,}, spread evenly"
        values = np.atleast_2d(np.asarray(values, "float64"))
        # A logarithmic scale has no place for 0.
        values = np.maximum(values, np.nanmax(values, initial=1e-30) * 1e-8)
        index = np.arange(1, values.shape[1] + 1)
        ax.plot(index, np.median(values, 0), marker=".", label=name, color=category(colour))
        if len(values) > 1:
            ax.fill_between(
                index,
                values.min(0),
                values.max(0),
                color=category(colour),
                alpha=0.15,
                lw=0,
            )
    ax.set_yscale("log")
    ax.set_xlabel("index")
    ax.set_ylabel("singular value")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    if len(values) > 1:
        ax.set_xlabel(f"index  (line: median of the samples, band: {drawn})")
    if any(named):
        ax.legend(frameon=False)
    return figure


def _figure_of_spectra(title, figsize):
    if figsize is not None:
        width, height = figsize
        return figure_of_size(width, height, title)
    # Fixed margins: to lay out a logarithmic axis takes twice as long as to draw it.
    figure = figure_of_size(5.5, 3.6, title, layout=None)
    figure.subplots_adjust(left=0.16, right=0.97, bottom=0.14, top=0.9 if title else 0.96)
    return figure


def learning_curves(
    history: Any,
    *,
    keys: Sequence[str] | None = None,
    title: str | None = None,
    axes: Any = None,
    figsize: tuple[float, float] | None = None,
) -> "Figure":
    """Curves of what `fit` reported, one panel per quantity.

    Args:
        history: What `fit` returned, its `history` dict, a callback of ours or its
            `history`, or a mapping from names to any of these, drawn in one panel in
            different colours. What a callback saw is drawn at its snapshots, with a marker
            at each; of the callback itself the axes say its unit, and the titles what its
            tangent vectors are of.
        keys: Quantities to show; `None` for all. Validation (`val_...`) is drawn dashed
            in the panel of its training quantity.
        title: Text above the figure.
        axes: Sequence of `matplotlib.axes.Axes` to draw into, one per quantity; `None` for
            a figure of its own.
        figsize: Width and height of the figure in inches.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If one of `keys` was not reported by any run, or there are fewer `axes`
            than quantities.

    Examples:
        >>> import keras_manifold as km
        >>> figure = km.plot.learning_curves({"loss": [0.7, 0.5], "val_loss": [0.8, 0.6]})
        >>> [axes.get_title() for axes in figure.axes]
        ['loss']
    """
    runs = _named_runs(history)
    named = {name: getattr(run, "history", run) for name, run in runs.items()}
    reported = list(dict.fromkeys(key for run in named.values() for key in run))
    if keys is None:
        keys = [key for key in reported if key != STEP and not key.startswith("val_")]
    missing = [key for key in keys if key not in reported]
    if missing or not keys:
        raise ValueError(
            f"`keys` must be among what fit reported, {reported}. Received: keys={keys}."
        )
    figure, axes = _panels(len(keys), title, axes, figsize)
    has_validation = False
    for ax, key in zip(axes, keys):
        for colour, (name, run) in enumerate(named.items()):
            if key in run:
                _curve(ax, run[key], category(colour), "-", name, run.get(STEP))
            if f"val_{key}" in run:
                has_validation = True
                _curve(ax, run[f"val_{key}"], category(colour), "--", None, None)
        shown = {name: run for name, run in runs.items() if key in named[name]}
        ax.set_title(title_of(key, reported, shown), fontsize="medium")
        ax.set_xlabel(_unit_of(shown.values()))
        ax.grid(alpha=0.3)
    handles = axes[0].get_legend_handles_labels()[0] if any(named) else []
    if has_validation:
        handles += [_key_line("-", "training"), _key_line("--", "validation")]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
        )
    return figure


def _panels(count, title, axes, figsize):
    """The figure, and a list of axes, one per quantity."""
    if axes is None:
        columns = min(count, 4)
        rows = -(-count // columns)
        width, height = figsize or (3.2 * columns + 0.4, 2.6 * rows + 0.5)
        figure = figure_of_size(width, height, title)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes[count:]:
            ax.set_axis_off()
        return figure, list(axes)
    given = list(np.ravel(axes))
    if len(given) < count:
        raise ValueError(
            f"`axes` must be one per quantity, {count} in all. Received: {len(given)}. "
            "Give more, or fewer `keys`."
        )
    figure, _ = axes_of(given[0], title, figsize, None)
    return figure, given


def _key_line(dashes, label):
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle=dashes, label=label, color="0.4", lw=1.4)


def _curve(ax, values, colour, dashes, name, steps):
    at = np.arange(1, len(values) + 1) if steps is None else steps
    marker = "." if len(values) == 1 or steps is not None else None
    ax.plot(at, values, color=colour, linestyle=dashes, lw=1.4, marker=marker, label=name)


def _unit_of(runs):
    """What the steps of runs count: of a callback it is known, else epochs."""
    units = {getattr(run, "unit", "epoch") for run in runs}
    return " or ".join(sorted(units)) or "epoch"


def _named_runs(history):
    if hasattr(history, "history"):
        return {"": history}
    is_one_run = not any(
        isinstance(value, Mapping) or hasattr(value, "history")
        for value in history.values()
    )
    return {"": history} if is_one_run else history
