"""What both callbacks do: when they look, what they hand on, and how they go on."""

import csv
import json
import os
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest

import keras_manifold as km
from keras_manifold.callbacks.sinks import DirectorySink

BACKEND = keras.backend.backend()
WATCHES = {"tangent": km.TangentAnalyzer, "reconstruction": km.ReconstructionGrid}


def model_of(steps_per_execution=1):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,))
    model.compile(
        keras.optimizers.Adam(1e-2), loss="mse", steps_per_execution=steps_per_execution
    )
    return model


def fit(model, digits, callbacks, epochs=3, **options):
    data = {"x": digits[:100], "batch_size": 10, **options}  # ten batches
    return model.fit(epochs=epochs, callbacks=callbacks, verbose=0, **data)


def rows(directory, prefix="tangent"):
    with open(directory / f"{prefix}_scalars.csv", newline="") as file:
        return list(csv.DictReader(file))


def column(directory, name, prefix="tangent"):
    found = rows(directory, prefix)
    return {int(row["step"]): float(row[name]) for row in found if row[name]}


# When they look.


@pytest.mark.parametrize("kind", WATCHES.values(), ids=WATCHES)
def test_looks_every_n_batches_go_on_over_epochs(kind, digits):
    watch = kind(digits[:3], every=4, unit="batch")
    fit(model_of(), digits, [watch])
    assert watch.history["step"] == [0, 4, 8, 12, 16, 20, 24, 28]
    for values in watch.history.values():
        assert len(values) == 8


