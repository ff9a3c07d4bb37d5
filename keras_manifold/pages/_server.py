"""A small web server for the pages of runs below one folder, for this machine only."""

import html
import time
import urllib.parse
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import PathLike
from pathlib import Path

from keras_manifold.pages._template import beginning_of, is_ours

PORT = 8000

_PAGE = "index.html"
_LOCALHOST = "127.0.0.1"
# A run is a folder with this page, at most so many folders down.
_DEEPEST = 4
_SILENT = 600  # seconds without news, after which a run may have ended
# The list looks again every five seconds, unless somebody is at one of its links.
_FOLLOW = (
    "<script>setInterval(() => "
    "document.activeElement === document.body && location.reload(), 5000)</script>"
)
_LOOK = (
    "<style>body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:2rem auto;"
    "padding:0 1rem}li{overflow-wrap:anywhere}</style>"
)
_SHOWN = (".html", ".png", ".npz", ".csv", ".json")


class Server(ThreadingHTTPServer):
    """Serves the list of runs, their pages and their files; nothing outside the folder.

    Args:
        folder: With folders of runs in it.
        port: Of this machine; 0 for any that is free.

    Raises:
        ValueError: If there is no such folder, or no such port.
        OSError: If the port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: str | PathLike[str], port: int = PORT):
        self.folder = Path(folder).resolve()
        if not self.folder.is_dir():
            raise ValueError(
                f"`folder` must be one with runs in it. Received: {str(folder)!r}, "
                "which is no folder."
            )
        if not 0 <= port < 2**16:
            raise ValueError(f"`port` must be in [0, 65535]. Received: port={port}.")
        try:
            super().__init__((_LOCALHOST, port), _Handler)
        except OSError as error:
            raise OSError(
                f"Port {port} can't be used: {error}. Choose another one, or 0 for any "
                "that is free."
            ) from error

    @property
    def address(self) -> str:
        """Where a browser finds the list."""
        return f"http://localhost:{self.server_port}/"


def serve(folder: str | PathLike[str], port: int = PORT) -> None:
    """Shows all runs below a folder in a browser of this machine, until Ctrl-C.

    Args:
        folder: With folders of runs in it.
        port: Of this machine; 0 for any that is free.

    Raises:
        ValueError: If there is no such folder, or no such port.
        OSError: If the port is taken.
    """
    with Server(folder, port) as server:
        print(f"Runs of {folder}: {server.address} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def runs_below(folder: Path) -> list[Path]:
    """Folders with a page of a run, the newest first."""
    found = []
    for depth in range(_DEEPEST + 1):
        found += [page for page in folder.glob("*/" * depth + _PAGE) if is_ours(page)]
    newest = sorted(found, key=_changed, reverse=True)
    return [page.parent for page in newest]


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def send_head(self):
        # A page elsewhere may call this machine by a name of its own.
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host")
        if host not in ("localhost", _LOCALHOST):
            self.send_error(HTTPStatus.FORBIDDEN, "Open it as localhost")
            return None
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/":
            return self._send(self._list())
        file = self._file(path)
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def translate_path(self, path):
        path = urllib.parse.unquote(urllib.parse.urlsplit(path).path)
        return str(self._file(path) or self.server.folder / "nothing")

    def _file(self, path):
        """The file of a path, if it is one of a run and within the folder."""
        parts = path.strip("/").split("/")
        file = self.server.folder.joinpath(*parts)
        if any(part.startswith(".") or "\0" in part for part in parts):
            return None
        if file.is_dir():
            if not path.endswith("/"):
                return None
            file /= _PAGE
        is_within = file.resolve().is_relative_to(self.server.folder)
        if not is_within or not file.is_file() or file.suffix not in _SHOWN:
            return None
        is_of_run = is_ours(file) or is_ours(file.parent / _PAGE)
        return file if is_of_run else None

    def _list(self):
        folder = self.server.folder
        rows = [
            f'<li><a href="/{html.escape(_quoted(run, folder))}">{_name(run, folder)}</a> '
            f"{_age(run / _PAGE)}</li>"
            for run in runs_below(folder)
        ]
        listed = f"<ul>{''.join(rows)}</ul>" if rows else "<p>No runs yet.</p>"
        title = f"Runs of {html.escape(folder.name)}"
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{title}</title>{_LOOK}<main><h1>{title}</h1>{listed}</main>{_FOLLOW}"
        ).encode()

    def _send(self, body):
        import io

        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_):
        """Says nothing: the terminal belongs to the user."""


def _quoted(run, folder):
    path = run.relative_to(folder).as_posix()
    return _PAGE if path == "." else urllib.parse.quote(path) + "/"


def _name(run, folder):
    path = run.relative_to(folder).as_posix()
    return html.escape(folder.name if path == "." else path)


def _age(page):
    seconds = max(0.0, time.time() - _changed(page))
    ago = "now" if seconds < 60 else f"{_in_words(seconds)} ago"
    if b'data-running="true"' not in beginning_of(page):
        return f"({ago})"
    return f"({'running' if seconds < _SILENT else 'it may have ended'}, {ago})"


def _in_words(seconds):
    for name, size in {"days": 86400, "h": 3600}.items():
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {name}"
    return f"{seconds // 60:.0f} min"


def _changed(page):
    try:
        return page.stat().st_mtime
    except OSError:  # a run may be deleted meanwhile
        return 0.0
