"""Small files that are replaced atomically: after a crash a file has its old content or the new, never a mix."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from kafkapy_log.disk_errors import SyncFailed


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


def write_file(path: Path, data: bytes, *, fsync: bool, directory_fd: int | None = None) -> None:
    """Create or overwrite a file in place: for files that are checked, and rebuilt if torn. Blocks with `fsync`.

    Raises OSError, SyncFailed.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644, dir_fd=directory_fd)
    try:
        _write_all(fd, data)
        if fsync:
            fsync_fd(fd)
    finally:
        os.close(fd)


def overwrite_file(path: Path, data: bytes) -> None:
    """Write `data` over a file that grows at its end: bytes that do not change are never missing. Not synced.

    Raises OSError.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _write_all(fd, data)
        if os.fstat(fd).st_size > len(data):
            os.ftruncate(fd, len(data))
    finally:
        os.close(fd)


def replace_file(path: Path | str, data: bytes, *, fsync: bool, directory_fd: int | None = None) -> None:
    """Write beside, then rename over `path`. Blocks with `fsync`: file and directory are on the disk afterwards.

    With `directory_fd` the path is one name in that directory, wherever it is by now. Raises OSError.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    try:
        write_file(beside, data, fsync=fsync, directory_fd=directory_fd)
        os.replace(beside, path, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except OSError:
        with suppress(OSError):  # on a full disk, free its bytes
            os.unlink(beside, dir_fd=directory_fd)
        raise
    if fsync:
        fsync_path(path.parent, directory_fd=directory_fd)


def fsync_path(path: Path | str, *, directory_fd: int | None = None) -> None:
    """Wait until a file's bytes, or a directory's names, are on the disk. Raises OSError, SyncFailed."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        fsync_fd(fd)
    finally:
        os.close(fd)


def fsync_fd(fd: int) -> None:
    """`os.fsync` that raises SyncFailed, so that its failure is not taken for another error."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror) from error


def fdatasync_fd(fd: int) -> None:
    """`os.fdatasync` that raises SyncFailed, so that its failure is not taken for another error."""
    try:
        os.fdatasync(fd)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror) from error


def can_sync_file_systems() -> bool:
    """Whether `sync_file_system` reports failed writes: since Linux 5.8."""
    if sys.platform != "linux":
        return False
    major, minor, *_ = os.uname().release.split(".")
    return (int(major), int(minor)) >= (5, 8)


def sync_file_system(fd: int) -> None:
    """Wait until everything in the file system of `fd` is on the disk. Raises SyncFailed.

    It also raises if a write to any file of the file system has failed since `fd` was opened.
    """
    import ctypes  # takes longer than it is used, and only a stop with many logs does

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd):
        number = ctypes.get_errno()
        raise SyncFailed(number, os.strerror(number))


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
