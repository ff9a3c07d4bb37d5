import keras
import numpy as np
import pytest

import keras_manifold as km
from keras_manifold.pages._fragments import content


def test_numbers_of_a_snapshot_stand_in_the_page_in_full_precision(
    tmp_path, write_tangents, fragments_of
):
    arrays = write_tangents(tmp_path, 3)
    snapshot = fragments_of(km.report(tmp_path)).files["tangent_space_0003.npz"]
    assert (snapshot["kind"], snapshot["name"], snapshot["step"]) == (
        "tangents",
        "tangent",
        3,
    )
    for name in ("singular_values", "spectrum"):
        np.testing.assert_array_equal(np.float32(snapshot[name]), arrays[name])
    exact = arrays["spectrum"].astype("float64")
    np.testing.assert_array_equal(snapshot["low"], exact.min(axis=0))
    np.testing.assert_array_equal(snapshot["high"], exact.max(axis=0))
    np.testing.assert_allclose(snapshot["mean"], exact.mean(axis=0), rtol=1e-15)


def test_folders_without_csv_have_norm_dimension_and_top_from_the_spectra(
    tmp_path, write_tangents, fragments_of
):
    sigma = write_tangents(tmp_path, 0, name="decoder")["spectrum"].astype("float64")
    snapshot = fragments_of(km.report(tmp_path)).files["decoder_space_0000.npz"]
    energy = (sigma**2).sum(axis=1)
    assert snapshot["scalars"] == {
        "decoder_norm": pytest.approx(np.sqrt(energy).mean(), rel=1e-12),
        "decoder_dimension": pytest.approx(
            (energy**2 / (sigma**4).sum(axis=1)).mean(), rel=1e-12
        ),
        "decoder_top": pytest.approx(sigma[:, 0].mean(), rel=1e-12),
    }


def test_reconstructions_tell_their_ranges_and_errors(
    tmp_path, write_reconstructions, fragments_of
):
    rows = write_reconstructions(tmp_path, 2)
    snapshot = fragments_of(km.report(tmp_path)).files["reconstruction_0002.npz"]
    assert snapshot["rows"] == ["input", "reconstruction", "noisy_input", "denoised"]
    for name, values in rows.items():
        assert snapshot["pictures"][name]["ranges"] == [[0, float(values.max())]]
    for made in ("reconstruction", "denoised"):
        squares = (rows[made].astype("float64") - rows["input"]) ** 2
        np.testing.assert_allclose(snapshot["errors"][made], squares.mean(axis=(1, 2, 3)))


def test_a_field_tells_its_points_how_they_move_and_the_samples(
    tmp_path, write_reconstructions, fragments_of
):
    arrays = write_reconstructions(tmp_path, 1, shape=(2,), noise=False)
    field = np.float32([[[0, 1], [0.5, 1]], [[2, 0], [np.nan, 0]]])
    np.savez(tmp_path / "reconstruction_0001.npz", **arrays, field=field)
    found = fragments_of(km.report(tmp_path)).files["reconstruction_0001.npz"]["field"]
    assert found["points"] == [[0, 1], [2, 0]]
    assert found["moved"] == [[0.5, 0], [None, 0]]
    np.testing.assert_allclose(found["data"], arrays["input"], rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "field"), [((6, 6, 1), np.ones((3, 2, 2))), ((2,), np.ones((3, 2, 3)))]
)
def test_a_field_of_other_samples_or_shape_is_left_out(
    shape, field, tmp_path, write_reconstructions, fragments_of
):
    arrays = write_reconstructions(tmp_path, 1, shape=shape, noise=False)
    np.savez(tmp_path / "reconstruction_0001.npz", **arrays, field=field)
    found = fragments_of(km.report(tmp_path)).files["reconstruction_0001.npz"]
    assert found["field"] is None


