"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A binary file that takes the place of `path` once all of it is written.

    Args:
        path: File name in a folder that exists.

    Yields:
        The file, open for writing under a hidden name beside `path`.

    Raises:
        OSError: If it cannot be written; what stood under `path` before stays.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(aside, "wb") as file:
            yield file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
