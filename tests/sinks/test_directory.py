import copy
import csv
import os

import keras
import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import keras_manifold as km
from keras_manifold.plot.lines import spectrum
from keras_manifold.sinks.directory import DirectorySink


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_arrays_figures_and_numbers(tmp_path):
    sink = DirectorySink(tmp_path, prefix="all")
    sink("arrays", {"a": np.arange(3)}, 1)
    sink("figure", spectrum([2.0, 1.0]), 12)
    sink("number", 1.0, 1)
    sink("noise0.4", {"a": np.arange(3)}, 1)
    sink.flush()
    assert {path.name for path in tmp_path.iterdir()} == {
        "arrays_0001.npz",
        "figure_0012.png",
        "noise0.4_0001.npz",
        "all_scalars.csv",
        "index.html",
    }
    assert (tmp_path / "all_scalars.csv").read_text() == "step,number\n1,1.0\n"
    with np.load(tmp_path / "arrays_0001.npz") as arrays:
        np.testing.assert_array_equal(arrays["a"], np.arange(3))
    assert (tmp_path / "figure_0012.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_vanishes_costs_one_warning_that_names_it(tmp_path, recwarn):
    sink = DirectorySink(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for step in range(3):
        sink("arrays", {"a": np.arange(3)}, step)
    (warning,) = [w for w in recwarn if "can't be written" in str(w.message)]
    assert str(tmp_path / "gone") in str(warning.message)


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path):
    class Unwritable:
        def __array__(self, dtype=None, copy=None):
            raise OSError("disk full")

    path = tmp_path / "arrays_0001.npz"
    path.write_bytes(b"old")
    with pytest.warns(UserWarning, match="disk full"):
        DirectorySink(tmp_path)("arrays", {"a": np.arange(3), "b": Unwritable()}, 1)
    assert os.listdir(tmp_path) == ["arrays_0001.npz"]
    assert path.read_bytes() == b"old"


def test_numbers_of_a_step_share_a_row_and_columns_may_come_later(tmp_path):
    sink = DirectorySink(tmp_path, prefix="x")
    sink.begin(0)
    sink("a", 1, 0)
    sink("b", 0.1, 2)
    sink("a", float("nan"), 2)
    sink('odd, "name"', np.float32(0.5), 1)
    sink("b", 0.2, 2)
    sink.flush()
    assert rows(tmp_path / "x_scalars.csv") == [
        {"step": "0", "a": "1.0", "b": "", 'odd, "name"': ""},
        {"step": "1", "a": "", "b": "", 'odd, "name"': "0.5"},
        {"step": "2", "a": "nan", "b": "0.2", 'odd, "name"': ""},
    ]


def test_a_run_that_resumes_keeps_the_rows_up_to_its_step(tmp_path):
    first = DirectorySink(tmp_path)
    first.begin(0)
    for step in range(5):
        first("a", step / 2, step)
    first.close()
    second = DirectorySink(tmp_path)
    second.begin(3)
    second("b", 7.0, 3)
    second.flush()
    assert [tuple(row.values()) for row in rows(tmp_path / "run_scalars.csv")] == [
        ("0", "0.0", ""),
        ("1", "0.5", ""),
        ("2", "1.0", ""),
        ("3", "1.5", "7.0"),
    ]


def test_many_rows_are_not_dropped_in_silence(tmp_path):
    first = DirectorySink(tmp_path)
    first.begin(0)
    for step in range(9):
        first("a", 1.0, step)
    first.close()
    with pytest.warns(UserWarning, match="resumes at step 2.*up to step 8.*are dropped"):
        DirectorySink(tmp_path).begin(2)


def test_a_new_run_is_refused_where_another_one_stands_and_nothing_changes(tmp_path):
    first = DirectorySink(tmp_path)
    first.begin(0)
    for step in range(4):
        first("a", 1.0, step)
    first.close()
    before = (tmp_path / "run_scalars.csv").read_bytes()
    second = DirectorySink(tmp_path)
    for _ in range(2):  # trying again does not help
        with pytest.raises(ValueError, match=r"a run of 3 epochs, up to step 3.*Choose"):
            second.begin(0)
        second.close()
    assert (tmp_path / "run_scalars.csv").read_bytes() == before
    first.begin(0)  # its own
    first("a", 2.0, 0)
    first.flush()
    assert rows(tmp_path / "run_scalars.csv") == [{"step": "0", "a": "2.0"}]


def test_a_run_killed_in_its_first_epoch_begins_again(tmp_path):
    first = DirectorySink(tmp_path)
    first.begin(0)
    for step in range(0, 60, 10):  # batches
        first("a", 1.0, step)
        first("epoch", 0.0, step)
    first.flush()
    second = DirectorySink(tmp_path)
    second.begin(0)
    second("a", 3.0, 0)
    second.flush()
    assert [row["a"] for row in rows(tmp_path / "run_scalars.csv")] == ["3.0"]


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "run_scalars.csv").write_text("epoch,loss\n1,0.5\n")
    sink = DirectorySink(tmp_path)
    with pytest.raises(ValueError, match=r"first column is `step`. Received.*'epoch'"):
        sink.begin(0)
    sink.close()
    assert (tmp_path / "run_scalars.csv").read_text() == "epoch,loss\n1,0.5\n"


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    for name in (".arrays_0002.npz.123", ".run_scalars.csv.123"):
        (tmp_path / name).write_bytes(b"half")
    others = {".arrays_more_0002.npz.123", ".arrays_0002.npz.user"}
    for name in others:
        (tmp_path / name).touch()
    sink = DirectorySink(tmp_path)
    sink.begin(0)
    sink("arrays", {"a": np.arange(3)}, 2)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"arrays_0002.npz", ".run.files", *others}


