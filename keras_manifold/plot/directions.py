"""Figures of tangent vectors, and of walks along them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_manifold._arguments import check_count, check_number
from keras_manifold._map.function import Map
from keras_manifold._storage.streams import is_on_disk
from keras_manifold.plot._look import Look
from keras_manifold.plot._mosaics import mosaic
from keras_manifold.plot._samples import common_range, samples_of, symmetric_range
from keras_manifold.plot._titles import title_of_spaces

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tangents(
    space: Any,
    index: int | Sequence[int] | None = 0,
    *,
    k: int | None = None,
    images: np.ndarray | None = None,
    labels: Sequence[Any] | None = None,
    title: str | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    cmap: str | None = None,
    image_shape: Sequence[int] | None = None,
    bands: Sequence[int] | int | None = None,
    feature_names: Sequence[str] | None = None,
    channel_names: Sequence[str] | None = None,
) -> "Figure":
    """Tangent vectors, each with its singular value.

    They are drawn as `image_grid` draws samples of their shape.

    Args:
        space: `TangentSpace`, or a mapping from names to several of the same
            samples, to be compared row by row.
        index: Sample to show; a sequence of samples, or `None` for all. One sample of one
            space is laid out in rows of eight vectors, otherwise each sample is a row.
        k: Vectors to show, the leading ones, at least 1; `None` for all.
        images: The samples themselves, `(n, *input_shape)`, to be shown before their
            tangents; `None` for those that the space keeps.
        labels: One per sample of the space, such as classes, or one per sample that is
            shown, written before its row; of a single one also the label alone.
        title: Text above the figure; `None` for what the vectors are of, such as "Tangent
            vectors of the encoder", `""` for none.
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
        `matplotlib.figure.Figure`. Zero is white, positive entries red, negative ones
        blue, on the scale noted at the end of each row; curves and bars are on that scale.

    Raises:
        ValueError: If `k` is below 1, no sample is chosen, `images` are not the samples of
            the space, labels or names are of another number, or the spaces are not of the
            same samples.
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
    if k is not None:
        k = check_count("k", k)
    shape = _shape_of_samples(spaces)
    samples = _chosen(index, shape[0])
    look = Look(image_shape, bands, cmap, feature_names, channel_names)
    label_of = _labels_of(labels, samples, shape[0])
    images = _images_of(spaces, images, shape, samples)
    inputs = None if images is None else _inputs_of(images, samples, look)
    is_single = len(spaces) == len(samples) == 1
    cells, cell_texts, names, notes = [], [], [], []
    named = 0  # columns; below their names numbers suffice, as text is dear to draw
    for sample in samples:
        for name, of_model in spaces.items():
            sigma = of_model.singular_values[sample, :k]
            vectors = samples_of(of_model.vectors[sample, :k], look)
            limits = symmetric_range(vectors.planes)
            drawn = vectors.cells(limits, signed=True)
            wrap = 8 if is_single else len(drawn)
            for start in range(0, len(drawn), wrap):
                shown = range(start, min(start + wrap, len(drawn)))
                row: list[Any] = [*drawn[start : shown.stop]]
                texts = [
                    (f"σ{_subscript(i + 1)} = " if i >= named else "") + f"{sigma[i]:#.2g}"
                    for i in shown
                ]
                named = max(named, shown.stop)
                if inputs is not None:
                    row.insert(0, None if start else inputs[sample])
                    texts.insert(0, "" if start else "input")
                cells.append(row)
                cell_texts.append(texts)
                label = [] if start else [label_of.get(sample, "")]
                names.append(" · ".join(filter(None, [name, *label])))
                notes.append(vectors.note(limits, signed=True))
    return mosaic(
        cells,
        row_labels=names if any(names) else None,
        cell_labels=cell_texts,
        row_notes=notes,
        title=title_of_spaces("Tangent vectors", spaces) if title is None else title,
        ax=ax,
        figsize=figsize,
        look=look,
    )


