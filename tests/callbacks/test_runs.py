"""One run, one folder: runs that go on, that are refused, and that fail."""

import os
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
from small_runs import WATCHES, column, fit, model_of, new_model, rows

import keras_manifold as km


def test_a_new_run_in_the_folder_of_another_is_refused_before_the_first_batch(
    digits, tmp_path
):
    fit(model_of(), digits, [km.TangentAnalyzer(digits[:2], directory=tmp_path)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    model = model_of()
    weights = model.get_weights()
    with pytest.raises(
        ValueError, match=r"a run of 3 epochs, up to step 3.*Choose"
    ) as told:
        fit(model, digits, [km.TangentAnalyzer(digits[:2], directory=tmp_path)])
    assert str(tmp_path) in str(told.value)
    assert "BackupAndRestore or fit(initial_epoch=3)" in str(told.value)
    for old, new in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(old, new)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_same_callback_replaces_what_it_wrote_itself(digits, tmp_path):
    watch = km.TangentAnalyzer(digits[:2], directory=tmp_path)
    fit(model_of(), digits, [watch], epochs=4)
    model = model_of()
    with pytest.warns(UserWarning, match="Training begins at step 0: 12 files of later"):
        history = fit(model, digits, [watch], epochs=2).history
    assert watch.history["step"] == [0, 1, 2]
    assert column(tmp_path, "loss") == dict(zip((1, 2), history["loss"]))
    steps = sorted(int(path.stem[-4:]) for path in tmp_path.glob("*[0-9].npz"))
    assert steps == [0, 1, 2], "nothing of the longer fit is left"


def test_a_fit_that_continues_one_goes_on_in_its_folder(digits, tmp_path):
    options = {"directory": tmp_path}
    model = model_of()
    first = km.TangentAnalyzer(digits[:2], **options)
    fit(model, digits, [first], epochs=2)
    second = km.TangentAnalyzer(digits[:2], **options)
    fit(model, digits, [second], epochs=4, initial_epoch=2)
    assert second.history["step"] == [0, 1, 2, 3, 4]
    for name, values in first.history.items():
        assert second.history[name][:3] == pytest.approx(values, rel=1e-4), name
    assert list(column(tmp_path, "loss")) == [1, 2, 3, 4]
    spaces = [km.TangentSpace.load(tmp_path / f"tangent_space_{i:04d}.npz") for i in (2, 3)]
    drift = km.principal_angles(*spaces).mean()
    # All but the last file have half precision.
    assert second.history["tangent_drift"][3] == pytest.approx(drift, rel=2e-3)


def test_a_fit_that_continues_one_goes_on_without_a_folder_too(digits):
    model, watch = model_of(), km.ReconstructionGrid(digits[:2])
    fit(model, digits, [watch], epochs=2)
    fit(model, digits, [watch], epochs=3, initial_epoch=2)
    assert watch.history["step"] == [0, 1, 2, 3]
    assert len(set(watch.history["reconstruction_mse"])) == 4


def test_two_callbacks_of_one_prefix_in_one_fit_are_refused(digits, tmp_path):
    watches = [km.TangentAnalyzer(digits[:2], directory=tmp_path) for _ in range(2)]
    with pytest.raises(ValueError, match=r"of this fit or of another process. Give one"):
        fit(model_of(), digits, watches)
    # With a name of its own, the second has a place, in the same process.
    other = km.TangentAnalyzer(digits[:2], directory=tmp_path, prefix="other")
    fit(model_of(), digits, [watches[0], other], epochs=1)
    assert other.history["step"] == [0, 1]


def test_a_fit_in_another_thread_is_refused(digits, tmp_path):
    errors = []

    class InTheMiddle(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            def second():
                try:
                    watch = km.ReconstructionGrid(digits[:2], directory=tmp_path)
                    watch.set_params({"steps": 1})
                    watch.set_model(new_model())
                    watch.on_train_begin()
                except ValueError as error:
                    errors.append(str(error))

            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    watch = km.ReconstructionGrid(digits[:2], directory=tmp_path)
    fit(model_of(), digits, [watch, InTheMiddle()], epochs=1)
    assert len(errors) == 1
    assert "into which another callback is writing" in errors[0]


def test_a_process_that_writes_there_is_refused_and_its_end_sets_the_folder_free(
    digits, tmp_path
):
    code = (
        "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); "
        "lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, tmp_path / ".tangent.lock"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    watch = km.TangentAnalyzer(digits[:2], directory=tmp_path)
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="another callback is writing") as told:
            fit(model_of(), digits, [watch])
        assert str(tmp_path) in str(told.value)
        other.kill()
    fit(model_of(), digits, [watch], epochs=1)
    assert watch.history["step"] == [0, 1]


# Faults.


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("again", ["the same callback", "a new one"])
def test_after_an_interrupt_the_next_fit_works(again, digits, tmp_path):
    watch = km.TangentAnalyzer(digits[:2], directory=tmp_path, log_dir=tmp_path / "logs")
    model = model_of()
    with pytest.raises(KeyboardInterrupt):
        fit(model, digits, [watch, Interrupt(2)])
    assert list(column(tmp_path, "loss")) == [1, 2]
    next_one = watch
    if again == "a new one":  # while the old one is still there
        next_one = km.TangentAnalyzer(digits[:2], directory=tmp_path)
    fit(model, digits, [next_one], epochs=4, initial_epoch=2)
    assert next_one.history["step"] == [0, 1, 2, 3, 4]
    assert list(column(tmp_path, "loss")) == [1, 2, 3, 4]


@pytest.mark.parametrize("first", [True, False])
def test_backup_and_restore_resumes_in_any_order(first, digits, tmp_path):
    def callbacks():
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        watches = [kind(digits[:2], directory=tmp_path) for kind in WATCHES.values()]
        return watches, [backup, *watches] if first else [*watches, backup]

    keras.utils.set_random_seed(0)
    _, through = callbacks()
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), digits, [*through, Interrupt(2)])
    del through
    watches, through = callbacks()
    fit(new_model(), digits, through, epochs=4)
    for prefix, watch in zip(WATCHES, watches):
        assert watch.history["step"] == [0, 1, 2, 3, 4]
        assert list(column(tmp_path, "loss", prefix)) == [1, 2, 3, 4]


def test_a_lost_row_is_made_again(digits, tmp_path):
    model, options = model_of(), {"directory": tmp_path}
    fit(model, digits, [km.TangentAnalyzer(digits[:2], **options)], epochs=2)
    lines = (tmp_path / "tangent_scalars.csv").read_text().splitlines()
    (tmp_path / "tangent_scalars.csv").write_text("\n".join(lines[:-1]) + "\n")
    (tmp_path / "tangent_space_0002.npz").unlink()
    watch = km.TangentAnalyzer(digits[:2], **options)
    fit(model, digits, [watch], epochs=3, initial_epoch=2)
    assert watch.history["step"] == [0, 1, 2, 3]
    expected = [float(value) for value in lines[-1].split(",")[1:5]]
    found = rows(tmp_path)[2]
    names = ("tangent_norm", "tangent_dimension", "tangent_top", "tangent_drift")
    *same, drift = [float(found[name]) for name in names]
    assert same == pytest.approx(expected[:3], rel=1e-4)
    assert drift == pytest.approx(expected[3], rel=2e-3)  # from vectors of half precision


@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_a_resumed_run_counts_on(unit, digits, tmp_path):
    options = {"directory": tmp_path, "unit": unit, "every": 1 if unit == "epoch" else 5}
    model = model_of()
    fit(model, digits, [], epochs=1)  # which is not of the run
    fit(model, digits, [km.TangentAnalyzer(digits[:2], **options)], epochs=2)
    watch = km.TangentAnalyzer(digits[:2], **options)
    fit(model, digits, [watch], epochs=3, initial_epoch=2)
    steps = [0, 1, 2, 3] if unit == "epoch" else [0, 5, 10, 15, 20, 25, 30]
    assert watch.history["step"] == steps
    assert list(column(tmp_path, "loss")) == (
        [1, 2, 3] if unit == "epoch" else [10, 20, 30]
    )


def test_a_disk_that_fills_costs_one_warning_and_not_the_training(
    digits, tmp_path, monkeypatch, recwarn
):
    watch = km.TangentAnalyzer(digits[:2], directory=tmp_path)
    replace = os.replace

    def full(source, target):
        if "_0001" in str(target) or "_0002" in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    history = fit(model_of(), digits, [watch]).history
    assert len(history["loss"]) == 3
    (warning,) = [w for w in recwarn if "can't be written" in str(w.message)]
    assert str(tmp_path) in str(warning.message)
    assert {path.stem[-4:] for path in tmp_path.glob("*[0-9].npz")} == {"0000", "0003"}
    assert list(tmp_path.glob(".*.*.[0-9]*")) == [], "nothing half-written"


def test_a_folder_that_vanishes_costs_one_warning_a_callback(digits, tmp_path, recwarn):
    class Remove(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                (tmp_path / "run").rename(tmp_path / "elsewhere")

    folders = {"directory": tmp_path / "run", "log_dir": tmp_path / "run" / "logs"}
    watch = km.ReconstructionGrid(digits[:2], **folders)
    history = fit(model_of(), digits, [watch, Remove()]).history
    assert len(history["loss"]) == 3
    warned = [str(w.message) for w in recwarn if "can't be written" in str(w.message)]
    assert len(warned) == 2, "of the folder and of TensorBoard's"
    assert all(str(tmp_path / "run") in message for message in warned)
    assert not (tmp_path / "run").exists()
    assert watch.history["step"] == [0, 1, 2, 3]
