"""Which numbers in Keras's `logs` were put there by callbacks of ours."""

import weakref
from typing import Any

# By model: its last `fit`, and the names.
_names: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def names_in_logs(model: Any, fit: Any) -> set[str]:
    """Names that the callbacks of one `fit` add to `logs`, which others don't pass on.

    Args:
        model: The model that is trained.
        fit: The `params` of the callback, which all callbacks of one `fit` share.

    Returns:
        One set for all callbacks of that `fit`, to which each adds its own names.
    """
    known = _names.get(model)
    if known is None or known[0] is not fit:
        known = _names[model] = fit, set()
    return known[1]
