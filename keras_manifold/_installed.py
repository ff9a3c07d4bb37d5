"""Imported first: says what to install where Keras finds no framework to run on."""

import os

FRAMEWORKS = ("tensorflow", "jax", "torch", "openvino")

try:
    import keras as keras
except ModuleNotFoundError as error:
    if error.name not in FRAMEWORKS:
        raise
    chosen = os.environ.get("KERAS_BACKEND")
    received = f"KERAS_BACKEND={chosen!r}" if chosen else "no KERAS_BACKEND"
    raise ImportError(
        f"Keras runs on TensorFlow, JAX or PyTorch, and needs {error.name!r} here, which "
        f"is not installed. Received: {received}. Install one, `pip install "
        "'keras_manifold[tensorflow]'` (or [jax], [torch]), and set the environment "
        "variable KERAS_BACKEND to its name before Python imports Keras."
    ) from error
