"""A figure that shows itself. Imported when the first one is made, as matplotlib is."""

import sys
from typing import Any

import matplotlib.figure

from keras_manifold.plot._rendering import rendered


class Figure(matplotlib.figure.Figure):
    """A `matplotlib.figure.Figure` that notebooks show and that no global state knows.

    Jupyter, VS Code and Colab draw it where it is the last line of a cell, as it is then;
    in a script, or elsewhere in a cell, `show` does.
    """

    def _repr_png_(self) -> bytes:
        return rendered(self)

    def show(self, warn: bool = True) -> None:
        """Shows the figure: in the running cell of a notebook, or else in a window.

        The window is that of the system's viewer of pictures.

        Args:
            warn: Whether to fail where there is no viewer, or say nothing.

        Raises:
            RuntimeError: If there is neither a notebook nor a viewer.
        """
        shell = _notebook()
        if shell is not None:
            from IPython.display import display

            display(self)
        elif not _opened(self) and warn:
            raise RuntimeError(
                "A figure can be shown in a notebook, or where the system has a viewer of "
                'pictures. Received: neither. Save it: figure.savefig("figure.png").'
            )


def _notebook() -> Any:
    """The shell of the notebook in which this runs, if it does."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _opened(figure):
    """Whether the system's viewer has the figure."""
    import io
    import os

    from PIL import Image, ImageShow

    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_screen:
        return False

    return ImageShow.show(Image.open(io.BytesIO(rendered(figure))))
