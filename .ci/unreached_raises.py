"""Which `raise` statements of the package does no test reach?

    python .ci/unreached_raises.py [.coverage]

Reads what `pytest --cov` left, of one backend or combined (`nox -s coverage`). Fails for
each statement that is not explained below, and for each explanation that is out of date.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import coverage

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_manifold"

# "file:function:what is raised": why no test reaches it.
EXPLAINED: dict[str, str] = {}


def raises(path: Path) -> Iterator[tuple[str, int]]:
    """Each `raise` of a file: what `EXPLAINED` calls it, and its line."""

    def within(node: ast.AST, names: list[str]) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            inner = names
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = [*names, child.name]
            if isinstance(child, ast.Raise):
                call = getattr(child.exc, "func", child.exc)
                what = ast.unparse(call) if call else "again"
                file = path.relative_to(PACKAGE).as_posix()
                yield f"{file}:{'.'.join(names)}:{what}", child.lineno
            yield from within(child, inner)

    yield from within(ast.parse(path.read_text("utf-8")), [])


def unreached(data_file: str) -> tuple[dict[str, int], int]:
    """Those that no test reached, by name with their line, and how many there are."""
    measured = coverage.Coverage(
        data_file=data_file, config_file=str(ROOT / "pyproject.toml")
    )
    measured.load()
    found: dict[str, int] = {}
    count = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        statements = list(raises(path))
        if not statements:
            continue
        count += len(statements)
        missing = set(measured.analysis2(str(path))[3])
        found.update({name: line for name, line in statements if line in missing})
    return found, count


def main() -> None:
    """Prints what is not explained, and fails if there is anything."""
    found, count = unreached(*(sys.argv[1:] or [".coverage"]))
    unexplained = {name: line for name, line in found.items() if name not in EXPLAINED}
    outdated = [name for name in EXPLAINED if name not in found]
    print(f"{count} raise statements, {len(found)} reached by no test.")
    for name, line in unexplained.items():
        print(f"not reached: {name} (line {line})")
    for name in outdated:
        print(f"explained, but reached or gone: {name}")
    sys.exit(1 if unexplained or outdated else 0)


if __name__ == "__main__":
    main()
