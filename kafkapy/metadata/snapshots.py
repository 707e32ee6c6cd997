"""The snapshots of a node's metadata: the `.checkpoint` files beside its metadata log, as Apache Kafka has them.

```
<end offset>-<epoch>.checkpoint            whole: stands for all records below its end offset
<end offset>-<epoch>.checkpoint.part       being written or downloaded; synced, then renamed
```
What a crash has left of the second kind is deleted by the next start, and so is what Apache Kafka has marked for
deletion (`.checkpoint.deleted`). Which files there are is known to the thread of the event loop; all that reads or
writes their bytes may be done by a worker thread.
"""

from __future__ import annotations

import errno
import os
from bisect import insort
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kafkapy_controller.metadata_batches import SnapshotId, check_header, read_batches, whole_batches_end
from kafkapy_log import StorageError
from kafkapy_log.disk_errors import StorageErrors
from kafkapy_log.durable_files import fsync_fd, fsync_path
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kafkapy_controller.raft.core import SnapshotPart
    from kafkapy_controller.raft.messages import FetchSnapshot, FetchSnapshotResult
    from kafkapy_controller.snapshot_policy import StoredSnapshot

PART_BYTES_MAX: Final = 1 << 20
"""Of one answer to FetchSnapshot."""
FIRST_BYTES: Final = 64 * 1024
"""The first batch of a snapshot has the header and the voters."""


