import matplotlib
import numpy as np
import pytest

from keras_manifold.plot import _palette


def test_the_signed_map_is_red_and_blue_of_matplotlib(rng):
    share = rng.uniform(size=(50, 3))
    expected = matplotlib.colormaps["RdBu_r"](share)[..., :3]
    found = _palette.colours_of(share, signed=True)
    np.testing.assert_allclose(found, expected, atol=0.0125)  # one of 256 steps


def test_the_unsigned_map_is_grey_and_as_bright_as_the_number(rng):
    share = rng.uniform(size=20)
    expected = np.repeat(share[:, None], 3, axis=1)
    found = _palette.colours_of(share, signed=False)
    np.testing.assert_allclose(found, expected, atol=0.5 / 255 + 1e-12)


@pytest.mark.parametrize(
    "stops", [_palette.SIGNED, _palette.SIGNED_ON_DARK, _palette.UNSIGNED]
)
def test_no_map_comes_near_the_colour_of_what_is_not_finite(stops):
    places = np.linspace(0, 1, len(stops))
    channels = np.transpose([_palette.rgb(stop) for stop in stops])
    at = np.linspace(0, 1, 256)
    colours = np.stack([np.interp(at, places, channel) for channel in channels], axis=-1)
    distance = np.linalg.norm(colours - _palette.rgb(_palette.NOT_FINITE), axis=-1)
    assert distance.min() > 0.3


@pytest.mark.parametrize(
    ("colours", "ground"),
    [(_palette.CATEGORIES, "#ffffff"), (_palette.CATEGORIES_ON_DARK, "#16171a")],
)
def test_categories_have_the_contrast_of_text(colours, ground):
    """WCAG 2.2, contrast (minimum): 4.5."""
    assert len(set(colours)) == len(colours) == 10
    for colour in colours:
        dark, light = sorted([luminance(colour), luminance(ground)])
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour):
    v = _palette.rgb(colour)
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_categories_begin_again():
    assert _palette.category(0) == _palette.category(10) != _palette.category(1)
