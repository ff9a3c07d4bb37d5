"""`run.json`: what a run was made with, and how long it took."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keras_manifold._storage.files import replacing
from keras_manifold._storage.snapshots import OWN_FACTS, RUN_FILE

# What each callback has of its own. The first that has them stands for all at the top.
_OWN = (*OWN_FACTS, "samples")
# By file: the `params` of the `fit` that wrote it last.
_last_fit: dict[Path, Any] = {}


class RunFile:
    """The file `run.json` in the folder of a run, which all callbacks of a `fit` share.

    Args:
        directory: Folder of the run.
    """

    def __init__(self, directory: Path):
        self.path = Path(directory) / RUN_FILE
        self._began: float | None = None
        self._seconds_before = 0.0

    def begin(self, prefix: str, facts: Mapping[str, Any], step: int, fit: Any) -> None:
        """Writes what is known at the start of a training.

        Args:
            prefix: Of the callback.
            facts: What JSON can hold; its own ones are `samples` and those of
                `OWN_FACTS`.
            step: At which training begins. At 0 it is a new run, above it resumes one.
            fit: The `params` of the callback, which all callbacks of one `fit` share.

        Raises:
            OSError: If the file can't be written.
        """
        found = self.read()
        path = self.path.resolve()
        of_this_fit = fit is not None and _last_fit.get(path) is fit
        if step == 0 and not of_this_fit:
            found = {}
        _last_fit[path] = fit
        self._began = time.monotonic()
        self._seconds_before = found.get("seconds") or 0 if step > 0 else 0
        own = {name: facts[name] for name in _OWN if facts.get(name) is not None}
        watches = {**found.get("watches", {}), prefix: own}
        started = datetime.now(UTC).isoformat(timespec="seconds")
        shared = {name: value for name, value in facts.items() if name not in _OWN}
        firsts = {
            name: next((one[name] for one in watches.values() if name in one), None)
            for name in ("of", "k", "samples")
        }
        self._write(
            {
                "started": found.get("started", started),
                "seconds": self._seconds_before,
                **shared,
                **firsts,
                "watches": watches,
            }
        )

    def end(self) -> None:
        """Adds how many seconds the run has taken.

        Raises:
            OSError: If the file can't be written.
        """
        found = self.read()
        if self._began is not None and found:
            seconds = self._seconds_before + time.monotonic() - self._began
            self._write({**found, "seconds": round(seconds, 1)})
        self._began = None

    def read(self) -> dict[str, Any]:
        """What the file holds; nothing if it is missing or not ours."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, facts):
        with replacing(self.path) as file:
            file.write(json.dumps(facts, indent=1, allow_nan=False).encode() + b"\n")
