"""Lines of a page, one for each file of a run.

A line, a fragment, says what the page has to know of a file. The next write copies the
lines of the files that did not change and reads only the others.
"""

import contextlib
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_manifold.pages._fragments import UNREADABLE, content, result_files

# Part of every stamp: a page of another version is written anew.
_FORMAT = "2"
_FRAGMENT = re.compile(
    rb'<script type="application/json" data-file="([^"]*)" data-stamp="([^"]*)">'
)


def lines_of(directory: Path, page: Path) -> Iterator[bytes]:
    """A line for each file of a run; one at a time, as there may be hundreds.

    Args:
        directory: Folder of the run.
        page: An earlier page, which may or may not exist, to copy lines from.

    Yields:
        Lines of HTML.
    """
    stamps = {}
    for path in result_files(directory):
        with contextlib.suppress(FileNotFoundError):  # deleted a moment ago
            status = path.stat()
            stamp = f"{_FORMAT}-{status.st_mtime_ns}-{status.st_size}".encode()
            stamps[_attribute(path.name)] = path, stamp
    for name, stamp, line in _old_lines(page):
        if name in stamps and stamps[name][1] == stamp:
            del stamps[name]
            yield line
    for name, (path, stamp) in stamps.items():
        try:
            fragment = content(path)
        except FileNotFoundError:
            continue
        except UNREADABLE:
            fragment, stamp = {"kind": "unreadable"}, b""  # and tried again next time
        yield (
            b'<script type="application/json" data-file="%b" data-stamp="%b">%b</script>\n'
            % (name, stamp, as_json(fragment))
        )


def _old_lines(page):
    if not page.exists():
        return
    with open(page, "rb") as file:
        for line in file:
            found = _FRAGMENT.match(line)
            # A line that was cut short, by whoever copied the page, is not kept.
            if found and line.endswith(b"</script>\n"):
                yield found[1], found[2], line


def _attribute(name):
    return html.escape(name).replace("\n", "&#10;").encode("ascii", "xmlcharrefreplace")


def as_json(value: Any) -> bytes:
    """A value as JSON that can stand within a script element."""
    # "<" would let a name close the script element.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").encode()
