"""The examples, run as a user runs them but for a short time."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_manifold as km

EXAMPLES = Path(__file__).parent.parent / "examples"
FIGURES = {
    "learning_curves.png",
    "spectrum.png",
    "reconstructions.png",
    "denoising.png",
    "jacobian_rows.png",
    "tangents.png",
}


def imported(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def digits_example():
    return imported("digits")


@pytest.fixture
def symmetries_example():
    return imported("symmetries")


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
    assert (tmp_path / "compare.html").exists()


@pytest.mark.slow
def test_contraction_prints_a_line_a_weight_and_writes_its_figure(tmp_path):
    command = [sys.executable, EXAMPLES / "contraction.py", "--epochs", "1"]
    run = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines()[1:7]]
    assert [float(row[0]) for row in rows] == [0, 1e-4, 1e-3, 1e-2, 1e-1, 1]
    assert (tmp_path / "contraction.png").stat().st_size > 10_000


def test_denoiser_prints_what_it_found_and_writes_its_figures(tmp_path):
    command = [sys.executable, EXAMPLES / "denoiser.py", "--epochs", "1", "--steps", "2"]
    run = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for line in (
        "angle of learned and true",
        "dimension by flipd",
        "tangent ",
        "langevin ",
    ):
        assert line in run.stdout
    for name in ("field.png", "dimension.png"):
        assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.slow
def test_symmetries_prints_a_table_a_side_and_writes_its_figure(tmp_path):
    command = [sys.executable, EXAMPLES / "symmetries.py", "--dataset", "digits"]
    command += ["--epochs", "1", "--seeds", "1", "--images", "200", "--out", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for side in ("encoder", "decoder", "reconstruction", "no network"):
        table = run.stdout.split(f"\n{side} ")[1].split("\n\n")[0]
        rows = [line.split() for line in table.splitlines()[1:]]
        assert [row[0] for row in rows] == [*km.symmetries.KINDS, "mean"]
        assert all(0 <= float(row[1]) <= 100 for row in rows)
    assert (tmp_path / "symmetries.png").stat().st_size > 10_000


def test_symmetries_concludes_from_the_numbers(symmetries_example):
    plain = np.array([[0.1, 0.3], [0.2, 0.2], [0.2, 0.4]])
    wavering = plain * [[1.5], [0.5], [1.1]]
    more = plain * [[1.9], [2.0], [2.1]]
    side = {"plain": plain, "denoising": more, "contractive": wavering}
    shares = dict.fromkeys(symmetries_example.SIDES, side)
    text = symmetries_example.conclusion({**shares, "no network": {"PCA": plain}})
    assert text.count("denoising more (× 2.00 ± 0.10), contractive about as much (×") == 3
    assert "most of all: denoising encoder, 47.0%; without a network: PCA 23.3%" in text
    less = {**side, "denoising": plain**2 / more}
    text = symmetries_example.conclusion({**shares, "decoder": less, "no network": {}})
    assert "decoder tangents capture, against plain: denoising less (× 0.50" in text


def test_symmetries_nearest_direction_is_the_projection(symmetries_example):
    direction = np.array([[[3.0, 4.0]]]) / 5
    nearest, share = symmetries_example.projected(direction, np.array([[[0.0, 1.0]]]))
    np.testing.assert_allclose(nearest, [[[0.0, 1.0]]])
    np.testing.assert_allclose(share, [0.64])


@pytest.mark.slow
def test_manifolds_prints_a_row_a_model_and_side_and_writes_its_figure(tmp_path):
    command = [sys.executable, EXAMPLES / "manifolds.py", "--epochs", "1", "--samples"]
    command += ["300", "--manifolds", "circle", "swiss_roll", "--out", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for name in ("circle, 1-dimensional", "swiss_roll, 2-dimensional"):
        table = run.stdout.split(f"\n{name}\n")[1].split("\n\n")[0]
        rows = [line.split() for line in table.splitlines()[2:]]
        sides = ["encoder", "decoder", "reconstruction"]
        assert [row[-8] for row in rows[:-1]] == 4 * sides
        assert rows[-1][:2] == ["local", "PCA,"]
        numbers = np.array([row[-7:] for row in rows], "float64")
        assert numbers.min() >= 0
        assert numbers[:, :3].max() <= 90
        assert numbers[:-1, 3:].max() <= 6
    assert (tmp_path / "manifolds.png").stat().st_size > 10_000


def watching(place, out):
    command = [sys.executable, EXAMPLES / "watching.py", "--to", place]
    command += ["--epochs", "2", "--out", out]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "tangent dimension" in run.stdout
    (folder,) = out.iterdir()
    return folder, run.stdout


def test_watching_writes_files(tmp_path):
    folder, _ = watching("directory", tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {"tangent_vectors_0002.png", "reconstruction_scalars.csv"} <= names


@pytest.mark.slow  # this and the next three start a process each, as the one above does
def test_watching_writes_event_files(tmp_path):
    pytest.importorskip("tensorboardX", reason="of the extra `tensorboard`")
    folder, _ = watching("tensorboard", tmp_path)
    (events,) = folder.glob("events.out.tfevents.*")
    assert b"tangent_drift" in events.read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow|sqlalchemy")
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_watching_logs_numbers_and_figures_to_mlflow(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="of the extra `tools`")
    folder, _ = watching("mlflow", tmp_path)
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("watching").experiment_id
    (run,) = client.search_runs([experiment])
    for name, steps in {"val_loss": [1, 2], "tangent_norm": [0, 1, 2]}.items():
        metrics = client.get_metric_history(run.info.run_id, name)
        # Both callbacks hand the numbers of Keras on.
        assert sorted({metric.step for metric in metrics}) == steps
    names = {path.path for path in client.list_artifacts(run.info.run_id)}
    assert {"reconstruction_0002.png", "tangent_spectrum_0000.png"} <= names


@pytest.mark.slow
def test_watching_logs_to_weights_and_biases(tmp_path):
    pytest.importorskip("wandb", reason="not in an extra: large")
    folder, _ = watching("wandb", tmp_path)
    (run,) = (folder / "wandb").glob("offline-run-*")
    assert list(run.glob("files/media/images/tangent_vectors_2_*.png"))


@pytest.mark.slow
def test_watching_prints_where_there_is_no_notebook(tmp_path):
    pytest.importorskip("IPython", reason="of the extra `tools`")
    _, printed = watching("notebook", tmp_path)
    assert printed.count("Image object") == 3 * 3, "three figures, three looks"


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


@pytest.mark.slow
def test_parts_are_computed_by_two_workers_and_a_second_run_finds_them(tmp_path):
    pytest.importorskip("distributed", reason="Dask is none of our extras")
    command = [
        sys.executable,
        EXAMPLES / "cluster" / "parts.py",
        "--epochs",
        "1",
        "--parts",
        "3",
    ]
    for _ in range(2):
        run = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr[-3000:]
        for i in range(3):
            assert f"part {i} of 3: " in run.stdout
        assert "1797 samples of shape (8, 8, 1), 4 directions" in run.stdout
