"""Derivatives of every layer and activation of Keras, against central differences.

Each stands between two dense layers. `python tests/test_every_layer.py` prints the table of
the documentation for the backend at hand.
"""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_manifold as km

ACTIVATIONS = sorted(
    name
    for name, thing in vars(keras.activations).items()
    if callable(thing) and name not in ("deserialize", "get", "serialize")
)
IMAGE, SERIES, VOLUME = (4, 4, 2), (4, 3), (2, 2, 2, 2)

# Layers that take a tensor of floating-point numbers, with the shape of theirs.
LAYERS = {
    "AveragePooling1D": ((2,), SERIES),
    "AveragePooling2D": ((2,), IMAGE),
    "AveragePooling3D": ((2,), VOLUME),
    "BatchNormalization": ((), (6,)),
    "Conv1D": ((2, 2), SERIES),
    "Conv1DTranspose": ((2, 2), SERIES),
    "Conv2D": ((2, 2), IMAGE),
    "Conv2DTranspose": ((2, 2), IMAGE),
    "Conv3D": ((2, 2), VOLUME),
    "Conv3DTranspose": ((2, 2), VOLUME),
    "Cropping1D": ((), SERIES),
    "Cropping2D": ((1,), IMAGE),
    "Dense": ((5,), (6,)),
    "DepthwiseConv1D": ((2,), SERIES),
    "DepthwiseConv2D": ((2,), IMAGE),
    "ELU": ((), (6,)),
    "Flatten": ((), IMAGE),
    "GRU": ((3,), SERIES),
    "GlobalAveragePooling2D": ((), IMAGE),
    "GlobalMaxPooling2D": ((), IMAGE),
    "GroupNormalization": ((1,), IMAGE),
    "LSTM": ((3,), SERIES),
    "LayerNormalization": ((), (6,)),
    "LeakyReLU": ((), (6,)),
    "MaxPooling1D": ((), SERIES),
    "MaxPooling2D": ((), IMAGE),
    "MaxPooling3D": ((), VOLUME),
    "PReLU": ((), (6,)),
    "Permute": (((2, 1),), SERIES),
    "RMSNormalization": ((), (6,)),
    "ReLU": ((), (6,)),
    "RepeatVector": ((2,), (6,)),
    "SeparableConv1D": ((2, 2), SERIES),
    "SeparableConv2D": ((2, 2), IMAGE),
    "SimpleRNN": ((3,), SERIES),
    "Softmax": ((), (6,)),
    "UnitNormalization": ((), (6,)),
    "UpSampling1D": ((), SERIES),
    "UpSampling2D": ((), IMAGE),
    "UpSampling3D": ((), VOLUME),
    "ZeroPadding1D": ((), SERIES),
    "ZeroPadding2D": ((), IMAGE),
    "ZeroPadding3D": ((), VOLUME),
    **{
        f"UpSampling2D {way}": (((2, 2), None, way), IMAGE)
        for way in ("bilinear", "bicubic", "lanczos3", "lanczos5")
    },
    **{
        f"Resizing {way}": ((3, 5, way), IMAGE)
        for way in ("nearest", "bilinear", "bicubic", "lanczos3")
    },
}
SHORT = (
    *("Conv2D", "MaxPooling2D", "LayerNormalization", "GRU", "GroupNormalization"),
    *("UpSampling2D bilinear", "Resizing bicubic", "Resizing nearest"),
)
SHORT_ACTIVATIONS = ("gelu", "hard_sigmoid", "hard_silu", "relu6", "softsign")
REFUSED = {"torch": ("UpSampling2D lanczos3", "UpSampling2D lanczos5", "Resizing lanczos3")}


def made(name):
    if name in LAYERS:
        options, shape = LAYERS[name]
        return getattr(layers, name.partition(" ")[0])(*options), shape
    return layers.Activation(name), (6,)


def sandwich(name):
    layer, shape = made(name)
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(int(np.prod(shape)), name="before"),
            layers.Reshape(shape),
            layer,
            layers.Flatten(),
            layers.Dense(3, name="after"),
        ]
    )


