"""Samples as one small grey picture, to which the page gives colours."""

import base64
import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_manifold.plot._look import PLAIN, Look

# A page shows the first of everything; more can't be read on a screen.
_MOST_PIXELS = 64  # along a side of an image
_MOST_ENTRIES = 512  # of a series or a table


def sprite_of(
    values: np.ndarray,
    ranges: Sequence[tuple[float, float]],
    *,
    signed: bool,
    look: Look = PLAIN,
) -> dict[str, Any]:
    """Samples as one small grey PNG, with what is needed to read it.

    A byte is 0 where the value is not finite, otherwise 1 + how many of `levels` steps it
    lies above the lower end of its row's range.

    Args:
        values: Array of shape `(rows, columns, *input_shape)`.
        ranges: Value at the lower end and at the upper, one pair per row.
        signed: Whether the ranges are symmetric and 0 has a colour of its own.
        look: What the user said of samples that are shaped already.

    Returns:
        What JSON can hold, but for the picture itself: `png`, bytes in base 64.
    """
    kind, planes = look.planes(values, before=2)
    planes, every = _thinned(planes, kind)
    # Fewer levels make smaller files; even ones have 0 in the middle of a signed range.
    levels = (30 if signed else 62) if kind == "image" else 254
    ranges = [(float(low), float(high)) for low, high in ranges]
    low, high = (
        np.array(ends).reshape(-1, 1, 1, 1, 1) for ends in zip(*ranges, strict=True)
    )
    with np.errstate(invalid="ignore"):
        share = np.clip((planes.astype("float64") - low) / (high - low), 0, 1)
        codes = 1 + np.rint(share * levels)
    codes = np.where(np.isfinite(planes), codes, 0).astype("uint8")
    rows, columns, channels, height, width = codes.shape
    across = columns * channels if kind == "image" else 1
    sheet = codes.reshape(-1, across, height, width).swapaxes(1, 2)
    return {
        "rows": rows,
        "columns": columns,
        "channels": channels,
        "height": height,
        "width": width,
        "across": across,
        "levels": levels,
        "ranges": ranges,
        "signed": signed,
        "kind": kind,
        "every": every,
        "png": _png(sheet.reshape(-1, across * width)),
    }


def _thinned(planes, kind):
    """No more than what can be seen, and of how many entries one is left.

    Entries are left out rather than averaged: the speckle of a poor tangent vector would
    vanish in means.
    """
    most = _MOST_PIXELS if kind == "image" else _MOST_ENTRIES
    every = max(1, -(-max(planes.shape[3:]) // most))
    return planes[:, :, :, ::every, ::every], every


def _png(codes):
    from PIL import Image

    file = io.BytesIO()
    # As small as any other way for these codes, which repeat little, and five times faster.
    Image.fromarray(codes).save(file, "PNG", compress_type=zlib.Z_RLE)
    return base64.b64encode(file.getvalue())
