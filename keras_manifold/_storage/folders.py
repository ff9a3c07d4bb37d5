"""Folders of Zarr groups: of this machine's file system, or in an object store."""

import os
import re
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from keras_manifold._storage.files import locked


class Folder(Protocol):
    """Where a group of Zarr is. `str` of it is what a message shows."""

    def child(self, name: str) -> "Folder":
        """A folder in it."""
        ...

    def opened(self, mode: str) -> Any:
        """Its group, which "a" makes where there is none.

        Raises:
            ValueError: If there is none, or something else.
            ImportError: If Zarr is not installed.
        """
        ...

    def has_group(self) -> bool:
        """Whether a group begins here."""
        ...

    def holds_anything(self) -> bool:
        """Whether anything is here, a group or not."""
        ...

    def locked(self, patience: float = 0.0) -> Any:
        """What nobody else can hold until its `release`.

        Args:
            patience: Seconds to wait for whoever holds it.

        Raises:
            BlockingIOError: If somebody else holds it.
        """
        ...


def folder(path: Any) -> Folder:
    """The folder under a path or an address, such as `s3://bucket/run`.

    Raises:
        ValueError: If it is an address that became a path, or a file of another machine.
    """
    if isinstance(path, (OfFileSystem, OfObjectStore)):
        return path
    text = os.fspath(path)
    if isinstance(path, Path) and re.match(r"\w{2,}:[/\\]", text):
        raise ValueError(
            "An address must be text, as a `Path` loses a slash of it. Received: "
            f"path={path!r}. Pass it as a str."
        )
    if "://" not in text:
        return OfFileSystem(path)
    address = urlsplit(text)
    if address.scheme not in ("file", "local"):
        return OfObjectStore(text)
    if address.netloc not in ("", "localhost"):
        raise ValueError(
            "`path` must be of this machine, as in file:///folder. Received: "
            f"path={text!r}. Pass the path alone."
        )
    return OfFileSystem(url2pathname(address.path))


def is_folder(path: Any) -> bool:
    """Whether a folder is there; an address may be one."""
    return "://" in os.fspath(path) or Path(path).is_dir()


class OfFileSystem:
    """A folder of this machine, whatever becomes of the working directory and of links.

    Args:
        path: Name of the folder, which need not be there.
        lock: Name of its lock file; `None` for one beside the folder.
    """

    def __init__(self, path, lock=None):
        self._path = Path(path).resolve()
        # Beside the group, whose readers warn of files that they don't know.
        self._lock = lock or self._path.with_name(f".{self._path.name}.lock")

    def __str__(self):
        return os.fspath(self._path)

    def child(self, name):
        # Whoever reads the group around it would be warned of a lock in there.
        lock = self._path.with_name(f".{self._path.name}.{name}.lock")
        return OfFileSystem(self._path / name, lock)

    def opened(self, mode):
        return _opened(self, self._path, mode)

    def has_group(self):
        return (self._path / "zarr.json").exists()

    def holds_anything(self):
        if not self._path.is_dir():
            return self._path.exists()
        # Zarr leaves its unfinished files behind when it is killed.
        return any(file.suffix != ".partial" for file in self._path.iterdir())

    def locked(self, patience=0.0):
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return locked(self._lock, patience=patience)


class OfObjectStore:
    """A folder under an address that `fsspec` knows. Object stores have no locks.

    Args:
        address: Such as `s3://bucket/run`.
    """

    def __init__(self, address):
        self._address = address.rstrip("/")

    def __str__(self):
        return self._address

    def child(self, name):
        return OfObjectStore(f"{self._address}/{name}")

    def opened(self, mode):
        return _opened(self, self._address, mode)

    def has_group(self):
        system, path = self._there()
        return system.exists(f"{path}/zarr.json")

    def holds_anything(self):
        system, path = self._there()
        try:
            names = system.ls(path, detail=False)
        except FileNotFoundError:
            return False
        return any(name.strip("/") != path.strip("/") for name in names)

    def locked(self, patience=0.0):
        return _NoLock()

    def _there(self):
        try:
            from fsspec.core import url_to_fs

            system, path = url_to_fs(self._address)
        except ImportError as error:
            raise ImportError(
                "Results in an object store need fsspec, and what it needs for this one. "
                f"Received: path={self._address!r} ({error}). Install them, such as pip "
                "install keras_manifold[remote] s3fs."
            ) from None
        except ValueError as error:
            raise ValueError(
                "`path` must be a folder, or an address that fsspec knows, such as "
                f"s3://bucket/run. Received: path={self._address!r} ({error})."
            ) from None
        system.invalidate_cache()  # another process may have written
        return system, path


class _NoLock:
    def release(self):
        """Nothing to let go."""


def zarr() -> Any:
    """The module.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise ImportError(
            "Results on disk need Zarr 3.1.3. Install it: pip install keras_manifold[zarr]."
        ) from None
    return zarr


def _opened(folder, store, mode):
    module = zarr()
    try:
        return module.open_group(store, mode=mode)
    except module.errors.ContainsGroupError:  # which another process has just made
        return module.open_group(store, mode="r+")
    except (FileNotFoundError, module.errors.ContainsArrayError) as error:
        found = "" if mode == "r" else f" ({error}). Make the bucket first, if it is one"
        raise ValueError(
            f"`path` must hold a Zarr group. Received: path={str(folder)!r}{found}."
        ) from None
