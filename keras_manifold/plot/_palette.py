"""The colours of figures and pages."""

import functools

import numpy as np

# Blue, white, red: ColorBrewer's RdBu, blue first. On dark pages zero is dark.
SIGNED = (
    *("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7"),
    *("#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"),
)
SIGNED_ON_DARK = (
    *("#d6ecff", "#9fd0fb", "#5fa8e6", "#2f74b0", "#1d466c", "#1b1c20"),
    *("#6b2a22", "#b0463a", "#e8735f", "#ffab93", "#ffe1d6"),
)
UNSIGNED = ("#000000", "#ffffff")
NOT_FINITE = "#ff9900"  # orange, which none of the maps holds
# Runs, quantities, channels; with contrast enough for text on white and on a dark page.
CATEGORIES = (
    *("#0063a8", "#b54800", "#00755a", "#a23c7c", "#756000", "#5a5c61"),
    *("#5b3fd6", "#8a1c1c", "#3d6b00", "#006b7d"),
)
CATEGORIES_ON_DARK = (
    *("#74bbf2", "#ff9d5c", "#52cfa8", "#e79cc6", "#dfc14c", "#b6b8bd"),
    *("#b3a4ff", "#ff8f8f", "#a8d65c", "#5fd3e6"),
)


def category(index: int) -> str:
    """The colour of one of several, `#rrggbb`; after the last they begin again."""
    return CATEGORIES[index % len(CATEGORIES)]


def rgb(colour: str) -> np.ndarray:
    """Red, green and blue of `#rrggbb`, shape `(3,)` in [0, 1]."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def colours_of(share: np.ndarray, *, signed: bool) -> np.ndarray:
    """Colours of numbers.

    Args:
        share: Array of any shape, in [0, 1] from the lower end of the map to the upper.
        signed: Whether 0.5 stands for zero.

    Returns:
        Red, green and blue in [0, 1], shape `(*share.shape, 3)`, in 256 steps.
    """
    return _table(SIGNED if signed else UNSIGNED)[np.rint(255 * share).astype("uint8")]


@functools.cache
def _table(stops):
    """The 256 colours of a map, straight lines between its stops, `(256, 3)`."""
    places = np.linspace(0, 1, len(stops))
    at = np.linspace(0, 1, 256)
    channels = np.transpose([rgb(stop) for stop in stops])
    return np.stack([np.interp(at, places, channel) for channel in channels], axis=-1)
