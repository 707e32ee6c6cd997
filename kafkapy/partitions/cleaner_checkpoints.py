"""Up to where each compacted log is clean, in memory and in Kafka's `cleaner-offset-checkpoint`
of its directory.

A truncation lowers the checkpoint: what is appended then may lie below the old one, and is not clean. A replica that is
deleted or moved away has none any more: one that comes back begins anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.partitions.checkpoints import write_checkpoint_files
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
    from kafkapy_log import LogDirectories, LogStore

logger = logging.getLogger("kafkapy.partitions")


class CleanerCheckpoints:
    """Read when it is made: before any log is made anew for a replica that had one."""

    def __init__(self, directories: LogDirectories, disk: DiskWatch) -> None:
        self._directories = directories
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
            try:
                await write_checkpoint_files(self._files(), self._disk)
            except OSError as error:
                self._disk.put_off(f"writing {CLEANER_CHECKPOINT}", error)

    def _files(self) -> list[tuple[LogStore, list[tuple[str, bytes]]]]:
        """One for each directory, with the partitions that are there now."""
        offsets: dict[LogStore, dict[TopicPartition, int]] = {store: {} for store in self._directories.stores}
        for known, end in self._offsets.items():
            store = self._directories.store_of(*known)
            if store is not None and known in store:
                offsets[store][known] = end
        return [(store, [(CLEANER_CHECKPOINT, offset_checkpoint(ends))]) for store, ends in offsets.items()]

    def _read(self) -> dict[TopicPartition, int]:
        from kafkapy_log.durable_files import read_file

        found: dict[TopicPartition, int] = {}
        for store in self._directories.stores:
            try:
                offsets = parse_offset_checkpoint(read_file(store.directory / CLEANER_CHECKPOINT))
            except FileNotFoundError:
                continue
            except (CorruptFileError, OSError) as error:
                logger.warning("%s cannot be read, cleaning starts over: %s", CLEANER_CHECKPOINT, error)
                continue
            found |= {known: offset for known, offset in offsets.items() if self._is_in(known, store)}
        return found

    def _is_in(self, known: TopicPartition, store: LogStore) -> bool:
        return known in store and self._directories.store_of(*known) is store
