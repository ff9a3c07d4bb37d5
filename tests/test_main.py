"""What a shell user meets."""

import subprocess
import sys

import numpy as np
import pytest

from keras_manifold.__main__ import main
from keras_manifold.pages._server import Server


@pytest.fixture
def run(tmp_path):
    def run(name):
        folder = tmp_path / name
        folder.mkdir()
        arrays = {"vectors": np.ones((1, 1, 4, 4)) / 4, "singular_values": np.ones((1, 1))}
        np.savez(folder / "tangent_space_0001.npz", **arrays)
        return str(folder)

    return run


def test_it_writes_the_page_of_a_run_and_says_where(run, capsys):
    folder = run("one")
    assert main(["report", folder]) == 0
    assert capsys.readouterr().out == f"{folder}/index.html\n"


def test_it_compares_runs_by_their_labels(run, tmp_path, capsys):
    page = tmp_path / "compare.html"
    words = ["report", f"plain={run('one')}", f"other={run('two')}", "-o", str(page)]
    assert main(words) == 0
    assert '{"label":"plain"' in page.read_text()
    assert capsys.readouterr().out == f"{page}\n"


def test_words_that_are_folders_are_not_split_and_labels_may_repeat(run, tmp_path, capsys):
    folder, other = run("lr=0"), run("two")
    assert main(["report", folder]) == 0
    page = tmp_path / "compare.html"
    assert main(["report", f"a={folder}", f"a={other}", other, "-o", str(page)]) == 0
    text = page.read_text()
    assert text.count('{"label":"a"') == 2
    assert '{"label":"two"' in text


def test_a_port_that_is_taken_is_named(tmp_path, capsys):
    with Server(tmp_path, 0) as server:
        assert main(["serve", str(tmp_path), "--port", str(server.server_port)]) == 1
    told = capsys.readouterr().err
    assert f"Port {server.server_port} can't be used" in told
    assert "or 0 for any" in told


def test_errors_go_to_standard_error_with_an_exit_code(run, tmp_path, capsys):
    assert main(["report", str(tmp_path / "nothing")]) == 1
    assert main(["report", run("one"), run("two")]) == 1
    assert main(["serve", str(tmp_path / "nothing")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "which is no folder" in told.err
    assert "keras_manifold report: `path` must name the file" in told.err
    assert "keras_manifold serve: `folder` must be" in told.err
    for words in ([], ["report"], ["serve", "x", "--port", "y"]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2


def test_help_has_an_example():
    command = [sys.executable, "-m", "keras_manifold", "serve", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "python -m keras_manifold serve runs --port 8000" in shown
