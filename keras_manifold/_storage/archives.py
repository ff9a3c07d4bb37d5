"""Arrays of npz files of others, of which nothing is believed before it is looked at."""

import contextlib
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

# What NumPy raises for a file that is cut short or holds something else.
UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)

# Bytes of all arrays of a file, unless somebody asks for more.
MOST_BYTES = 2**30


@contextlib.contextmanager
def regular_file(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A regular file, open for reading.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is a pipe, a device or a folder, which may never end.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(
            f"{os.fspath(path)} must be a regular file. Received: another kind."
        )
    with open(path, "rb") as file:
        yield file


def read_arrays(
    path: str | PathLike[str], names: Iterable[str], *, max_bytes: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """Arrays of an npz file, by name, where there are such.

    Args:
        path: The file.
        names: Of the arrays, whose first axes must be of one length.
        max_bytes: Of all of them together, which their headers promise.

    Raises:
        ValueError: If the file is no npz file, cut short or damaged, or holds more; in
            words that name it.
        FileNotFoundError: If there is no such file.
    """
    with regular_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {f"{name}.npy": name for name in names}
                infos = [info for info in archive.infolist() if info.filename in members]
                headers = {info.filename: _header(archive, info) for info in infos}
        except UNREADABLE as error:
            _refuse(path, error)
        size = sum(bytes_promised for _, bytes_promised in headers.values())
        if size > max_bytes:
            raise ValueError(
                f"{os.fspath(path)} must hold at most {max_bytes:,} bytes of arrays. "
                f"Received: headers that promise {size:,}. If it is yours, raise max_bytes."
            )
        lengths = {shape[0] for shape, _ in headers.values() if shape}
        if len(lengths) > 1:
            _refuse(path, f"arrays of {sorted(lengths)} samples")
        try:
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {
                    members[filename]: arrays[members[filename]] for filename in headers
                }
        except UNREADABLE as error:
            _refuse(path, error)
    raise AssertionError  # never reached, as `_refuse` raises


def _header(archive, info) -> tuple[tuple[int, ...], int]:
    """Shape of a member, and the bytes that it promises."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(member)
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or size > info.file_size:
        raise ValueError(f"{info.filename} is shorter than its header says")
    return shape, size


def _refuse(path: Any, received: Any) -> None:
    raise ValueError(
        f"{os.fspath(path)} must be an npz file, whole as it was saved. Received: a "
        f"file that is not: {received}. Copy it again, or save it anew."
    ) from None
