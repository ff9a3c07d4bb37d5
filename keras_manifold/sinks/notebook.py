"""Figures in a notebook that change in place."""

from typing import Any

from keras_manifold.plot._rendering import is_figure, png_of


class NotebookSink:
    """Shows each figure in the running cell of a notebook, and updates it there.

    One picture a name, however long the training. Numbers and arrays are left out: Keras's
    progress bar shows the numbers. One sink may serve several callbacks.

    Raises:
        ImportError: If IPython is not installed, which every notebook has.

    Examples:
        In a notebook, the pictures of `tangent_vectors` and `tangent_spectrum`:

            watch = km.TangentAnalyzer(x[:4], sinks=[km.sinks.NotebookSink()])
            model.fit(x, epochs=10, callbacks=[watch])
    """

    def __init__(self) -> None:
        try:
            import IPython.display  # noqa: F401
        except ImportError:
            raise ImportError(
                "NotebookSink needs IPython, in which notebooks run. Install it: "
                "pip install notebook"
            ) from None
        self._handles: dict[str, Any] = {}

    def __call__(self, name: str, value: Any, step: int) -> None:
        """Shows a figure, or puts it in the place of the one before."""
        if not is_figure(value):
            return
        from IPython import display

        image = display.Image(data=png_of(value), format="png")
        if name in self._handles:
            self._handles[name].update(image)
        else:
            self._handles[name] = display.DisplayHandle()
            self._handles[name].display(image)

    def close(self) -> None:
        """Lets the figures of this training stand: the next one shows its own."""
        self._handles = {}
