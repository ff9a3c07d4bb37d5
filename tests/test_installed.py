"""What is said where no framework is installed for Keras to run on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FRAMEWORKS = ["tensorflow", "jax", "torch"]


def error_of(code, backend, hidden):
    """The last line of the error of a program from which some packages are hidden."""
    environment = os.environ | {
        "HIDDEN": ",".join(hidden),
        "PYTHONPATH": os.pathsep.join([str(TESTS / "hidden"), str(TESTS.parent)]),
    }
    environment.pop("KERAS_BACKEND", None)
    if backend:
        environment["KERAS_BACKEND"] = backend
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 1, run.stderr
    return run.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("backend", [*FRAMEWORKS, "numpy"])
def test_a_missing_framework_is_one_error_that_says_what_to_install(backend):
    said = error_of("import keras_manifold", backend, FRAMEWORKS)
    needed = "jax" if backend == "numpy" else backend  # Keras computes with its arrays
    assert said.startswith(
        "ImportError: Keras runs on TensorFlow, JAX or PyTorch, and needs "
        f"'{needed}' here, which is not installed. Received: KERAS_BACKEND='{backend}'."
    )
    assert "pip install 'keras_manifold[tensorflow]'` (or [jax], [torch])" in said


def test_without_a_choice_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # nobody's keras.json
    said = error_of("import keras_manifold", None, FRAMEWORKS)
    assert "needs 'tensorflow' here" in said
    assert "Received: no KERAS_BACKEND." in said


def test_another_missing_package_is_named_as_it_is():
    said = error_of("import keras_manifold", os.environ.get("KERAS_BACKEND"), ["absl"])
    assert said == "ModuleNotFoundError: No module named 'absl'"
