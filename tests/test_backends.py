"""The same numbers on every backend: those of one stored network, in float64 NumPy.

The network is a strided convolution, tanh and a dense layer. Run with each
`KERAS_BACKEND`; as all agree with NumPy, all agree with each other.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km


class Reference:
    """Codes, Jacobian and its decomposition, by the chain rule."""

    def __init__(self, kernel, bias, dense, x):
        self.x = x
        convolution = matrix_of_convolution(kernel, x.shape[1:])
        hidden = np.tanh(x.reshape(len(x), -1) @ convolution + np.tile(bias, 9))
        self.codes = hidden @ dense
        self.jacobian = np.einsum("hc,nh,ih->nci", dense, 1 - hidden**2, convolution)
        self.code_vectors, self.singular_values, self.tangents = np.linalg.svd(
            self.jacobian, full_matrices=False
        )


def matrix_of_convolution(kernel, shape, stride=2):
    """The matrix of a valid convolution, inputs by outputs, both flattened."""
    height, width, channels = shape
    side, _, _, filters = kernel.shape
    rows, columns = ((n - side) // stride + 1 for n in (height, width))
    matrix = np.zeros((height, width, channels, rows, columns, filters))
    for row, column in np.ndindex(rows, columns):
        top, left = stride * row, stride * column
        matrix[top : top + side, left : left + side, :, row, column] = kernel
    return matrix.reshape(height * width * channels, -1)


@pytest.fixture(scope="module")
def stored():
    with np.load(Path(__file__).parent / "reference_network.npz") as arrays:
        return {name: arrays[name].astype("float64") for name in arrays}


@pytest.fixture(scope="module")
def reference(stored):
    return Reference(**stored)


@pytest.fixture
def encoder(stored):
    model = keras.Sequential(
        [
            keras.Input(stored["x"].shape[1:]),
            layers.Conv2D(4, 3, strides=2, activation="tanh"),
            layers.Flatten(),
            layers.Dense(5, use_bias=False),
        ]
    )
    model.set_weights([stored[name] for name in ("kernel", "bias", "dense")])
    return model


@pytest.fixture
def x(stored):
    return stored["x"].astype("float32")


# Some tens of roundings in float32, relative to the largest number.
TOLERANCE = 5e-6


def test_codes(encoder, reference, x):
    codes = encoder.predict(x, verbose=0)
    np.testing.assert_allclose(codes, reference.codes, atol=TOLERANCE * 10)


@pytest.mark.parametrize("chunk_size", [None, 2])
def test_jacobian(chunk_size, encoder, reference, x):
    found = km.jacobian(encoder, x, chunk_size=chunk_size).reshape(6, 5, -1)
    scale = np.abs(reference.jacobian).max()
    np.testing.assert_allclose(found, reference.jacobian, atol=TOLERANCE * scale)


def test_exact_penalty(encoder, reference, x):
    found = km.ContractivePenalty(1.0, probes="exact")(encoder, x)
    expected = (reference.jacobian**2).sum((1, 2))
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=TOLERANCE)


def test_singular_values(encoder, reference, x):
    found = km.tangent_space(encoder, x).singular_values
    scale = reference.singular_values.max()
    np.testing.assert_allclose(
        found, reference.singular_values, atol=TOLERANCE * scale, rtol=0
    )


def test_tangents_and_code_vectors(encoder, reference, x):
    space = km.tangent_space(encoder, x)
    vectors = space.vectors.reshape(6, 5, -1)
    sign = np.sign(np.sum(vectors * reference.tangents, axis=2, keepdims=True))
    # A direction turns by the error over the gap to the next singular value.
    gap = np.abs(np.diff(reference.singular_values, axis=1)).min()
    atol = 4 * TOLERANCE * reference.singular_values.max() / gap
    np.testing.assert_allclose(vectors, sign * reference.tangents, atol=atol)
    codes = reference.code_vectors.swapaxes(1, 2)
    np.testing.assert_allclose(space.code_vectors, sign * codes, atol=atol)
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(2)[..., None], axis=2)
    assert (largest > 0).all()


def test_loss_of_an_autoencoder(encoder, reference, x, rng):
    decoder = keras.Sequential(
        [keras.Input((5,)), layers.Dense(98, use_bias=False), layers.Reshape((7, 7, 2))]
    )
    w = rng.normal(size=(5, 98))
    decoder.set_weights([w])
    penalty = km.ContractivePenalty(0.5, probes="exact")
    model = km.AutoEncoder(encoder, decoder, contractive_penalty=penalty)
    model.compile(loss="mse")
    found = model.evaluate(x, batch_size=4, verbose=0, return_dict=True)  # 4 + 2
    reconstruction = ((reference.codes @ w - reference.x.reshape(6, -1)) ** 2).mean()
    norm = (reference.jacobian**2).sum((1, 2)).mean()
    expected = {
        "reconstruction_loss": reconstruction,
        "contractive_penalty": norm,
        "loss": reconstruction + 0.5 * norm,
    }
    assert found == pytest.approx(expected, rel=1e-5)
