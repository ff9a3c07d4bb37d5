import itertools
import math

import keras
import numpy as np
import pytest

import keras_manifold as km


def trained(digits, callbacks, *, epochs=3, model=None, **fit_options):
    model = model or km.AutoEncoder.dense((8, 8, 1), latent_dim=5, units=(16,))
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    history = model.fit(
        digits[:200],
        epochs=epochs,
        batch_size=50,
        callbacks=callbacks,
        verbose=0,
        **fit_options,
    )
    return model, history.history


SCALARS = {"tangent_norm", "tangent_dimension", "tangent_top", "tangent_drift"}


def test_history_holds_everything_there_is_to_know(digits):
    model = km.AutoEncoder.dense((8, 8, 1), 5, units=(16,), contractive_penalty=0.01)
    _, history = trained(
        digits,
        [km.TangentAnalyzer(digits[:4])],
        model=model,
        validation_data=(digits[200:300],),
    )
    losses = {"loss", "reconstruction_loss", "contractive_penalty"}
    assert set(history) == losses | {f"val_{name}" for name in losses} | SCALARS
    assert all(len(values) == 3 for values in history.values())
    assert np.isfinite(list(history.values())).all()


def test_the_last_scalars_are_those_of_the_trained_model(digits):
    x = digits[:4]
    model, history = trained(digits, [km.TangentAnalyzer(x, k=2)])
    jacobians = km.jacobian(model.encoder, x).reshape(4, 5, 64).astype("float64")
    sigma = np.linalg.svd(jacobians, compute_uv=False)
    energy = sigma**2
    expected = {
        "tangent_norm": np.sqrt(energy.sum(1)).mean(),
        "tangent_dimension": (energy.sum(1) ** 2 / (energy**2).sum(1)).mean(),
        "tangent_top": sigma[:, 0].mean(),
    }
    found = {name: history[name][-1] for name in expected}
    assert found == pytest.approx(expected, rel=1e-4)


def test_drift_is_the_mean_principal_angle_between_two_looks(digits, tmp_path):
    _, history = trained(digits, [km.TangentAnalyzer(digits[:4], k=3, directory=tmp_path)])
    looks = [
        km.TangentSpace.load(tmp_path / f"tangent_space_{i:04d}.npz") for i in range(4)
    ]
    expected = [km.principal_angles(a, b).mean() for a, b in itertools.pairwise(looks)]
    assert history["tangent_drift"] == pytest.approx(expected, rel=1e-4)
    assert history["tangent_drift"][0] > 0.01, "training turns the tangent space"


def test_a_model_that_does_not_learn_does_not_drift(digits):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=5, units=(16,))
    watch = km.TangentAnalyzer(digits[:4])
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    history = model.fit(digits[:50], epochs=2, callbacks=[watch], verbose=0).history
    assert max(history["tangent_drift"]) < 1e-5
    assert history["tangent_norm"][0] == pytest.approx(history["tangent_norm"][1], rel=1e-6)


def test_it_writes_figures_and_arrays_before_and_after_training(digits, tmp_path):
    watch = km.TangentAnalyzer(
        digits[:4], k=3, every=2, directory=tmp_path / "runs" / "new"
    )
    trained(digits, [watch], epochs=5)
    expected = {
        f"tangent_{name}_{step:04d}.{ending}"
        for name, ending in (("vectors", "png"), ("spectrum", "png"), ("space", "npz"))
        for step in (0, 2, 4)
    }
    expected |= {"tangent_scalars.csv", "index.html", "run.json", ".tangent.lock"}
    expected |= {"tangent_samples.npz", ".tangent.files"}
    assert {path.name for path in (tmp_path / "runs" / "new").iterdir()} == expected
    space = km.TangentSpace.load(tmp_path / "runs" / "new" / "tangent_space_0004.npz")
    assert space.vectors.shape == (4, 3, 8, 8, 1)
    with np.load(tmp_path / "runs" / "new" / "tangent_space_0004.npz") as arrays:
        assert arrays["spectrum"].shape == (4, 5)
        assert arrays["codes"].shape == (4, 5)
    np.testing.assert_array_equal(space.inputs, digits[:4])


def test_on_epochs_without_a_look_the_last_values_stand(digits):
    _, history = trained(digits, [km.TangentAnalyzer(digits[:4], every=2)], epochs=4)
    norm = history["tangent_norm"]
    assert norm[1] == norm[2]
    assert norm[0] != norm[1] != norm[3]


def test_sinks_get_every_number_figure_and_array_with_its_step(digits):
    got = []
    trained(
        digits,
        [
            km.TangentAnalyzer(
                digits[:2], sinks=[lambda *event: got.append(event)], prefix="x"
            )
        ],
        epochs=1,
    )
    kinds = {name: type(value).__name__ for name, value, _ in got}
    assert kinds == {
        "x_norm": "float",
        "x_dimension": "float",
        "x_top": "float",
        "x_drift": "float",
        "x_space": "dict",
        "x_vectors": "Figure",
        "x_spectrum": "Figure",
        "loss": "float",
        "reconstruction_loss": "float",
    }
    assert {step for _, _, step in got} == {0, 1}


