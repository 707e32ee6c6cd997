"""The checkpoint files of a data directory: recovery points, log start offsets and high watermarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy_log import LogStore


class Checkpoints:
    """Writes them. A crash then costs little, and no log starts again where it started before."""

    def __init__(self, store: LogStore, partitions: PartitionManager) -> None:
        self._store = store
        self._partitions = partitions
        self._lock = trio.Lock()  # spans the write in a thread: the latest offsets are to be written last

    async def write(self) -> None:
        """Return when the offsets as they are now are in the files. Raises OSError."""
        async with self._lock:
            files = self._store.checkpoints(self._partitions.high_watermarks())
            await trio.to_thread.run_sync(self._store.replace_checkpoints, files)
