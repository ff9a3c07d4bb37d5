"""Progress bars of what takes long."""

from collections.abc import Callable
from typing import Any

import keras


def progress_bar(
    total: int | None, unit: str, *, verbose: Any, many: int
) -> Callable[..., None]:
    """A function that is told how many are done, and shows it if that is wanted.

    Args:
        total: How many there will be, `None` where nobody knows.
        unit: Of what, in the singular.
        verbose: 0 for no bar, 1 for one, `"auto"` for one from `many` on, or where nobody
            knows how many there are.
        many: From which on it takes long.
    """
    is_long = total is None or total >= many
    if not (is_long if verbose == "auto" else verbose):
        return lambda done, **settings: None
    return keras.utils.Progbar(total, unit_name=unit).update
