"""Figures as PNG, each rendered once however many sinks want it."""

import io
import threading
import weakref

import numpy as np

# Time matters more than size: level 6, the usual one, takes twice as long for 5 % less.
_COMPRESS_LEVEL = 1

_lock = threading.Lock()  # sinks may ask from several threads
_rendered: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def png_of(figure) -> bytes:
    """The figure as the bytes of a PNG file, as it was when they were first asked for.

    `Figure.savefig` would draw a figure with a layout engine twice, once for the layout.

    Args:
        figure: `matplotlib.figure.Figure`.

    Returns:
        The bytes.
    """
    with _lock:
        return _png_of(figure)


def _png_of(figure):
    if figure not in _rendered:
        _rendered[figure] = rendered(figure)
    return _rendered[figure]


def rendered(figure) -> bytes:
    """The figure as it is now, as the bytes of a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image  # comes with matplotlib

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    file = io.BytesIO()
    image.save(file, "png", compress_level=_COMPRESS_LEVEL, dpi=(figure.dpi, figure.dpi))
    return file.getvalue()


def is_figure(value) -> bool:
    """Whether a value is a figure; without importing matplotlib for it."""
    return hasattr(value, "savefig")
