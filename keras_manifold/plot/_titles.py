"""Titles of the quantities that `fit` reports, in figures and on pages."""

from collections.abc import Collection

TITLES = {"contractive_penalty": "contractive penalty, mean ‖J‖²"}
# What `TangentAnalyzer` reports as `<prefix>_<name>`.
TANGENT_TITLES = {
    "dimension": "dimension",
    "norm": "norm, ‖J‖_F",
    "top": "top singular value",
    "drift": "drift, radians",
}


def title_of(name: str, reported: Collection[str]) -> str:
    """The title of a quantity.

    Args:
        name: As it is in `logs`.
        reported: All that was reported: of these, a prefix is known to be one of
            `TangentAnalyzer` by what comes with it.

    Returns:
        Its words.
    """
    prefix, _, last = name.rpartition("_")
    if last in TANGENT_TITLES and _is_of_tangents(prefix, reported):
        return f"{_in_words(prefix)} {TANGENT_TITLES[last]}"
    return TITLES.get(name, _in_words(name))


def _is_of_tangents(prefix, reported):
    always = ("dimension", "norm", "top")
    return prefix == "tangent" or all(f"{prefix}_{name}" in reported for name in always)


def _in_words(name):
    return name.replace("_", " ")
