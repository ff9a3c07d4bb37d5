"""Folders of Zarr groups: of this machine's file system, or in an object store."""

import os
from pathlib import Path
from typing import Any, Protocol

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
    """The folder under a path or an address, such as `s3://bucket/run`."""
    if isinstance(path, (OfFileSystem, OfObjectStore)):
        return path
    path = os.fspath(path)
    if "://" in path and not path.startswith("file://"):
        return OfObjectStore(path)
    return OfFileSystem(path.removeprefix("file://"))


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
        return self._exists("/zarr.json")

    def holds_anything(self):
        return self._exists("")

    def locked(self, patience=0.0):
        return _NoLock()

    def _exists(self, name):
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise ImportError(
                "Results in an object store need fsspec. Received: path="
                f"{self._address!r}. Install it: pip install keras_manifold[remote]."
            ) from None
        try:
            system, path = url_to_fs(self._address)
        except ValueError as error:
            raise ValueError(
                "`path` must be a folder, or an address that fsspec knows, such as "
                f"s3://bucket/run. Received: path={self._address!r} ({error})."
            ) from None
        system.invalidate_cache()  # another process may have written
        return system.exists(path + name)


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
    except (FileNotFoundError, module.errors.ContainsArrayError):
        raise ValueError(
            f"`path` must hold a Zarr group. Received: path={str(folder)!r}."
        ) from None
