import keras
import numpy as np
import pytest

from keras_manifold import architectures


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5), (28, 28)])
@pytest.mark.parametrize("filters", [(4,), (4, 6)])
def test_images_of_any_size_come_back_in_their_size(size, filters):
    shape = (*size, 2)
    encoder, decoder = architectures.convolutional(shape, 3, filters=filters)
    assert encoder.output_shape == (None, 3)
    assert decoder(encoder(np.zeros((1, *shape), "float32"))).shape == (1, *shape)


@pytest.mark.parametrize("shape", [(73, 2), (288, 1), (1, 1), (9, 10, 11, 1), (2, 3, 4, 2)])
def test_signals_and_volumes_of_any_size_come_back_in_their_size(shape):
    encoder, decoder = architectures.convolutional(shape, 3, filters=(2, 3))
    assert encoder.output_shape == (None, 3)
    assert decoder(encoder(np.zeros((1, *shape), "float32"))).shape == (1, *shape)


def test_one_number_is_one_layer():
    encoder, _ = architectures.convolutional((8, 1), 2, filters=np.uint8(5))
    assert encoder.layers[1].filters == 5
    encoder, _ = architectures.dense(4, 2, units=7)
    assert [layer.units for layer in encoder.layers[1:]] == [7, 2]


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 2)])
def test_the_dense_decoder_mirrors_the_encoder(shape):
    encoder, decoder = architectures.dense(shape, 2, units=(7, 6))
    widths = [
        layer.units
        for part in (encoder, decoder)
        for layer in part.layers
        if hasattr(layer, "units")
    ]
    assert widths == [7, 6, 2, 6, 7, int(np.prod(shape))]
    assert decoder.output_shape == (None, *shape)


def test_halves_of_two_models_can_be_stacked():
    (first, _), (second, _) = architectures.dense(6, 4), architectures.dense(4, 2)
    stacked = keras.Sequential([first, second])
    assert stacked(np.zeros((3, 6), "float32")).shape == (3, 2)


def test_one_number_is_the_shape_of_a_vector():
    encoder, _ = architectures.dense(6, 2)
    assert encoder.input_shape == (None, 6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("input_shape", ((8,), 2)),
        ("input_shape", ((8, 8, 8, 8, 1), 2)),
        ("input_shape\\[0\\]", ((None, 8, 1), 2)),
        ("latent_dim", ((8, 8, 1), 0)),
    ],
)
def test_shapes_that_cannot_be_are_refused(name, arguments):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}="):
        architectures.convolutional(*arguments)
