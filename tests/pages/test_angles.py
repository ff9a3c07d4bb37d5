import numpy as np
import pytest

import keras_manifold as km


@pytest.fixture
def turned(tmp_path):
    """Runs whose tangent spaces are turned by a known angle against the first run's."""

    def turned(*degrees, inputs=None):
        folders = []
        for i, angle in enumerate(np.radians(degrees)):
            vectors = np.zeros((3, 2, 4, 4, 1), "float32")
            vectors[:, 0, 0, 0] = 1.0
            vectors[:, 1, 1, 0], vectors[:, 1, 2, 0] = np.cos(angle), np.sin(angle)
            folders.append(tmp_path / f"run{i}")
            folders[-1].mkdir()
            arrays = {"vectors": vectors, "singular_values": np.ones((3, 2), "float32")}
            if inputs is not None:
                arrays["input"] = inputs[i]
            np.savez(folders[-1] / "tangent_space_0002.npz", **arrays)
            arrays["vectors"] = vectors[:, ::-1, ::-1]  # not the last one
            np.savez(folders[-1] / "tangent_space_0001.npz", **arrays)
        return folders

    return turned


def test_angles_between_runs_are_those_by_which_they_were_turned(
    turned, tmp_path, fragments_of
):
    (angles,) = fragments_of(km.report(turned(0, 30, 90), tmp_path / "c.html")).angles
    assert angles["name"] == "tangent"
    assert angles["steps"] == [2, 2, 2]
    expected = [[None, 30, 90], [30, None, 60], [90, 60, None]]
    assert angles["largest"] == [
        [value if value is None else pytest.approx(value, abs=1e-3) for value in row]
        for row in expected
    ]
    assert angles["mean"][0][1] == pytest.approx(15, abs=1e-3)


def test_runs_that_watched_other_samples_have_no_angles(turned, tmp_path, fragments_of):
    inputs = np.random.default_rng(0).uniform(size=(2, 3, 4, 4, 1)).astype("float32")
    (angles,) = fragments_of(
        km.report(turned(0, 30, inputs=inputs), tmp_path / "c.html")
    ).angles
    assert angles["mean"] == [[None, None], [None, None]]


def test_a_single_run_has_none(turned, fragments_of):
    assert fragments_of(km.report(turned(0)[0])).angles is None
