import json
import re

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from small_runs import column, fit

import keras_manifold as km


def denoising(noise=0.3):
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,), noise=noise)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return model


@pytest.mark.parametrize("method", ["tangent", "langevin"])
def test_it_writes_what_sample_draws_of_the_model_as_it_is(digits, tmp_path, method):
    x = digits[:4]
    grid = km.SampleGrid(
        x, steps=3, every=2, method=method, settings={}, directory=tmp_path, seed=5
    )
    model = denoising()
    fit(model, digits, [grid], epochs=2)
    names = {path.name for path in tmp_path.iterdir()} - {".samples.lock"}
    of_the_run = {"samples_scalars.csv", "index.html", "run.json", ".samples.files"}
    assert names == of_the_run | {"samples_samples.npz"} | {
        f"samples_{i:04d}.{ending}" for i in (0, 2) for ending in ("png", "npz")
    }
    with np.load(tmp_path / "samples_samples.npz") as found:
        np.testing.assert_array_equal(found["input"], x)
    with np.load(tmp_path / "samples_0002.npz") as found:
        expected = km.sample(model, x, 3, method=method, seed=5, verbose=0)
        np.testing.assert_allclose(found["sample"], expected, atol=1e-5)
    moved = np.sqrt(np.square(expected - x).mean())
    assert column(tmp_path, "samples_moved", "samples")[2] == pytest.approx(moved, rel=1e-4)
    assert grid.history["step"] == [0, 2]
    page = (tmp_path / "index.html").read_text()
    assert json.dumps("sample") in page
    assert re.search(r'"kind": ?"reconstructions"', page)


def test_a_second_run_replaces_the_first_where_it_may(digits, tmp_path):
    def watch(**options):
        grid = km.SampleGrid(digits[:2], steps=1, directory=tmp_path, **options)
        fit(denoising(), digits, [grid], epochs=2)

    watch(labels=["a", "b"])
    with np.load(tmp_path / "samples_samples.npz") as found:
        assert found["labels"].tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="overwrite=True"):
        watch()
    watch(overwrite=True)
    with np.load(tmp_path / "samples_samples.npz") as found:
        assert "labels" not in found


def test_sinks_get_a_figure_of_starts_and_samples(digits):
    seen = {}

    def sink(name, value, step):
        seen.setdefault(name, value)

    grid = km.SampleGrid(digits[:3], steps=1, prefix="drawn", sinks=[sink])
    fit(denoising(), digits, [grid], epochs=2)
    assert isinstance(seen["drawn"], (Figure, dict))
    assert "drawn_moved" in seen


def test_settings_go_to_the_method_and_a_denoiser_in_place_of_the_model(digits):
    grid = km.SampleGrid(
        digits[:2],
        steps=2,
        method="denoising",
        stddev=0.1,
        settings={"output_stddev": 0.0},
        denoiser=lambda x: 0 * x,
    )
    fit(denoising(noise=None), digits, [grid], epochs=1)
    expected = np.sqrt(np.square(digits[:2].astype("float64")).mean())
    assert grid.history["samples_moved"] == pytest.approx([expected] * 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps=0"),
        ({"method": "gibbs"}, ValueError, "method='gibbs'"),
        ({"stddev": 0}, ValueError, "stddev=0"),
        ({"seed": None}, ValueError, "seed=None"),
        ({"denoiser": 3}, TypeError, "denoiser=3"),
    ],
    ids=["steps", "method", "stddev", "seed", "denoiser"],
)
def test_bad_arguments_are_refused_at_once(digits, arguments, error, message):
    with pytest.raises(error, match=message):
        km.SampleGrid(digits[:2], **arguments)


def test_noise_that_tells_no_standard_deviation_is_refused_before_the_first_batch(digits):
    model = denoising(km.NoiseInjection("masking", 0.3))
    with pytest.raises(ValueError, match="kind='masking'"):
        fit(model, digits, [km.SampleGrid(digits[:2])], epochs=1)
    assert int(model.optimizer.iterations) == 0
