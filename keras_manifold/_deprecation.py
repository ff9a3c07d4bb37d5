"""How an old name says that it will go, and what takes its place."""

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parent)


def warn_deprecated(name: str, *, instead: str, since: str, removed: str) -> None:
    """Warns, at the line of the user's code that led here, that a name will go.

    Args:
        name: What was used, as a user writes it.
        instead: What to write in its place.
        since: The version that says so for the first time.
        removed: The version that no longer has it. The tests fail once the package has
            this version, so that nothing stays longer than it was promised.

    Examples:
        >>> import warnings
        >>> from keras_manifold._deprecation import warn_deprecated
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn_deprecated("`of='code'`", instead="`of='encoder'`",
        ...                     since="0.2", removed="0.4")
        >>> print(caught[0].message)
        `of='code'` is deprecated since 0.2 and goes in 0.4. Use `of='encoder'`.
    """
    warnings.warn(
        f"{name} is deprecated since {since} and goes in {removed}. Use {instead}.",
        DeprecationWarning,
        stacklevel=_frames_to_the_user(),
    )


def _frames_to_the_user() -> int:
    """The `stacklevel` of `warn_deprecated` that points to the first frame outside."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level
