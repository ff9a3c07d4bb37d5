"""Figures of images: grids, tangent vectors, walks along them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_manifold._arguments import check_count, check_number
from keras_manifold.plot._figures import NOT_FINITE, SIGNED, UNSIGNED, figure_of_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_grid(
    images: np.ndarray | Sequence[np.ndarray],
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    title: str | None = None,
    signed: bool | Sequence[bool] = False,
) -> "Figure":
    """Images in rows, on one scale a row.

    Args:
        images: Array of shape `(rows, n, height, width)` or `(rows, n, height, width,
            channels)` with 1 or 3 channels, or a sequence of rows of such shapes, which
            may differ in `n`.
        row_labels: One text a row.
        column_labels: One text a column.
        title: Text above the figure.
        signed: Whether values have a sign that matters: then 0 is white, positive red and
            negative blue, on a scale centred on 0 that is noted at the row's end (with 3
            channels 0 is grey instead). One bool, or one a row. Rows without a sign
            share one scale, from black, the smallest value or 0, to white. NaN and
            infinite entries are orange.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a row is not of the shape above, or the labels do not match.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> x = np.random.default_rng(0).uniform(size=(2, 5, 8, 8, 1))
        >>> figure = km.plot.image_grid(x, row_labels=["input", "reconstruction"])
        >>> type(figure).__name__
        'Figure'
    """
    rows = [_images(row) for row in images]
    if len({row.shape[1:3] for row in rows}) != 1 or min(map(len, rows)) == 0:
        raise ValueError(
            "Every row must hold at least one image, and all images be of one size. "
            f"Received: rows of shapes {[row.shape for row in rows]}."
        )
    columns = max(len(row) for row in rows)
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
    unsigned = _common_range([row for row, sign in zip(rows, signs) if not sign])
    ranges = [_symmetric_range(row) if sign else unsigned for row, sign in zip(rows, signs)]
    return _mosaic(
        [_colours(row, limits, sign) for row, limits, sign in zip(rows, ranges, signs)],
        row_labels=row_labels,
        column_labels=column_labels,
        row_notes=[
            _range_note(high) if sign else "" for (_, high), sign in zip(ranges, signs)
        ],
        title=title,
    )


def tangents(
    space: Any,
    index: int | Sequence[int] | None = 0,
    *,
    k: int | None = None,
    images: np.ndarray | None = None,
    title: str | None = None,
) -> "Figure":
    """Tangent vectors as images, each with its singular value.

    Args:
        space: `TangentSpace` of images, or a mapping from names to several of the same
            samples, to be compared row by row.
        index: Sample to show; a sequence of samples, or `None` for all. One sample of one
            space is laid out in rows of eight vectors, otherwise each sample is a row.
        k: Vectors to show, the leading ones; `None` for all.
        images: The samples themselves, `(n, height, width[, channels])`, to be shown
            before their tangents.
        title: Text above the figure.

    Returns:
        `matplotlib.figure.Figure`. Zero is white, positive entries red, negative ones
        blue, on the scale noted at the end of each row.

    Raises:
        ValueError: If the inputs are not images.
        IndexError: If there is no sample `index`.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=4)
        >>> x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
        >>> figure = km.plot.tangents(km.tangent_space(model, x), images=x)
        >>> type(figure).__name__
        'Figure'
    """
    spaces = space if isinstance(space, Mapping) else {"": space}
    count = next(iter(spaces.values())).vectors.shape[0]
    samples = range(count) if index is None else np.atleast_1d(index)
    if len(samples) and not -count <= min(samples) <= max(samples) < count:
        raise IndexError(
            f"`index` must be in [0, {count - 1}], as there are {count} samples. Received: "
            f"index={index!r}."
        )
    inputs = None if images is None else _images(images)
    is_single = len(spaces) == len(samples) == 1
    cells, labels, names, notes = [], [], [], []
    named = 0  # columns; below their names numbers suffice, as text is dear to draw
    for sample in samples:
        for name, of_model in spaces.items():
            sigma = of_model.singular_values[sample, :k]
            vectors = _images(of_model.vectors[sample, :k])
            limits = _symmetric_range(vectors)
            wrap = 8 if is_single else len(vectors)
            for start in range(0, len(vectors), wrap):
                shown = range(start, min(start + wrap, len(vectors)))
                row = [*_colours(vectors[start : shown.stop], limits, signed=True)]
                texts = [
                    (f"σ{_subscript(i + 1)} = " if i >= named else "") + f"{sigma[i]:#.2g}"
                    for i in shown
                ]
                named = max(named, shown.stop)
                if inputs is not None:
                    (image,) = _colours(inputs[[sample]], _common_range([inputs]), False)
                    row.insert(0, None if start else image)
                    texts.insert(0, "" if start else "input")
                cells.append(row)
                labels.append(texts)
                names.append(name)
                notes.append(_range_note(limits[1]))
    return _mosaic(
        cells,
        row_labels=names if any(names) else None,
        cell_labels=labels,
        row_notes=notes,
        title=title,
    )


def walk(
    space: Any,
    x: np.ndarray,
    *,
    model: Any = None,
    index: int = 0,
    directions: int = 3,
    reach: float | None = None,
    steps: int = 9,
    title: str | None = None,
) -> "Figure":
    r"""Walks from one sample along its leading tangent vectors.

    A row each: the straight line $x + t v_i$ in input space and, with a `model`, what it
    makes of those points, $g(f(x + t v_i))$, on the manifold that it has learned. Where the
    two rows agree the line is still close to the manifold.

    Args:
        space: `TangentSpace` of images.
        x: The samples themselves, `(n, height, width[, channels])`.
        model: Keras model that reconstructs images, such as an `AutoEncoder`, or any
            callable from NumPy arrays to NumPy arrays. `None` for the straight lines only.
        index: Sample from which to walk.
        directions: Leading tangent vectors along which to walk, at least 1; more than
            there are means all.
        reach: Greatest distance $|t|$, in units of the input, above 0. `None` for half the
            norm of the sample.
        steps: Images in a row, at least 2; an odd number has the sample in the middle.
        title: Text above the figure.

    Returns:
        `matplotlib.figure.Figure`, all images on the scale of the sample.

    Raises:
        ValueError: If `space` and `x` do not match, are no images, or a number is out of
            range.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=4)
        >>> x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
        >>> figure = km.plot.walk(km.tangent_space(model, x), x, model=model, index=2)
        >>> type(figure).__name__
        'Figure'
    """
    x = np.asarray(x)
    _images(x)
    if len(x) != space.vectors.shape[0] or space.vectors.shape[2:] != x.shape[1:]:
        raise ValueError(
            "`space` must be that of the samples `x`. Received: vectors of shape "
            f"{space.vectors.shape} and x of shape {x.shape}."
        )
    index = check_count("index", index, least=0)
    if index >= len(x):
        raise ValueError(
            f"`index` must be below the number of samples, {len(x)}. "
            f"Received: index={index}."
        )
    vectors = np.asarray(space.vectors[index][: check_count("directions", directions)])
    steps = check_count("steps", steps, least=2)
    if reach is None:
        # A sample that is 0 has no length of its own.
        reach = 0.5 * float(np.linalg.norm(x[index])) or 1.0
    reach = check_number("reach", reach, positive=True)
    distances = np.linspace(-reach, reach, steps)
    offsets = distances.reshape(-1, *(1,) * x[index].ndim) * vectors[:, None]
    points = (x[index] + offsets).astype("float32")
    rows, labels = [], []
    for i, straight in enumerate(points, start=1):
        rows.append(straight)
        labels.append(f"x + t v{_subscript(i)}")
        if model is not None:
            rows.append(_reconstructed(model, straight))
            labels.append("reconstructed")
    limits = _common_range([x[index]])
    return _mosaic(
        [_colours(_images(row), limits, False) for row in rows],
        row_labels=labels,
        column_labels=[f"t = {t:.2g}".replace("-", "−") for t in distances],
        title=title,
    )


def _reconstructed(model, x):
    if hasattr(model, "predict"):
        return model.predict(x, verbose=0)
    return np.asarray(model(x))


def are_images(x: np.ndarray) -> bool:
    """Whether an array is of the shape that `image_grid` takes for one row.

    Args:
        x: Array of any shape.

    Returns:
        True for `(n, height, width)` and `(n, height, width, channels)` with 1 or 3
        channels.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> km.plot.are_images(np.zeros((5, 8, 8, 1)))
        True
    """
    return x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3))


def _images(row):
    """A row as `(n, height, width)` or `(n, height, width, 3)`."""
    row = np.asarray(row)
    if not are_images(row):
        raise ValueError(
            "Images must be of shape (n, height, width) or (n, height, width, channels) "
            f"with 1 or 3 channels. Received: shape {row.shape}."
        )
    if row.ndim == 4 and row.shape[-1] == 1:
        row = row[..., 0]
    return row.astype("float64")


def _common_range(rows):
    finite = [row[np.isfinite(row)] for row in rows]
    finite = [values for values in finite if values.size]
    if not finite:
        return 0.0, 1.0
    low = min(0.0, *(values.min() for values in finite))
    high = max(values.max() for values in finite)
    return low, high if high > low else low + 1.0


def _symmetric_range(row):
    limit = np.abs(row[np.isfinite(row)]).max(initial=0.0)
    limit = limit if limit > 0 else 1.0
    return -limit, limit


def _colours(images, limits, signed):
    """RGB of a row of images, with entries that are not finite in a colour of their own."""
    import matplotlib

    low, high = limits
    is_finite = np.isfinite(images)
    share = np.clip((np.where(is_finite, images, low) - low) / (high - low), 0.0, 1.0)
    if images.ndim == 4:
        return np.where(is_finite, share, NOT_FINITE)
    colours = matplotlib.colormaps[SIGNED if signed else UNSIGNED](share)[..., :3]
    return np.where(is_finite[..., None], colours, NOT_FINITE)


def _mosaic(
    cells,
    *,
    row_labels=None,
    column_labels=None,
    cell_labels=None,
    row_notes=None,
    title=None,
):
    """Figure of RGB images in rows, on one pair of axes: many axes take seconds to lay out.

    `cells` are rows of images of one size; `None` leaves a place empty.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    height, width = next(
        image for row in cells for image in row if image is not None
    ).shape[:2]
    right = width + max(1, round(0.08 * width))
    down = height + max(1, round((0.35 if cell_labels else 0.08) * height))
    rows, columns = len(cells), max(len(row) for row in cells)
    canvas = np.ones((rows * down - (down - height), columns * right - (right - width), 4))
    frames = []
    for r, row in enumerate(cells):
        for c, image in enumerate(row):
            if image is not None:
                top, left = r * down, c * right
                canvas[top : top + height, left : left + width, :3] = image
                frames.append(Rectangle((left - 0.5, top - 0.5), width, height))

    inches = 0.85 / width  # a cell is 0.85 inches wide
    size = (
        canvas.shape[1] * inches + (1.7 if row_labels else 0.9),
        canvas.shape[0] * inches + (0.7 if title else 0.3),
    )
    if row_labels:  # of any length
        figure = figure_of_size(*size, title)
    else:  # what stands around the images is of a known size: no need to measure it
        figure = figure_of_size(*size, title, layout=None)
        top = (0.4 if title else 0.1) + (0.2 if cell_labels or column_labels else 0.0)
        figure.subplots_adjust(
            left=0.05 / size[0],
            right=1 - (0.75 if any(row_notes or ()) else 0.05) / size[0],
            bottom=0.05 / size[1],
            top=1 - top / size[1],
        )
    ax = figure.subplots()
    # RGBA in bytes is drawn in half the time of RGB in floating-point numbers.
    ax.imshow((canvas * 255).round().astype("uint8"), interpolation="nearest")
    outlines = PatchCollection(frames, facecolor="none", edgecolor="0.7", linewidth=0.6)
    outlines.set_clip_on(False)
    ax.add_collection(outlines)
    ax.set_anchor("N")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    row_centres = np.arange(rows) * down + (height - 1) / 2
    column_centres = np.arange(columns) * right + (width - 1) / 2
    ax.set_yticks(row_centres if row_labels else [], row_labels or [])
    ax.set_xticks(column_centres if column_labels else [], column_labels or [])
    for r, texts in enumerate(cell_labels or []):
        for c, text in enumerate(texts):
            label = ax.text(
                column_centres[c],
                r * down - 0.8,
                text,
                ha="center",
                va="bottom",
                fontsize=6.5,
                parse_math=False,
            )
            label.set_in_layout(r == 0)  # below it they lie within the axes
    for r, note in enumerate(row_notes or []):
        x = len(cells[r]) * right - 0.5
        ax.text(x, row_centres[r], note, va="center", fontsize="x-small")
    return figure


def _range_note(limit):
    return f"colours\n±{limit:#.2g}"


def _subscript(number):
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
