"""fsync beside the event loop: what was appended together is brought to the disk together.

The choice is Apache Kafka's. As a rule nothing is synced when it is produced: the page cache survives a crash of the
process, and replicas the crash of a machine. Only a segment that was rolled is synced, in the background, so that
recovery reads little. Who runs one broker and wants every answer to be a promise of durability sets flush.messages=1:
then a produce is answered after the fsync. All requests that come while one fsync runs share the next.

flush.messages   an append that leaves so many records unsynced asks for a flush, and its answer waits
flush.ms         records are synced after that time, to within `CHECK_INTERVAL_MS`

Beside that, logs are *settled*: synced together with their indexes and a snapshot of their producers, so that a
recovery begins there. After an unclean stop those that recovery had to read, lest the next one reads them again; later,
every log.flush.offset.checkpoint.interval.ms, those that it would have to read most of. Apache Kafka does not: its
recovery reads the whole segment that was written to, every time.

Differs: Apache Kafka looks at flush.ms only every log.flush.scheduler.interval.ms, which is never by default; here a
topic's flush.ms is enough. It syncs within the append, so that a consumer never sees what may be lost with the power;
here consumers see a record when it is in the page cache, and only the producer waits.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from kafkapy.clock import Clock
    from kafkapy.disk_watch import DiskWatch
    from kafkapy.partitions import Partition
    from kafkapy_log import Flush, PartitionLog

CHECK_INTERVAL_MS = 1_000
NEVER_MS = 2**63 - 1
SETTLE_BYTES_MIN = 1 << 15  # a recovery reads less than that in the time that opening a log takes
SETTLE_LOGS_MAX = 200  # each time: they cost half a dozen fsyncs each
SETTLE_TOGETHER_MAX = 16  # who waits for flush.messages waits for so many others


class Extent(IntEnum):
    """How much of a log is flushed; each includes those before it."""

    ROLLED = 0
    RECORDS = 1
    SETTLED = 2


class Flusher:
    """Flushes logs of one node, a round at a time, while `run` runs."""

    def __init__(self, clock: Clock, disk: DiskWatch) -> None:
        self._clock = clock
        self._disk = disk
        self._due: dict[PartitionLog, Extent] = {}
        self._asked = trio.Event()
        self._round = Round()  # the one that begins next
        self._dirty_since_ms: dict[PartitionLog, int] = {}
        self.records_are_due = False
        """An append has asked for a flush since this was last set to False: its request waits for `flushed`."""
        self.recovery_points_moved = trio.Event()
        """Set when it is worth noting, and replaced by who notes it: not for every produce with flush.messages."""

    def ask(self, log: PartitionLog, extent: Extent = Extent.RECORDS) -> None:
        """Have the log flushed in the round that begins next."""
        self._due[log] = max(extent, self._due.get(log, extent))
        self._asked.set()

    async def settle(self, logs: Iterable[PartitionLog]) -> None:
        """Have those settled that recovery would have to read most of, some at a time; returns when they are."""
        due = [log for log in logs if log.flushing.unsettled_bytes >= SETTLE_BYTES_MIN and not log.has_failed]
        due.sort(key=lambda log: log.flushing.unsettled_bytes, reverse=True)
        for first in range(0, min(len(due), SETTLE_LOGS_MAX), SETTLE_TOGETHER_MAX):
            for log in due[first : first + SETTLE_TOGETHER_MAX]:
                self.ask(log, Extent.SETTLED)
            await self.flushed()

    def appended(self, log: PartitionLog, *, awaited: bool) -> None:
        """Records were appended to a log whose topic has flush.messages; `awaited`: by a request that would wait."""
        if log.flushing.unflushed_record_count >= log.settings.flush_messages:
            self.records_are_due |= awaited
            self.ask(log)

    async def flushed(self) -> AbstractSet[PartitionLog]:
        """Wait for the end of the round that has everything asked for so far. Returns the logs that it failed for."""
        this_round = self._round
        await this_round.ended.wait()
        return this_round.failed

    def check(self, partitions: list[Partition]) -> None:
        """Ask for what is due by flush.ms, and for segments that were rolled since they were last flushed."""
        now_ms = self._clock.now_ms()
        dirty_since_ms: dict[PartitionLog, int] = {}
        for partition in partitions:
            log = partition.log
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
        """Flush what is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            due, self._due = self._due, {}
            self._asked = trio.Event()
            this_round, self._round = self._round, Round()
            try:
                await self._flush(due, this_round)
            finally:
                this_round.ended.set()

    async def _flush(self, due: dict[PartitionLog, Extent], this_round: Round) -> None:
        from kafkapy_log.flush import sync_all

        flushes: list[tuple[PartitionLog, Flush]] = []
        for log, extent in due.items():
            try:
                flush = log.flushing.begin(rolled_only=extent is Extent.ROLLED, settle=extent is Extent.SETTLED)
            except KafkaError as error:
                self._failed(log, error.__cause__, this_round)
                continue
            if flush is not None:
                flushes.append((log, flush))
            elif log.has_failed:
                this_round.failed.add(log)
        if not flushes:
            return
        sync = partial(sync_all, [flush for _, flush in flushes], fsync=True)
        # A flush that has begun must end, or its descriptors are lost: cancelling waits for the disk once more.
        with trio.CancelScope(shield=True):
            errors = await trio.to_thread.run_sync(sync)
        for (log, flush), sync_error in zip(flushes, errors, strict=True):
            log.flushing.end(flush, sync_error)
            if sync_error is not None:
                self._failed(log, sync_error, this_round)
            elif due[log] is not Extent.RECORDS:
                self.recovery_points_moved.set()

    def _failed(self, log: PartitionLog, cause: BaseException | None, this_round: Round) -> None:
        this_round.failed.add(log)
        self._disk.tell(log, cause)


class Round:
    """Logs that are flushed together, and those of them that could not be."""

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.failed: set[PartitionLog] = set()