@contextlib.contextmanager
def floats(dtype):
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def is_float64(name):
    # JAX has no float64 unless told to, and Keras multiplies in float32 on PyTorch, as
    # TensorFlow itself does where it resizes.
    resizes = name.startswith(("Resizing", "UpSampling2D bi"))
    return keras.backend.backend() == "tensorflow" and not resizes


def differences(function, x, step):
    """(n, outputs, inputs) by central differences."""
    moves = step * np.eye(x.shape[1], dtype=x.dtype)
    columns = [(function(x + move) - function(x - move)) / (2 * step) for move in moves]
    return np.stack(columns, axis=2)


def errors(name):
    """Largest relative errors of J by rows, by columns, and of the penalty's gradient."""
    keras.utils.set_random_seed(1)
    model = sandwich(name)
    x = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    is_exact = is_float64(name)
    with floats("float64" if is_exact else "float32"):
        other = sandwich(name)
    other.set_weights(model.get_weights())

    def outputs(x):
        with floats(x.dtype.name):
            return ops.convert_to_numpy(other(ops.convert_to_tensor(x), training=False))

    step, dtype = (1e-6, "float64") if is_exact else (1e-2, "float32")
    expected = differences(outputs, x.astype(dtype), step)
    found = km.jacobian(model, x)
    wide = keras.Sequential([model, layers.Dense(8, use_bias=False)])
    wide(x)
    matrix = wide.get_weights()[-1]
    by_columns = km.jacobian(wide, x)
    size = np.abs(expected).max()
    of_rows = np.abs(found - expected).max() / size
    product = np.einsum("ij,nik->njk", matrix, expected)
    of_columns = np.abs(by_columns - product).max() / np.abs(product).max()
    return of_rows, of_columns, penalty_error(model, other, outputs, x.astype(dtype), step)


def penalty_error(model, other, outputs, x, step):
    """By a random direction in all weights at once: one number for each would take long."""
    rate = 1e-3
    auto = km.AutoEncoder(
        model,
        keras.Sequential([keras.Input((3,)), layers.Dense(5)]),
        contractive_penalty=km.ContractivePenalty(1.0, probes="exact"),
    )
    auto.compile(keras.optimizers.SGD(rate), lambda y, p: 0.0 * ops.mean(p, axis=-1))
    before = [ops.convert_to_numpy(w) for w in model.trainable_weights]
    auto.train_on_batch(x.astype("float32"))
    after = [ops.convert_to_numpy(w) for w in model.trainable_weights]
    gradient = [(a - b).astype("float64") / rate for a, b in zip(before, after)]
    size = np.sqrt(sum(np.square(g).sum() for g in gradient))
    if size == 0:
        return 1.0

    def penalty(share):
        for weight, start, part in zip(other.trainable_weights, before, gradient):
            weight.assign(start + share * part / size)
        return np.square(differences(outputs, x, step)).sum((1, 2)).mean()

    move = 1e-4 if x.dtype == "float64" else 1e-2
    slope = (penalty(move) - penalty(-move)) / (2 * move)
    return abs(slope - size) / size


def check(name):
    backend = keras.backend.backend()
    if name in REFUSED.get(backend, ()):
        pytest.skip("Keras itself has no such interpolation on this backend")
    of_rows, of_columns, of_penalty = errors(name)
    tolerance = 1e-3 if is_float64(name) else 3e-2
    assert of_rows < tolerance
    assert of_columns < tolerance
    assert of_penalty < (1e-2 if is_float64(name) else 1e-1)


@pytest.mark.parametrize("name", [*SHORT, *SHORT_ACTIVATIONS])
def test_derivatives_between_dense_layers_are_those_of_differences(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAYERS, *ACTIVATIONS])
def test_derivatives_of_every_layer_and_activation(name):
    check(name)


def report():
    for name in (*LAYERS, *ACTIVATIONS):
        try:
            values = errors(name)
            print(f"{name:30} " + " ".join(f"{value:.1e}" for value in values), flush=True)
        except Exception as error:
            text = " ".join(str(error).split())[:120]
            print(f"{name:30} {type(error).__name__}: {text}", flush=True)


if __name__ == "__main__":
    report()
