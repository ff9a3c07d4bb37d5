from collections.abc import Mapping

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_manifold as km
from keras_manifold._storage.snapshots import Snapshot


def trained(digits, callback, epochs=2, **options):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=5, units=(16,), **options)
    model.compile("sgd", loss="mse")
    history = model.fit(
        digits[:100], epochs=epochs, callbacks=[callback], verbose=0
    ).history
    return model, history


def arrays(path):
    with Snapshot.open(path) as snapshot:
        return dict(snapshot.arrays)


def test_it_writes_inputs_and_reconstructions_before_and_after_training(digits, tmp_path):
    x = digits[:5]
    model, history = trained(digits, km.ReconstructionGrid(x, directory=tmp_path))
    names = {path.name for path in tmp_path.iterdir()} - {".reconstruction.lock"}
    others = {"reconstruction_samples.npz", ".reconstruction.files", "index.html"}
    assert names == {"reconstruction_scalars.csv", "run.json", *others} | {
        f"reconstruction_{i:04d}.{e}" for i in range(3) for e in ("png", "npz")
    }
    found = arrays(tmp_path / "reconstruction_0002.npz")
    assert set(found) == {"input", "reconstruction"}
    np.testing.assert_array_equal(found["input"], x)
    np.testing.assert_allclose(
        found["reconstruction"], model.predict(x, verbose=0), atol=1e-6
    )
    assert set(history) == {"loss", "reconstruction_loss"}


