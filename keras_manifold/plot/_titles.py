"""Titles of the quantities that `fit` reports, in figures and on pages."""

from collections.abc import Collection, Mapping
from typing import Any

from keras_manifold._storage.snapshots import DIMENSION, DRIFT, NORM, TOP, full_name

TITLES = {"contractive_penalty": "contractive penalty, mean ‖J‖²"}
# What `TangentAnalyzer` reports as `<prefix>_<name>`.
TANGENT_TITLES = {
    DIMENSION: "dimension",
    NORM: "norm, ‖J‖_F",
    TOP: "top singular value",
    DRIFT: "drift, radians",
}


def title_of(
    name: str, reported: Collection[str], runs: Mapping[str, Any] | None = None
) -> str:
    """The title of a quantity.

    Args:
        name: As it is in `logs`.
        reported: All that was reported: of these, a prefix is known to be one of
            `TangentAnalyzer` by what comes with it.
        runs: Who reported it, by names: callbacks say what their tangents are of.

    Returns:
        Its words.
    """
    prefix, _, last = name.rpartition("_")
    if last in TANGENT_TITLES and _is_of_tangents(prefix, reported):
        words = f"{_in_words(prefix)} {TANGENT_TITLES[last]}"
        return title_of_spaces(words, runs or {}) or words
    return TITLES.get(name, _in_words(name))


def title_of_spaces(what: str, spaces: Mapping[str, Any]) -> str | None:
    """A title that says what tangent spaces are of.

    Args:
        what: The first words.
        spaces: By names; anything else may stand among them.

    Returns:
        `None` where they do not say it, or differ.
    """
    parts = {getattr(space, "of", None) for space in spaces.values()}
    part = parts.pop() if len(parts) == 1 else None
    return f"{what} of the {part}" if part else None


def _is_of_tangents(prefix, reported):
    always = (DIMENSION, NORM, TOP)
    named = [full_name(prefix, name) in reported for name in always]
    return prefix == "tangent" or all(named)


def _in_words(name):
    return name.replace("_", " ")
