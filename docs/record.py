"""Runs examples that take minutes, and keeps what they wrote for the pages.

    python docs/record.py [hero] [manifolds] [symmetries] [digits]

What a program prints, an example or docs/hero.py, goes to docs/images/NAME.txt, below a
line that says from which commit, when and with what it ran; its figures go beside it.
`made_from.txt` holds the digests of sources and outputs: tests/test_docs.py compares them.
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
# The program of each name, and its figures by their names among the pages.
FIGURES = {
    "hero": {"hero_tangents.png": "tangents.png", "hero_page.png": "page.png"},
    "manifolds": {"manifolds.png": "manifolds.png"},
    "symmetries": {"symmetries.png": "symmetries.png"},
    "digits": {"digits_tangents.png": "tangents.png"},
}
PROGRAMS = {name: f"examples/{name}.py" for name in FIGURES} | {"hero": "docs/hero.py"}
BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
PACKAGES = ("keras", BACKEND, "numpy", "matplotlib")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(FIGURES)}; or all")
    names = parser.parse_args().names or [*FIGURES]
    sources = ("keras_manifold", *PROGRAMS.values())
    changed = git("status", "--porcelain", "--", *sources)
    if changed:
        raise SystemExit(
            f"What is recorded must be of a commit. Received: changes in\n{changed}\n"
            "Commit them first."
        )
    for name in names:
        record(name)


def record(name):
    commit = git("rev-parse", "--short", "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, PROGRAMS[name], "--out", folder]
        run = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for kept, made in FIGURES[name].items():
            (IMAGES / kept).write_bytes((Path(folder) / made).read_bytes())
        printed = run.stdout.replace(folder, f"runs/{name}")
    used = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    stamp = (
        f"python {PROGRAMS[name]}, {time.strftime('%Y-%m-%d')}, commit {commit}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {used}"
    )
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    (IMAGES / f"{name}.txt").write_text("\n".join([stamp, "", *lines]) + "\n")
    write_digests(name)


def write_digests(name):
    made_from = IMAGES / "made_from.txt"
    digests = dict(line.split() for line in made_from.read_text().splitlines())
    outputs = (f"{name}.txt", *FIGURES[name])
    for path in (PROGRAMS[name], *(f"docs/images/{output}" for output in outputs)):
        digests[path] = digest(ROOT / path)
    lines = [f"{path} {digests[path]}\n" for path in sorted(digests)]
    made_from.write_text("".join(lines))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def git(*arguments):
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    run.check_returncode()
    return run.stdout.strip()


if __name__ == "__main__":
    main()
