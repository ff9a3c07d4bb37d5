"""The numbers of a run, by step, in a CSV file that is whole at any time."""

import csv
import io
from pathlib import Path
from typing import Any

from keras_manifold._storage.files import replacing
from keras_manifold._storage.snapshots import EPOCH, STEP


class Record:
    """Rows of numbers, one a step.

    The file has the header `step,<names>` and a row a step, ascending; a number that a step
    lacks is an empty cell. Names that come later become columns at the end.

    Args:
        path: The file. It need not exist.

    Attributes:
        path: The same.
        rows: Mapping from steps to mappings from names to numbers, as texts.
    """

    def __init__(self, path: Any):
        self.path: Path = Path(path)
        self.rows: dict[int, dict[str, str]] = {}
        self._columns: list[str] = []

    def read(self) -> None:
        """Takes what the file holds in place of the rows at hand.

        Raises:
            ValueError: If the file is none of this kind.
        """
        self.rows, self._columns = {}, []
        if not self.path.exists():
            return
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, strict=True)
                names = list(reader.fieldnames or [])
                rows = list(reader) if names[:1] == [STEP] else []
        except (UnicodeDecodeError, csv.Error) as error:
            self._refuse(f"a file that can't be read: {error}")
        if names[:1] != [STEP]:
            self._refuse(f"columns {names}")
        for number, row in enumerate(rows, start=2):
            try:
                step = int(row.pop(STEP))
                texts = {name: text for name, text in row.items() if text}
                _ = [float(text) for text in texts.values()]
            except (ValueError, TypeError):
                self._refuse(f"no numbers in row {number}")
            self.rows[step] = texts
        self._columns = names[1:]

    def _refuse(self, received):
        raise ValueError(
            f"{self.path} must be a file that an earlier run wrote, whose first "
            f"column is `step`. Received: {received}. Move it away, or choose "
            "another `directory` or `prefix`."
        ) from None

    def put(self, name: str, value: float, step: int) -> None:
        """Adds a number to the row of its step, in place of an earlier one."""
        if name not in self._columns:
            self._columns.append(name)
        self.rows.setdefault(step, {})[name] = repr(value)

    def drop_after(self, step: int) -> None:
        """Forgets the rows of later steps."""
        self.rows = {at: row for at, row in self.rows.items() if at <= step}

    def last_epoch(self) -> int:
        """Epochs that were trained at the last step: the step, unless it counts batches.

        Rows of batches have a number `epoch`.
        """
        return max(map(self.epoch_at, self.rows), default=0)

    def epoch_at(self, step: int) -> int:
        """Epochs that were trained at a step of which there is a row."""
        return int(float(self.rows[step].get(EPOCH, step)))

    def columns(self, names: list[str]) -> dict[str, list[Any]]:
        """The rows with any of some numbers, as `"step"` and a list for each present name.

        A number that such a row lacks is NaN.
        """
        rows = {
            at: self.rows[at]
            for at in sorted(self.rows)
            if self.rows[at].keys() & set(names)
        }
        present = [name for name in names if any(name in row for row in rows.values())]
        return {
            STEP: list(rows),
            **{
                name: [float(r.get(name, "nan")) for r in rows.values()] for name in present
            },
        }

    def as_text(self) -> str:
        """What `write` writes."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [STEP, *self._columns], lineterminator="\n")
        writer.writeheader()
        for step in sorted(self.rows):
            writer.writerow({STEP: step, **self.rows[step]})
        return text.getvalue()

    def write(self) -> None:
        """Writes all rows, whole or not at all.

        Raises:
            OSError: If the file cannot be written; what was there before stays.
        """
        with replacing(self.path) as file:
            file.write(self.as_text().encode())
