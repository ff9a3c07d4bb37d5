"""Lines of a page, for each file of a run and for each picture.

A line with a file's numbers, a fragment, names the file's pictures, which stand in lines of
their own. The next write copies the lines of what did not change and reads only the other
files.
"""

import contextlib
import html
import json
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from keras_manifold._storage.snapshots import look_beside
from keras_manifold.pages._fragments import UNREADABLE, Content, content, result_files
from keras_manifold.pages._thinning import Pictured, thinned

# Part of every stamp: a page of another version is written anew.
_FORMAT = "5"
_FRAGMENT = re.compile(
    rb'<script type="application/json" data-file="([^"]*)" data-stamp="([^"]*)"'
    rb' data-pictures="([^"]*)">'
)
_PICTURE = re.compile(rb'<script type="text/plain" data-picture="([^"]*)">')
_END = b"</script>\n"


@dataclass
class _Line:
    """Where a line with a file's numbers stands, and what pictures belong to it."""

    path: Path
    source: BinaryIO
    start: int
    size: int
    pictures: list[bytes] = field(default_factory=list)


def lines_of(
    directory: Path, page: Path, *, most_bytes: int, known: set[bytes] | None = None
) -> Iterator[bytes]:
    """Lines for the files of a run; one at a time, as there may be hundreds.

    Args:
        directory: Folder of the run.
        page: An earlier page, which may or may not exist, to copy lines from.
        most_bytes: What all lines may take. Where they would take more, the pictures of
            every second snapshot are left out, or of three of four, and so on; numbers
            never are.
        known: Names of pictures that the page has already; those written are added.

    Yields:
        Lines of HTML.
    """
    known = set() if known is None else known
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(open(page, "rb")) if page.exists() else None
        new = stack.enter_context(tempfile.TemporaryFile())
        store = _Pictures()
        lines = _fresh_lines(directory, old, store, new)
        for line in lines:
            line.source.seek(line.start)
            yield line.source.readline()
        numbers = sum(line.size for line in lines)
        for_pictures = max(most_bytes - numbers, most_bytes // 4)
        for name, path in _wanted(lines, store, for_pictures, known).items():
            if name not in store.places and not store.add_again(path, new):
                continue  # the file is gone or has changed
            if name in store.places and name not in known:
                known.add(name)
                yield store.line(name)


class _Pictures:
    """Lines with pictures, by their names: in an earlier page, or in a file of our own."""

    def __init__(self):
        self.places: dict[bytes, tuple[BinaryIO, int]] = {}
        self.sizes: dict[bytes, int] = {}

    def note(self, name, source, start, size):
        self.places.setdefault(name, (source, start))
        self.sizes[name] = size

    def add(self, found: Content, new):
        for name, png in found.pictures.items():
            if name.encode() not in self.places:
                line = b'<script type="text/plain" data-picture="%b">%b' % (
                    name.encode(),
                    png + _END,
                )
                self.note(name.encode(), new, new.seek(0, 2), len(line))
                new.write(line)

    def add_again(self, path, new):
        """Reads a file whose pictures an earlier page had left out."""
        with contextlib.suppress(FileNotFoundError, *UNREADABLE):
            self.add(content(path), new)
            return True
        return False

    def line(self, name):
        source, start = self.places[name]
        source.seek(start)
        return source.readline()


def _fresh_lines(directory, old, store, new):
    """A line per file, copied from the earlier page or made; pictures go to the store."""
    stamps = {}
    for path in result_files(directory):
        with contextlib.suppress(FileNotFoundError):  # deleted a moment ago
            status = path.stat()
            look = zlib.crc32(repr(look_beside(path)).encode())
            stamp = f"{_FORMAT}-{status.st_mtime_ns}-{status.st_size}-{look}".encode()
            stamps[_attribute(path.name)] = path, stamp
    lines = []
    for start, line in _lines_with_places(old):
        # A line that was cut short, by whoever copied the page, is not kept.
        if not line.endswith(_END):
            continue
        if found := _PICTURE.match(line):
            store.note(found[1], old, start, len(line))
        elif (found := _FRAGMENT.match(line)) and stamps.get(found[1], (0, 0))[1] == found[
            2
        ]:
            path, _ = stamps.pop(found[1])
            lines.append(_Line(path, old, start, len(line), found[3].split()))
    for name, (path, stamp) in stamps.items():
        try:
            made = content(path)
        except FileNotFoundError:
            continue
        except UNREADABLE:
            made, stamp = Content({"kind": "unreadable"}, {}), b""  # tried again next time
        store.add(made, new)
        pictures = [picture.encode() for picture in made.pictures]
        start = new.seek(0, 2)
        size = new.write(
            b'<script type="application/json" data-file="%b" data-stamp="%b" '
            b'data-pictures="%b">%b%b'
            % (name, stamp, b" ".join(pictures), as_json(made.fragment), _END)
        )
        lines.append(_Line(path, new, start, size, pictures))
    return sorted(lines, key=lambda line: line.path)


def _lines_with_places(file):
    start = 0
    for line in file or ():
        yield start, line
        start += len(line)


def _wanted(lines, store, most_bytes, known):
    """Pictures to be shown, with the files that hold them."""
    snapshots = [
        Pictured(line.path, line.pictures, store.sizes) for line in lines if line.pictures
    ]
    return {
        name: snapshot.path
        for snapshot in thinned(snapshots, most_bytes, known)
        for name in snapshot.pictures
    }


def _attribute(name):
    return html.escape(name).replace("\n", "&#10;").encode("ascii", "xmlcharrefreplace")


def as_json(value: Any) -> bytes:
    """A value as JSON that can stand within a script element."""
    # "<" would let a name close the script element.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").encode()
