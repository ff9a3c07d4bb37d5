"""Folders whose names hold the time, and where the page of a run is."""

import collections
import itertools
import os
import time
from os import PathLike
from pathlib import Path
from typing import Any

_TIME = "{time}"
# What all callbacks of a `fit` share: its `params`, folders by what was asked for, and
# folders that were told of. Of the last fits alone, as several may run in threads.
_shared: collections.deque[dict[str, Any]] = collections.deque(maxlen=100)


def folder_of(directory: str | PathLike[str], fit: object) -> Path:
    """The folder of a run: `{time}` in its name becomes the time at which `fit` began.

    Args:
        directory: As the user gave it.
        fit: The `params` of a callback, which all callbacks of one `fit` share.

    Returns:
        The same folder for all callbacks of that `fit`; with `{time}` one that is not
        there yet.
    """
    text = os.fspath(directory)
    if _TIME not in text:
        return Path(directory)
    folders = _of_fit(fit)["folders"]
    if text not in folders:
        now = time.strftime("%Y-%m-%d_%H-%M-%S")
        names = itertools.chain([now], (f"{now}_{i}" for i in itertools.count(2)))
        paths = (Path(text.replace(_TIME, name)) for name in names)
        folders[text] = next(path for path in paths if not path.exists())
        folders[text].mkdir(parents=True)
    return folders[text]


def tell_where(page: Path, fit: object) -> None:
    """Prints where the page of a run is, once per `fit` and folder."""
    told = _of_fit(fit)["told"]
    if page not in told:
        told.add(page)
        print(f"The page of this run: {page.resolve().as_uri()}")


def _of_fit(fit):
    for shared in tuple(_shared):
        if shared["fit"] is fit:
            return shared
    _shared.append({"fit": fit, "folders": {}, "told": set()})
    return _shared[-1]