def test_sixteen_samples_and_vectors_are_shown_of_more(
    tmp_path, write_tangents, fragments_of
):
    arrays = write_tangents(tmp_path, 1, samples=20, k=18)
    snapshot = fragments_of(km.report(tmp_path)).files["tangent_space_0001.npz"]
    assert (snapshot["samples"], snapshot["vectors"]) == (20, 18)
    assert np.shape(snapshot["singular_values"]) == (16, 16)
    assert (snapshot["pictures"]["rows"], snapshot["pictures"]["columns"]) == (16, 16)
    # The range is that of all samples.
    exact = arrays["spectrum"].astype("float64")
    np.testing.assert_array_equal(snapshot["high"], exact.max(axis=0))


def test_what_is_not_finite_is_null_and_missing(
    tmp_path, tile, write_tangents, fragments_of
):
    arrays = write_tangents(tmp_path, 1)
    arrays["vectors"][0, 1, 2, 3] = np.nan
    arrays["singular_values"][0, 1] = arrays["spectrum"][0, 1] = np.nan
    np.savez(tmp_path / "tangent_space_0001.npz", **arrays)
    snapshot = fragments_of(km.report(tmp_path)).files["tangent_space_0001.npz"]
    assert snapshot["singular_values"][0][1] is None
    assert snapshot["mean"][1] is None
    assert snapshot["scalars"]["tangent_norm"] is None
    shown = tile(snapshot["pictures"], 0, 1)
    assert np.argwhere(np.isnan(shown)).tolist() == [[0, 2, 3]]
    assert np.isfinite(tile(snapshot["pictures"], 0, 0)).all()


def test_csv_cells_are_numbers_gaps_or_absent(tmp_path, write_scalars, fragments_of):
    write_scalars(
        tmp_path,
        [["step", "loss", "lr"], [0, "", "0.1"], [1, "0.125", "nan"], [2, "inf", ""], [3]],
    )
    content = fragments_of(km.report(tmp_path)).files["tangent_scalars.csv"]
    assert content["values"] == {
        "loss": [[1, 0.125], [2, None]],
        "lr": [[0, 0.1], [1, None]],
    }


def test_the_log_of_keras_counts_epochs_from_zero(tmp_path, digits, fragments_of):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(digits[:32], digits[:32], epochs=2, callbacks=[logger], verbose=0)
    content = fragments_of(km.report(tmp_path)).files["log.csv"]
    assert content["values"]["loss"] == [
        [1, history.history["loss"][0]],
        [2, history.history["loss"][1]],
    ]


def test_ellipses_around_codes_are_those_of_the_metric_in_the_plane_that_is_shown(
    tmp_path, write_tangents, fragments_of
):
    """Semi-axes 1/2 and 1 of the metric diag(4, 1): twice as long as wide."""
    arrays = write_tangents(tmp_path, 1, samples=4)
    quarter = np.sqrt(0.5) * np.array([[1, -1], [1, 1]])
    turned = quarter @ np.diag([4.0, 1.0]) @ quarter.T
    plane = np.random.default_rng(0).normal(size=(4, 2)) * [5, 1]
    for codes, metric, expected in (
        (plane, np.diag([4.0, 1.0]), [1, 0, 2]),
        (plane, turned, [1.5, -0.5, 1.5]),
        # The third code does not vary: the plane is that of the others, its axis longest.
        ([[-3, 0, 7], [3, 0, 7], [0, -1, 7], [0, 1, 7]], np.diag([4.0, 1, 9]), [1, 0, 2]),
        (plane, np.zeros((2, 2)), None),
        (plane, np.full((2, 2), np.nan), None),
        (plane, np.eye(3), None),
        (plane[:, :1], np.eye(1), None),
        (plane[:3], np.eye(2), None),
    ):
        metrics = np.repeat(np.asarray(metric, "float32")[None], 4, axis=0)
        path = tmp_path / "tangent_space_0001.npz"
        np.savez(path, **arrays, codes=np.float32(codes), metric=metrics)
        found = content(path).fragment["codes"]["ellipses"]
        if expected is None:
            assert found is None
        else:
            np.testing.assert_allclose(found, [expected] * 4, atol=2e-3)


