"""Which files of a folder one prefix has written, and which pictures are kept."""

import re
from pathlib import Path

from keras_manifold._storage.snapshots import is_file_of

# Figures of one name that are kept: the first, the last, and evenly some between.
_MOST_PICTURES = 8


class Files:
    """The files that were written under a prefix, listed in `.<prefix>.files`.

    Args:
        directory: Folder of the run.
        prefix: First part of their names.
    """

    def __init__(self, directory: Path, prefix: str):
        self._directory = Path(directory)
        self._prefix = prefix
        self.path = self._directory / f".{prefix}.files"
        self._names: set[str] = set()
        self._pictures: dict[str, list[int]] = {}

    @property
    def names(self) -> frozenset[str]:
        """All that are listed."""
        return frozenset(self._names)

    def read(self) -> None:
        """Takes what an earlier process has listed."""
        self._names = set(self._listed())
        self._pictures = {}
        for name in self._names:
            found = re.fullmatch(r"(.+)_(\d+)\.png", name)
            if found and (self._directory / name).exists():
                self._pictures.setdefault(found[1], []).append(int(found[2]))

    def add(self, name: str) -> None:
        """Lists a file before it is written.

        Raises:
            OSError: If the list can't be written.
        """
        if name not in self._names:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(name + "\n")
            self._names.add(name)

    def remove_all(self) -> None:
        """Removes all that was listed, and the list; nothing else."""
        for name in self._listed() or self._known_names():
            if Path(name).name == name:  # the list is a file that anybody can write
                (self._directory / name).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._names, self._pictures = set(), {}

    def superfluous_pictures(self, name: str, step: int) -> list[int]:
        """Steps whose figures make room for that of one more."""
        steps = sorted({*self._pictures.get(name, []), step})
        first_of: dict[int, int] = {at: at for at in steps}
        width = 1
        while len(first_of) > _MOST_PICTURES:
            width *= 2
            first_of = {}
            for at in steps:
                first_of.setdefault((at - steps[0]) // width, at)
        kept = {*first_of.values(), step}
        self._pictures[name] = sorted(kept)
        return [at for at in steps if at not in kept]

    def _listed(self):
        try:
            return self.path.read_text("utf-8").splitlines()
        except OSError:
            return []

    def _known_names(self):
        """Of a run of an earlier version, which listed nothing."""
        names = [path.name for path in self._directory.iterdir()]
        return [name for name in names if is_file_of(self._prefix, name)]
