"""What all figures begin with: an empty one that no global state knows."""


def figure_of_size(width, height, title, layout="constrained"):
    from keras_manifold.plot._shown import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout=layout)
    if title is not None:
        figure.suptitle(title)
    return figure


def axes_of(ax, title, figsize, make):
    """The axes that the caller of a plot gave, or those of a new figure, and the figure.

    Args:
        ax: `matplotlib.axes.Axes`, or `None`.
        title: Text above what is drawn, or `None`.
        figsize: Of the new figure, or `None`.
        make: Returns the new figure, with its title.
    """
    if ax is None:
        figure = make()
        return figure, figure.subplots()
    if not hasattr(ax, "plot") or not hasattr(ax, "get_figure"):
        raise TypeError(
            "`ax` must be the axes of a matplotlib figure, as `figure.subplots()` makes "
            f"them, or None. Received: ax={ax!r} of type {type(ax).__name__}."
        )
    if figsize is not None:
        raise ValueError(
            "`figsize` must be None where `ax` is part of a figure that has a size. "
            f"Received: figsize={figsize}."
        )
    if title is not None:
        ax.set_title(title)
    return ax.get_figure(), ax
