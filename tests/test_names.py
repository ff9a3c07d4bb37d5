"""Every name that a reader sees resolves, and no function hides a module."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import keras_manifold as km

ROOT = Path(__file__).parent.parent
# The guides in docs/ are written from examples/guides.
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p.parent.name != "plots"),
    *sorted((ROOT / "examples").rglob("*.py")),
]
SOURCES = sorted((ROOT / "keras_manifold").rglob("*.py"))

SHORT = re.compile(r"(?<![\w./])km((?:\.[A-Za-z_]\w*)+)")
# `[text][keras_manifold.name]`, and `::: keras_manifold.name` of the API pages.
REFERENCE = re.compile(r"(?:\]\[|^::: )keras_manifold((?:\.\w+)*)", flags=re.M)


def docstrings(path):
    """All docstrings of a file, as one text."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return "\n".join(ast.get_docstring(node) or "" for node in nodes)


def names_in(text):
    """Dotted names below the package, without the leading dot."""
    found = {*SHORT.findall(text), *REFERENCE.findall(text)}
    return sorted(name[1:] for name in found if name)


def texts():
    for path in PAGES:
        yield path.relative_to(ROOT), path.read_text("utf-8")
    for path in SOURCES:
        yield path.relative_to(ROOT), docstrings(path)


WRITTEN = [(str(path), name) for path, text in texts() for name in names_in(text)]


def packages():
    names = [
        found.name
        for found in pkgutil.walk_packages(km.__path__, "keras_manifold.")
        if found.ispkg
    ]
    return [km, *(importlib.import_module(name) for name in names)]


def test_names_were_found():
    names = {name for _, name in WRITTEN}
    assert {
        "AutoEncoder.dense",
        "plot.tangents",
        "report",
        "sinks.DirectorySink",
    } <= names
    assert len(WRITTEN) > 100


@pytest.mark.parametrize(("path", "name"), WRITTEN)
def test_every_name_that_is_written_resolves(path, name):
    thing = km
    for part in name.split("."):
        thing = getattr(thing, part)


@pytest.mark.parametrize("package", packages(), ids=lambda package: package.__name__)
def test_no_name_hides_a_module(package):
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
    hidden = [
        name for name in modules if not inspect.ismodule(getattr(package, name, package))
    ]
    assert hidden == []


def test_the_package_shows_its_public_names_only():
    shown = [name for name in dir(km) if not re.fullmatch(r"__\w+__", name)]
    assert shown == sorted(km.__all__)
    assert len(set(shown)) == len(shown)
    assert all(hasattr(km, name) for name in dir(km))


def test_another_spelling_of_the_model_gets_a_hint():
    with pytest.raises(AttributeError, match=r"Autoencoder'. Did you mean: 'AutoEncoder'"):
        km.Autoencoder  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        km.nothing  # noqa: B018


def test_noise_and_penalty_say_what_they_are():
    noise = km.NoiseInjection("masking", 0.25, clip=(0, 1))
    assert repr(noise) == "<NoiseInjection masking, level=0.25, clip=(0.0, 1.0)>"
    penalty = km.ContractivePenalty(0.01, of="reconstruction")
    assert (
        repr(penalty) == "<ContractivePenalty of the reconstruction, weight=0.01, probes=1>"
    )
