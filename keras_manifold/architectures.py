"""Encoders and decoders of common kinds, behind the builders of `AutoEncoder`."""

import itertools
import math
import numbers
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_manifold._arguments import check_count


def convolutional(
    input_shape: tuple[int, ...],
    latent_dim: int,
    *,
    filters: Sequence[int] | int = (32, 64),
    kernel_size: int = 3,
    activation: str = "relu",
    output_activation: str | None = "sigmoid",
) -> tuple[keras.Model, keras.Model]:
    """Convolutional encoder and decoder for signals, images and volumes of any size.

    Args:
        input_shape: `(length, channels)`, `(height, width, channels)` or `(depth, height,
            width, channels)`; channels first when that is Keras's image data format.
        latent_dim: Size of the code, at least 1.
        filters: Filters of each strided convolution, from the image inwards; one number is
            one convolution.
        kernel_size: Sides of every kernel.
        activation: Activation of every hidden layer.
        output_activation: Activation of the last layer.

    Returns:
        Tuple `(encoder, decoder)` of functional models.

    Raises:
        ValueError: If `input_shape` is not of rank 2, 3 or 4 with known sizes, or
            `latent_dim`, `filters` or `kernel_size` is below 1.

    Examples:
        >>> from keras_manifold import architectures
        >>> encoder, decoder = architectures.convolutional((9, 7, 1), 4, filters=(8,))
        >>> encoder.output_shape, decoder.output_shape
        ((None, 4), (None, 9, 7, 1))
    """
    input_shape = _checked_shape("input_shape", input_shape, ranks=(2, 3, 4))
    widths = _checked_shape("filters", _one_or_several(filters))
    kernel_size = check_count("kernel_size", kernel_size)
    latent_dim = check_count("latent_dim", latent_dim)
    convolution, transposed, cropping = _KINDS[len(input_shape)]
    channels_first = keras.config.image_data_format() == "channels_first"
    channels = input_shape[0] if channels_first else input_shape[-1]
    size = tuple(input_shape[1:] if channels_first else input_shape[:-1])

    image = hidden = keras.Input(input_shape)
    for count in widths:
        sides = hidden.shape[2:] if channels_first else hidden.shape[1:-1]
        padding = "valid" if min(sides) >= kernel_size else "same"
        hidden = convolution(
            count, kernel_size, strides=2, padding=padding, activation=activation
        )(hidden)
    code = layers.Dense(latent_dim, name="code")(layers.Flatten()(hidden))
    encoder = keras.Model(image, code, name=_unique("encoder"))

    start = tuple(math.ceil(side / 2 ** len(widths)) for side in size)
    start_shape = (widths[0], *start) if channels_first else (*start, widths[0])
    code = keras.Input((latent_dim,))
    hidden = layers.Dense(math.prod(start_shape), activation=activation)(code)
    hidden = layers.Reshape(start_shape)(hidden)
    for count in reversed(widths):
        hidden = transposed(
            count, kernel_size, strides=2, padding="same", activation=activation
        )(hidden)
    image = transposed(channels, kernel_size, padding="same", activation=output_activation)(
        hidden
    )
    excess = [side * 2 ** len(widths) - want for side, want in zip(start, size)]
    if any(excess):
        cut = [(n // 2, n - n // 2) for n in excess]
        image = cropping(cut[0] if len(cut) == 1 else cut)(image)
    decoder = keras.Model(code, image, name=_unique("decoder"))
    return encoder, decoder


def dense(
    input_shape: tuple[int, ...] | int,
    latent_dim: int,
    *,
    units: Sequence[int] | int = (512, 256),
    activation: str = "relu",
    output_activation: str | None = "sigmoid",
) -> tuple[keras.Model, keras.Model]:
    """Fully connected encoder and decoder for inputs of any shape.

    Args:
        input_shape: Shape of one sample.
        latent_dim: Size of the code, at least 1.
        units: Width of each hidden layer of the encoder, which the decoder mirrors; one
            number is one layer.
        activation: Activation of every hidden layer.
        output_activation: Activation of the last layer.

    Returns:
        Tuple `(encoder, decoder)` of `keras.Sequential` models.

    Raises:
        ValueError: If `input_shape` has an unknown size, or `latent_dim` or `units` is
            below 1.

    Examples:
        >>> from keras_manifold import architectures
        >>> encoder, decoder = architectures.dense((8, 8, 1), latent_dim=4, units=(16,))
        >>> encoder.output_shape, decoder.output_shape
        ((None, 4), (None, 8, 8, 1))
    """
    shape: Any = input_shape
    shape = _checked_shape("input_shape", _one_or_several(shape))
    widths = _checked_counts("units", _one_or_several(units))
    latent_dim = check_count("latent_dim", latent_dim)
    encoder = keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            *(layers.Dense(width, activation=activation) for width in widths),
            layers.Dense(latent_dim, name="code"),
        ],
        name=_unique("encoder"),
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            *(layers.Dense(width, activation=activation) for width in reversed(widths)),
            layers.Dense(math.prod(shape), activation=output_activation),
            layers.Reshape(shape),
        ],
        name=_unique("decoder"),
    )
    return encoder, decoder


def _unique(name: str) -> str:
    """The name, with a number from the second time on, as Keras stacks no two alike."""
    count = next(_made[name])
    return f"{name}_{count}" if count else name


def _one_or_several(given: Any) -> Any:
    return (given,) if isinstance(given, numbers.Integral) else given


_made = {"encoder": itertools.count(), "decoder": itertools.count()}

# By the rank of a sample, channels included.
_KINDS = {
    2: (layers.Conv1D, layers.Conv1DTranspose, layers.Cropping1D),
    3: (layers.Conv2D, layers.Conv2DTranspose, layers.Cropping2D),
    4: (layers.Conv3D, layers.Conv3DTranspose, layers.Cropping3D),
}


def _checked_shape(name, shape, ranks=None):
    sides = _checked_counts(name, shape)
    if len(sides) == 0 or (ranks and len(sides) not in ranks):
        expected = "at least one whole number"
        if ranks:
            expected = f"{', '.join(map(str, ranks[:-1]))} or {ranks[-1]} whole numbers"
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={shape!r}.")
    return sides


def _checked_counts(name, counts):
    if not isinstance(counts, (tuple, list)):
        raise ValueError(f"`{name}` must be a tuple. Received: {name}={counts!r}.")
    return tuple(check_count(f"{name}[{i}]", count) for i, count in enumerate(counts))
