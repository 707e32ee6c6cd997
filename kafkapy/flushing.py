"""fsync beside the event loop: what was appended together is brought to the disk together.

The choice is Apache Kafka's. As a rule nothing is synced when it is produced: the page cache survives a crash of the
process, and replicas the crash of a machine. Only a segment that was rolled is synced, in the background, so that
recovery reads little. Who runs one broker and wants every answer to be a promise of durability sets flush.messages=1:
then a produce is answered after the fsync. All requests that come while one fsync runs share the next.

flush.messages   an append that leaves so many records unsynced asks for a flush, and its answer waits
flush.ms         records are synced after that time, to within `CHECK_INTERVAL_MS`

Differs: Apache Kafka looks at flush.ms only every log.flush.scheduler.interval.ms, which is never by default; here a
topic's flush.ms is enough. It syncs within the append, so that a consumer never sees what may be lost with the power;
here consumers see a record when it is in the page cache, and only the producer waits.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.partitions import Partition
    from kafkapy_log import Flush, PartitionLog

logger = logging.getLogger("kafkapy.flushing")

CHECK_INTERVAL_MS = 1_000
NEVER_MS = 2**63 - 1


class Flusher:
    """Flushes logs of one node, a round at a time, while `run` runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[PartitionLog, bool] = {}  # whether the active segment is left out
        self._asked = trio.Event()
        self._round_ended = trio.Event()  # of the round that begins next
        self._dirty_since_ms: dict[PartitionLog, int] = {}
        self.records_are_due = False
        """An append has asked for a flush since this was last set to False: its request waits for `flushed`."""

    def ask(self, log: PartitionLog, *, rolled_only: bool = False) -> None:
        """Have the log flushed in the round that begins next."""
        self._due[log] = rolled_only and self._due.get(log, True)
        self._asked.set()

    def appended(self, log: PartitionLog, *, awaited: bool) -> None:
        """Records were appended to a log whose topic has flush.messages; `awaited`: by a request that would wait."""
        if log.unflushed_record_count >= log.settings.flush_messages:
            self.records_are_due |= awaited
            self.ask(log)

    async def flushed(self) -> None:
        """Wait for the end of the round that has everything asked for so far. What failed, `has_failed` tells."""
        await self._round_ended.wait()

    def check(self, partitions: list[Partition]) -> None:
        """Ask for what is due by flush.ms, and for segments that were rolled since they were last flushed."""
        now_ms = self._clock.now_ms()
        dirty_since_ms: dict[PartitionLog, int] = {}
        for partition in partitions:
            log = partition.log
            if not log.unflushed_record_count or log.has_failed:
                continue
            if log.active_base_offset > log.recovery_point:
                self.ask(log, rolled_only=True)
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
            ended, self._round_ended = self._round_ended, trio.Event()
            flushes = [(log, flush) for log, rolled_only in due.items() if (flush := _begin(log, rolled_only))]
            try:
                await _flush(flushes)
            finally:
                ended.set()


def _begin(log: PartitionLog, rolled_only: bool) -> Flush | None:
    try:
        return log.begin_flush(rolled_only=rolled_only)
    except KafkaError as error:
        logger.error("cannot flush: %s", error.message)
        return None


async def _flush(flushes: list[tuple[PartitionLog, Flush]]) -> None:
    from kafkapy_log.flush import sync_all

    if not flushes:
        return
    sync = partial(sync_all, [flush for _, flush in flushes], fsync=True)
    # A flush that has begun must end, or its descriptors are lost: cancelling waits for the disk once more.
    with trio.CancelScope(shield=True):
        errors = await trio.to_thread.run_sync(sync)
    for (log, flush), error in zip(flushes, errors, strict=True):
        log.end_flush(flush, error)
        if error is not None:
            logger.error("%s: fsync failed, the log takes no more: %s", log.topic_partition, error)