def _labels_of(labels, samples, count):
    """Mapping from samples that are shown to their labels, as texts."""
    if labels is None:
        return {}
    labels = np.atleast_1d(labels)
    if len(labels) == count:
        labels = labels[samples]
    elif len(labels) != len(samples):
        raise ValueError(
            f"`labels` must be one per sample, {count} in all, or one per sample that is "
            f"shown, {len(samples)}. Received: {len(labels)}."
        )
    return dict(zip(samples.tolist(), map(str, labels.tolist())))


def _images_of(spaces, images, shape, samples):
    """The samples themselves, if somebody has them, checked to be the same for all.

    Of arrays that are not in memory, those that are shown are compared.
    """
    kept = [getattr(space, "inputs", None) for space in spaces.values()]
    kept = [inputs for inputs in kept if inputs is not None and inputs.shape == shape]
    if images is not None:
        images = np.asarray(images)
        if images.shape != shape and not _are_shaped_alike(images, shape):
            raise ValueError(
                f"`images` must be the samples of the space, of shape {shape}. Received: "
                f"images of shape {np.shape(images)}."
            )
        images = images.reshape(shape)
        if any(not _are_equal(images, inputs, samples) for inputs in kept):
            raise ValueError(
                "`images` must be the samples of the space, which keeps them itself. "
                "Received: images with other values. Leave `images` out."
            )
        return images
    if any(not _are_equal(kept[0], inputs, samples) for inputs in kept[1:]):
        raise ValueError(
            "`space` must be one or several spaces of the same samples. Received: spaces "
            f"{list(spaces)} of samples with other values."
        )
    return kept[0] if kept else None


def _are_shaped_alike(images, shape):
    """Whether an axis of one channel is all that images lack, or have too much."""
    if images.ndim < 2:
        return False
    alike = (
        samples_of(np.zeros((0, *images.shape[1:]))),
        samples_of(np.zeros((0, *shape[1:]))),
    )
    same = len({(one.kind, one.planes.shape[1:]) for one in alike}) == 1
    return same and images.size == np.prod(shape) and len(images) == shape[0]


def _are_equal(a, b, samples):
    if not all(isinstance(array, np.ndarray) for array in (a, b)):
        a, b = (np.stack([array[sample] for sample in samples]) for array in (a, b))
    return np.allclose(a, b, rtol=1e-3, atol=1e-3, equal_nan=True)


def _shape_of_samples(spaces):
    """Shape `(n, *input_shape)` that all spaces are of."""
    shapes = {
        name: (space.vectors.shape[0], *space.vectors.shape[2:])
        for name, space in spaces.items()
    }
    if len(set(shapes.values())) != 1:
        raise ValueError(
            "`space` must be one or several spaces of the same samples. Received: samples "
            f"of shapes {shapes}."
        )
    return next(iter(shapes.values()))


def _chosen(index, count):
    if index is None or isinstance(index, slice):
        samples = np.arange(count)[index or slice(None)]
    else:
        samples = np.atleast_1d(index)
    if len(samples) == 0:
        raise ValueError(
            f"`index` must name at least one of {count} samples. Received: index={index!r}."
        )
    if not -count <= min(samples) <= max(samples) < count:
        raise IndexError(
            f"`index` must be in [0, {count - 1}], as there are {count} samples. Received: "
            f"index={index!r}."
        )
    return samples


def _inputs_of(images, samples, look):
    """Cells that show some of the samples themselves, by their index."""
    inputs = samples_of(np.stack([images[sample] for sample in samples]), look)
    limits = common_range([inputs.planes])
    return dict(zip(samples, inputs.cells(limits, signed=False)))


