"""The records of a seed, stored in a partition at the offsets that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS
from kafkapy.seeds.placing import GAP_MAX
from kafkapy_wire.compression import Compression
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import BATCH_HEADER_BYTES, NewRecord
from kafkapy_wire.records.building import build_batch_with_gaps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.partitions.partition import Partition
    from kafkapy.seeds.entries import SeedRecord
    from kafkapy.settings import TopicSettings

BATCH_BYTES: Final = 512 * 1024
BATCH_RECORDS_MAX: Final = 10_000
RECORD_OVERHEAD_BYTES: Final = 40
"""More than the lengths, the deltas and the attributes of a record take; of a header, too."""
SETTLE_SECONDS: Final = 30.0
NOT_STORED_YET: Final = (
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS,
)


class PartitionWriter:
    """Stores the records of a seed in one partition; offsets between them stay empty, as after compaction."""

    def __init__(
        self,
        leader: Callable[[], Awaitable[Partition]],
        now_ms: Callable[[], int],
        *,
        bytes_max: int,
        start: int,
        end: int,
    ) -> None:
        """`leader`: where the partition is led now. `start`: the first offset that can be read in the end; `end`: the
        one that the next record gets, 0: the one after the last record.
        """
        self._leader = leader
        self._now_ms = now_ms
        self._bytes_max = bytes_max
        self._start = start
        self._end = end
        self._pending: list[tuple[int | None, NewRecord]] = []
        self._pending_bytes = BATCH_HEADER_BYTES
        self._flushed_to: int | None = None
        """The offset after the last record that was stored; None: nothing was, yet."""

    async def add(self, record: SeedRecord, offset: int) -> None:
        """`offset`: where it is expected to stand. Raises KafkaError."""
        size = _bytes_at_most(record)
        if self._flushed_to is None:
            self._flushed_to = max((await self._leader()).log.log_end_offset, self._start)
        if self._pending and (
            self._pending_bytes + size > min(BATCH_BYTES, self._bytes_max)
            or len(self._pending) >= BATCH_RECORDS_MAX
            or offset - self._flushed_to >= GAP_MAX
        ):
            await self._flush(0)
        self._pending.append((record.offset, _new_record(record, self._now_ms())))
        self._pending_bytes += size

    async def finish(self) -> None:
        """Store the rest. Raises KafkaError."""
        if self._pending or self._end:
            await self._flush(self._end)

    async def settle(self) -> None:
        """Wait until all is replicated; then move the log start. Raises KafkaError: REQUEST_TIMED_OUT."""
        if self._flushed_to is None:
            return
        with trio.move_on_after(SETTLE_SECONDS):
            while True:
                led = await self._leader()
                if led.high_watermark >= self._flushed_to:
                    if self._start > led.log.log_start_offset:
                        led.delete_records_before(self._start, now_ms=self._now_ms())
                    return
                await trio.sleep(LOOK_AGAIN_SECONDS)
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, "the records of the seed are not replicated in time")

    async def _flush(self, end: int) -> None:
        refusal = KafkaError(ErrorCode.LEADER_NOT_AVAILABLE)
        with trio.move_on_after(SETTLE_SECONDS):
            while True:
                led = await self._leader()
                try:
                    self._store(led, end)
                    return
                except KafkaError as error:
                    if error.code not in NOT_STORED_YET:
                        raise
                    refusal = error
                await trio.sleep(LOOK_AGAIN_SECONDS)
        raise refusal

    def _store(self, led: Partition, end: int) -> None:
        """In one piece: nobody else appends meanwhile. Raises KafkaError."""
        while (distance := self._start - led.log.log_end_offset) > 0:
            self._append(led, [], min(distance, GAP_MAX))
        base = following = led.log.log_end_offset
        placed = []
        for wanted, record in self._pending:
            offset = following if wanted is None else wanted
            if offset < following:
                raise KafkaError(
                    ErrorCode.OFFSET_OUT_OF_RANGE,
                    f"offset {offset} of {led.topic}-{led.index} is taken: a client has produced to it meanwhile",
                )
            placed.append((offset - base, record))
            following = offset + 1
        following = max(following, end)
        if following > base:
            self._append(led, placed, following - base)
        self._pending.clear()
        self._pending_bytes = BATCH_HEADER_BYTES
        self._flushed_to = following

    def _append(self, led: Partition, placed: list[tuple[int, NewRecord]], offset_count: int) -> None:
        batch = build_batch_with_gaps(placed, offset_count - 1)
        if len(batch.data) > self._bytes_max:
            batch = build_batch_with_gaps(placed, offset_count - 1, Compression.GZIP)
        led.append_internal(batch, now_ms=self._now_ms())


def batch_bytes_max(settings: TopicSettings) -> int:
    """How large a batch may be in a topic."""
    return min(settings.max_message_bytes, settings.segment_bytes)


def fits(record: SeedRecord, bytes_max: int) -> bool:
    """Whether a record can be stored in a batch of its own, compressed if need be."""
    if BATCH_HEADER_BYTES + _bytes_at_most(record) <= bytes_max:
        return True
    placed = [(0, _new_record(record, 0))]
    return any(
        len(build_batch_with_gaps(placed, 0, codec).data) <= bytes_max for codec in (Compression.NONE, Compression.GZIP)
    )


def _new_record(record: SeedRecord, now_ms: int) -> NewRecord:
    timestamp_ms = now_ms if record.timestamp_ms is None else record.timestamp_ms
    return NewRecord(timestamp_ms, record.key, record.value, record.headers)


def _bytes_at_most(record: SeedRecord) -> int:
    size = RECORD_OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += RECORD_OVERHEAD_BYTES + 4 * len(name) + len(value or b"")
    return size