def test_a_page_that_another_callback_is_writing_is_left_alone(tmp_path):
    page = tmp_path / ".index.html.123"
    page.write_bytes(b"half")
    DirectorySink(tmp_path, prefix="one").begin(0)
    assert page.exists()
    minutes_ago = page.stat().st_mtime - 120
    os.utime(page, (minutes_ago, minutes_ago))
    DirectorySink(tmp_path, prefix="two").begin(0)
    assert not page.exists()


def test_a_figure_is_rendered_once_for_all_sinks(tmp_path, monkeypatch):
    drawn = []
    draw = FigureCanvasAgg.draw
    monkeypatch.setattr(
        FigureCanvasAgg, "draw", lambda self: (drawn.append(self.figure), draw(self))
    )
    figure = spectrum([2.0, 1.0])
    sinks = [DirectorySink(tmp_path / name) for name in "ab"]
    for sink in sinks:
        sink("figure", figure, 1)
    assert drawn == [figure]
    a, b = (matplotlib.image.imread(tmp_path / f"{n}/figure_0001.png") for n in "ab")
    np.testing.assert_array_equal(a, b)
    figure.savefig(tmp_path / "usual.png")
    usual = matplotlib.image.imread(tmp_path / "usual.png")[..., :3]
    np.testing.assert_allclose(a, usual, atol=2 / 255)


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    def no_space(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", no_space)
    with pytest.raises(OSError, match="No space left"):
        DirectorySink(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        DirectorySink(tmp_path / "file" / "folder")


def test_the_page_of_a_run_shows_what_the_folder_holds(digits, tmp_path):
    model = km.AutoEncoder.dense((8, 8, 1), 2, units=(4,))
    model.compile("sgd", loss="mse")
    written = []

    class Reader(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            written.append((tmp_path / "index.html").exists())

    watch = [
        kind(digits[:3], directory=tmp_path)
        for kind in (km.TangentAnalyzer, km.ReconstructionGrid)
    ]
    model.fit(digits[:50], epochs=3, callbacks=[*watch, Reader()], verbose=0)
    assert written[1], "while it trains"
    page = (tmp_path / "index.html").read_text()
    assert 'data-running="false"' in page
    for path in [*tmp_path.glob("*[0-9].npz"), *tmp_path.glob("*.csv")]:
        assert f'data-file="{path.name}"' in page


def test_a_page_that_is_somebody_elses_is_left_alone(digits, tmp_path):
    (tmp_path / "index.html").write_text("<p>mine")
    model = km.AutoEncoder.dense((8, 8, 1), 2, units=(4,))
    model.compile("sgd", loss="mse")
    watch = km.ReconstructionGrid(digits[:3], directory=tmp_path)
    with pytest.warns(UserWarning, match="The page of .* another page has that name"):
        model.fit(digits[:50], epochs=3, callbacks=[watch], verbose=0)
    assert (tmp_path / "index.html").read_text() == "<p>mine"
    assert (tmp_path / "reconstruction_0003.png").exists()


@pytest.fixture
def trained(digits):
    """Callable that trains with callbacks."""
    model = km.AutoEncoder.dense((8, 8, 1), 2, units=(4,))
    model.compile("sgd", loss="mse")

    def fit(*callbacks, **options):
        return model.fit(digits[:50], callbacks=callbacks, verbose=0, **options)

    return fit


def test_foreign_files_do_not_end_the_training(digits, tmp_path, trained):
    np.savez(tmp_path / "mine_1.npz", vectors=np.ones(3), singular_values=np.ones(3))
    np.savez(tmp_path / "text_1.npz", input=np.array(["a"]), reconstruction=np.array(["b"]))
    (tmp_path / "long.csv").write_text("epoch,text\n0," + "x" * 200_000 + "\n")
    trained(km.ReconstructionGrid(digits[:3], directory=tmp_path), epochs=3)
    assert 'data-file="reconstruction_0003.npz"' in (tmp_path / "index.html").read_text()


def test_whatever_the_page_raises_costs_one_warning(digits, tmp_path, trained, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no page")

    monkeypatch.setattr("keras_manifold.sinks.directory.write_page", broken)
    with pytest.warns(UserWarning, match="can't be written: no page") as warned:
        trained(km.ReconstructionGrid(digits[:3], directory=tmp_path), epochs=3)
    assert len([w for w in warned if "no page" in str(w.message)]) == 1
    assert (tmp_path / "reconstruction_0003.png").exists()


def test_what_a_users_sink_does_to_a_figure_is_not_in_the_file(digits, tmp_path, trained):
    def spoil(name, value, step):
        if hasattr(value, "savefig"):
            value.clf()

    for folder, sinks in (("alone", []), ("spoilt", [spoil])):
        keras.utils.set_random_seed(0)
        grid = km.ReconstructionGrid(
            digits[:3],
            directory=tmp_path / folder,
            sinks=sinks,
            reconstruction=lambda x: 0.5 * x,
        )
        trained(grid, epochs=3)
    for path in (tmp_path / "alone").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "spoilt" / path.name).read_bytes()


def test_numbers_of_others_named_step_and_epoch_are_told_apart(digits, tmp_path, trained):
    class Other(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(step=7.0, epoch=float(epoch))

    trained(Other(), km.ReconstructionGrid(digits[:3], directory=tmp_path), epochs=2)
    found = rows(tmp_path / "reconstruction_scalars.csv")
    assert [row["step"] for row in found] == ["0", "1", "2"]
    assert [row["logs_step"] for row in found] == ["", "7.0", "7.0"]
    assert "epoch" not in found[0]
    again = km.ReconstructionGrid(digits[:3], directory=tmp_path)
    trained(again, initial_epoch=2, epochs=3)
    assert again.history["step"] == [0, 1, 2, 3]


def test_a_callback_that_failed_leaves_the_run_after_it_alone(digits, tmp_path, trained):
    def fail(name, value, step):
        if step == 3 and name == "loss":
            raise RuntimeError("mine")

    first = km.ReconstructionGrid(digits[:3], directory=tmp_path, sinks=[fail])
    with pytest.raises(RuntimeError, match="mine"):
        trained(first, epochs=5)
    second = km.ReconstructionGrid(digits[:3], directory=tmp_path)
    trained(second, initial_epoch=3, epochs=6)
    first.sinks = ()
    trained(first, initial_epoch=6, epochs=7)
    steps = [int(row["step"]) for row in rows(tmp_path / "reconstruction_scalars.csv")]
    assert steps == list(range(8))


def test_callbacks_that_were_interrupted_can_be_copied(digits, tmp_path, trained):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    sink = DirectorySink(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trained(km.ReconstructionGrid(digits[:3], sinks=[sink]), Stop(), epochs=4)
    assert copy.deepcopy(sink).directory == tmp_path


@pytest.mark.parametrize("prefix", ["..", ".hidden", "a/b"])
def test_prefixes_that_hide_results_are_refused(prefix, digits):
    with pytest.raises(ValueError, match="`prefix` must be the first part"):
        km.ReconstructionGrid(digits[:3], prefix=prefix)


def test_files_of_an_earlier_longer_fit_are_not_deleted_in_silence(tmp_path):
    sink = DirectorySink(tmp_path)
    for last in (3, 1):
        sink.claim()
        if last == 1:
            with pytest.warns(UserWarning, match="3 files of later steps.*are deleted"):
                sink.begin(0)
        else:
            sink.begin(0)
        for step in range(last + 1):
            sink("loss", 1.0, step)
            sink("a", {"codes": np.ones((2, 3))}, step)
            sink.flush()
        sink.close()
    assert sorted(p.name for p in tmp_path.glob("*.npz")) == ["a_0000.npz", "a_0001.npz"]
