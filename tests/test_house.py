"""The rules that hold for the package as a whole."""

import json
import re
import subprocess
import sys
import tomllib
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


def test_the_table_of_the_internals_is_the_one_that_is_checked():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = settings["tool"]["importlinter"]["contracts"][0]
    checked = [name for layer in contract["layers"] for name in layer.split(" | ")]
    text = (ROOT / "docs" / "internals.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.M) == checked


# Each is tested through what it is for, in the file that is named.
TESTED_ELSEWHERE = {
    "__main__.py": "test_main.py",
    "_map/checks.py": "map/test_function.py",
    "_map/decomposition.py": "test_tangent.py",
    "autodiff/_tensorflow_gradients.py": "test_autodiff.py",
    "callbacks/_scheduled.py": "callbacks/test_penalty_schedule.py",
    "autodiff/jax.py": "test_autodiff.py",
    "autodiff/tensorflow.py": "test_autodiff.py",
    "autodiff/torch.py": "test_autodiff.py",
}


def test_every_module_has_its_mirror_among_the_tests():
    package = ROOT / "keras_manifold"
    missing = []
    for path in package.rglob("*.py"):
        module = path.relative_to(package)
        if path.name == "__init__.py":
            continue
        *folders, file = (part.lstrip("_") for part in module.parts)
        mirror = TESTED_ELSEWHERE.get(
            module.as_posix(), "/".join([*folders, f"test_{file}"])
        )
        if not (ROOT / "tests" / mirror).exists():
            missing.append(module.as_posix())
    assert missing == []


def test_files_are_no_longer_than_a_reader_can_hold():
    # The manifolds are many of one kind, and so are the rules of a page's look.
    package = ROOT / "keras_manifold"
    lines = {
        path.relative_to(package).as_posix(): len(path.read_text().splitlines())
        for ending in ("py", "js", "css", "html")
        for path in package.rglob(f"*.{ending}")
    }
    long = {name for name, count in lines.items() if count > 480}
    assert long == {"manifolds.py", "pages/page/page.css"}
