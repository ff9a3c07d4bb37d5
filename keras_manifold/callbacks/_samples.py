"""The samples that a callback watches, and how they are drawn."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_manifold import plot
from keras_manifold._storage.snapshots import INPUT, LABELS, LOOK, Drawing
from keras_manifold._storage.streams import first_samples, floating_samples
from keras_manifold.plot._look import PLAIN, Look
from keras_manifold.plot._samples import samples_of

# Rows or columns of a figure, beyond which it can't be read.
_MOST_SHOWN = 16


class WatchedSamples:
    """Samples with their labels and what plots need to know of them, once it is checked.

    Args and attributes are those of the callbacks.

    Raises:
        TypeError: If names are one text.
        ValueError: If labels are not one per sample, or the samples do not look so.
    """

    def __init__(
        self,
        x: Any,
        labels: Any,
        image_shape: Any,
        bands: Any,
        feature_names: Any,
        channel_names: Any,
    ):
        # A copy: the user's array may change.
        self.x: np.ndarray = np.array(floating_samples(first_samples(x, _MOST_SHOWN)))
        self.labels: Any = _checked_labels(labels, len(self.x))
        for name, names in (
            ("feature_names", feature_names),
            ("channel_names", channel_names),
        ):
            if isinstance(names, str):
                raise TypeError(
                    f"`{name}` must be a list of names. Received: {name}={names!r}."
                )
        image_shape, bands, feature_names, channel_names = map(
            _as_list, (image_shape, bands, feature_names, channel_names)
        )
        look = Look(image_shape, bands, None, feature_names, channel_names)
        if look != PLAIN:
            samples_of(self.shown(self.x[:1]), look)  # refuses what does not fit
        self.image_shape: tuple[int, ...] | None = _tuple_of(int, image_shape)
        self.bands: tuple[int, ...] | None = _tuple_of(int, bands)
        self.feature_names: tuple[str, ...] | None = _tuple_of(str, feature_names)
        self.channel_names: tuple[str, ...] | None = _tuple_of(str, channel_names)

    @property
    def look(self) -> dict[str, Any]:
        """How samples are drawn, as options of plots."""
        return {name: getattr(self, name) for name in LOOK}

    def shown(self, values: Any) -> Any:
        """The first of some values shaped like samples, with channels last if images."""
        values = values[:_MOST_SHOWN]
        if keras.config.image_data_format() == "channels_first" and self.x.ndim == 4:
            return np.moveaxis(values, -3, -1)
        return values

    def labels_of(self, shown: Any) -> list[str] | None:
        """Labels of the samples that are shown."""
        if self.labels is None:
            return None
        return [str(label) for label in self.labels[: len(shown)]]

    def grid(self, rows: Iterable[Any], row_labels: list[str], title: str) -> Drawing:
        """Drawing of rows shaped like samples, a column per sample."""
        images = [self.shown(row) for row in rows]
        return Drawing(
            plot.image_grid,
            images,
            row_labels=row_labels,
            column_labels=self.labels_of(images[0]),
            title=title,
            **self.look,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """What is the same in all snapshots."""
        return {INPUT: self.x} | ({} if self.labels is None else {LABELS: self.labels})


def _checked_labels(labels, count):
    """One label per sample as an array that npz files hold, or `None`."""
    if labels is None:
        return None
    labels = np.atleast_1d(labels)
    if labels.dtype.kind not in "biufU":
        labels = labels.astype(str)
    if labels.shape != (count,):
        raise ValueError(
            f"`labels` must be one per sample of `x`, {count} in all. Received: labels of "
            f"shape {labels.shape}."
        )
    return labels


def _as_list(values):
    """Arrays as lists, which can be compared."""
    return values.tolist() if hasattr(values, "tolist") else values


def _tuple_of(kind, values):
    """As the file of a run keeps it, or `None`."""
    return None if values is None else tuple(map(kind, np.atleast_1d(values).tolist()))