class SnapshotFiles:
    """The whole snapshots of one directory, and how to add, read and remove them. Methods raise StorageError."""

    def __init__(self, directory: Path, *, fsync: bool) -> None:
        self.directory = directory
        self._fsync = fsync
        self._known: list[SnapshotId] = []

    def load(self) -> None:
        """Find the snapshots, and delete what was not finished. Raises OSError."""
        self._known = []
        for name in os.listdir(self.directory):
            snapshot = SnapshotId.parse(name)
            if snapshot is not None:
                insort(self._known, snapshot)
            elif _is_leftover(name):
                (self.directory / name).unlink(missing_ok=True)

    @property
    def known(self) -> Sequence[SnapshotId]:
        """All of them, the oldest first."""
        return self._known

    @property
    def newest(self) -> SnapshotId | None:
        return self._known[-1] if self._known else None

    def path(self, snapshot: SnapshotId) -> Path:
        return self.directory / snapshot.file_name

    def part_path(self, snapshot: SnapshotId) -> Path:
        """The file of a snapshot that is not finished."""
        return self.directory / f"{snapshot.file_name}.part"

    # Writing and downloading

    def writer(self, snapshot: SnapshotId) -> SnapshotWriter:
        """Begin a snapshot of this node's own. Any thread."""
        return SnapshotWriter(self, snapshot, fsync=self._fsync)

    def store_part(self, part: SnapshotPart) -> None:
        """Add a part of the leader's snapshot to its file; the part at position 0 begins it anew. Any thread.

        Raises StorageError: there is no room for the whole snapshot, the disk refuses the part, or the file does not
        end where the part begins. Then the download must begin again.
        """
        path = self.part_path(part.snapshot)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (0 if part.position else os.O_TRUNC)
        try:
            fd = os.open(path, flags, 0o644)
            try:
                _check_room(fd, path, part)
                _write_all(fd, part.data, part.position)
                if part.is_last and self._fsync:
                    fsync_fd(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self.drop_part(part.snapshot)
            raise StorageError(path, error) from error

    def drop_part(self, snapshot: SnapshotId) -> None:
        """Delete the unfinished file. Any thread."""
        with suppress(OSError):  # the next start deletes it
            self.part_path(snapshot).unlink(missing_ok=True)

    def finish(self, snapshot: SnapshotId) -> None:
        """Give a file that is whole and synced its name. Any thread; then say `add`."""
        path = self.path(snapshot)
        try:
            self.part_path(snapshot).replace(path)
            if self._fsync:
                fsync_path(self.directory)
        except OSError as error:
            raise StorageError(path, error) from error

    def add(self, snapshot: SnapshotId) -> None:
        """The snapshot is there: a restart would find it."""
        if snapshot not in self._known:
            insort(self._known, snapshot)

    # Removing

    def forget_before(self, oldest: SnapshotId) -> list[Path]:
        """Forget the snapshots that are older, and return their files, for `remove`."""
        gone = [self.path(snapshot) for snapshot in self._known if snapshot < oldest]
        self._known = self._known[len(gone) :]
        return gone

    # Reading

    def part_for(self, request: FetchSnapshot, result: FetchSnapshotResult) -> FetchSnapshotResult:
        """`result` of the quorum with the bytes that `request` asks for, or with the error. Any thread.

        Raises StorageError.
        """
        if request.snapshot not in self._known or not request.snapshot.end_offset:  # 0-0 is each node's own
            return result._replace(error=ErrorCode.SNAPSHOT_NOT_FOUND)
        path = self.path(request.snapshot)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(fd).st_size
                if not 0 <= request.position < size:
                    return result._replace(error=ErrorCode.POSITION_OUT_OF_RANGE)
                data = os.pread(fd, max(0, min(request.max_bytes, PART_BYTES_MAX)), request.position)
            finally:
                os.close(fd)
        except FileNotFoundError:  # deleted since it was looked up
            return result._replace(error=ErrorCode.SNAPSHOT_NOT_FOUND)
        except OSError as error:
            raise StorageError(path, error) from error
        return result._replace(size=size, position=request.position, data=data)

    def look_at(self, snapshot: SnapshotId) -> StoredSnapshot:
        """What retention must know of it. Any thread. Raises StorageError."""
        from kafkapy_controller.snapshot_policy import StoredSnapshot

        path = self.path(snapshot)
        with StorageErrors(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size, first_bytes = os.fstat(fd).st_size, os.pread(fd, FIRST_BYTES, 0)
            finally:
                os.close(fd)
            end, _ = whole_batches_end(first_bytes)
            first = next(read_batches(first_bytes[:end], 0), None)
            if first is None:
                raise MalformedMessage("the snapshot has no header")
            return StoredSnapshot(snapshot, size, check_header(first))


class SnapshotWriter:
    """Writes one snapshot. `finish` or `abandon` ends it. All of it may be done by a worker thread."""

    def __init__(self, files: SnapshotFiles, snapshot: SnapshotId, *, fsync: bool) -> None:
        self.snapshot = snapshot
        self._files = files
        self._fsync = fsync
        path = files.part_path(snapshot)
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(path, error) from error

    def write(self, data: bytes) -> None:
        """Raises StorageError; then `abandon` it."""
        try:
            _write_all(self._fd, data)
        except OSError as error:
            raise StorageError(self._files.part_path(self.snapshot), error) from error

    def finish(self) -> None:
        """Sync the file and give it its name. Raises StorageError; then `abandon` it."""
        try:
            if self._fsync:
                fsync_fd(self._fd)
        except OSError as error:
            raise StorageError(self._files.part_path(self.snapshot), error) from error
        self._close()
        self._files.finish(self.snapshot)

    def abandon(self) -> None:
        self._close()
        self._files.drop_part(self.snapshot)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _is_leftover(name: str) -> bool:
    """Whether a file of this name is a snapshot that was not finished, or was to be deleted. Apache Kafka has a number
    between the epoch and the dot.
    """
    offset, dash, rest = name[:20], name[20:21], name[21:31]
    is_snapshot = offset.isdecimal() and dash == "-" and rest.isdecimal() and len(rest) == 10
    return is_snapshot and name.endswith((".checkpoint.part", ".checkpoint.deleted"))


def remove(paths: Sequence[Path]) -> None:
    """Delete files. Any thread. Raises OSError."""
    for path in paths:
        path.unlink(missing_ok=True)


def _check_room(fd: int, path: Path, part: SnapshotPart) -> None:
    """Raises OSError: the part does not belong there, or the disk has no room for all that is announced."""
    size = os.fstat(fd).st_size
    if size != part.position:
        raise OSError(errno.EINVAL, f"it has {size} bytes, and the next part begins at {part.position}", str(path))
    free = os.fstatvfs(fd)
    needed = part.size - part.position
    if free.f_bavail * free.f_frsize < needed:
        raise OSError(errno.ENOSPC, f"the leader's snapshot takes another {needed} bytes", str(path))


def _write_all(fd: int, data: bytes, position: int | None = None) -> None:
    view = memoryview(data)
    while view:
        written = os.write(fd, view) if position is None else os.pwrite(fd, view, position)
        view = view[written:]
        if position is not None:
            position += written
