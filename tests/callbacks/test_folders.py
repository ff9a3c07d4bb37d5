"""Where the results of a run go when there were others before."""

import json
import os
import re

import keras
import numpy as np
import pytest
from matplotlib.text import Text
from small_runs import column, fit, model_of

import keras_manifold as km
from keras_manifold._storage.snapshots import Snapshot
from keras_manifold.callbacks._folders import folder_of
from keras_manifold.pages._fragments import content


def watches(digits, folder, **options):
    options = {"directory": folder, **options}
    return [
        km.TangentAnalyzer(digits[:2], k=2, **options),
        km.ReconstructionGrid(digits[:2], **options),
    ]


def test_a_second_run_overwrites_what_bears_its_prefix_and_nothing_else(digits, tmp_path):
    (tmp_path / "tangent_notes_2024.png").write_bytes(b"mine")
    other = km.ReconstructionGrid(digits[:2], directory=tmp_path, prefix="tangent_other")
    fit(model_of(), digits, [*watches(digits, tmp_path), other], epochs=2)
    with pytest.raises(
        ValueError, match=r'such as "runs/\{time\}", or pass overwrite=True'
    ):
        fit(model_of(), digits, watches(digits, tmp_path), epochs=2)
    history = fit(model_of(), digits, watches(digits, tmp_path, overwrite=True), epochs=1)
    assert column(tmp_path, "loss") == dict(zip((1,), history.history["loss"]))
    names = set(os.listdir(tmp_path))
    steps = {name[-8:-4] for name in names if re.fullmatch(r"tangent_space_\d+.npz", name)}
    assert steps == {"0000", "0001"}
    assert (tmp_path / "tangent_notes_2024.png").read_bytes() == b"mine"
    assert "tangent_other_0002.npz" in names
    page = (tmp_path / "index.html").read_text()
    assert "tangent_space_0001.npz" in page
    assert "tangent_space_0002.npz" not in page


def test_a_folder_with_the_time_is_new_and_shared_by_the_callbacks_of_a_fit(
    digits, tmp_path, capsys
):
    kept = watches(digits, tmp_path / "{time}", say_where=True)
    for _ in range(2):
        fit(model_of(), digits, kept, epochs=1)
    folders = sorted(tmp_path.iterdir(), key=lambda p: p.stat().st_ctime_ns)
    assert len(folders) == 2
    for folder in folders:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_2)?", folder.name)
        assert {"tangent_0001", "reconstruction_0001.npz"} & set(os.listdir(folder))
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(
        f"The page of this run: {(folder / 'index.html').as_uri()}" for folder in folders
    )


def test_runs_of_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form: "now")
    found = [folder_of(tmp_path / "run_{time}", {}).name for _ in range(3)]
    assert found == ["run_now", "run_now_2", "run_now_3"]


def test_fits_that_run_side_by_side_keep_their_folders(tmp_path):
    first, second = {}, {}
    folders = [folder_of(tmp_path / "{time}", fit) for fit in (first, second, first)]
    assert folders[0] == folders[2] != folders[1]


def test_the_first_line_says_where_the_page_is_as_progress_is_printed(
    digits, tmp_path, capsys
):
    for verbose, expected in ((0, False), (2, True)):
        folder = tmp_path / str(verbose)
        model_of().fit(
            digits[:20], epochs=1, verbose=verbose, callbacks=watches(digits, folder)
        )
        lines = capsys.readouterr().out.splitlines()
        assert any("The page of this run" in line for line in lines[:1]) is expected


def test_labels_are_on_figures_and_in_the_files(digits, tmp_path):
    got = {}
    options = {
        "directory": tmp_path,
        "labels": ["zero", "one"],
        "sinks": [lambda name, value, step: got.update({name: value})],
    }
    fit(model_of(), digits, watches(digits, tmp_path, **options), epochs=1)
    with np.load(tmp_path / "tangent_samples.npz") as shared:
        assert shared["labels"].tolist() == ["zero", "one"]
    ax = got["tangent_vectors"].axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["zero", "one"]
    ax = got["reconstruction"].axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["zero", "one"]
    with pytest.raises(ValueError, match=r"`labels` must be one per sample of `x`, 2 in"):
        km.TangentAnalyzer(digits[:2], labels=[1])


