"""How the tangent spaces of several runs lie to each other."""

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_manifold._storage.snapshots import INPUT, VECTORS, Snapshot
from keras_manifold.pages._fragments import UNREADABLE, result_files
from keras_manifold.subspaces import principal_angles

_MOST_SAMPLES = 16


def angles_between(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Principal angles between the last tangent spaces of runs.

    Args:
        folders: Folders of the runs.

    Returns:
        For each name of tangent spaces that several runs have: its `name`, the `steps` of
        the snapshots, one per run, and for each pair of runs the `mean` and the `largest`
        angle in degrees, means over the samples. `None` where runs lack such a snapshot,
        or watched other samples.
    """
    spaces = [_last_spaces(folder) for folder in folders]
    names = sorted({name for of_run in spaces for name in of_run})
    found = []
    for name in names:
        of_name = [of_run.get(name) for of_run in spaces]
        if sum(space is not None for space in of_name) < 2:
            continue
        n = len(folders)
        mean: list[list[float | None]] = [[None] * n for _ in range(n)]
        largest: list[list[float | None]] = [[None] * n for _ in range(n)]
        for i, j in itertools.combinations(range(n), 2):
            angles = _degrees(of_name[i], of_name[j])
            if angles is not None:
                mean[i][j] = mean[j][i] = float(angles.mean().round(3))
                largest[i][j] = largest[j][i] = float(angles[:, -1].mean().round(3))
        steps = [None if space is None else space[0] for space in of_name]
        found.append({"name": name, "steps": steps, "mean": mean, "largest": largest})
    return found


def _last_spaces(folder):
    """Step, vectors and inputs of the last snapshot of each name."""
    last: dict[str, Path] = {}
    for path in sorted(filter(Snapshot.is_named, result_files(folder)), key=_step):
        last[path.stem.rpartition("_")[0]] = path
    found = {}
    for path in last.values():
        unreadable = contextlib.suppress(FileNotFoundError, *UNREADABLE)
        with unreadable, Snapshot.open(path) as snapshot:
            if snapshot.kind == "tangents":
                arrays = snapshot.arrays
                vectors = arrays[VECTORS][:_MOST_SAMPLES].astype("float64")
                inputs = arrays[INPUT][:_MOST_SAMPLES] if INPUT in arrays else None
                found[snapshot.prefix] = snapshot.step, vectors, inputs
    return found


def _step(path):
    return int(path.stem.rpartition("_")[2])


def _degrees(first, second):
    """Angles of shape `(samples, k)`; `None` where they would mean nothing."""
    if first is None or second is None:
        return None
    (_, a, inputs_of_a), (_, b, inputs_of_b) = first, second
    are_same = inputs_of_a is None or inputs_of_b is None
    if not are_same:
        are_same = np.array_equal(inputs_of_a, inputs_of_b)
    if not are_same or len(a) != len(b) or a.shape[2:] != b.shape[2:]:
        return None
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    try:
        return np.degrees(principal_angles(a, b))
    except ValueError:  # not orthonormal, as in files of others: no tangent spaces
        return None
