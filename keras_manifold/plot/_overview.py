"""A tangent space at a glance, which notebooks show."""

from typing import TYPE_CHECKING, Any

from keras_manifold.plot._figures import figure_of_size
from keras_manifold.plot.directions import tangents
from keras_manifold.plot.lines import spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_VECTORS = 8


def overview(space: Any) -> "Figure":
    """Inputs, leading tangent vectors and spectra of all samples of a space.

    Args:
        space: `TangentSpace` of a few samples.

    Returns:
        `matplotlib.figure.Figure`.
    """
    shown = min(_MOST_VECTORS, space.singular_values.shape[1])
    height = max(2.4, 1.2 * len(space.singular_values) + 0.8)
    of = f" of the {space.of}" if space.of else ""
    figure = figure_of_size(1.0 * (shown + 1) + 3.6, height, f"Tangent space{of}")
    left, right = figure.subplots(1, 2, width_ratios=[shown + 1, 2.8])
    tangents(space, None, k=shown, title="", ax=left)
    spectrum(space, title="", ax=right)
    if len(space.singular_values) > 1:
        right.set_xlabel("index  (median, range)")
    return figure
