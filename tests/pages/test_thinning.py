from pathlib import Path

import numpy as np

import keras_manifold as km
from keras_manifold.pages._thinning import Pictured, thinned


def snapshots(count, size, name="tangent_space"):
    sizes = {f"{name}{i}".encode(): size for i in range(count)}
    return [
        Pictured(Path(f"{name}_{i:04d}.npz"), [f"{name}{i}".encode()], sizes)
        for i in range(count)
    ]


def steps_of(kept):
    return [int(snapshot.path.stem[-4:]) for snapshot in kept]


def test_pictures_that_fit_are_kept():
    assert steps_of(thinned(snapshots(10, 100), 1000)) == list(range(10))


def test_longer_runs_keep_every_second_and_the_last():
    assert steps_of(thinned(snapshots(10, 100), 999)) == [0, 2, 4, 6, 8, 9]
    assert steps_of(thinned(snapshots(10, 100), 500)) == [0, 4, 8, 9]


def test_a_run_that_grows_never_needs_what_it_has_dropped():
    kept = None
    for count in range(1, 100):
        now = set(steps_of(thinned(snapshots(count, 100), 1000)))
        assert count - 1 in now
        if kept is not None:
            assert now <= kept | {count - 1}
        kept = now


def test_the_callback_with_most_pictures_is_thinned_first():
    kept = thinned([*snapshots(8, 100), *snapshots(8, 10, "reconstruction")], 500)
    names = [snapshot.path.name.partition("_")[0] for snapshot in kept]
    assert names.count("reconstruction") == 8
    assert names.count("tangent") < 8


def test_the_page_of_two_hundred_snapshots_is_below_eight_megabytes(tmp_path, fragments_of):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(16, 28, 28, 1)).astype("float32")
    noisy = x + rng.normal(size=x.shape).astype("float32")
    for step in range(200):
        vectors = rng.normal(size=(16, 8, 28, 28, 1)).astype("float32")
        np.savez(
            tmp_path / f"tangent_space_{step:04d}.npz",
            vectors=vectors / 28,
            singular_values=rng.uniform(size=(16, 8)).astype("float32"),
            spectrum=rng.uniform(size=(16, 32)).astype("float32"),
            codes=rng.normal(size=(16, 32)).astype("float32"),
            input=x,
        )
        np.savez(
            tmp_path / f"reconstruction_{step:04d}.npz",
            input=x,
            reconstruction=rng.uniform(size=x.shape).astype("float32"),
            noisy_input=noisy,
            denoised=rng.uniform(size=x.shape).astype("float32"),
        )
    path = km.report(tmp_path)
    assert path.stat().st_size < 8e6
    page = fragments_of(path)
    # Numbers are those of all, and what does not change stands once.
    assert len(page.files) == 400
    inputs = {file["inputs"]["picture"] for file in page.files.values() if "inputs" in file}
    assert len(inputs) == 1
    assert page.files["tangent_space_0199.npz"]["pictures"]["picture"] in page.pictures
    assert len(page.pictures) > 40
    # Written again, nothing changes.
    before = page.pictures
    assert fragments_of(km.report(tmp_path)).pictures == before
