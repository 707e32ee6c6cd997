"""fsync in a worker thread: one fsync covers all records that were appended before it began.

As in Apache Kafka, produced records are not synced by default: the page cache survives a crash of the process, and
replicas survive the crash of a machine. Only a rolled segment is synced, in the background, so that recovery reads
little. With flush.messages=1 a produce is answered after the fsync: use it where a single broker must not lose an
acknowledged record in a power failure. All requests that arrive while one fsync runs share the next.

flush.messages   an append that leaves so many records unsynced asks for a flush, and is committed after it
flush.ms         records are synced after that time, to within `CHECK_INTERVAL_MS`

Logs are also *settled*: synced together with their indexes and a snapshot of their producers, so that recovery begins
at that point. After an unclean stop, the logs that recovery has read are settled, so that the next recovery does not
read them again. Every log.flush.offset.checkpoint.interval.ms, the logs with the most unsettled bytes are settled.
Apache Kafka does not do this: its recovery reads the whole active segment every time.

Differs: Apache Kafka checks flush.ms only every log.flush.scheduler.interval.ms, which by default is never; here a
topic's flush.ms is enough. Apache Kafka syncs within the append; here the high watermark waits for the fsync, so that
neither a producer nor a consumer sees a record that a power failure may lose.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy_log import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.clock import Clock
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy_log import Flush, PartitionLog
    from kafkapy_wire.errors import KafkaError

CHECK_INTERVAL_MS = 1_000
NEVER_MS = 2**63 - 1
SETTLE_BYTES_MIN = 1 << 15  # recovery reads fewer bytes than that in the time that opening a log takes
SETTLE_LOGS_MAX = 200  # in one round of the chore: each costs half a dozen fsyncs
SETTLE_TOGETHER_MAX = 16  # logs settled in a row; an fsync for flush.messages may have to wait for all of them


class Extent(IntEnum):
    """How much of a log is flushed; each includes those before it."""

    ROLLED = 0
    RECORDS = 1
    SETTLED = 2


class Due:
    """A log that is to be flushed: how much of it, and the callback for afterwards."""

    __slots__ = ("extent", "then")

    def __init__(self) -> None:
        self.extent = Extent.ROLLED
        self.then: Callable[[KafkaError | None], None] | None = None


class Flusher:
    """Flushes logs of one node, a round at a time, while `run` runs."""

    def __init__(self, clock: Clock, disk: DiskWatch) -> None:
        self._clock = clock
        self._disk = disk
        self._due: dict[PartitionLog, Due] = {}
        self._asked = trio.Event()
        self._round_ended = trio.Event()  # of the round that begins next
        self._dirty_since_ms: dict[PartitionLog, int] = {}
        self.recovery_points_moved = trio.Event()
        """Set when recovery points should be written to the checkpoint file, which replaces this event. A flush for
        flush.messages does not set it."""

    def ask(
        self,
        log: PartitionLog,
        extent: Extent = Extent.RECORDS,
        then: Callable[[KafkaError | None], None] | None = None,
    ) -> None:
        """Flush the log in the next round.

        Afterwards `then(None)` is called, or `then(KAFKA_STORAGE_ERROR)` if the flush failed. A log has one such
        callback, that of its partition.
        """
        due = self._due.get(log)
        if due is None:
            due = self._due[log] = Due()
        due.extent = max(extent, due.extent)
        due.then = then or due.then
        self._asked.set()

    def forget(self, log: PartitionLog) -> None:
        """The log is used no more: another has its records, and is asked for if need be."""
        self._due.pop(log, None)
        self._dirty_since_ms.pop(log, None)

    async def settle(self, logs: Iterable[PartitionLog]) -> None:
        """Settle the logs with the most unsettled bytes, some at a time; returns when they are settled."""
        due = [log for log in logs if log.flushing.unsettled_bytes >= SETTLE_BYTES_MIN and not log.has_failed]
        due.sort(key=lambda log: log.flushing.unsettled_bytes, reverse=True)
        for first in range(0, min(len(due), SETTLE_LOGS_MAX), SETTLE_TOGETHER_MAX):
            for log in due[first : first + SETTLE_TOGETHER_MAX]:
                self.ask(log, Extent.SETTLED)
            await self.flushed()

    async def flushed(self) -> None:
        """Wait for the end of the round that flushes every log asked for so far."""
        await self._round_ended.wait()

    def check(self, logs: Iterable[PartitionLog]) -> None:
        """Ask for a flush of logs that are due by flush.ms, and of segments that were rolled since the last flush."""
        now_ms = self._clock.now_ms()
        dirty_since_ms: dict[PartitionLog, int] = {}
        for log in logs:
            if not log.flushing.unflushed_record_count or log.has_failed:
                continue
            if log.active_base_offset > log.recovery_point:
                self.ask(log, Extent.ROLLED)
            if log.settings.flush_ms < NEVER_MS:
                since_ms = dirty_since_ms[log] = self._dirty_since_ms.get(log, now_ms)
                if now_ms - since_ms >= log.settings.flush_ms:
                    del dirty_since_ms[log]
                    self.ask(log)
        self._dirty_since_ms = dirty_since_ms

    async def run(self) -> None:
        """Flush the logs that are asked for, until cancelled."""
        while True:
            await self._asked.wait()
            due, self._due = self._due, {}
            self._asked = trio.Event()
            ended, self._round_ended = self._round_ended, trio.Event()
            try:
                await self._flush(due)
            finally:
                ended.set()

    async def _flush(self, due: dict[PartitionLog, Due]) -> None:
        """Flush all logs that are due, as many at a time as there are descriptors for."""
        from kafkapy_log.flush import together_max

        logs, count = list(due.items()), together_max()
        for first in range(0, len(logs), count):
            await self._flush_together(dict(logs[first : first + count]))

    async def _flush_together(self, due: dict[PartitionLog, Due]) -> None:
        from kafkapy_log.flush import sync_all

        flushes: list[tuple[PartitionLog, Flush]] = []
        for log, wanted in due.items():
            try:
                flush = log.flushing.begin(
                    rolled_only=wanted.extent is Extent.ROLLED, settle=wanted.extent is Extent.SETTLED
                )
            except StorageError as error:
                self._failed(log, wanted, error)
                continue
            if flush is not None:
                flushes.append((log, flush))
            elif log.failure is not None:
                self._failed(log, wanted, StorageError(log.topic_partition, log.failure))
            elif wanted.then is not None:
                wanted.then(None)
        if not flushes:
            return
        sync = partial(sync_all, [flush for _, flush in flushes], fsync=True)
        # A flush that has begun must end, or its descriptors are lost: cancelling waits for the disk once more.
        with trio.CancelScope(shield=True):
            errors = await trio.to_thread.run_sync(sync)
        for (log, flush), sync_error in zip(flushes, errors, strict=True):
            log.flushing.end(flush, sync_error)
            wanted = due[log]
            if sync_error is not None:
                self._failed(log, wanted, StorageError(log.topic_partition, sync_error))
                continue
            if wanted.extent is not Extent.RECORDS:
                self.recovery_points_moved.set()
            if wanted.then is not None:
                wanted.then(None)

    def _failed(self, log: PartitionLog, wanted: Due, error: StorageError) -> None:
        self._disk.note_disk_error(log, error)
        if wanted.then is not None:
            wanted.then(error)
