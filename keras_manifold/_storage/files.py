"""Files that are written whole or not at all, and locks."""

import contextlib
import glob
import os
import platform
import stat
import threading
import time
import zlib
from pathlib import Path

# Tells machines that share a folder apart, without their names.
_HOST = zlib.crc32(platform.node().encode())


@contextlib.contextmanager
def replacing(path):
    """A binary file that takes the place of `path` once all of it is written.

    What a process that was killed has left of the same file is removed.

    Args:
        path: File name in a folder that exists. A symbolic link stays one, and what is
            replaced keeps its permissions.

    Yields:
        The file, open for writing under a hidden name beside `path`.

    Raises:
        OSError: If it cannot be written; what stood under `path` before stays.
    """
    path = Path(path)
    if path.is_symlink():  # the link stays, and what it leads to is replaced
        path = path.resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Expected a folder to write {path.name} in. Received: {str(path.parent)!r}, "
            "which is none. Make it first: os.makedirs(...)."
        )
    remove_unfinished(path)
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    writer = f"{_HOST}.{os.getpid()}.{threading.get_ident()}"
    aside = path.with_name(f".{path.name}.{writer}")
    try:
        with open(aside, "wb") as file:
            if mode is not None:
                os.chmod(aside, mode)
            yield file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def remove_unfinished(path, *, older_than=60.0):
    """Removes what a killed process was writing in place of a file.

    Args:
        path: Name of the file, as `replacing` gets it.
        older_than: Seconds since it last wrote there, where it can't be seen to have ended.
    """
    path = Path(path)
    for aside in path.parent.glob(f".{glob.escape(path.name)}.*"):
        writer = aside.name.removeprefix(f".{path.name}.").split(".")
        if len(writer) > 3 or not all(part.isdecimal() for part in writer):
            continue  # of somebody else, or of a file whose name begins as this one's
        with contextlib.suppress(OSError):
            is_old = time.time() - aside.stat().st_mtime >= older_than
            is_of_here = len(writer) == 3 and int(writer[0]) == _HOST
            if is_old or (is_of_here and _has_ended(int(writer[1]))):
                aside.unlink()


def _has_ended(process):
    if os.name != "posix":  # elsewhere the signal 0 ends it
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False


def locked(path, *, patience=0.0):
    """A lock that one process at a time can hold, released with it however it ends.

    Args:
        path: Name of the lock file, made if missing, in a folder that exists.
        patience: Seconds to wait for whoever holds it.

    Returns:
        `filelock.FileLock`, acquired; call its `release`.

    Raises:
        BlockingIOError: If somebody else holds it.
    """
    import filelock

    # Any thread may let it go, as the one that took it may have ended.
    lock = filelock.FileLock(path, timeout=patience, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BlockingIOError(
            f"Another run holds {os.fspath(path)!r}: it is writing to the same place. Wait "
            "for it to end, or choose another."
        ) from None
    return lock