def test_areas_at_codes_are_those_of_the_plane_in_units_of_their_median(
    tmp_path, write_tangents
):
    arrays = write_tangents(tmp_path, 1, samples=5)
    codes = np.array([[-3, 0, 7], [3, 0, 7], [0, -1, 7], [0, 1, 7], [0, 0, 7]], "float32")
    # The third code does not vary: its stretch is none of the plane.
    metric = [np.diag([scale, scale, 99.0]) for scale in (1, 2, 3, 6, 0)]
    path = tmp_path / "tangent_space_0001.npz"
    np.savez(path, **arrays, codes=codes, metric=np.float32(metric))
    found = content(path).fragment["codes"]["areas"]
    np.testing.assert_allclose(found, [0.5, 1, 1.5, 3, 0], rtol=1e-3)
    np.savez(path, **arrays, codes=codes)
    assert content(path).fragment["codes"]["areas"] is None


def test_kept_neighbors_are_those_of_the_plane_and_the_inputs(
    tmp_path, write_tangents, rng
):
    arrays = write_tangents(tmp_path, 1, samples=20)
    path = tmp_path / "tangent_space_0001.npz"
    plane = rng.normal(size=(20, 2)).astype("float32")
    same = plane @ np.linalg.qr(rng.normal(size=(4, 2)))[0].T
    for inputs, codes, expected in (
        (same, plane, [1.0, 1.0]),
        (same[:10], plane[:10], None),
        (same, np.full_like(plane, np.nan), None),
    ):
        np.savez(path, **arrays | {"input": inputs, "codes": codes})
        assert content(path).fragment["codes"]["kept"] == expected


def test_files_of_others_are_left_out(tmp_path, write_tangents, fragments_of):
    write_tangents(tmp_path, 1)
    np.savez(tmp_path / "weights_0001.npz", a=np.ones(3))
    (tmp_path / "table.csv").write_text("name,value\na,1\n")
    (tmp_path / ".tangent_space_0002.npz").write_bytes(b"half written")
    files = fragments_of(km.report(tmp_path)).files
    assert files.pop("tangent_space_0001.npz") is not None
    assert files == {"weights_0001.npz": None, "table.csv": None}


def test_what_the_callbacks_write_is_what_the_page_shows(
    tmp_path, digits, half_a_level, tile, fragments_of
):
    model = km.AutoEncoder.dense((8, 8, 1), 3, noise=km.NoiseInjection("gaussian", 0.2))
    model.compile("sgd", loss="mse")
    watch = km.TangentAnalyzer(digits[:4], k=3, directory=tmp_path)
    grid = km.ReconstructionGrid(digits[:5], directory=tmp_path)
    model.fit(digits[:256], epochs=2, callbacks=[watch, grid], verbose=0)
    files = fragments_of(km.report(tmp_path)).files
    snapshots = {
        name: snapshot for name, snapshot in files.items() if name.endswith(".npz")
    }
    assert len(snapshots) == 6
    for name, snapshot in snapshots.items():
        with np.load(tmp_path / name) as arrays:
            if snapshot["kind"] == "tangents":
                spectrum = np.float32(snapshot["spectrum"])
                np.testing.assert_array_equal(spectrum, arrays["spectrum"])
                shown, expected = tile(snapshot["pictures"], 3, 2), arrays["vectors"][3, 2]
                tolerance = half_a_level(snapshot["pictures"], 3)
            else:
                assert snapshot["rows"] == [
                    "input",
                    "reconstruction",
                    "noisy_input",
                    "denoised",
                ]
                sprite = snapshot["pictures"]["denoised"]
                shown, expected = tile(sprite, 0, 4), arrays["denoised"][4]
                tolerance = half_a_level(sprite, 0)
            np.testing.assert_allclose(shown[0], expected[..., 0], atol=tolerance)
