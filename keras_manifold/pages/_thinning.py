"""Which snapshots of a long run keep their pictures on a page."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# What a picture takes whose size is not known: an earlier page had left it out.
_USUAL = 60_000


class Pictured(NamedTuple):
    """A file with pictures.

    Attributes:
        path: The file, named for its callback and step.
        pictures: Names of its pictures.
        sizes: Bytes that pictures take, by their names.
    """

    path: Path
    pictures: Sequence[bytes]
    sizes: Mapping[bytes, int]


def thinned(
    snapshots: Sequence[Pictured], most_bytes: int, known: Collection[bytes] = ()
) -> list[Pictured]:
    """The snapshots that keep their pictures.

    All of them if they fit. Otherwise every second one of the callback whose pictures take
    most is left out, and again, until they fit: what is left lies evenly over the run, and
    a run that grows never needs a picture that it has dropped. The last one of each
    callback is kept always.

    Args:
        snapshots: Files of a run.
        most_bytes: What all pictures together may take.
        known: Names of pictures that are there anyway, and take nothing.

    Returns:
        Some of the snapshots.
    """
    callbacks: dict[str, list[Pictured]] = {}
    for snapshot in sorted(snapshots, key=_name_and_step):
        callbacks.setdefault(_name_and_step(snapshot)[0], []).append(snapshot)
    strides = dict.fromkeys(callbacks, 1)
    while True:
        kept = {name: _every(of, strides[name]) for name, of in callbacks.items()}
        sizes = {name: _size(of, known) for name, of in kept.items()}
        thinnable = [name for name, of in kept.items() if len(of) > 2]
        if sum(sizes.values()) <= most_bytes or not thinnable:
            return [snapshot for of in kept.values() for snapshot in of]
        strides[max(thinnable, key=sizes.__getitem__)] *= 2


def _name_and_step(snapshot):
    name, _, step = snapshot.path.stem.rpartition("_")
    return name, int(step)


def _every(snapshots, stride):
    kept = snapshots[::stride]
    return kept if kept[-1] is snapshots[-1] else [*kept, snapshots[-1]]


def _size(snapshots, known):
    names = {name for snapshot in snapshots for name in snapshot.pictures} - set(known)
    sizes = snapshots[0].sizes if snapshots else {}
    return sum(sizes.get(name, _USUAL) for name in names)