def test_a_look_at_a_batch_sees_the_weights_of_that_batch(digits):
    class Weights(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([w.copy() for w in self.model.encoder.get_weights()])

    seen = []
    watch = km.TangentAnalyzer(digits[:2], every=1, unit="batch")
    model = model_of()
    fit(model, digits, [watch, Weights()], epochs=1)
    encoder = model_of().encoder
    for step in (1, 5, 10):
        encoder.set_weights(seen[step - 1])
        jacobians = km.jacobian(encoder, digits[:2]).reshape(2, 3, 64)
        expected = np.linalg.norm(jacobians, axis=(1, 2)).mean()
        assert watch.history["tangent_norm"][step] == pytest.approx(expected, rel=1e-4)


def test_looks_between_batches_do_not_change_the_training(digits):
    losses = []
    for watched in (False, True):
        keras.utils.set_random_seed(0)
        options = {"every": 3, "unit": "batch"}
        callbacks = [kind(digits[:2], **options) for kind in WATCHES.values()]
        history = fit(model_of(), digits, callbacks if watched else [])
        losses.append(history.history["loss"])
    np.testing.assert_array_equal(*losses)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has one step an execution there")
def test_with_steps_per_execution_looks_are_at_the_first_chance(digits):
    watch = km.TangentAnalyzer(digits[:2], every=3, unit="batch")
    fit(model_of(steps_per_execution=4), digits, [watch], epochs=2)
    # Executions end after batches 4, 8 and 10 of each epoch, although Keras says 4, 8, 12.
    assert watch.history["step"] == [0, 4, 8, 10, 14, 18]


def test_batches_of_unknown_number_are_counted_too(digits):
    def batches():
        for _ in range(3):
            for start in range(0, 70, 10):
                yield (digits[start : start + 10],)

    watch = km.TangentAnalyzer(digits[:2], every=5, unit="batch")
    model = model_of()
    fit(model, digits, [watch], x=batches(), batch_size=None, steps_per_epoch=7)
    assert watch.history["step"] == [0, 5, 10, 15, 20]


def test_the_last_values_of_looks_at_batches_are_in_logs(digits):
    watch = km.TangentAnalyzer(digits[:2], every=4, unit="batch")
    history = fit(model_of(), digits, [watch]).history
    last = [watch.history["tangent_norm"][i] for i in (2, 5, 7)]  # steps 8, 20, 28
    assert history["tangent_norm"] == last


def test_with_batches_all_numbers_share_one_axis(digits, tmp_path):
    watch = km.TangentAnalyzer(digits[:2], every=4, unit="batch", directory=tmp_path)
    history = fit(model_of(), digits, [watch]).history
    assert column(tmp_path, "loss") == dict(zip((10, 20, 30), history["loss"]))
    epochs = column(tmp_path, "epoch")
    assert [epochs[step] for step in (0, 4, 10, 12, 20, 30)] == [0, 0, 1, 1, 2, 3]
    assert (tmp_path / "tangent_vectors_0028.png").exists()


# What they hand on.


@pytest.mark.parametrize("order", [1, -1])
def test_numbers_of_keras_go_to_the_sinks_in_any_order(order, digits, tmp_path):
    watches = [kind(digits[:2], directory=tmp_path) for kind in WATCHES.values()]
    history = fit(
        model_of(), digits, watches[::order], validation_data=digits[100:150]
    ).history
    for prefix in WATCHES:
        for name in ("loss", "val_loss", "reconstruction_loss"):
            found = column(tmp_path, name, prefix)
            assert found == dict(zip((1, 2, 3), history[name]))
    assert "tangent_norm" not in rows(tmp_path, "reconstruction")[0]
    steps = watches[0].history["step"]
    found = column(tmp_path, "tangent_norm")
    assert found == dict(zip(steps, watches[0].history["tangent_norm"]))


def test_sinks_are_told_of_the_beginning_each_look_and_the_end(digits):
    class Sink:
        def __init__(self):
            self.told = []

        def __call__(self, name, value, step):
            if name == "loss":
                self.told.append(("loss", step))

        def begin(self, step):
            self.told.append(("begin", step))

        def flush(self):
            self.told.append("flush")

        def close(self):
            self.told.append("close")

    sink = Sink()
    fit(model_of(), digits, [km.ReconstructionGrid(digits[:2], sinks=[sink])], epochs=2)
    looks = [("loss", 1), "flush", ("loss", 2), "flush"]
    assert sink.told == [("begin", 0), "flush", *looks, "close"]


def test_an_error_in_a_sink_of_the_user_is_raised(digits):
    def faulty(name, value, step):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        fit(model_of(), digits, [km.ReconstructionGrid(digits[:2], sinks=[faulty])])


# Models of Keras alone.


def test_a_plain_model_is_watched_through_the_encoder_that_is_given(digits, tmp_path):
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))]
    )
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, decoder(encoder(inputs)))
    model.compile("adam", loss="mse")

    def encode(x):
        return encoder(x, training=False)

    watches = {
        "layer": km.TangentAnalyzer(digits[:2], encoder=encoder),
        "callable": km.TangentAnalyzer(digits[:2], encoder=encode, prefix="callable"),
        "decoder": km.TangentAnalyzer(
            digits[:2], of="decoder", encoder=encoder, decoder=decoder, prefix="decoder"
        ),
        "both": km.TangentAnalyzer(
            digits[:2],
            of="reconstruction",
            encoder=encoder,
            decoder=decoder,
            prefix="both",
            directory=tmp_path,
        ),
        "whole": km.TangentAnalyzer(digits[:2], of="reconstruction", prefix="whole"),
    }
    fit(model, digits, list(watches.values()), y=digits[:100], epochs=1)
    w, v = encoder.get_weights()[0], decoder.get_weights()[0]
    norms = {
        "layer": np.linalg.norm(w),
        "callable": np.linalg.norm(w),
        "decoder": np.linalg.norm(v),
        "both": np.linalg.norm(w @ v),
        "whole": np.linalg.norm(w @ v),
    }
    for name, watch in watches.items():
        found = watch.history[f"{watch.prefix}_norm"][-1]
        assert found == pytest.approx(norms[name], rel=1e-4), name
    with np.load(tmp_path / "both_space_0001.npz") as arrays:
        np.testing.assert_allclose(
            arrays["codes"], encoder.predict(digits[:2], verbose=0), rtol=1e-5
        )


