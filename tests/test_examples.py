"""The examples, run as a user runs them but for a short time."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
FIGURES = {
    "learning_curves.png",
    "spectrum.png",
    "reconstructions.png",
    "denoising.png",
    "jacobian_rows.png",
    "tangents.png",
}


@pytest.fixture
def digits_example():
    spec = importlib.util.spec_from_file_location("digits", EXAMPLES / "digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_digits_prints_its_table_and_writes_its_figures(tmp_path):
    command = [sys.executable, EXAMPLES / "digits.py", "--epochs", "1", "--out", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    table = run.stdout.split("reconstruction")[1]
    for model in ("plain", "denoising", "contractive"):
        assert model in table
        assert (tmp_path / model / "tangent_vectors_0001.png").exists()
        assert (tmp_path / model / "reconstruction_0001.png").exists()
    assert {path.name for path in tmp_path.glob("*.png")} == FIGURES


def test_contraction_prints_a_line_a_weight_and_writes_its_figure(tmp_path):
    command = [sys.executable, EXAMPLES / "contraction.py", "--epochs", "1"]
    run = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines()[1:7]]
    assert [float(row[0]) for row in rows] == [0, 1e-4, 1e-3, 1e-2, 1e-1, 1]
    assert (tmp_path / "contraction.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("dataset", "place"), [("mnist", "mnist.npz"), ("fashion_mnist", "fashion-mnist")]
)
def test_a_data_set_that_cannot_be_downloaded_is_answered_with_what_to_do(
    dataset, place, digits_example, monkeypatch
):
    def no_network():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(getattr(keras.datasets, dataset), "load_data", no_network)
    with pytest.raises(
        SystemExit, match=rf"{place}.*--dataset digits, which needs no network"
    ):
        digits_example.loaded(dataset)


CACHE = (
    Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets/fashion-mnist"
)


@pytest.mark.skipif(not CACHE.exists(), reason="Fashion-MNIST is not in Keras's cache")
def test_the_labs_images_are_split_as_in_the_lab(digits_example):
    x_train, x_valid, x_test = digits_example.loaded("fashion_mnist")
    assert x_train.shape == (55_000, 28, 28, 1)
    assert x_valid.shape == (5_000, 28, 28, 1)
    assert x_test.shape[1:] == (28, 28, 1)
    assert (x_train.min(), x_train.max()) == (0, 1)
