"""Where scalars, arrays and figures go: any callable `(name, value, step)`.

A `value` is a number, a `matplotlib.figure.Figure`, or a mapping from names to NumPy
arrays. `step` counts the epochs that were trained before.
"""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_manifold.files import replacing


class DirectorySink:
    """Writes figures as PNG and arrays as npz: `<directory>/<name>_<step>.<ending>`.

    Numbers are left to Keras's `CSVLogger`. A file that can't be written later on costs a
    warning, once, and not the training.

    Args:
        directory: Made if missing.

    Raises:
        OSError: If the directory can't be made or written.
    """

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.directory):
            pass  # it can be written
        self._has_warned = False

    def __call__(self, name, value, step):
        stem = f"{name}_{step:04d}"
        try:
            if isinstance(value, Mapping):
                with replacing(self.directory / f"{stem}.npz") as file:
                    np.savez_compressed(file, **value)
            elif hasattr(value, "savefig"):
                with replacing(self.directory / f"{stem}.png") as file:
                    value.savefig(file, format="png")
        except OSError as error:
            if not self._has_warned:
                warnings.warn(
                    f"Results can't be written to {self.directory}: {error}. Training goes "
                    "on; further failures there are not reported.",
                    stacklevel=2,
                )
            self._has_warned = True
