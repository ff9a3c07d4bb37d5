"""What both callbacks do: when they look, and what they hand on."""

import json

import keras
import numpy as np
import pytest
from small_runs import BACKEND, WATCHES, column, fit, model_of, rows

import keras_manifold as km
from keras_manifold.sinks.directory import DirectorySink

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
    model.compile("sgd", loss="mse")

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
    model.compile("sgd", loss="mse")
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
    model.compile("sgd", loss="mse")
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


@pytest.mark.parametrize("ending", ["_space", "_vectors", "_spectrum", "_scalars"])
def test_a_prefix_that_ends_as_files_of_a_shorter_one_is_refused(ending):
    with pytest.raises(ValueError, match=f"`prefix` must not end .* prefix='t{ending}'"):
        km.ReconstructionGrid(np.ones((2, 3)), prefix=f"t{ending}")


def test_names_may_come_in_an_array_and_not_as_one_text(digits):
    x = digits[:3].reshape(3, -1)
    names = np.array([f"pixel {i}" for i in range(x.shape[1])])
    watch = km.ReconstructionGrid(x, feature_names=names)
    assert watch.feature_names == tuple(names.tolist())
    assert km.ReconstructionGrid(x, image_shape=np.array([8, 8])).image_shape == (8, 8)
    with pytest.raises(TypeError, match="`feature_names` must be a list of names"):
        km.ReconstructionGrid(x[:, :5], feature_names="abcde")