def test_callbacks_that_come_after_see_the_scalars(digits, tmp_path):
    stop = keras.callbacks.EarlyStopping("tangent_dimension", mode="max", min_delta=1e9)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    _, history = trained(digits, [km.TangentAnalyzer(digits[:2]), stop, log], epochs=9)
    assert len(history["loss"]) == 2
    assert "tangent_drift" in (tmp_path / "log.csv").read_text().splitlines()[0]


def test_the_watched_array_may_change_afterwards(digits):
    x = digits[:4].copy()
    watch = km.TangentAnalyzer(x)
    x[:] = np.nan
    _, history = trained(digits, [watch], epochs=1)
    assert np.isfinite(history["tangent_norm"][0])


def test_watching_does_not_change_the_training(digits):
    losses = []
    for callbacks in (
        [],
        [km.TangentAnalyzer(digits[:4]), km.ReconstructionGrid(digits[:4])],
    ):
        keras.utils.set_random_seed(0)
        model = km.AutoEncoder.dense(
            (8, 8, 1),
            5,
            units=(16,),
            contractive_penalty=0.1,
            noise=km.NoiseInjection("gaussian", 0.4),
        )
        losses.append(trained(digits, callbacks, model=model)[1]["loss"])
    assert losses[0] == losses[1]


def test_weights_that_become_nan_give_nan_scalars_and_one_warning_and_may_recover(
    digits, tmp_path, spoiled, recwarn
):
    watch = km.TangentAnalyzer(digits[:2], directory=tmp_path)
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=5, units=(16,))
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    history = model.fit(
        digits[:50], epochs=4, callbacks=[spoiled(1, 3), watch], verbose=0
    ).history
    finite = np.isfinite(history["tangent_norm"]).tolist()
    assert finite == [True, False, False, True]
    assert watch.history["tangent_norm"][0] == pytest.approx(history["tangent_norm"][3])
    assert history["tangent_drift"][3] < 1e-5, "from the last finite look"
    warned = [w for w in recwarn if "No tangent space" in str(w.message)]
    assert len(warned) == 1
    assert "after epoch 2" in str(warned[0].message)
    rows = (tmp_path / "tangent_scalars.csv").read_text().splitlines()
    assert ["nan" in row for row in rows[1:]] == [False, False, True, True, False]


def test_inputs_that_are_no_images_are_watched_too(rng, tmp_path):
    x = rng.normal(size=(40, 6)).astype("float32")
    model = km.AutoEncoder.dense((6,), 2, units=(8,), output_activation=None)
    model.compile("adam", loss="mse")
    watch = km.TangentAnalyzer(x[:3], directory=tmp_path)
    grid = km.ReconstructionGrid(x[:3], directory=tmp_path)
    model.fit(x, epochs=1, callbacks=[watch, grid], verbose=0)
    names = {path.name for path in tmp_path.iterdir()}
    assert "tangent_spectrum_0001.png" in names
    assert {"tangent_vectors_0001.png", "reconstruction_0001.png"} <= names
    assert "reconstruction_0001.npz" in names


def test_it_can_be_used_for_a_second_fit(digits):
    watch = km.TangentAnalyzer(digits[:2])
    model, first = trained(digits, [watch], epochs=2)
    second = model.fit(digits[:200], epochs=2, callbacks=[watch], verbose=0).history
    assert set(second) == set(first)


def test_a_directory_that_cannot_be_made_stops_before_the_first_batch(digits, tmp_path):
    (tmp_path / "file").write_text("in the way")
    model = km.AutoEncoder.dense((8, 8, 1), 2, units=(8,))
    before = model.get_weights()
    with pytest.raises(OSError, match="file"):
        trained(
            digits,
            [km.TangentAnalyzer(digits[:2], directory=tmp_path / "file")],
            model=model,
        )
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "`k` must be .* at least 1.*k=0"),
        ({"every": 0}, ValueError, "`every` must be .*every=0"),
        ({"every": 1.5}, ValueError, "`every` must be .*every=1.5"),
        ({"of": "everything"}, ValueError, "of='everything'"),
        ({"sinks": ["here"]}, TypeError, r"sink\(name, value, step\).*'here'"),
        ({"k": 1.5}, ValueError, "`k` must be a whole number.*k=1.5"),
        ({"prefix": "runs/a"}, ValueError, "folders go into `directory`.*prefix='runs/a'"),
    ],
)
def test_options_out_of_range_are_refused(digits, options, error, message):
    with pytest.raises(error, match=message):
        km.TangentAnalyzer(**{"x": digits[:2], **options})


def linear(shape):
    """A decoder `z ↦ W z` of two codes, with orthogonal columns of these lengths."""
    layer = keras.layers.Dense(4, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.diag(shape) @ np.eye(2, 4)])
    return layer


