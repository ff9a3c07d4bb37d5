"""Several devices and processes, on Keras's and TensorFlow's own engines."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()
HERE = Path(__file__).parent


def output_of(*command):
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": path, "KERAS_BACKEND": BACKEND},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.mark.skipif(
    BACKEND == "torch", reason="Keras has no distribution of its own on PyTorch"
)
def test_two_devices_train_as_one(tmp_path):
    mode = {"tensorflow": "mirrored", "jax": "data_parallel"}[BACKEND]
    one, two = (
        json.loads(output_of(HERE / "distributed_run.py", m, tmp_path / m).splitlines()[-1])
        for m in ("one", mode)
    )
    if BACKEND == "jax":  # it is JAX that cannot share 3 samples between 2 devices
        assert "evenly divide" in two.pop("uneven")
        assert two.pop("shards") == [[2, 4, 4, 1]] * 2  # of three samples for tangents
    assert two["plain"]["handed_on"] == one["plain"]["handed_on"] > 0
    for run, shared in two.items():
        alone = one[run]
        for name, values in shared["history"].items():
            assert np.isfinite(values).all(), (run, name)
        if run == "regularised" and BACKEND == "tensorflow":
            continue  # each replica draws numbers of its own
        for name, values in shared["history"].items():
            expected = alone["history"][name]
            if run == "partial":  # Keras weighs a replica's share of it by its own size
                values, expected = values[:1], expected[:1]
                if name.startswith("val"):
                    continue
            assert values == pytest.approx(expected, rel=1e-4, abs=1e-6), (run, name)
        if run == "partial":
            continue
        for a, b in zip(shared["weights"], alone["weights"], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=run)
        np.testing.assert_allclose(
            shared["singular_values"], alone["singular_values"], rtol=1e-4
        )
    files = [{p.name for p in (tmp_path / m).rglob("*.*")} for m in ("one", mode)]
    assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is an optional extra")
@pytest.mark.skipif(BACKEND != "jax", reason="the example chooses JAX: once is enough")
def test_two_processes_train_as_one(tmp_path, tf):
    text = output_of(
        HERE.parent / "examples/distributed.py", "--epochs", 2, "--out", tmp_path
    )
    assert "results handed on by process 1 of 2: 0" in text
    runs = json.loads((tmp_path / "comparison.json").read_text())
    (alone,), (first, second) = runs["one process"], runs["two processes"]
    for run in ("plain", "denoising and contractive"):
        # JAX draws the same random numbers however a batch is shared.
        assert first[run] == pytest.approx(alone[run], rel=1e-4), run
        assert second[run] == pytest.approx(first[run], rel=1e-6), run
    assert first["handed_on"] == alone["handed_on"] > 0
    assert second["handed_on"] == 0
