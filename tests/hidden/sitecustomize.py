"""Hides installed frameworks from Python and from all processes that it starts.

Python reads this file at its start where its folder is on the path:

    PYTHONPATH=tests/hidden KERAS_BACKEND=jax pytest

Nothing can then import TensorFlow, nor find it, as if it were not installed. `HIDDEN`, a
list with commas, hides others in its place.
"""

import importlib.machinery
import os

hidden = set(os.environ.get("HIDDEN", "tensorflow").split(","))
find_spec = importlib.machinery.PathFinder.find_spec


@classmethod  # a bound method stays one where pytest keeps it as an attribute
def find_what_is_not_hidden(cls, name, path=None, target=None):
    if name.partition(".")[0] in hidden:
        return None
    return find_spec(name, path, target)


importlib.machinery.PathFinder.find_spec = find_what_is_not_hidden
