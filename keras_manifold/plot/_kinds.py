"""What a sample is to the eye: an image, a series or a table.

The one rule for figures, pages and TensorBoard, where the user says nothing else. It looks
at the shape of one sample:

- an *image* has two axes, or three of which the last (or else the first) are 1 or 3
  channels;
- a *series* has two axes that no picture has: one is 1, or at least four times the other
  with fewer than 4 channels, or at least eight times the other. The longer one is time;
- anything else is a *table* of numbers without an order of its own, drawn in theirs.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Kind = Literal["image", "series", "table"]

IMAGE_CHANNELS = (1, 3)
# A table of more numbers is drawn as a line: bars would be thinner than a pixel.
MOST_BARS = 32


def kind_of(shape: Sequence[int]) -> Kind:
    """What a sample of a shape is drawn as."""
    if len(shape) == 2:
        return "series" if _is_long(shape) else "image"
    if len(shape) == 3:
        channels = channel_axis(shape)
        if channels is None:
            return "table"
        sides = [size for axis, size in enumerate(shape) if axis != channels]
        return "series" if min(sides) == 1 < max(sides) else "image"
    return "table"


def channel_axis(shape: Sequence[int]) -> int | None:
    """Which axis of a sample counts its channels; `None` where none does.

    Of two axes none does in an image, and the shorter one in a series.
    """
    if len(shape) == 2 and _is_long(shape):
        return 0 if shape[0] < shape[1] else 1
    if len(shape) == 3:
        return next((axis for axis in (2, 0) if shape[axis] in IMAGE_CHANNELS), None)
    return None


def planes_of(values: np.ndarray, before: int = 1) -> np.ndarray:
    """Samples with channels first, whatever they are.

    Args:
        values: Array of shape `(*any, *shape)`, samples of one `shape`.
        before: How many axes stand before those of a sample.

    Returns:
        Array of shape `(*any, channels, height, width)`, a view where that is possible.
        What is no image has a height of 1, and a table one channel.
    """
    shape = values.shape[before:]
    kind, axis = kind_of(shape), channel_axis(shape)
    sides = [size for i, size in enumerate(shape) if i != axis]
    channels = 1 if axis is None else shape[axis]
    if axis is not None:
        values = np.moveaxis(values, before + axis, before)
    height, width = sides if kind == "image" else (1, int(np.prod(sides)))
    return values.reshape(*values.shape[:before], channels, height, width)


def _is_long(shape):
    short, long = sorted(shape)
    return (short == 1 < long) or long >= (4 if short < 4 else 8) * short
