import numpy as np

from keras_manifold import TangentSpace
from keras_manifold.plot._overview import overview


def test_it_shows_tangents_beside_spectra(rng):
    space = TangentSpace(
        rng.normal(size=(2, 12, 6, 6)), np.ones((2, 12)), np.ones((2, 12, 5)), of="decoder"
    )
    figure = overview(space)
    left, right = figure.axes
    assert figure.get_suptitle() == "Tangent space of the decoder"
    assert len(left.images) == 1
    assert right.get_yscale() == "log"
    assert "σ₉" not in "".join(text.get_text() for text in left.texts), "the leading eight"
