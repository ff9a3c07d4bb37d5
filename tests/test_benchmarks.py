"""What a comparison of benchmarks says, without measuring."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))

    def loaded(name):
        spec = importlib.util.spec_from_file_location(f"of_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield loaded
    sys.modules.pop("workers", None)


def result(date, **ratios):
    figures = {name: {"ratio": ratio} for name, ratio in ratios.items()}
    return {"date": date, "figures": figures}


def test_a_figure_that_is_half_as_much_again_as_the_least_is_an_alert(module):
    before = [
        result("2026-01-01", step=1.0, exact=4.0, gone=1.0),
        result("2026-01-02", step=1.4, exact=4.0),
    ]
    after = result("2026-01-03", step=1.5, exact=5.9, new=9.0)
    (line,) = module("figures").alerts(before, after)
    assert line == "ALERT: step is 1.50, 1.5 × the least so far, 1.00."


def test_results_are_compared_with_those_of_their_backend_and_processor(module, tmp_path):
    measured = [("01-09", "jax", "A"), ("01-10", "jax", "A"), ("01-11", "jax", "B")]
    for date, backend, processor in [*measured, ("01-12", "torch", "A")]:
        result = {"date": date, "backend": backend, "processor": processor}
        (tmp_path / f"{date}_{backend}.json").write_text(json.dumps(result))
    kept = module("figures").kept
    assert [one["date"] for one in kept(tmp_path, "jax", "A")] == ["01-09", "01-10"]
    assert kept(tmp_path, "tensorflow", "A") == []


def test_rows_of_a_table_are_kept_by_column(module):
    lines = ["| way | ms |", "|---|--:|", "| ours | 1.0 (0.9 to 1.1) |", "said beside"]
    assert module("workers").rows(lines) == [{"way": "ours", "ms": "1.0 (0.9 to 1.1)"}]


TABLES = sorted((FOLDER / "results").glob("*.md"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_each_table_has_its_numbers_as_json_beside_it(table, module):
    text = table.read_text()
    if table.stem == "layers":  # of three runs, one a backend
        kept = [json.loads(path.read_text()) for path in table.parent.glob("layers_*.json")]
        assert len(kept) == 3
        assert all(one["date"] in text for one in kept)
        return
    kept = json.loads(table.with_suffix(".json").read_text())
    assert kept["rows"] == module("workers").rows(text.splitlines())
    assert {"title", "how", "processor", "cores", "gpu"} < set(kept)
    for said in (kept["date"], f"keras {kept['versions']['keras']}"):
        assert said in text