def test_decoder_distortion_is_that_of_a_linear_decoder_by_hand():
    """tr G² / (tr G)² with stretches 3 and 1: (81 + 1) / 100; at least one over two."""
    x = np.random.default_rng(0).normal(size=(20, 4))
    found = {}
    for lengths, expected in (((3.0, 1.0), 0.82), ((2.0, 2.0), 0.5), ((0.0, 0.0), 0.0)):
        encoder = keras.layers.Dense(2)
        model = km.AutoEncoder(encoder, linear(lengths))
        model.compile(keras.optimizers.SGD(0.0), loss="mse")
        watch = km.TangentAnalyzer(x, also=["decoder_distortion"])
        history = model.fit(x, epochs=1, callbacks=[watch], verbose=0).history
        assert history["decoder_distortion"] == pytest.approx([expected], abs=1e-5)
        found[lengths] = watch.history["decoder_distortion"]
    assert found[3.0, 1.0] == pytest.approx([0.82, 0.82], rel=1e-5)


def test_the_decoders_metric_is_in_the_files_where_its_distortion_is_asked_for(tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 4))
    model = km.AutoEncoder(keras.layers.Dense(2), linear((3.0, 1.0)))
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    for also in (["decoder_distortion"], []):
        folder = tmp_path / str(len(also))
        watch = km.TangentAnalyzer(x, also=also, directory=folder)
        model.fit(x, epochs=1, callbacks=[watch], verbose=0)
        with np.load(folder / "tangent_space_0001.npz") as arrays:
            assert ("metric" in arrays) == bool(also)
            if also:
                expected = [np.diag([9.0, 1.0])] * 5
                np.testing.assert_allclose(arrays["metric"], expected, atol=1e-5)
        assert len(km.TangentSpace.load(folder / "tangent_space_0001.npz")) == 5


def test_denoiser_dimension_counts_the_directions_that_a_projection_keeps():
    """Decoder after encoder is the projection onto two of four axes."""
    x = np.random.default_rng(0).normal(size=(200, 4))
    encoder = keras.layers.Dense(2, use_bias=False)
    encoder.build((None, 4))
    encoder.set_weights([np.eye(4, 2)])
    model = km.AutoEncoder(encoder, linear((1.0, 1.0)), noise=0.3)
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    names = ["denoiser_dimension", "decoder_distortion"]
    watch = km.TangentAnalyzer(x, also=names, of="reconstruction")
    silence = km.NoiseSchedule(lambda epoch, level: 0.0 if epoch == 1 else 0.3)
    model.fit(x, epochs=2, callbacks=[silence, watch], verbose=0)
    before, first, last = watch.history["denoiser_dimension"]
    # Standard error sqrt(2 d / (draws n)) = 0.05.
    assert before == pytest.approx(2.0, abs=0.2)
    assert first == before, "the same draws at all snapshots"
    assert np.isnan(last), "no noise, no scale"


def test_of_a_range_of_levels_the_denoiser_dimension_is_at_the_geometric_mean():
    """A clip to [-1, 1] keeps noise of stddev 1 with the probability to lie within."""
    halves = [
        keras.Sequential([keras.Input((4,)), keras.layers.Activation(name)])
        for name in ("linear", "hard_tanh")
    ]
    model = km.AutoEncoder(*halves, noise=km.NoiseInjection("gaussian", (0.5, 2.0)))
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    x = np.zeros((500, 4))
    watch = km.TangentAnalyzer(x, also="denoiser_dimension")
    history = model.fit(x, epochs=1, callbacks=[watch], verbose=0).history
    expected = 4 * math.erf(1 / math.sqrt(2))  # 2.73; at the ends 3.82 and 1.53
    error = 5 * math.sqrt(2 * 4 / (8 * len(x)))
    assert history["denoiser_dimension"] == pytest.approx([expected], abs=error)


def test_what_is_also_asked_for_bears_another_prefix_and_goes_into_files(digits, tmp_path):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,), noise=0.2)
    watch = km.TangentAnalyzer(
        digits[:4], also="denoiser_dimension", prefix="test", directory=tmp_path
    )
    _, history = trained(digits, [watch], model=model, epochs=1)
    assert "test_denoiser_dimension" in history
    header = (tmp_path / "test_scalars.csv").read_text().splitlines()[0]
    assert "test_denoiser_dimension" in header.split(",")


def test_what_can_not_be_reported_is_refused_before_training(digits):
    with pytest.raises(ValueError, match='"decoder_distortion" or "denoiser_dimension"'):
        km.TangentAnalyzer(digits[:4], also=["distortion"])
    with pytest.raises(ValueError, match="a model without `noise`"):
        trained(digits, [km.TangentAnalyzer(digits[:4], also=["denoiser_dimension"])])
    watch = km.TangentAnalyzer(digits[:4, ..., 0], also=["decoder_distortion"])
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Dense(8)])
    model.encoder = model.layers[0]
    model.compile(loss="mse")
    with pytest.raises(ValueError, match="needs a `decoder`"):
        model.fit(digits[:10, ..., 0], digits[:10, ..., 0], callbacks=[watch], verbose=0)
