"""Runs examples that take minutes, and keeps what they wrote for the pages.

    python docs/record.py [manifolds] [symmetries] [digits]

What an example prints goes to docs/images/NAME.txt, below a line that says from which
commit, when and with what it ran; its figure goes beside it. `made_from.txt` holds the
digests of sources and outputs: tests/test_docs.py compares them.
"""

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
# The figure of each example, and its name among the pages.
FIGURES = {
    "manifolds": ("manifolds.png", "manifolds.png"),
    "symmetries": ("symmetries.png", "symmetries.png"),
    "digits": ("tangents.png", "digits_tangents.png"),
}
PACKAGES = ("keras", "tensorflow", "numpy", "matplotlib")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(FIGURES)}; or all")
    names = parser.parse_args().names or [*FIGURES]
    changed = git("status", "--porcelain", "--", "keras_manifold", "examples")
    if changed:
        raise SystemExit(
            f"What is recorded must be of a commit. Received: changes in\n{changed}\n"
            "Commit them first."
        )
    for name in names:
        record(name)


def record(name):
    made, kept = FIGURES[name]
    commit = git("rev-parse", "--short", "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, f"examples/{name}.py", "--out", folder]
        run = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        (IMAGES / kept).write_bytes((Path(folder) / made).read_bytes())
        printed = run.stdout.replace(folder, f"runs/{name}")
    used = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    stamp = (
        f"python examples/{name}.py, {time.strftime('%Y-%m-%d')}, commit {commit}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {used}"
    )
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    (IMAGES / f"{name}.txt").write_text("\n".join([stamp, "", *lines]) + "\n")
    write_digests(name)


def write_digests(name):
    made_from = IMAGES / "made_from.txt"
    digests = dict(line.split() for line in made_from.read_text().splitlines())
    for path in (f"examples/{name}.py", *(f"docs/images/{out}" for out in outputs(name))):
        digests[path] = digest(ROOT / path)
    lines = [f"{path} {digests[path]}\n" for path in sorted(digests)]
    made_from.write_text("".join(lines))


def outputs(name):
    return f"{name}.txt", FIGURES[name][1]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def git(*arguments):
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    run.check_returncode()
    return run.stdout.strip()


if __name__ == "__main__":
    main()
