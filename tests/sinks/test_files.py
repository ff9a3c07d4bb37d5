import itertools
import os

from keras_manifold.sinks._files import Files


def test_what_was_listed_is_removed_and_nothing_else(tmp_path):
    names = ["tangent_space_0001.npz", "tangent_scalars.csv"]
    files = Files(tmp_path, "tangent")
    for name in [*names, names[0]]:
        files.add(name)
        (tmp_path / name).touch()
    (tmp_path / "tangent_notes_2024.png").touch()
    (tmp_path / "folder").mkdir()
    outside = tmp_path / "folder" / "kept"
    outside.touch()
    with open(files.path, "a") as file:
        file.write(f"folder/kept\n{outside}\n")
    again = Files(tmp_path, "tangent")
    again.read()
    again.remove_all()
    assert sorted(os.listdir(tmp_path)) == ["folder", "tangent_notes_2024.png"]
    assert outside.exists()


def test_of_a_run_that_listed_nothing_its_known_names_are_removed(tmp_path):
    ours = {"a_0001.png", "a_space_0001.npz", "a_vectors_12345.png", "a_scalars.csv"}
    others = {"a_0001.txt", "a_notes_0001.png", "ab_0001.png", "a_b_0001.png", "a_1.png"}
    for name in ours | others:
        (tmp_path / name).touch()
    Files(tmp_path, "a").remove_all()
    assert set(os.listdir(tmp_path)) == others


def test_of_many_pictures_the_first_the_last_and_some_between_are_kept(tmp_path):
    files = Files(tmp_path, "a")
    kept = set()
    for step in range(0, 2000, 5):
        kept -= set(files.superfluous_pictures("a", step))
        kept.add(step)
        assert len(kept) <= 17
    assert {0, 1995} <= kept
    steps = sorted(kept)[:-1]
    gaps = {b - a for a, b in itertools.pairwise(steps)}
    assert max(gaps) <= 2 * min(gaps), "evenly"
    for step in kept:
        files.add(f"a_{step:04d}.png")
        (tmp_path / f"a_{step:04d}.png").touch()
    resumed = Files(tmp_path, "a")
    resumed.read()
    assert set(resumed.superfluous_pictures("a", 2000)) <= kept
