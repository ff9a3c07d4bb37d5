"""How samples are drawn, where their shape alone does not say it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_manifold._arguments import check_image_shape
from keras_manifold.plot._kinds import Kind, channel_axis, kind_of, planes_of


class Look(NamedTuple):
    """What the caller of a plot said of the samples; all may be `None`.

    Attributes:
        image_shape: Shape of one sample as an image, where samples are flattened.
        bands: Three channels of many that are red, green and blue, or one that is grey.
        cmap: Name of a matplotlib colour map for images of one channel.
        feature_names: One per entry of a table.
        channel_names: One per channel of a series; of two axes, one of which has as many
            entries, they say that it is one.
    """

    image_shape: Sequence[int] | None = None
    bands: Sequence[int] | int | None = None
    cmap: str | None = None
    feature_names: Sequence[str] | None = None
    channel_names: Sequence[str] | None = None

    def shaped(self, values: np.ndarray) -> np.ndarray:
        """Samples `(n, ...)` in the shape in which they are drawn.

        Raises:
            ValueError: If they don't have that many entries, or no such channels.
        """
        if self.image_shape is not None:
            shape = check_image_shape(self.image_shape, values.shape[1:])
            values = values.reshape(len(values), *shape)
        if self.bands is not None:
            values = _bands_of(values, self.bands)
        self._check_names(values.shape[1:])
        return values

    def planes(self, values: np.ndarray, before: int = 1) -> tuple[Kind, np.ndarray]:
        """What shaped samples are drawn as, and they themselves with channels first.

        Args:
            values: Array of shape `(*any, *shape)`, samples of one `shape`.
            before: How many axes stand before those of a sample.
        """
        shape = values.shape[before:]
        axis = self.named_channels(shape)
        if axis is None:
            return kind_of(shape), planes_of(values, before)
        return "series", np.moveaxis(values, before + axis, before)[..., None, :]

    def named_channels(self, shape: Sequence[int]) -> int | None:
        """Which axis of two the names of channels are of, where an image is a series."""
        if self.channel_names is None or len(shape) != 2 or kind_of(shape) != "image":
            return None
        count = len(self.channel_names)
        return next((axis for axis in (1, 0) if shape[axis] == count), None)

    def _check_names(self, shape):
        axis = self.named_channels(shape)
        kind: Kind = "series"
        if axis is None and self.channel_names is not None and kind_of(shape) == "image":
            raise ValueError(
                f"`channel_names` must be one per channel of a series, {shape[-1]} or "
                f"{shape[0]}. Received: channel_names={list(self.channel_names)} for "
                f"samples of shape {shape}."
            )
        if axis is None:
            kind, axis = kind_of(shape), channel_axis(shape)
        entries = math.prod(shape)
        channels = 1 if axis is None else shape[axis]
        for name, names, of, count in (
            ("feature_names", self.feature_names, "table", entries),
            ("channel_names", self.channel_names, "series", channels),
        ):
            if names is not None and (kind != of or len(names) != count):
                raise ValueError(
                    f"`{name}` must be {count} names, for samples that are a {of}. "
                    f"Received: {name}={list(names)} for samples of shape {shape}, "
                    f"drawn as a {kind}."
                )


PLAIN = Look()


def _bands_of(values, bands):
    """The channels that are shown, of images with channels last, or else first."""
    chosen = np.atleast_1d(bands)
    if values.ndim != 4 or len(chosen) not in (1, 3):
        raise ValueError(
            "`bands` must be three channels, or one, of images of shape (height, width, "
            f"channels). Received: bands={bands!r} for samples of shape {values.shape[1:]}."
        )
    axis = 1 if values.shape[1] < min(values.shape[2:]) else 3
    count = values.shape[axis]
    if chosen.dtype.kind not in "iu" or chosen.min() < -count or chosen.max() >= count:
        raise ValueError(
            f"`bands` must be whole numbers in [0, {count - 1}], as the images have "
            f"{count} channels. Received: bands={bands!r}."
        )
    return np.moveaxis(np.take(values, chosen, axis=axis), axis, -1)
