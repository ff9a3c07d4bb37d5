import atexit
import gc
import importlib.util
import itertools
import os
import shutil
import tempfile
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow's convolutions of channels-first images; on newer CPUs it is on by default.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Small networks take longer to optimise than to run. `TESTS_OPTIMISED` asks for it still.
if "TESTS_OPTIMISED" not in os.environ:
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    # Emitters of fused operations take three quarters of the time to compile. Later
    # versions don't know the flag, and end the process.
    if importlib.util.find_spec("jaxlib") and version("jaxlib").startswith("0.10."):
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import keras
import numpy as np
import pytest
import shapes
from hypothesis import settings

import keras_manifold

if keras.backend.backend() == "tensorflow" and "TESTS_OPTIMISED" not in os.environ:
    import tensorflow

    tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
if keras.backend.backend() == "jax":
    import jax

    # What one test has compiled no other compiles again. Each worker has a folder of its
    # own, as two that write one file would spoil it.
    folder = tempfile.mkdtemp(prefix="keras_manifold_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

# Compiling takes longer than any deadline on the first example.
settings.register_profile("default", deadline=None, max_examples=20, derandomize=True)
settings.load_profile("default")

shapes.check_all(keras_manifold)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tf():
    """TensorFlow, whose tf.data feeds models on every backend."""
    return pytest.importorskip(
        "tensorflow", reason="tf.data is TensorFlow's, which is not installed"
    )


def pytest_collection_finish():
    """Looks for garbage less often, and not among what the imports have left."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items):
    for item in items:
        if "tf" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.tensorflow)


@pytest.fixture
def spoiled():
    """A callback that makes all weights NaN at one epoch and restores them at another."""

    class Spoil(keras.callbacks.Callback):
        def __init__(self, first, last):
            super().__init__()
            self.first, self.last = first, last

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == self.first:
                self.weights = self.model.get_weights()
                self.model.set_weights([w * np.nan for w in self.weights])
            if epoch == self.last:
                self.model.set_weights(self.weights)

    return Spoil


@pytest.fixture(scope="session")
def digits():
    """Real handwritten digits, (1797, 8, 8, 1) in [0, 1]."""
    from sklearn.datasets import load_digits

    return (load_digits().images[..., None] / 16).astype("float32")


class DeepNetwork:
    """A tanh network of any depth in float64 NumPy, with its Jacobian by the chain rule."""

    def __init__(self, sizes, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [
            (rng.normal(size=(a, b)) / np.sqrt(a), rng.normal(size=b))
            for a, b in itertools.pairwise(sizes)
        ]

    def outputs_and_jacobian(self, x):
        outputs = x.astype("float64")
        jacobian = np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
        for w, b in self.layers:
            outputs = np.tanh(outputs @ w + b)
            jacobian = np.einsum("no,io,nij->noj", 1 - outputs**2, w, jacobian)
        return outputs, jacobian

    def keras_model(self):
        model = keras.Sequential([keras.Input((len(self.layers[0][0]),))])
        for w, _ in self.layers:
            model.add(keras.layers.Dense(w.shape[1], activation="tanh"))
        model.set_weights([array for layer in self.layers for array in layer])
        return model


class TwoLayers:
    """A tanh network in float64 NumPy, with its Jacobian by the chain rule."""

    def __init__(self, sizes, seed=0):
        rng = np.random.default_rng(seed)
        inputs, hidden, outputs = sizes
        self.w1, self.b1 = rng.normal(size=(inputs, hidden)), rng.normal(size=hidden)
        self.w2 = rng.normal(size=(hidden, outputs))

    def jacobian(self, x):
        h = np.tanh(x.astype("float64") @ self.w1 + self.b1)
        return np.einsum("ho,nh,ih->noi", self.w2, 1 - h**2, self.w1)

    def keras_model(self):
        model = keras.Sequential(
            [
                keras.Input((self.w1.shape[0],)),
                keras.layers.Dense(self.w1.shape[1], activation="tanh"),
                keras.layers.Dense(self.w2.shape[1], use_bias=False),
            ]
        )
        model.set_weights([self.w1, self.b1, self.w2])
        return model


@pytest.fixture
def deep_network():
    return DeepNetwork


@pytest.fixture
def two_layers():
    return TwoLayers
