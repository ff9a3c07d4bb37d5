"""Deprecated names warn at the user's line, and go when it was promised."""

import ast
import importlib.util
import sys
import warnings
from pathlib import Path

import pytest

import keras_manifold as km
from keras_manifold._deprecation import warn_deprecated

PACKAGE = Path(km.__file__).parent


def version(text):
    return tuple(int(part) for part in text.split(".")[:2])


@pytest.fixture
def module_of_the_package(tmp_path):
    """A module whose code has a file in the folder of the package, two calls deep."""
    code = compile(
        "from keras_manifold._deprecation import warn_deprecated\n"
        "def inner():\n"
        "    warn_deprecated('`old`', instead='`new`', since='0.1', removed='0.3')\n"
        "def old():\n"
        "    inner()\n",
        str(PACKAGE / "made_in_a_test.py"),
        "exec",
    )
    spec = importlib.util.spec_from_loader("made_in_a_test", loader=None)
    module = importlib.util.module_from_spec(spec)
    exec(code, module.__dict__)
    return module


def test_the_warning_names_the_line_of_the_user(module_of_the_package):
    line = sys._getframe().f_lineno + 4
    with pytest.warns(
        DeprecationWarning, match=r"`old` is deprecated since 0\.1"
    ) as caught:
        module_of_the_package.old()
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_it_says_what_to_write_and_until_when():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_deprecated("`a`", instead="`b`", since="0.1", removed="0.3")
    (message,) = [str(warning.message) for warning in caught]
    assert message == "`a` is deprecated since 0.1 and goes in 0.3. Use `b`."


def promises():
    """Versions since which and until which names are deprecated, by file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and "warn_deprecated" in ast.unparse(node.func):
                words = {
                    word.arg: ast.literal_eval(word.value)
                    for word in node.keywords
                    if word.arg in ("since", "removed")
                }
                yield f"{path.name}:{node.lineno}", words["since"], words["removed"]


def test_nothing_stays_longer_than_promised_nor_goes_without_two_versions_of_warning():
    now = version(km.__version__)
    for place, since, removed in promises():
        assert now < version(removed), f"{place}: remove it"
        assert version(removed) >= (version(since)[0], version(since)[1] + 2), place
