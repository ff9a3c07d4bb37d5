"""The page without its runs: what is the same on every page of this version."""

import base64
import functools
import hashlib
import html
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from keras_manifold.pages._lines import as_json
from keras_manifold.plot import _palette
from keras_manifold.plot._kinds import MOST_BARS
from keras_manifold.plot._titles import TANGENT_TITLES, TITLES

_GENERATOR = b'<meta name="generator" content="keras_manifold">'
_BEGINNING = 4096  # bytes, in which a page says what it is


def beginning_of(page: Path) -> bytes:
    """The first bytes of a page; none of one that can't be read, or is not there."""
    try:
        with open(page, "rb") as file:
            return file.read(_BEGINNING)
    except OSError:
        return b""


def is_ours(page: Path) -> bool:
    """Whether a file is a page that `report` or a callback has written."""
    return _GENERATOR in beginning_of(page)


def page_around(values: Mapping[str, str]) -> tuple[bytes, bytes]:
    """The page before its runs, and after them.

    Args:
        values: Texts for the places of the page: its `title`, whether it is of a run that
            is `running`, and when it was `written`.

    Returns:
        Both parts of the file.
    """
    head, tail = _template()
    return _filled(head, values), _filled(tail, values)


def _filled(template, values):
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", html.escape(value))
    return template.encode("utf-8", "xmlcharrefreplace")


@functools.cache
def _template() -> tuple[str, str]:
    """The page before and after its data, with colours, styles and scripts put in."""
    folder = resources.files("keras_manifold.pages") / "page"
    scripts = [
        (folder / name).read_text("utf-8")
        for name in (
            "vendor/d3.min.js",
            "vendor/plot.umd.min.js",
            "data.js",
            "state.js",
            "pictures.js",
            "explain.js",
            "saving.js",
            "charts.js",
            "curves.js",
            "spectra.js",
            "latent.js",
            "field.js",
            "head.js",
            "setup.js",
            "columns.js",
            "dialog.js",
            "controls.js",
            "news.js",
            "page.js",
        )
    ]
    # Nothing but these scripts may run, whatever a file's or a number's name holds.
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in scripts
    ]
    page = (folder / "page.html").read_text("utf-8")
    for name, text in {
        "hashes": " ".join(f"'sha256-{value}'" for value in hashes),
        "style": _colours_as_css() + (folder / "page.css").read_text("utf-8"),
        "shared": as_json(_shared()).decode(),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }.items():
        page = page.replace("{{" + name + "}}", text)
    head, _, tail = page.partition("{{runs}}")
    return head, tail


def _shared() -> dict[str, Any]:
    """What the scripts share with the figures."""
    return {
        "signed": {"light": _palette.SIGNED, "dark": _palette.SIGNED_ON_DARK},
        "unsigned": _palette.UNSIGNED,
        "notFinite": _palette.NOT_FINITE,
        "categories": len(_palette.CATEGORIES),
        "mostBars": MOST_BARS,
        "titles": TITLES,
        "tangentTitles": TANGENT_TITLES,
    }


def _colours_as_css():
    def variables(colours):
        named = (f"--run-{i}: {colour};" for i, colour in enumerate(colours))
        return ":root { " + " ".join(named) + " }"

    return (
        f"{variables(_palette.CATEGORIES)}\n"
        "@media (prefers-color-scheme: dark) { "
        f"{variables(_palette.CATEGORIES_ON_DARK)} }}\n"
    )