def test_with_noise_it_shows_what_becomes_of_corrupted_inputs(digits, tmp_path):
    noise = km.NoiseInjection("masking", 0.5, seed=1)
    model, _ = trained(
        digits, km.ReconstructionGrid(digits[:5], directory=tmp_path), noise=noise
    )
    first, last = (arrays(tmp_path / f"reconstruction_{i:04d}.npz") for i in (0, 2))
    np.testing.assert_array_equal(first["noisy_input"], last["noisy_input"])
    erased = (first["noisy_input"] == 0) & (first["input"] != 0)
    assert 0.3 < erased.sum() / (first["input"] != 0).sum() < 0.7
    np.testing.assert_allclose(
        last["denoised"], model.predict(last["noisy_input"], verbose=0), atol=1e-6
    )


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_noise_by_a_lambda_is_watched(digits):
    noise = km.NoiseInjection(lambda x, level, seed: x + level, 0.25)
    seen = {}
    sinks = [lambda name, value, step: seen.setdefault(name, value)]
    trained(digits, km.ReconstructionGrid(digits[:5], sinks=sinks), noise=noise)
    (found,) = [value for value in seen.values() if isinstance(value, Mapping)]
    np.testing.assert_allclose(found["noisy_input"], digits[:5] + 0.25, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
def test_around_samples_of_two_entries_points_of_a_grid_are_followed(shape, tmp_path):
    x = np.array([[0, 0], [1, 2], [0.5, 1]], "float32").reshape(3, *shape)
    model = km.AutoEncoder.dense(shape, latent_dim=1, units=(2,))
    model.compile("sgd", loss="mse")
    halved = km.ReconstructionGrid(x, directory=tmp_path, reconstruction=lambda x: x / 2)
    model.fit(x, epochs=1, callbacks=[halved], verbose=0)
    field = arrays(tmp_path / "reconstruction_0001.npz")["field"]
    assert field.shape == (225, 2, 2)
    np.testing.assert_allclose(field[:, 1], field[:, 0] / 2)
    low, high = field[:, 0].min(axis=0), field[:, 0].max(axis=0)
    np.testing.assert_allclose([low, high], [[-0.4, -0.4], [1.4, 2.4]], rtol=1e-6)


def test_a_grid_around_columns_of_unlike_units_has_a_margin_of_each(tmp_path):
    x = np.float32([[0, 0], [1, 2000], [0.5, 1000]])
    model = km.AutoEncoder.dense(2, latent_dim=1, units=(2,))
    model.compile("sgd", loss="mse")
    halved = km.ReconstructionGrid(x, directory=tmp_path, reconstruction=lambda x: x / 2)
    model.fit(x, callbacks=[halved], verbose=0)
    points = arrays(tmp_path / "reconstruction_0001.npz")["field"][:, 0]
    corners = [points.min(axis=0), points.max(axis=0)]
    np.testing.assert_allclose(corners, [[-0.2, -400], [1.2, 2400]], rtol=1e-6)


class Unlucky(keras.layers.Layer):
    """Noise with an argument that has no place in a config."""

    def __init__(self, pattern):
        super().__init__()
        self.pattern = pattern

    def call(self, x, training=False):
        return x + self.pattern if training else x


def test_noise_that_cannot_be_copied_is_shown_too(digits, tmp_path):
    noise = Unlucky(np.full((8, 8, 1), 0.5, "float32"))
    grid = km.ReconstructionGrid(digits[:5], directory=tmp_path)
    trained(digits, grid, noise=noise)
    found = arrays(tmp_path / "reconstruction_0001.npz")
    np.testing.assert_allclose(found["noisy_input"], digits[:5] + 0.5, rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16"])
def test_files_of_mixed_precision_are_readable(policy, digits, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        grid = km.ReconstructionGrid(digits[:5], directory=tmp_path)
        trained(digits, grid, noise=km.NoiseInjection())
    finally:
        keras.config.set_dtype_policy("float32")
    for name, values in arrays(tmp_path / "reconstruction_0001.npz").items():
        assert values.dtype in ("float32", "float16"), name


def test_figures_show_the_first_of_many_samples(digits):
    shown = []
    grid = km.ReconstructionGrid(
        digits[:40], sinks=[lambda name, value, step: shown.append(value)]
    )
    trained(digits, grid, epochs=1)
    (arrays, *_) = [value for value in shown if isinstance(value, Mapping)]
    assert len(arrays["input"]) == 40
    (figure, *_) = [value for value in shown if isinstance(value, Figure)]
    assert figure.get_figwidth() < 20


def test_history_holds_the_squared_errors_of_every_look(digits, tmp_path):
    x = digits[:5]
    noise = km.NoiseInjection("masking", 0.5, seed=1)
    grid = km.ReconstructionGrid(x, directory=tmp_path, every=2)
    trained(digits, grid, epochs=5, noise=noise)
    assert grid.history["step"] == [0, 2, 4]
    for index, step in enumerate(grid.history["step"]):
        found = arrays(tmp_path / f"reconstruction_{step:04d}.npz")
        for name, row in (("mse", "reconstruction"), ("denoised_mse", "denoised")):
            expected = np.square(found[row].astype("float64") - x).mean()
            seen = grid.history[f"reconstruction_{name}"][index]
            assert seen == pytest.approx(expected, rel=1e-3)  # half precision in the file


def test_a_model_of_keras_alone_is_watched(digits, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64),
            keras.layers.Reshape((8, 8, 1)),
        ]
    )
    model.compile("sgd", loss="mse")
    grid = km.ReconstructionGrid(digits[:5], directory=tmp_path)
    model.fit(digits[:100], digits[:100], callbacks=[grid], verbose=0)
    found = arrays(tmp_path / "reconstruction_0001.npz")["reconstruction"]
    w, b = model.get_weights()
    expected = (digits[:5].reshape(5, 64) @ w + b).reshape(5, 8, 8, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def classifier():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(3))
    model.compile("sgd", loss="mse")
    return model


def test_a_callable_gives_reconstructions_where_the_model_does_not(digits):
    model = classifier()
    grid = km.ReconstructionGrid(
        digits[:5], reconstruction=lambda x: x * 0 + keras.ops.mean(model(x))
    )
    model.fit(digits[:50], np.zeros((50, 3)), callbacks=[grid], verbose=0)
    constant = model.predict(digits[:5], verbose=0).mean()
    expected = np.square(constant - digits[:5]).mean()
    assert grid.history["reconstruction_mse"][-1] == pytest.approx(expected, rel=1e-4)


def test_outputs_of_another_shape_are_refused_before_the_first_batch(digits):
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"shape \(5, 3\).*Pass reconstruction=..."):
        model.fit(
            digits[:50],
            np.zeros((50, 3)),
            callbacks=[km.ReconstructionGrid(digits[:5])],
            verbose=0,
        )
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    with pytest.raises(TypeError, match=r"`reconstruction` must be .* reconstruction=3"):
        km.ReconstructionGrid(digits[:5], reconstruction=3)


def test_weights_that_become_nan_cost_one_warning_and_may_recover(
    digits, tmp_path, spoiled, recwarn
):
    grid = km.ReconstructionGrid(digits[:5], directory=tmp_path)
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=5, units=(16,))
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    model.fit(digits[:50], epochs=4, callbacks=[spoiled(1, 3), grid], verbose=0)
    finite = np.isfinite(grid.history["reconstruction_mse"])
    assert finite.tolist() == [True, True, False, False, True]
    warned = [w for w in recwarn if "NaN or infinite entries" in str(w.message)]
    assert len(warned) == 1
    assert "after epoch 2" in str(warned[0].message)
    assert (tmp_path / "reconstruction_0002.png").exists()
