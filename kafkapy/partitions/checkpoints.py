"""The checkpoint files of the log directories: recovery points, log start offsets and high watermarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy_log.log_directories import replace_checkpoints

if TYPE_CHECKING:
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy_log import LogDirectories


class Checkpoints:
    """Writes the checkpoint files, so that recovery after a crash reads little and deleted records stay deleted."""

    def __init__(self, directories: LogDirectories, partitions: PartitionManager) -> None:
        self._directories = directories
        self._partitions = partitions
        self._lock = trio.Lock()  # held during the write in a thread, so that the latest offsets are written last

    async def write(self) -> None:
        """Write the present offsets; returns when the files have them. Raises OSError."""
        async with self._lock:
            files = self._directories.checkpoints(self._partitions.high_watermarks())
            await trio.to_thread.run_sync(replace_checkpoints, files)
