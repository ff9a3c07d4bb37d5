"""Runs that are killed at random moments, and go on in a new process."""

import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import keras_manifold as km

SCRIPT = Path(__file__).parent / "killed_run.py"
DELAY = 0.4
# Each takes a tenth of a second at least: with four for each kill, no run ends before it.
EPOCHS = 4


def killed(folder, unit, place, epochs, delay):
    """Starts the run, kills it `delay` seconds after its first epoch has begun."""
    command = [sys.executable, SCRIPT, folder, unit, str(place), str(epochs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch"):
                break
        if delay is None:
            rest = process.stdout.read()
            assert process.wait(300) == 0
            return json.loads(rest.rpartition("ends ")[2])
        time.sleep(delay)
        process.kill()
    return None


def check_whole(folder):
    """Every file that has a name can be read."""
    for path in folder.glob("*.npz"):
        with np.load(path) as arrays:
            assert all(np.isfinite(array).all() for array in dict(arrays).values()), path
    for path in folder.glob("*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82"), path
    for path in folder.glob("*.csv"):
        with open(path, newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1, path


def check_complete(folder, unit, epochs, histories):
    in_epoch = 1 if unit == "epoch" else 4
    ends = [in_epoch * epoch for epoch in range(epochs + 1)]
    looks = set(range(0, ends[-1] + 1, 1 if unit == "epoch" else 3))
    with open(folder / "seen.jsonl") as file:
        seen = {}
        for line in file:
            values = json.loads(line)
            seen[values["epoch"]] = values["loss"]  # the last time it was trained
    for prefix, history in zip(("tangent", "reconstruction"), histories):
        name = f"{prefix}_{'norm' if prefix == 'tangent' else 'mse'}"
        with open(folder / f"{prefix}_scalars.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        steps = [int(row["step"]) for row in rows]
        assert steps == sorted(set(steps)), "no row is there twice"
        assert looks <= set(steps) <= looks | set(ends)
        # A resume looks at its first step too.
        assert looks <= set(history["step"]) <= looks | set(ends)
        found = {int(row["step"]): float(row[name]) for row in rows if row[name]}
        assert found == dict(zip(history["step"], history[name]))
        losses = {int(row["step"]): float(row["loss"]) for row in rows if row["loss"]}
        lost = set(ends[1:]) - losses.keys()
        for step, loss in losses.items():
            assert loss == pytest.approx(seen[step // in_epoch], rel=1e-5), step
        yield prefix, lost


def run_with_kills(folder, unit, place, kills, seed):
    draw = random.Random(seed)
    epochs = EPOCHS * (1 + kills)
    for _ in range(kills):
        killed(folder, unit, place, epochs, draw.uniform(0.0, DELAY))
        check_whole(folder)
    histories = killed(folder, unit, place, epochs, None)
    check_whole(folder)
    hidden = {path.name for path in folder.glob(".*")}
    assert {".tangent.lock", ".reconstruction.lock"} <= hidden
    for prefix, lost in check_complete(folder, unit, epochs, histories):
        # Where BackupAndRestore comes first, it may save an epoch whose numbers a kill
        # then keeps from us: Keras does not tell them again.
        is_behind = place == 0 or (place == 1 and prefix == "reconstruction")
        assert len(lost) <= (kills if is_behind else 0), (prefix, lost)


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    run_with_kills(tmp_path, "batch", 0, kills=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_run_killed_many_times_loses_and_doubles_nothing(unit, place, seed, tmp_path):
    run_with_kills(tmp_path, unit, place, kills=5, seed=seed)


@pytest.mark.slow
def test_a_run_without_a_kill_is_the_same_as_one_with(tmp_path):
    """Down to the drift, which needs the look before the kill."""
    histories = []
    for name, delays in {"killed": [DELAY, None], "whole": [None]}.items():
        (tmp_path / name).mkdir()
        for delay in delays:
            found = killed(tmp_path / name, "epoch", 2, 2 * EPOCHS, delay)
        histories.append(found[0])
    assert histories[0]["step"] == histories[1]["step"]
    for name in ("tangent_norm", "tangent_drift"):
        assert histories[0][name] == pytest.approx(histories[1][name], rel=1e-3, abs=1e-5)
    last = f"tangent_space_{2 * EPOCHS:04d}.npz"
    space = km.TangentSpace.load(tmp_path / "killed" / last)
    assert space.vectors.shape == (2, 2, 4, 4, 1)