def walk(
    space: Any,
    x: np.ndarray | None = None,
    *,
    model: Any = None,
    index: int = 0,
    directions: int = 3,
    reach: float | None = None,
    steps: int = 9,
    title: str | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    cmap: str | None = None,
    image_shape: Sequence[int] | None = None,
    bands: Sequence[int] | int | None = None,
    feature_names: Sequence[str] | None = None,
    channel_names: Sequence[str] | None = None,
) -> "Figure":
    r"""Walks from one sample along its leading tangent vectors.

    One row per direction: the straight line $x + t v_i$ in input space and, with a `model`,
    a second one with what it makes of those points, $g(f(x + t v_i))$, on the manifold that
    it has learned. Where the two rows agree the line is still close to the manifold.

    Args:
        space: `TangentSpace` of the samples.
        x: The samples themselves, `(n, *input_shape)`; `None` for those that the space
            keeps.
        model: Keras model that reconstructs samples, such as an `AutoEncoder`, or any
            callable from NumPy arrays to NumPy arrays. `None` for the straight lines only.
        index: Sample from which to walk; -1 for the last.
        directions: Leading tangent vectors along which to walk, at least 1; more than
            there are means all.
        reach: Greatest distance $|t|$, in units of the input, above 0. `None` for half the
            norm of the sample.
        steps: Samples in a row, at least 2; an odd number has the sample in the middle.
        title: Text above the figure; `None` for what the vectors are of, `""` for none.
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
        `matplotlib.figure.Figure`, all on one scale: that of the sample for images.

    Raises:
        TypeError: If `index` is not a whole number.
        ValueError: If `space` and `x` do not match, or a number is out of range.
        IndexError: If there is no sample `index`.

    Examples:
        >>> import numpy as np, keras_manifold as km
        >>> model = km.AutoEncoder.dense((8, 8, 1), latent_dim=4)
        >>> x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
        >>> figure = km.plot.walk(km.tangent_space(model, x), x, model=model, index=2)
        >>> type(figure).__name__
        'Figure'
    """
    look = Look(image_shape, bands, cmap, feature_names, channel_names)
    if x is None:
        x = space.inputs
        if x is None:
            raise ValueError(
                "`x` must be the samples of the space, which does not keep them. Received: "
                "x=None."
            )
    x = x if is_on_disk(x) or hasattr(x, "oindex") else np.asarray(x)
    if x.shape[0] != space.vectors.shape[0] or space.vectors.shape[2:] != x.shape[1:]:
        raise ValueError(
            "`space` must be that of the samples `x`. Received: vectors of shape "
            f"{space.vectors.shape} and x of shape {x.shape}."
        )
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
        raise TypeError(
            f"`index` must be a whole number, of one sample. Received: index={index!r}."
        )
    (index,) = _chosen(index, x.shape[0])
    sample = np.asarray(x[index])
    vectors = np.asarray(space.vectors[index][: check_count("directions", directions)])
    steps = check_count("steps", steps, least=2)
    if reach is None:
        # A sample that is 0 has no length of its own.
        reach = 0.5 * float(np.linalg.norm(sample)) or 1.0
    reach = check_number("reach", reach, positive=True)
    distances = np.linspace(-reach, reach, steps)
    offsets = distances.reshape(-1, *(1,) * sample.ndim) * vectors[:, None]
    points = (sample + offsets).astype("float32")
    rows, labels = [], []
    for i, straight in enumerate(points, start=1):
        rows.append(straight)
        labels.append(f"x + t v{_subscript(i)}")
        if model is not None:
            rows.append(Map(model).values(straight, as_tensors=False))
            labels.append("reconstructed")
    # Curves would be cut off at the ends of the sample's own scale.
    drawn = [samples_of(row, look) for row in rows]
    own = [sample] if drawn[0].kind == "image" else rows
    limits = common_range(own)
    return mosaic(
        [row.cells(limits, signed=False) for row in drawn],
        row_labels=labels,
        row_notes=[row.note(limits, signed=False) for row in drawn],
        column_labels=[f"t = {t:.2g}".replace("-", "−") for t in distances],
        title=title_of_spaces("Along tangent vectors", {"": space})
        if title is None
        else title,
        ax=ax,
        figsize=figsize,
        look=look,
    )


def _subscript(number):
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
