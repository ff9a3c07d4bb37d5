import json

from keras_manifold.sinks._run_file import RunFile

FACTS = {"data": [4], "of": "encoder", "k": 2, "samples": 3, "every": 1, "unit": "epoch"}


def test_a_run_that_resumes_keeps_its_start_and_adds_its_seconds(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    first = RunFile(tmp_path)
    first.begin("tangent", FACTS, 0, {})
    first.path.write_text(first.path.read_text().replace('"started": "2', '"started": "1'))
    started = first.read()["started"]
    now[0] = 3.0
    first.end()
    assert first.read()["seconds"] == 3
    resumed = RunFile(tmp_path)
    resumed.begin("tangent", FACTS, 5, {})
    now[0] = 5.0
    resumed.end()
    assert (resumed.read()["seconds"], resumed.read()["started"]) == (5, started)
    new = RunFile(tmp_path)
    new.begin("tangent", FACTS | {"k": 1}, 0, {})
    assert (new.read()["seconds"], new.read()["k"]) == (0, 1)
    assert new.read()["started"] != started


def test_callbacks_of_one_fit_share_the_file_and_a_new_fit_begins_it_anew(tmp_path):
    fit = {}
    RunFile(tmp_path).begin("reconstruction", FACTS | {"of": None, "k": None}, 0, fit)
    RunFile(tmp_path).begin("tangent", FACTS, 0, fit)
    RunFile(tmp_path).begin("decoder", FACTS | {"of": "decoder"}, 0, fit)
    found = json.loads((tmp_path / "run.json").read_text())
    assert list(found["watches"]) == ["reconstruction", "tangent", "decoder"]
    assert (found["of"], found["k"]) == ("encoder", 2)
    RunFile(tmp_path).begin("other", FACTS, 0, {})
    assert list(RunFile(tmp_path).read()["watches"]) == ["other"]


def test_a_file_of_somebody_else_is_replaced(tmp_path):
    file = RunFile(tmp_path)
    for text in ("not JSON", "[1]"):
        file.path.write_text(text)
        assert file.read() == {}
        file.end()
        assert file.path.read_text() == text, "nothing had begun"
    file.begin("tangent", FACTS, 0, {})
    assert file.read()["data"] == [4]
