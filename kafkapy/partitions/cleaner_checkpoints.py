"""Up to where each compacted log is clean, in memory and in Kafka's `cleaner-offset-checkpoint`.

A truncation lowers the checkpoint: what is appended then may lie below the old one, and is not clean. A replica that is
deleted or moved away has none any more: one that comes back begins anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy_log.checkpoint_files import (
    CLEANER_CHECKPOINT,
    CorruptFileError,
    TopicPartition,
    offset_checkpoint,
    parse_offset_checkpoint,
)

if TYPE_CHECKING:
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.replica import Replica
    from kafkapy_log import LogStore

logger = logging.getLogger("kafkapy.partitions")


class CleanerCheckpoints:
    """Read when it is made: before any log is made anew for a replica that had one."""

    def __init__(self, store: LogStore, disk: DiskWatch) -> None:
        self._store = store
        self._disk = disk
        self._offsets = self._read()
        self._lock = trio.Lock()  # the file is written by one thread at a time
        self._lowered = trio.Event()

    def of(self, known: TopicPartition) -> int | None:
        """Where the last cleaning has ended; None if there was none."""
        return self._offsets.get(known)

    def cleaned(self, replica: Replica, end_offset: int) -> None:
        """The log is clean up to `end_offset`, as far as it was not truncated meanwhile."""
        known = TopicPartition(replica.topic, replica.index)
        self._offsets[known] = replica.log.compaction.bounded_checkpoint(end_offset)

    def forget(self, known: TopicPartition) -> None:
        """The next cleaning begins at the log's start."""
        self._offsets.pop(known, None)

    def forget_topic(self, topic: str) -> None:
        for known in [known for known in self._offsets if known.topic == topic]:
            del self._offsets[known]

    def note_truncation(self, replica: Replica) -> None:
        """Lower the checkpoint of a log that was truncated."""
        known = TopicPartition(replica.topic, replica.index)
        offset = self._offsets.get(known)
        if offset is not None:
            self.cleaned(replica, offset)
            if self._offsets[known] < offset:
                self._lowered.set()

    async def run(self) -> None:
        """Write the file whenever a checkpoint was lowered, until cancelled."""
        while True:
            await self._lowered.wait()
            self._lowered = trio.Event()
            await self.write()

    async def write(self) -> None:
        async with self._lock:
            content = offset_checkpoint({known: end for known, end in self._offsets.items() if known in self._store})
            try:
                await trio.to_thread.run_sync(self._store.replace_checkpoints, [(CLEANER_CHECKPOINT, content)])
            except OSError as error:
                self._disk.put_off(f"writing {CLEANER_CHECKPOINT}", error)

    def _read(self) -> dict[TopicPartition, int]:
        from kafkapy_log.durable_files import read_file

        try:
            offsets = parse_offset_checkpoint(read_file(self._store.directory / CLEANER_CHECKPOINT))
        except FileNotFoundError:
            return {}
        except (CorruptFileError, OSError) as error:
            logger.warning("%s cannot be read, cleaning starts over: %s", CLEANER_CHECKPOINT, error)
            return {}
        return {known: offset for known, offset in offsets.items() if known in self._store}
