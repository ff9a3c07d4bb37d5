import numpy as np
import pytest
from decoders import Linear, Stereographic
from keras import ops

import keras_manifold as km

SPHERE = Stereographic()


@pytest.fixture
def curves(rng):
    start, stop = rng.normal(size=(2, 3, 2)).astype("float32")
    return km.geodesics(SPHERE, start, stop, steps=8)


def test_curves_are_drawn_beside_dashed_straight_lines(curves):
    figure = km.plot.curves(curves, title="paths")
    lines = figure.axes[0].lines
    assert sum(line.get_linestyle() == "--" for line in lines) == 3
    np.testing.assert_allclose(lines[0].get_xydata(), curves.codes[0], atol=1e-6)
    assert not any(
        line.get_linestyle() == "--"
        for line in km.plot.curves(curves, straight=False).axes[0].lines
    )
    assert curves._repr_png_()[:4] == b"\x89PNG"


def test_curves_of_more_codes_are_drawn_in_their_principal_plane(rng):
    along = np.linspace(-1, 1, 9)[None, :, None] * np.array([3.0, 0, 4.0])
    ax = km.plot.curves(along).axes[0]
    assert np.ptp(ax.lines[0].get_xdata()) == pytest.approx(10)
    assert np.ptp(ax.lines[0].get_ydata()) == pytest.approx(0, abs=1e-6)
    assert "100% of the variance" in ax.get_xlabel()
    assert km.plot.curves(along[..., :1]).axes[0].get_ylabel() == "code"


def test_decoded_frames_are_rows_with_lengths(curves):
    def decoder(codes):
        return ops.ones((1, 4, 4, 1)) * ops.reshape(codes[:, :1], (-1, 1, 1, 1))

    figure = km.plot.curves(curves, decoder, frames=5)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(labels) == 6
    assert labels[1] == f"straight\n{curves.straight_lengths[0]:.3g}"
    wide = km.plot.curves(curves, decoder, figsize=(3, 2), cmap="viridis")
    assert wide.get_size_inches().tolist() == [3, 2]
    with pytest.raises(ValueError, match=r"`cmap` must be None .*cmap='viridis' and model"):
        km.plot.curves(curves, cmap="viridis")
    with pytest.raises(ValueError, match="frames=1"):
        km.plot.curves(curves, decoder, frames=1)


def test_indicatrices_are_the_ellipses_of_the_metric(rng):
    codes = rng.uniform(-1, 1, size=(20, 2))
    figure = km.plot.latent_map(
        Linear([[2, 0, 0], [0, 0.5, 0]]), codes, indicatrices=3, resolution=4
    )
    (ellipses,) = [
        c for c in figure.axes[0].collections if type(c).__name__ == "PolyCollection"
    ]
    corners = ellipses.get_paths()[4].vertices
    width, height = np.ptp(corners, axis=0)
    assert height / width == pytest.approx(4, rel=1e-2)
    area = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(area, 0.0, atol=1e-5)  # log(2 * 0.5)


def test_labels_have_colours_and_a_legend_or_a_scale(rng, curves):
    codes = rng.normal(size=(40, 2))
    figure = km.plot.latent_map(SPHERE, codes, np.arange(40) % 3, curves=curves, x=codes)
    assert [text.get_text() for text in figure.legends[0].texts] == ["0", "1", "2"]
    assert figure.get_suptitle() == "trustworthiness 1.00, continuity 1.00"
    assert sum(line.get_linestyle() == "--" for line in figure.axes[0].lines) == 3
    figure = km.plot.latent_map(
        SPHERE, codes, np.arange(40), volume=False, indicatrices=0, title="t"
    )
    assert figure.get_suptitle() == "t"
    ax = figure.axes[0]
    again = km.plot.latent_map(SPHERE, codes, volume=False, indicatrices=0, ax=ax)
    assert again is figure
    assert not figure.legends
    assert not figure.axes[0].images


def test_a_map_of_more_codes_is_a_slice_that_says_so(rng):
    codes = rng.normal(size=(30, 3)) * [5.0, 2.0, 0.1]
    figure = km.plot.latent_map(Linear(np.eye(3)), codes, resolution=4, indicatrices=2)
    area = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(area, 0.0, atol=1e-5)  # a slice of an isometry
    assert "100% of the variance" in figure.axes[0].get_xlabel()


def test_bad_input_is_refused_by_name_and_value(rng):
    codes = rng.normal(size=(5, 2))
    with pytest.raises(ValueError, match="4 labels and 5 codes"):
        km.plot.latent_map(SPHERE, codes, labels=[1] * 4)
    with pytest.raises(ValueError, match="at least two entries"):
        km.plot.latent_map(Linear([[1.0]]), codes[:, :1])
    with pytest.raises(ValueError, match="resolution=1"):
        km.plot.latent_map(SPHERE, codes, resolution=1)
