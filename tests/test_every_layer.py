"""Derivatives of every layer and activation of Keras, against central differences.

Each stands between two dense layers. `python benchmarks/layers.py` makes a table of
them.
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
# Of several arguments, or of half as many outputs.
CALLED = {
    "glu": keras.activations.glu,
    "threshold": lambda x: keras.activations.threshold(x, 0.1, 0.1),
}
IMAGE, SERIES, VOLUME = (4, 4, 2), (4, 3), (2, 2, 2, 2)


class OfTwo(keras.Layer):
    """A layer that takes two tensors, with one and a function of it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        other = ops.tanh(x)
        is_list = type(self.layer).__name__ not in ATTENTION
        return self.layer([x, other]) if is_list else self.layer(x, other)


ATTENTION = ("GroupedQueryAttention", "MultiHeadAttention")


def of_two(name, *options):
    return lambda: OfTwo(getattr(layers, name)(*options))


# Layers that take a tensor of floating-point numbers, with the shape of theirs: their
# arguments, or a function that makes them.
LAYERS = {
    "ActivityRegularization": ((), (6,)),
    "AdaptiveAveragePooling1D": ((2,), SERIES),
    "AdaptiveAveragePooling2D": ((2,), IMAGE),
    "AdaptiveAveragePooling3D": ((1,), VOLUME),
    "AdaptiveMaxPooling1D": ((2,), SERIES),
    "AdaptiveMaxPooling2D": ((2,), IMAGE),
    "AdaptiveMaxPooling3D": ((1,), VOLUME),
    "AlphaDropout": ((0.5,), (6,)),
    "Bidirectional": (lambda: layers.Bidirectional(layers.GRU(2)), SERIES),
    "CenterCrop": ((2, 2), IMAGE),
    "ConvLSTM1D": ((2, 2), (2, 3, 2)),
    "ConvLSTM2D": ((2, 2), (2, 3, 3, 1)),
    "ConvLSTM3D": ((1, 2), (2, 2, 2, 2, 1)),
    "Cropping3D": ((((0, 1), (0, 1), (0, 1)),), VOLUME),
    "Dropout": ((0.5,), (6,)),
    "EinsumDense": (("ab,bc->ac", 4), (6,)),
    "GaussianDropout": ((0.5,), (6,)),
    "GaussianNoise": ((0.5,), (6,)),
    "GlobalAveragePooling1D": ((), SERIES),
    "GlobalAveragePooling3D": ((), VOLUME),
    "GlobalMaxPooling1D": ((), SERIES),
    "GlobalMaxPooling3D": ((), VOLUME),
    "Identity": ((), (6,)),
    "Masking": ((), SERIES),
    "Normalization": ((-1, 0.5, 2.0), (6,)),
    "RNN": (
        lambda: layers.RNN([layers.GRUCell(2), layers.LSTMCell(2)]),
        SERIES,
    ),
    "Rescaling": ((2.0, 0.1), (6,)),
    "Reshape": (((2, 6),), SERIES),
    "STFTSpectrogram": (("magnitude", 8, 4, 8), (16, 1)),
    "SpatialDropout1D": ((0.5,), SERIES),
    "SpatialDropout2D": ((0.5,), IMAGE),
    "SpatialDropout3D": ((0.5,), VOLUME),
    "SpectralNormalization": (
        lambda: layers.SpectralNormalization(layers.Dense(4)),
        (6,),
    ),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Dense(2)), SERIES),
    **{
        name: (of_two(name), (6,))
        for name in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply")
    },
    "Dot": (of_two("Dot", -1), (6,)),
    "Subtract": (of_two("Subtract"), (6,)),
    "AdditiveAttention": (of_two("AdditiveAttention"), SERIES),
    "Attention": (of_two("Attention"), SERIES),
    "GroupQueryAttention": (of_two("GroupQueryAttention", 2, 2, 1), SERIES),
    "MultiHeadAttention": (of_two("MultiHeadAttention", 2, 2), SERIES),
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
    *("Conv2D", "MaxPooling2D", "GRU", "GroupNormalization"),
    *("UpSampling2D bilinear", "Resizing bicubic"),
)
SHORT_ACTIVATIONS = ("gelu", "hard_sigmoid")
# What is not in the sweep, and why.
OUTSIDE = {
    "augments images while training, and leaves them as they are in inference": (
        *("AugMix", "AutoContrast", "CutMix", "Equalization", "MixUp", "RandAugment"),
        *("ContrastLimitedAdaptiveHistogramEqualization", "Solarization"),
        *(name for name in vars(layers) if name.startswith("Random")),
    ),
    "takes whole numbers or text, or rounds": (
        *("CategoryEncoding", "Discretization", "Embedding", "HashedCrossing", "Hashing"),
        *("IntegerLookup", "StringLookup", "TextVectorization", "ReversibleEmbedding"),
    ),
    "is a part of others": (
        *("GRUCell", "Input", "InputLayer", "InputSpec", "LSTMCell", "Layer", "Lambda"),
        *("MaxNumBoundingBoxes", "Pipeline", "SimpleRNNCell", "StackedRNNCells"),
        "Wrapper",
    ),
    "is of one framework": ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
    "has no length that fits a small sweep": ("MelSpectrogram",),
}
LANCZOS = ("UpSampling2D lanczos3", "UpSampling2D lanczos5", "Resizing lanczos3")
ADAPTIVE = ("AdaptiveAveragePooling3D", "AdaptiveMaxPooling3D")
# What Keras itself does not do on a backend.
REFUSED = {
    "torch": dict.fromkeys(LANCZOS, "Keras has no such interpolation on PyTorch"),
    "jax": {"sparsemax": "Its outputs do not sum to 1 on JAX, with Keras 3.15"},
    "tensorflow": dict.fromkeys(ADAPTIVE, "Fails within TensorFlow, with Keras 3.15"),
}