@pytest.mark.parametrize(
    ("of", "options", "message"),
    [
        ("encoder", {}, 'of="encoder" needs an `encoder`.*Pass encoder=...'),
        ("decoder", {"encoder": abs}, 'of="decoder" needs a `decoder`.*Pass decoder=...'),
        ("reconstruction", {"decoder": abs}, "needs an `encoder`.*Pass encoder=..."),
    ],
)
def test_a_part_that_is_missing_is_told_before_the_first_batch(
    of, options, message, digits
):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Dense(1)])
    model.compile("adam", loss="mse")
    before = model.get_weights()[0]
    watch = km.TangentAnalyzer(digits[:2], of=of, **options)
    with pytest.raises(ValueError, match=message):
        fit(model, digits, [watch], y=digits[:100])
    np.testing.assert_array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_parts_that_cannot_be_called_are_refused(name, digits):
    with pytest.raises(TypeError, match=f"`{name}` must be .*{name}='x'"):
        km.TangentAnalyzer(digits[:2], **{name: "x"})


@pytest.mark.parametrize("kind", WATCHES.values(), ids=WATCHES)
def test_a_unit_that_is_none_is_refused(kind, digits):
    with pytest.raises(ValueError, match=r"`unit` must be .*unit='hour'"):
        kind(digits[:2], unit="hour")


# One run, one folder.


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
    history = fit(model, digits, [watch], epochs=2).history
    assert watch.history["step"] == [0, 1, 2]
    assert column(tmp_path, "loss") == dict(zip((1, 2), history["loss"]))
    steps = sorted(int(path.stem[-4:]) for path in tmp_path.glob("*.npz"))
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
    assert second.history["tangent_drift"][3] == pytest.approx(drift, rel=1e-4)


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
                    watch.set_model(model_of())
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
        fit(model_of(), digits, [*through, Interrupt(2)])
    del through
    watches, through = callbacks()
    fit(model_of(), digits, through, epochs=4)
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
    assert [float(found[name]) for name in names] == pytest.approx(expected, rel=1e-4)


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
    assert {path.stem[-4:] for path in tmp_path.glob("*.npz")} == {"0000", "0003"}
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


def test_a_sink_of_the_user_may_be_a_directory_for_both(digits, tmp_path):
    sink = DirectorySink(tmp_path, prefix="all")
    watches = [kind(digits[:2], sinks=[sink]) for kind in WATCHES.values()]
    history = fit(model_of(), digits, watches).history
    for name in ("loss", "tangent_norm"):
        found = column(tmp_path, name, "all")
        assert [found[step] for step in (1, 2, 3)] == history[name]
    assert list(column(tmp_path, "reconstruction_mse", "all")) == [0, 1, 2, 3]


def test_the_layers_are_not_traced_again_after_the_first_look(digits, tmp_path):
    if BACKEND == "torch":
        pytest.skip("PyTorch runs the layers eagerly, without a trace")

    class Counting(keras.layers.Dense):
        def call(self, inputs):
            calls.append(1)
            return super().call(inputs)

    calls, counts = [], []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: counts.append(len(calls))
    )
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), Counting(3)]
    )
    decoder = keras.Sequential([keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))])
    model = km.AutoEncoder(encoder, decoder)
    model.compile("adam", loss="mse")
    watches = [kind(digits[:2], directory=tmp_path) for kind in WATCHES.values()]
    fit(model, digits, [*watches, count], epochs=4)
    assert counts[0] > 0
    assert len(set(counts)) == 1


def test_callbacks_can_be_copied_as_keras_tuner_does(digits, tmp_path):
    import copy

    watch = km.TangentAnalyzer(digits[:2], directory=tmp_path)
    twin = copy.deepcopy(watch)
    fit(model_of(), digits, [twin], epochs=1)
    assert twin.history["step"] == [0, 1]
    assert watch.history["step"] == []


def test_history_is_plain_enough_for_json(digits):
    watch = km.TangentAnalyzer(digits[:2])
    fit(model_of(), digits, [watch], epochs=1)
    assert json.loads(json.dumps(watch.history)) == watch.history
