"""The files are read by TensorBoard itself, over HTTP."""

import contextlib
import json
import os
import re
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest
from small_runs import model_of

import keras_manifold as km
from keras_manifold.callbacks import TensorBoardSink
from keras_manifold.plot.lines import spectrum

pytest.importorskip("tensorboardX", reason="of the extra `tensorboard`")
HIDDEN = Path(__file__).parents[1] / "hidden"


def fit(digits, callbacks, epochs=2, model=None, **options):
    if model is None:
        model = model_of()
    history = model.fit(
        digits[:50], epochs=epochs, callbacks=callbacks, verbose=0, **options
    )
    return model, history.history


@contextlib.contextmanager
def tensorboard(folder):
    """Reader of what a TensorBoard process on loopback serves of the runs in a folder."""
    pytest.importorskip("tensorboard", reason="of the extra `tools`")
    options = ["--logdir", folder, "--port", "0", "--host", "127.0.0.1"]
    options += ["--load_fast", "false", "--reload_interval", "1"]
    # It starts faster without TensorFlow.
    path = os.pathsep.join([str(HIDDEN), os.environ.get("PYTHONPATH", "")])
    said = folder.with_suffix(".txt")
    with open(said, "w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *options],
            stderr=file,
            env=os.environ | {"PYTHONPATH": path},
        )
    try:
        while not (found := re.search(r"http://127.0.0.1:\d+", said.read_text())):
            assert process.poll() is None, said.read_text()
            time.sleep(0.1)

        def get(path, until=bool, seconds=60):
            end = time.monotonic() + seconds
            while True:
                with contextlib.suppress(urllib.error.HTTPError):
                    with urllib.request.urlopen(f"{found[0]}/{path}", timeout=30) as reply:
                        content = reply.read()
                    if reply.headers["Content-Type"] == "application/json":
                        content = json.loads(content)
                    if until(content):
                        return content
                assert time.monotonic() < end, f"TensorBoard has no {path}"
                time.sleep(0.3)

        yield get
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder, and the reader of its runs."""
    folder = tmp_path_factory.mktemp("runs")
    with tensorboard(folder) as get:
        yield folder, get


@pytest.fixture
def run(served):
    """A folder of its own within it, its name there, and the reader."""
    folder, get = served
    name = f"run{len(list(folder.iterdir()))}"
    (folder / name).mkdir()
    return folder / name, name, get


def scalars(get, run, tag, until=bool):
    return get(f"data/plugin/scalars/scalars?run={run}&tag={tag}", until)


def test_tensorboard_shows_numbers_images_histograms_and_codes(digits, tmp_path, run):
    log_dir, name, get = run
    watches = [
        km.TangentAnalyzer(digits[:4], log_dir=log_dir),
        km.ReconstructionGrid(digits[:4], log_dir=log_dir, directory=tmp_path),
    ]
    _, history = fit(digits, watches, validation_data=digits[50:80])
    assert len(list(log_dir.glob("events*"))) == 1, "both write into one file"

    # It may have read a part of the file while that was written.
    for tag in ("val_loss", "tangent_norm", "reconstruction_mse"):
        scalars(get, name, tag, until=lambda points: points and points[-1][1] == 2)
    tags = get("data/plugin/scalars/tags")[name]
    expected = {"tangent_norm", "tangent_drift", "reconstruction_mse", "loss"}
    assert expected | {"val_loss"} <= set(tags)
    for tag in ("loss", "tangent_norm"):
        points = scalars(get, name, tag, until=lambda points: points[-1][1] == 2)
        found = {step: value for _, step, value in points}
        assert len(points) == len(found), "no number is there twice"
        assert [found[1], found[2]] == pytest.approx(history[tag], rel=1e-5)

    images = get("data/plugin/images/tags")[name]
    assert set(images) == {"tangent_vectors", "tangent_spectrum", "reconstruction"}
    path = f"data/plugin/images/images?run={name}&tag=reconstruction&sample=0"
    listed = get(path, until=lambda listed: listed[-1]["step"] == 2)
    assert [image["step"] for image in listed] == [0, 1, 2]
    png = get(f"data/plugin/images/individualImage?{listed[-1]['query']}")
    assert png == (tmp_path / "reconstruction_0002.png").read_bytes()
    assert png.startswith(b"\x89PNG")

    tag = "tangent_space/spectrum"
    assert tag in get("data/plugin/histograms/tags")[name]
    path = f"data/plugin/histograms/histograms?run={name}&tag={tag}"
    points = get(path, until=lambda points: points[-1][1] == 2)
    assert [step for _, step, _ in points] == [0, 1, 2]
    assert sum(count for *_, count in points[-1][2]) == 4 * 3

    get("data/plugin/projector/runs", until=lambda runs: name in runs)
    info = get(f"data/plugin/projector/info?run={name}")
    last = info["embeddings"][-1]
    assert last["tensorName"].startswith("tangent_space/codes")
    assert "sprite.png" in last["sprite"]["imagePath"]


def test_codes_and_their_images_are_those_of_the_samples(digits, tmp_path):
    from matplotlib.image import imread

    model, _ = fit(digits, [km.TangentAnalyzer(digits[:4], log_dir=tmp_path)])
    folder = tmp_path / "00002" / "tangent_space" / "codes"
    codes = np.loadtxt(folder / "tensors.tsv", delimiter="\t")
    expected = model.encoder.predict(digits[:4], verbose=0)
    np.testing.assert_allclose(codes, expected, rtol=1e-5)
    sprite = imread(folder / "sprite.png")
    np.testing.assert_allclose(sprite[:8, 8:16, 0], digits[1, ..., 0], atol=1 / 255)


@pytest.mark.parametrize("shape", [(5, 4, 6, 1), (5, 7)])
def test_codes_of_other_samples_have_no_sprite(shape, rng, tmp_path):
    sink = TensorBoardSink(tmp_path)
    sink("a", {"codes": rng.normal(size=(5, 2)), "input": rng.normal(size=shape)}, 3)
    assert {path.name for path in (tmp_path / "00003/a/codes").iterdir()} == {"tensors.tsv"}
    assert "sprite" not in (tmp_path / "projector_config.pbtxt").read_text()


def test_a_run_that_resumes_is_shown_without_gap_or_double(digits, run):
    log_dir, name, get = run

    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if stop_at == (self.epoch, batch):
                raise KeyboardInterrupt

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    def callbacks():
        watch = km.TangentAnalyzer(digits[:3], unit="batch", log_dir=log_dir)
        return [watch, Stop()]

    stop_at = (2, 1)
    interrupted = callbacks()
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,))
    model.compile("sgd", loss="mse")
    with pytest.raises(KeyboardInterrupt):
        fit(digits, interrupted, epochs=4, model=model)
    stop_at = None
    resumed = callbacks()
    fit(digits, resumed, epochs=4, model=model, initial_epoch=2)
    points = scalars(
        get, name, "tangent_norm", until=lambda points: points and points[-1][1] == 8
    )
    steps = [step for _, step, _ in points]
    assert sorted(set(steps)) == list(range(9)), "two batches an epoch"
    assert steps.count(5) == 1, "the batch that was trained again"
    norms = {step: value for _, step, value in points}
    last = resumed[0].history["tangent_norm"]
    assert norms[5] == pytest.approx(last[resumed[0].history["step"].index(5)], rel=1e-5)


def test_nan_is_shown_as_a_gap_and_breaks_nothing(run, recwarn):
    log_dir, name, get = run
    sink = TensorBoardSink(log_dir)
    sink.begin(0)
    nan = np.full((2, 3), np.nan)
    sink("a", float("nan"), 0)
    sink("b", {"spectrum": nan, "codes": nan}, 0)
    sink("a", 1.0, 1)
    sink.close()
    assert list(recwarn) == []
    points = scalars(get, name, "a", until=lambda points: len(points) == 2)
    assert [value for *_, value in points] == ["NaN", 1.0]


def test_a_full_disk_costs_one_warning_and_later_numbers_are_written(
    run, monkeypatch, recwarn
):
    from tensorboardX.record_writer import RecordWriter

    def full(self, data):
        raise OSError(28, "No space left on device")

    log_dir, name, get = run
    sink = TensorBoardSink(log_dir)
    sink.begin(0)
    sink("a", 1.0, 0)
    sink.flush()
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "write", full)
        for step in (1, 2):
            sink("a", 2.0, step)
            sink("figure", spectrum([2.0, 1.0]), step)
            sink.flush()
    sink("a", 3.0, 3)
    sink.close()
    (warning,) = [w for w in recwarn if "can't be written" in str(w.message)]
    assert str(log_dir) in str(warning.message)
    points = scalars(get, name, "a", until=lambda points: len(points) == 2)
    assert [(step, value) for _, step, value in points] == [(0, 1.0), (3, 3.0)]


def test_without_tensorboardx_it_is_refused_before_the_first_batch(
    digits, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    watch = km.ReconstructionGrid(digits[:2], log_dir=tmp_path)
    with pytest.raises(ImportError, match=r"pip install keras_manifold\[tensorboard\]"):
        fit(digits, [watch])


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow is there anyway"
)
def test_no_tensorflow_is_imported(tmp_path):
    code = """
        import importlib.machinery, pathlib, sys

        class Blocked:
            # PyTorch asks whether TensorFlow can be found, without loading it.

            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "tensorflow":
                    return importlib.machinery.ModuleSpec(name, self)

            def create_module(self, spec):
                frame = sys._getframe()
                while frame:
                    if "keras_manifold" in pathlib.Path(frame.f_code.co_filename).parts:
                        blamed.append(frame.f_code.co_filename)
                    frame = frame.f_back
                raise ImportError("tensorflow is blocked")

            def exec_module(self, module):
                raise ImportError("tensorflow is blocked")

        blamed = []
        sys.meta_path.insert(0, Blocked())
        import numpy as np
        import keras_manifold as km

        x = np.random.default_rng(0).uniform(size=(20, 4, 4, 1)).astype("float32")
        model = km.AutoEncoder.dense((4, 4, 1), 2, units=(4,))
        model.compile("sgd", loss="mse")
        options = {"directory": sys.argv[1], "log_dir": sys.argv[1] + "/logs"}
        kinds = km.TangentAnalyzer, km.ReconstructionGrid
        watch = [kind(x[:2], **options) for kind in kinds]
        model.fit(x, epochs=1, verbose=0, callbacks=watch)
        assert "tensorflow" not in sys.modules
        assert not blamed, blamed
        print("done")
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.stdout.endswith("done\n"), run.stderr
    assert len(list((tmp_path / "logs").glob("events*"))) == 1
    assert (tmp_path / "tangent_vectors_0001.png").exists()
