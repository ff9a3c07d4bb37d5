import keras
import numpy as np
import pytest

import keras_manifold as km


def trained(digits, callback, epochs=2, **options):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=5, units=(16,), **options)
    model.compile("adam", loss="mse")
    history = model.fit(
        digits[:100], epochs=epochs, callbacks=[callback], verbose=0
    ).history
    return model, history


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def test_it_writes_inputs_and_reconstructions_before_and_after_training(digits, tmp_path):
    x = digits[:5]
    model, history = trained(digits, km.ReconstructionGrid(x, directory=tmp_path))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
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
        assert values.dtype == "float32", name


def test_figures_show_the_first_of_many_samples(digits):
    shown = {}
    grid = km.ReconstructionGrid(
        digits[:40], sinks=[lambda name, value, step: shown.update({type(value): value})]
    )
    trained(digits, grid, epochs=1)
    assert len(shown[dict]["input"]) == 40
    (figure,) = (value for kind, value in shown.items() if kind is not dict)
    assert figure.get_figwidth() < 20