def test_flattened_images_are_drawn_as_images_on_figures_and_pages(digits, tmp_path):
    x = digits[:20].reshape(20, 64)
    model = km.AutoEncoder.dense(64, latent_dim=3, units=(8,))
    model.compile("sgd", "mse")
    got = {}
    options = {
        "directory": tmp_path,
        "image_shape": (8, 8),
        "sinks": [lambda name, value, step: got.update({name: value})],
    }
    model.fit(x, verbose=0, callbacks=watches(x, tmp_path, **options))
    assert got["tangent_vectors"].axes[0].images
    assert got["reconstruction"].axes[0].images
    for name, part in (("tangent_space_0001", "inputs"), ("reconstruction_0001", "input")):
        with Snapshot.open(tmp_path / f"{name}.npz") as snapshot:
            assert snapshot.arrays["input"].shape == (2, 64)
        fragment = content(tmp_path / f"{name}.npz").fragment
        sprites = [fragment["pictures"], fragment.get(part)]
        if part == "input":
            sprites = [*fragment["pictures"].values()]
        for sprite in sprites:
            assert (sprite["kind"], sprite["height"], sprite["width"]) == ("image", 8, 8)
    assert km.TangentSpace.load(tmp_path / "tangent_space_0001.npz").vectors.shape == (
        2,
        2,
        64,
    )
    with pytest.raises(
        ValueError, match=r"`image_shape` must have as many entries.*\(9, 8\)"
    ):
        km.ReconstructionGrid(x, image_shape=(9, 8))


@pytest.mark.parametrize(
    ("shape", "look", "kind", "channels"),
    [
        ((6, 7, 5), {"bands": [4, 0, 2]}, "image", 3),
        ((5,), {"feature_names": list("abcde")}, "table", 1),
        ((6, 4), {"channel_names": list("abcd")}, "series", 4),
        ((6, 4), {}, "image", 1),
    ],
)
def test_bands_and_names_are_on_figures_in_the_run_and_on_pages(
    tmp_path, rng, shape, look, kind, channels
):
    x = rng.uniform(size=(4, *shape)).astype("float32")
    model = km.AutoEncoder.dense(shape, latent_dim=2, units=())
    model.compile("sgd", "mse")
    got = {}
    sinks = [lambda name, value, step: got.update({name: value})]
    model.fit(x, verbose=0, callbacks=watches(x, tmp_path, sinks=sinks, **look))
    texts = {text.get_text() for text in got["reconstruction"].findobj(Text)}
    told = json.loads((tmp_path / "run.json").read_text())["watches"]["tangent"]
    for name, value in look.items():
        assert told[name] == value
        assert name == "bands" or set(value) <= texts
    fragment = content(tmp_path / "tangent_space_0001.npz").fragment
    for sprite in fragment["pictures"], fragment["inputs"]:
        assert (sprite["kind"], sprite["channels"]) == (kind, channels)
    rows = content(tmp_path / "reconstruction_0001.npz").fragment
    assert rows["pictures"]["reconstruction"]["kind"] == kind
    with np.load(tmp_path / "reconstruction_0001.npz") as arrays:
        errors = np.square(arrays["reconstruction"] - x[:2]).reshape(2, -1).mean(axis=1)
    np.testing.assert_allclose(rows["errors"]["reconstruction"], errors, rtol=1e-5)


def test_names_that_do_not_fit_the_samples_are_refused_at_once():
    with pytest.raises(ValueError, match=r"`feature_names` must be 5 names"):
        km.TangentAnalyzer(np.zeros((2, 5)), feature_names=["a"])
    with pytest.raises(ValueError, match=r"`bands` must be whole numbers in \[0, 3\]"):
        km.ReconstructionGrid(np.zeros((2, 8, 8, 4)), bands=[0, 1, 4])


def test_a_long_run_keeps_few_pictures_and_small_arrays(digits, tmp_path):
    x = digits[:4]
    model = model_of()
    fit(model, digits, watches(x, tmp_path), epochs=12)
    pictures = sorted(int(p.stem[-4:]) for p in tmp_path.glob("tangent_vectors_*.png"))
    assert len(pictures) <= 8
    assert {0, 12} <= set(pictures)
    spaces = [
        km.TangentSpace.load(tmp_path / f"tangent_space_{step:04d}.npz") for step in (3, 12)
    ]
    assert [space.half_precision for space in spaces] == [True, False]
    assert [space.of for space in spaces] == ["encoder"] * 2
    for space, accuracy in zip(spaces, (1e-3, 1e-5)):
        np.testing.assert_array_equal(space.inputs, x[:2])
        flat = space.vectors.reshape(2, 2, -1)
        gram = flat @ flat.swapaxes(1, 2)
        np.testing.assert_allclose(gram, [np.eye(2)] * 2, atol=accuracy)
    exact = km.tangent_space(model, x[:2], k=2)
    assert km.principal_angles(exact, spaces[1]).max() < 1e-4
    with np.load(tmp_path / "reconstruction_0003.npz") as arrays:
        assert list(arrays) == ["reconstruction"]
    assert keras.backend.floatx() == "float32"
