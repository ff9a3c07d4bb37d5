import numpy as np
import pytest

from keras_manifold import plot


def test_signed_images_are_white_at_zero_red_above_and_blue_below(pixels, texts):
    images = np.zeros((1, 1, 3, 3))
    images[0, 0, 0, 0], images[0, 0, 2, 2] = 2.0, -1.0
    figure = plot.image_grid(images, signed=True)
    rgb = pixels(figure)
    red, white, blue = rgb[0, 0], rgb[1, 1], rgb[2, 2]
    assert (white > 0.95).all()
    assert red[0] > red[2] + 0.2
    assert blue[2] > blue[0] + 0.2
    assert red.sum() < blue.sum(), "a larger magnitude is darker"
    assert "colours\n±2.0" in texts(figure)


def test_unsigned_rows_share_a_scale_from_black_to_white(pixels):
    rows = [np.full((2, 4, 4, 1), 0.5), np.ones((2, 4, 4, 1))]
    rgb = pixels(plot.image_grid(rows))
    np.testing.assert_allclose(rgb[0, 0], 0.5, atol=0.01)
    np.testing.assert_allclose(rgb[-1, -1], 1.0, atol=0.01)


def test_colour_images_are_shown_as_they_are(rng, pixels):
    images = rng.uniform(size=(1, 1, 4, 4, 3))
    images[0, 0, 0, 0] = 1.0
    found = pixels(plot.image_grid(images))
    np.testing.assert_allclose(found, images[0, 0], atol=0.5 / 255)


def test_entries_that_are_not_finite_are_orange(tmp_path, recwarn, pixels):
    images = np.zeros((2, 2, 3, 3))
    images[0, 0, 0, 0], images[0, 0, 2, 2] = np.nan, 2.0
    images[1, 0, 0, 0], images[1, 0, 2, 2] = -np.inf, 2.0
    images[:, 1] = np.nan
    figure = plot.image_grid(images, signed=[False, True])
    rgb = pixels(figure)
    for y, x in ((0, 0), (4, 0), (0, 4), (6, 6)):
        np.testing.assert_allclose(rgb[y, x], [1.0, 0.6, 0.0], atol=0.01)
    np.testing.assert_allclose(rgb[2, 2], 1.0, atol=0.01)
    assert rgb[6, 2, 0] > rgb[6, 2, 2] + 0.2, "the finite ones keep their scale"
    figure.savefig(tmp_path / "figure.png")
    assert [str(warning.message) for warning in recwarn if "invalid" in str(warning)] == []


def test_images_stand_in_their_places(rng, pixels):
    images = rng.uniform(size=(2, 3, 5, 4))
    images[0, 0, 0, 0] = 1.0
    images[1, 2, 0, 0] = 0.0
    figure = plot.image_grid(images)
    rgb = pixels(figure)
    for r in range(2):
        for c in range(3):
            cell = rgb[r * 6 : r * 6 + 5, c * 5 : c * 5 + 4, 0]
            np.testing.assert_allclose(cell, images[r, c], atol=0.01)


def test_labels_are_complete_even_when_long(texts, is_complete):
    figure = plot.image_grid(
        np.zeros((2, 3, 4, 4)),
        row_labels=["a rather long label of a row", "short"],
        column_labels=["one", "two", "three"],
        title="A title",
        signed=[True, False],
    )
    assert {"a rather long label of a row", "short", "one", "two", "three"} <= set(
        texts(figure)
    )
    assert is_complete(figure)


@pytest.mark.parametrize("name", ["row_labels", "column_labels", "signed"])
def test_labels_that_do_not_match_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must have 2 entries. Received: 1"):
        plot.image_grid(np.zeros((2, 2, 4, 4)), **{name: [True]})


def test_rows_that_cannot_stand_together_are_refused():
    for rows in (
        [np.zeros((3, 4, 4)), np.zeros((3, 4, 5))],
        [np.zeros((3, 4, 4)), np.zeros((3, 16))],
        [np.zeros((0, 4, 4))],
    ):
        with pytest.raises(ValueError, match="all samples be of one shape"):
            plot.image_grid(rows)
    with pytest.raises(ValueError, match=r"\(n, ...\).*shape \(3,\)"):
        plot.image_grid(np.zeros((2, 3)))
    with pytest.raises(TypeError, match=r"real numbers.*complex128"):
        plot.image_grid(np.zeros((2, 3, 4, 4), complex))


def test_channels_may_come_first(rng, pixels):
    images = rng.uniform(size=(2, 4, 5, 3))
    last = pixels(plot.image_grid([images]))
    first = pixels(plot.image_grid([np.moveaxis(images, -1, 1)]))
    np.testing.assert_array_equal(first, last)


def test_long_images_stay_small():
    figure = plot.image_grid(np.zeros((1, 2, 300, 40, 1)))
    assert figure.get_size_inches().max() < 3


def test_are_images_is_true_of_what_is_drawn_as_one():
    for shape in ((8, 8), (128, 70), (8, 8, 1), (8, 8, 3), (3, 8, 8)):
        assert plot.are_images(np.zeros((5, *shape)))
    for shape in ((12,), (128, 2), (1, 128), (128, 1, 1), (8, 8, 2), (8, 8, 8, 1)):
        assert not plot.are_images(np.zeros((5, *shape)))
