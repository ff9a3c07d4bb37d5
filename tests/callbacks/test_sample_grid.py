import json
import re
import struct

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
        ({"settings": "abc"}, TypeError, "`settings` must be a mapping.*settings='abc'"),
        ({"settings": [1]}, TypeError, r"settings=\[1\]"),
        ({"settings": {"verbose": 1}}, TypeError, "takes the settings scale.*verbose=1"),
        ({"settings": {"scal": 1}}, TypeError, "takes the settings scale.*scal=1"),
        ({"settings": {"scale": -1}}, ValueError, "`scale` must be .*scale=-1"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_at_once(digits, arguments, error, message):
    with pytest.raises(error, match=message):
        km.SampleGrid(digits[:2], **arguments)


def lost(recwarn):
    return [str(w.message) for w in recwarn if "No samples" in str(w.message)]


def test_levels_of_zero_cost_one_warning_and_may_rise_and_fall(digits, tmp_path, recwarn):
    levels = [0.0, 0.3, 0.0, 0.3]
    schedule = km.NoiseSchedule(lambda epoch, level: levels[epoch])
    grid = km.SampleGrid(digits[:2], steps=1, directory=tmp_path)
    fit(denoising(0.0), digits, [schedule, grid], epochs=4)
    moved = grid.history["samples_moved"]
    assert np.isfinite(moved).tolist() == [False, False, True, False, True]
    (message,) = lost(recwarn)
    assert "No samples before training" in message
    assert "level=0.0, no noise" in message
    files = {path.name for path in tmp_path.glob("samples_0*.npz")}
    assert files == {"samples_0002.npz", "samples_0004.npz"}


def test_noise_that_is_of_another_kind_is_refused_at_level_zero_too(digits):
    model = denoising(km.NoiseInjection("masking", 0.0))
    with pytest.raises(ValueError, match="kind='masking'"):
        fit(model, digits, [km.SampleGrid(digits[:2])], epochs=1)


def test_weights_that_become_nan_cost_one_warning_and_may_recover(
    digits, tmp_path, spoiled, recwarn
):
    grid = km.SampleGrid(digits[:2], steps=2, directory=tmp_path)
    model = km.AutoEncoder.dense((8, 8, 1), latent_dim=3, units=(8,), noise=0.3)
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    fit(model, digits, [spoiled(1, 3), grid], epochs=4)
    finite = np.isfinite(grid.history["samples_moved"])
    assert finite.tolist() == [True, True, False, False, True]
    (message,) = lost(recwarn)
    assert "after epoch 2: The chain left the finite numbers" in message


def test_a_chain_that_diverges_costs_one_warning(digits, recwarn):
    grid = km.SampleGrid(
        digits[:2], steps=5, method="denoising", stddev=0.1, denoiser=lambda x: x * 1e30
    )
    fit(denoising(), digits, [grid], epochs=2)
    assert np.isnan(grid.history["samples_moved"]).tolist() == [True] * 3
    assert len(lost(recwarn)) == 1


def test_another_level_than_that_of_the_noise_costs_one_warning(digits, recwarn):
    halved = km.NoiseSchedule(lambda epoch, level: level / 2)
    grid = km.SampleGrid(digits[:2], steps=1, stddev=0.5)
    fit(denoising(0.3), digits, [halved, grid], epochs=3)
    messages = [str(w.message) for w in recwarn if "level=" in str(w.message)]
    assert len(messages) == 1
    assert "level=0.3" in messages[0]


def test_samples_of_another_shape_are_refused_before_the_first_batch(digits):
    model = denoising()
    with pytest.raises(ValueError, match=r"inputs of shape \(None, 8, 8, 1\).*\(4, 4, 1\)"):
        fit(model, digits, [km.SampleGrid(digits[:2, :4, :4])], epochs=1)
    assert int(model.optimizer.iterations) == 0


def summaries(file):
    """What a file of events holds: records of length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    content, start = file.read_bytes(), 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        event = Event.FromString(content[start + 12 : start + 12 + length])
        yield from ((event.step, value) for value in event.summary.value)
        start += 12 + length + 4


def test_tensorboard_gets_numbers_and_figures(digits, tmp_path):
    pytest.importorskip("tensorboardX", reason="of the extra `tensorboard`")
    grid = km.SampleGrid(digits[:2], steps=1, log_dir=tmp_path)
    fit(denoising(), digits, [grid], epochs=2)
    (file,) = tmp_path.glob("events*")
    found = list(summaries(file))
    moved = {step: v.simple_value for step, v in found if v.tag == "samples_moved"}
    assert list(moved) == grid.history["step"] == [0, 1, 2]
    assert list(moved.values()) == pytest.approx(grid.history["samples_moved"])
    images = [(step, value.image) for step, value in found if value.tag == "samples"]
    assert [step for step, _ in images] == [0, 1, 2]
    assert all(i.encoded_image_string.startswith(b"\x89PNG") for _, i in images)


def test_noise_that_tells_no_standard_deviation_is_refused_before_the_first_batch(digits):
    model = denoising(km.NoiseInjection("masking", 0.3))
    with pytest.raises(ValueError, match="kind='masking'"):
        fit(model, digits, [km.SampleGrid(digits[:2])], epochs=1)
    assert int(model.optimizer.iterations) == 0
