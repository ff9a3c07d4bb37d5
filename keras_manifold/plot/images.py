"""Grids of samples: images in colours, series and tables as small curves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_manifold.plot._kinds import kind_of
from keras_manifold.plot._look import Look
from keras_manifold.plot._mosaics import mosaic
from keras_manifold.plot._samples import common_range, samples_of, symmetric_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_grid(
    images: np.ndarray | Sequence[np.ndarray],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    title: str | None = None,
    signed: bool | Sequence[bool] = False,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    cmap: str | None = None,
    image_shape: Sequence[int] | None = None,
    bands: Sequence[int] | int | None = None,
    feature_names: Sequence[str] | None = None,
    channel_names: Sequence[str] | None = None,
) -> "Figure":
    """Samples in rows, on one scale per row.

    Images are drawn in colours, series as small curves with a colour per channel, tables
    of up to 32 numbers as bars and of more as a curve. What a sample is follows from its
    shape, by the rule of `are_images`, here and on the pages of runs, unless `image_shape`
    or `channel_names` say it.

    Args:
        images: Array of shape `(rows, n, *input_shape)`, or a sequence of rows of shape
            `(n, *input_shape)`, which may differ in `n`.
        row_labels: One text per row.
        column_labels: One text per column.
        title: Text above the figure.
        signed: Whether values have a sign that matters: then 0 is white, positive red and
            negative blue, on a scale centred on 0 that is noted at the row's end (with 3
            channels 0 is grey instead). One bool, or one per row. Rows without a sign
            share one scale, from black, the smallest value or 0, to white. Curves and bars
            are drawn on the same scales. NaN and infinite entries are orange.
        ax: `matplotlib.axes.Axes` to draw into; `None` for a figure of its own.
        figsize: Width and height of the figure in inches; `None` for what it needs.
        cmap: Name of a matplotlib colour map for images of one channel; `None` for grey,
            and for blue, white and red where values have a sign.
        image_shape: Shape of one sample as an image, such as `(28, 28)`, where samples are
            flattened.
        bands: Which three channels of many are red, green and blue, or which one is grey.
        feature_names: One name per entry of a table, written below the bars.
        channel_names: One name per channel of a series; of samples with two axes, such as
            `(60, 10)`, they say that these are no images.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        TypeError: If the samples are complex.
        ValueError: If a row is not of the shape above, the labels or names do not match,
            or there are more than 100 rows or columns.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(2, 5, 8, 8, 1))
        >>> figure = km.plot.image_grid(x, row_labels=["input", "reconstruction"])
        >>> type(figure).__name__
        'Figure'
    """
    look = Look(image_shape, bands, cmap, feature_names, channel_names)
    rows = [samples_of(row, look) for row in images]
    shapes = [np.shape(row) for row in images]
    is_one_shape = len({(row.kind, row.planes.shape[1:]) for row in rows}) == 1
    if not is_one_shape or min(len(row.planes) for row in rows) == 0:
        raise ValueError(
            "Every row must hold at least one sample, and all samples be of one shape. "
            f"Received: rows of shapes {shapes}."
        )
    columns = max(len(row.planes) for row in rows)
    signs = [signed] * len(rows) if isinstance(signed, bool) else list(signed)
    for name, labels, count in (
        ("row_labels", row_labels, len(rows)),
        ("column_labels", column_labels, columns),
        ("signed", signs, len(rows)),
    ):
        if labels is not None and len(labels) != count:
            raise ValueError(
                f"`{name}` must have {count} entries. Received: {len(labels)}."
            )
    unsigned = common_range([row.planes for row, sign in zip(rows, signs) if not sign])
    ranges = [
        symmetric_range(row.planes) if sign else unsigned for row, sign in zip(rows, signs)
    ]
    drawn = list(zip(rows, ranges, signs))
    return mosaic(
        [row.cells(limits, signed=sign) for row, limits, sign in drawn],
        row_labels=row_labels,
        column_labels=column_labels,
        row_notes=[row.note(limits, signed=sign) for row, limits, sign in drawn],
        title=title,
        ax=ax,
        figsize=figsize,
        look=look,
    )


def are_images(x: np.ndarray) -> bool:
    """Whether samples are drawn as images, rather than as curves or bars.

    The shape of one sample decides:

    - two axes are an image `(height, width)`, unless the picture would be a long stripe.
      With a side of 1, a side below 4 and the other at least four times as long, or one
      side at least eight times the other, they are a *series*: channels over time, such as
      `(128, 2)`;
    - three axes are an image with 1 or 3 channels, which stand last or else first;
    - any other shape is a *table*.

    Args:
        x: Array of shape `(n, *input_shape)`.

    Returns:
        True for images.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> km.plot.are_images(np.zeros((5, 8, 8, 1)))
        True
        >>> km.plot.are_images(np.zeros((5, 128, 2)))
        False
    """
    return kind_of(x.shape[1:]) == "image"
