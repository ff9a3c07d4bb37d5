"""The rules that hold for the package as a whole."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_go_the_ways_that_the_design_allows():
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as main; main()",
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_public_names_of_keras_are_used():
    private = "keras" + ".src"
    offenders = [
        p for p in (ROOT / "keras_manifold").rglob("*.py") if private in p.read_text()
    ]
    assert offenders == []


def test_importing_the_package_loads_nothing_that_keras_does_not_load():
    code = (
        "import sys, json, keras; before = set(sys.modules); import keras_manifold; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(json.dumps(sorted(new - set(sys.stdlib_module_names))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == ["keras_manifold"]
