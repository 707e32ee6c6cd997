"""The checkpoint files of the log directories: recovery points, log start offsets and high watermarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy_log import LogDirectories, LogStore


class Checkpoints:
    """Writes the checkpoint files, so that recovery after a crash reads little and deleted records stay deleted."""

    def __init__(self, directories: LogDirectories, partitions: PartitionManager, disk: DiskWatch) -> None:
        self._directories = directories
        self._disk = disk
        self._partitions = partitions
        self._lock = trio.Lock()  # held during the write in a thread, so that the latest offsets are written last

    async def write(self) -> None:
        """Write the present offsets; returns when the files have them. Raises OSError."""
        async with self._lock:
            files = self._directories.checkpoints(self._partitions.high_watermarks())
            await write_checkpoint_files(files, self._disk)


async def write_checkpoint_files(files: Sequence[tuple[LogStore, list[tuple[str, bytes]]]], disk: DiskWatch) -> None:
    """Write the files of every log directory in a worker thread, whatever becomes of those of another one.

    Raises OSError, unless only directories had errors that are offline now.
    """
    failure: OSError | None = None
    for store, content in files:
        try:
            await trio.to_thread.run_sync(store.replace_checkpoints, content)
        except OSError as error:
            if not disk.directory_refused(store.directory, error):
                failure = error
    if failure is not None:
        raise failure
