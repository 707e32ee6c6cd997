"""Syncing a log to the disk in three steps: begin, sync (in any thread), end."""

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

from kafkapy_log.checkpoint_files import LEADER_EPOCH_CHECKPOINT
from kafkapy_log.durable_files import (
    fdatasync_fd,
    fsync_fd,
    fsync_path,
    replace_file,
    sync_file_system,
    write_file,
)
from kafkapy_log.file_pool import PooledFile

_SYNC_THREADS_MAX: Final = 16
_TOGETHER_MAX: Final = 128
_DESCRIPTORS_EACH: Final = 8  # a directory, the segments that are not synced yet, one to sync or write the rest by
_DESCRIPTORS_FOR_OTHERS: Final = 64


def together_max() -> int:
    """How many flushes may run at once, so that enough descriptors are left."""
    soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft_limit == resource.RLIM_INFINITY:
        return _TOGETHER_MAX
    return max(1, min(_TOGETHER_MAX, (soft_limit - _DESCRIPTORS_FOR_OTHERS) // _DESCRIPTORS_EACH))


class Flush:
    """One running flush: made and closed by the thread that owns the log; `sync` may run in any thread.

    What makes `sync` safe beside appends, rolls, truncations and even the deletion of the log: it works with
    descriptors that are held for it and with bytes that were taken beforehand, and looks at nothing that others change.
    One that is not `held` has no descriptors: it is for `sync_together` alone, when the log is being closed and nothing
    else happens to it.
    """

    __slots__ = (
        "_directory",
        "_directory_fd",
        "_epochs",
        "_fds",
        "_snapshot",
        "end_offset",
        "files",
        "names",
        "snapshot_name",
    )

    def __init__(
        self,
        directory: Path,
        files: list[PooledFile],
        names: list[str],
        epochs: bytes | None,
        end_offset: int,
        snapshot: tuple[str, bytes] | None = None,
        *,
        held: bool = True,
    ) -> None:
        """`files` hold the records, `names` are small files beside them, `epochs` the leader epoch checkpoint to come.

        `snapshot`, name and content, is written when all of these are on the disk: that it is there proves it.
        Raises OSError.
        """
        self.files: list[PooledFile] = []
        self.names = names
        self.end_offset = end_offset
        """Everything below is on the disk after `sync`."""
        self.snapshot_name = "" if snapshot is None else snapshot[0]
        self._snapshot = b"" if snapshot is None else snapshot[1]
        self._epochs = epochs
        self._fds: list[int] = []
        self._directory = directory
        self._directory_fd: int | None = None
        if not held:
            return
        # A descriptor, not a path: the directory may be renamed and its name taken by a new topic meanwhile.
        self._directory = Path()
        self._directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for file in files:
                self._fds.append(file.hold())
                self.files.append(file)
        except OSError:
            self.close()
            raise

    def sync(self, *, fsync: bool = True) -> None:
        """Write and sync everything; without `fsync` only write.

        Raises OSError, SyncFailed.
        """
        assert self._directory_fd is not None
        if fsync:
            for fd in self._fds:
                fdatasync_fd(fd)
            for name in self.names:
                with suppress(FileNotFoundError):  # its segment was deleted meanwhile
                    fsync_path(name, directory_fd=self._directory_fd)
        if self._epochs is not None:
            self.write_epochs(fsync=fsync)
        elif fsync:
            fsync_fd(self._directory_fd)
        if self.snapshot_name:
            self.write_snapshot(fsync=fsync)
            if fsync:
                fsync_fd(self._directory_fd)

    def write_epochs(self, *, fsync: bool) -> None:
        """The first step of `sync`: write everything except the snapshot. Raises OSError, SyncFailed."""
        if self._epochs is not None:
            path = self._directory / LEADER_EPOCH_CHECKPOINT
            replace_file(path, self._epochs, fsync=fsync, directory_fd=self._directory_fd)

    def write_snapshot(self, *, fsync: bool) -> None:
        """The last step of `sync`, when everything else is on the disk. Raises OSError, SyncFailed."""
        if self.snapshot_name:
            path = self._directory / self.snapshot_name
            write_file(path, self._snapshot, fsync=fsync, directory_fd=self._directory_fd)

    def close(self) -> None:
        """Release the held descriptors."""
        if self._directory_fd is not None:
            os.close(self._directory_fd)
        for file in self.files:
            file.release()


def sync_all(flushes: list[Flush], *, fsync: bool) -> list[OSError | None]:
    """`sync` each, several at a time since file systems join what waits together; the error of each, if any. Blocks."""
    errors: list[OSError | None] = [None] * len(flushes)
    waiting = list(enumerate(flushes))

    def work() -> None:
        while True:
            try:
                number, flush = waiting.pop()
            except IndexError:
                return
            try:
                flush.sync(fsync=fsync)
            except OSError as error:
                errors[number] = error

    helpers = [Thread(target=work) for _ in range(min(_SYNC_THREADS_MAX, len(flushes)) - 1)] if fsync else []
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    return errors


def sync_together(flushes: list[Flush], file_system_fd: int) -> list[OSError | None]:
    """As `sync_all`, with the whole file system synced once or twice instead of half a dozen files of each log.

    For flushes that hold nothing. `file_system_fd` has been open since before anything was written that is to be on the
    disk now: a write that failed at any time since is reported through it, and then nobody knows of which log. Blocks.
    """
    errors: list[OSError | None] = [_error_of(partial(flush.write_epochs, fsync=False)) for flush in flushes]
    failed = _error_of(partial(sync_file_system, file_system_fd))
    if failed is None and any(flush.snapshot_name for flush in flushes):
        for number, flush in enumerate(flushes):
            errors[number] = errors[number] or _error_of(partial(flush.write_snapshot, fsync=False))
        failed = _error_of(partial(sync_file_system, file_system_fd))
    return errors if failed is None else [failed] * len(flushes)


def _error_of(write: Callable[[], None]) -> OSError | None:
    try:
        write()
    except OSError as error:
        return error
    return None
