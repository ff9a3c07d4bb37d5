from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_manifold import TangentSpace, plot


def test_tangents_of_one_sample_are_in_rows_of_eight_with_their_singular_values(
    space, pixels, texts, is_complete
):
    figure = plot.tangents(space, index=1, title="Tangents")
    assert pixels(figure).shape[1] == 8 * 6 + 7
    assert texts(figure)[:3] == ["σ₁ = 10.", "σ₂ = 9.0", "σ₃ = 8.0"]
    assert "σ₁₀ = 1.0" in texts(figure)
    assert is_complete(figure)


def test_figures_say_of_which_part_they_are_unless_they_have_a_title(space):
    of_encoder = replace(space, of="encoder")
    for figure, title in (
        (plot.tangents(of_encoder), "Tangent vectors of the encoder"),
        (plot.tangents(of_encoder, title=""), ""),
        (plot.spectrum(of_encoder), "Singular values of the encoder"),
        (plot.spectrum({"a": of_encoder, "b": space}), ""),
    ):
        assert figure.get_suptitle() == title


def test_tangents_of_all_samples_or_several_models_are_a_row_each(
    space, rng, texts, is_complete
):
    images = rng.uniform(size=(3, 6, 6, 1))
    figure = plot.tangents(space, index=None, k=4, images=images)
    assert sum(text == "input" for text in texts(figure)) == 3
    assert texts(figure).count("σ₄ = 7.0") == 1, "columns are named in the first row"
    assert texts(figure).count("7.0") == 2
    figure = plot.tangents({"plain": space.leading(5), "denoising": space}, images=images)
    assert {"plain", "denoising", "σ₅ = 6.0", "6.0", "σ₁₀ = 1.0"} <= set(texts(figure))
    assert is_complete(figure)


def flipped(images):
    """Turns images upside down, NumPy to NumPy."""
    assert isinstance(images, np.ndarray)
    return images[:, ::-1]


def flipping_model():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, keras.layers.Lambda(lambda x: keras.ops.flip(x, 1))(inputs))


@pytest.mark.parametrize("make", [lambda: flipped, flipping_model], ids=["numpy", "keras"])
def test_a_walk_moves_the_sample_along_its_vectors_and_through_the_model(
    make, pixels, texts, is_complete
):
    image = np.full((2, 4, 4, 1), 0.5)
    image[:, 0, 0] = 1.0
    vectors = np.zeros((2, 2, 4, 4, 1))
    vectors[:, 0, 1, 1], vectors[:, 1, 2, 2] = 1.0, 1.0
    space = TangentSpace(vectors, np.ones((2, 2)), np.ones((2, 2, 3)))
    figure = plot.walk(
        space, image, model=make(), index=1, directions=2, reach=0.4, steps=3
    )
    rgb = pixels(figure)[..., 0]
    cell, down = 5, 5  # 4 pixels and a gap of 1
    for step, t in enumerate((-0.4, 0.0, 0.4)):
        left = step * cell
        for row, (y, x) in enumerate([(1, 1), (2, 1), (2, 2), (1, 2)]):
            value = rgb[row * down + y, left + x]
            assert value == pytest.approx(0.5 + t, abs=0.01), (row, step)
        assert rgb[3, left + 3] == pytest.approx(0.5, abs=0.01)
    assert {"t = −0.4", "t = 0", "t = 0.4", "x + t v₁", "x + t v₂"} <= set(texts(figure))
    assert texts(figure).count("reconstructed") == 2
    assert is_complete(figure)


def test_walks_of_few_directions_through_a_callable_from_a_black_image(texts, is_complete):
    x = np.zeros((2, 4, 4, 1))
    space = TangentSpace(np.ones((2, 2, 4, 4, 1)), np.ones((2, 2)), np.ones((2, 2, 3)))
    space = replace(space, of="encoder")
    figure = plot.walk(space, x, model=lambda images: images[:, ::-1], index=-1)
    assert figure.get_suptitle() == "Along tangent vectors of the encoder"
    assert {"x + t v₁", "x + t v₂"} <= set(texts(figure))
    assert is_complete(figure)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((3, 4, 4, 1))}, "must be that of the samples"),
        ({"x": np.zeros((2, 5, 4, 1))}, "must be that of the samples"),
        ({"directions": 0}, "at least 1.* directions=0"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"reach": 0.0}, "reach=0.0"),
        ({"reach": float("nan")}, "reach=nan"),
        ({"steps": 1}, "steps=1"),
    ],
)
def test_walks_that_lead_nowhere_are_refused(arguments, message):
    x = np.ones((2, 4, 4, 1))
    space = TangentSpace(np.ones((2, 2, 4, 4, 1)), np.ones((2, 2)), np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=message):
        plot.walk(**({"space": space, "x": x, "directions": 1} | arguments))


def test_a_walk_begins_at_a_sample_that_is_there():
    space = TangentSpace(np.ones((2, 2, 4, 4, 1)), np.ones((2, 2)), np.ones((2, 2, 3)))
    for index in (2, -3):
        message = rf"in \[0, 1\], as there are 2 samples.* index={index}"
        with pytest.raises(IndexError, match=message):
            plot.walk(space, np.ones((2, 4, 4, 1)), index=index)
    with pytest.raises(TypeError, match=r"a whole number, of one sample.* index=None"):
        plot.walk(space, np.ones((2, 4, 4, 1)), index=None)


@pytest.mark.parametrize("shape", [(100, 3), (3, 100), (288, 1), (20,), (64,), (4, 5, 6)])
def test_series_and_tables_are_drawn_as_curves_at_the_size_of_a_page(shape, rng):
    x = rng.normal(size=(2, *shape))
    space = TangentSpace(
        rng.normal(size=(2, 10, *shape)), np.ones((2, 10)), np.ones((2, 10, 12))
    )
    for figure in (
        plot.tangents(space, None, images=x),
        plot.walk(space, x, model=lambda points: points),
    ):
        assert len(figure.axes[0].images) == 0
        assert figure.get_size_inches().max() < 16


def test_spaces_and_images_of_other_samples_are_refused(space):
    images = np.zeros((3, 6, 6))
    fewer = TangentSpace(space.vectors[:2], space.singular_values[:2], np.ones((2, 10, 12)))
    with pytest.raises(ValueError, match=r"`images` must be.*\(3, 6, 6, 1\).*\(2, 6, 6\)"):
        plot.tangents(space, images=images[:2])
    with pytest.raises(ValueError, match=r"`images` must be.*\(3, 36\)"):
        plot.tangents(space, images=images.reshape(3, 36))
    with pytest.raises(ValueError, match=r"of the same samples.*'b': "):
        plot.tangents({"a": space, "b": fewer})
    with pytest.raises(ValueError, match="k=0"):
        plot.tangents(space, k=0)
    with pytest.raises(ValueError, match=r"at least one of 3 samples.*index=\[\]"):
        plot.tangents(space, [])
    with pytest.raises(IndexError, match="index=3"):
        plot.tangents(space, 3)
