"""Small files that are read whole and replaced whole: after a crash there is the old content or the new, never a mix."""

import os
from pathlib import Path


def read_file(path: Path) -> bytes:
    """All bytes of a small file. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        data = os.read(fd, size) if size else b""
        while len(data) < size:
            more = os.read(fd, size - len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes, *, fsync: bool) -> None:
    """Create or overwrite in place: for what is checked and rebuilt when it is torn. Blocks with `fsync`."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        _write_all(fd, data)
        if fsync:
            os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, data: bytes, *, fsync: bool) -> None:
    """Write beside, then rename over `path`. Blocks with `fsync`: file and directory are on the disk afterwards."""
    beside = path.with_name(path.name + ".tmp")
    write_file(beside, data, fsync=fsync)
    beside.replace(path)
    if fsync:
        fsync_path(path.parent)


def fsync_path(path: Path) -> None:
    """Wait until a file's bytes, or a directory's names, are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