def made(name):
    if name in LAYERS:
        options, shape = LAYERS[name]
        if callable(options):
            return options(), shape
        return getattr(layers, name.partition(" ")[0])(*options), shape
    return layers.Lambda(CALLED[name]) if name in CALLED else layers.Activation(name), (6,)


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
    # TensorFlow itself does where it resizes. It pools no volumes in float64.
    is_less = name.startswith(("Resizing", "UpSampling2D ")) or "Pooling3D" in name
    return keras.backend.backend() == "tensorflow" and not is_less


def differences(function, x, step):
    """(n, outputs, inputs) by central differences."""
    moves = step * np.eye(x.shape[1], dtype=x.dtype)
    columns = [(function(x + move) - function(x - move)) / (2 * step) for move in moves]
    return np.stack(columns, axis=2)


def errors(name):
    """Largest relative errors of J by rows, by columns, and of the penalty's gradient.

    The last is `None` of a layer that changes its own weights in a step.
    """
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
    if ("Max" in name or name == "threshold") and not is_exact:
        step = 1e-3  # a wider one changes which entry is the largest
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
    of_penalty = None
    if name != "SpectralNormalization":
        of_penalty = penalty_error(model, other, outputs, x.astype(dtype), step)
    return of_rows, of_columns, of_penalty


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


def tolerances(name):
    """Of J, and of the penalty's gradient."""
    return (1e-3, 1e-2) if is_float64(name) else (3e-2, 1e-1)


def check(name):
    backend = keras.backend.backend()
    if name in REFUSED.get(backend, {}):
        pytest.skip(REFUSED[backend][name])
    of_rows, of_columns, of_penalty = errors(name)
    of_jacobian, of_gradient = tolerances(name)
    assert of_rows < of_jacobian
    assert of_columns < of_jacobian
    assert of_penalty is None or of_penalty < of_gradient


@pytest.mark.parametrize("name", [*SHORT, *SHORT_ACTIVATIONS])
def test_derivatives_between_dense_layers_are_those_of_differences(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAYERS, *ACTIVATIONS])
def test_derivatives_of_every_layer_and_activation(name):
    check(name)


def test_no_layer_of_keras_is_forgotten():
    known = {getattr(layers, name.partition(" ")[0], None) for name in LAYERS}
    known |= {getattr(layers, name, None) for names in OUTSIDE.values() for name in names}
    known.add(layers.Activation)
    classes = {name: value for name, value in vars(layers).items() if name[0].isupper()}
    assert [name for name, value in classes.items() if value not in known] == []
