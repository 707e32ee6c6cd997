"""What is written of a record that a share group gives up: headers that say which one and why, and its key and value if
errors.deadletterqueue.copy.record.enable is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.partitions.looking import look_beside
from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError, MalformedMessage
from kafkapy_wire.records import NewRecord, decode_records, split_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkapy.partitions.partition import Partition
    from kafkapy.sharing.dead_letter import DeadLetter
    from kafkapy_log import FileSlice
    from kafkapy_wire.records import Record

COPIED_BYTES_MAX: Final = 1 << 20
"""Keys and values of one batch, unless one record alone is larger."""
READ_BYTES: Final = 1 << 20
BATCH_OVERHEAD_BYTES_MAX: Final = 61
_LENGTHS_BYTES_MAX: Final = 10
_RECORD_OVERHEAD_BYTES_MAX: Final = 40


def dead_letter_record(
    source: Partition, group_id: str, offset: int, letter: DeadLetter, now_ms: int, original: Record | None
) -> NewRecord:
    """The record for one offset; without `original` it has neither key nor value."""
    headers = (
        ("__dlq.errors.topic", source.topic.encode()),
        ("__dlq.errors.partition", b"%d" % source.index),
        ("__dlq.errors.offset", b"%d" % offset),
        ("__dlq.errors.group", group_id.encode()),
        ("__dlq.errors.delivery.count", b"%d" % letter.delivery_count),
        ("__dlq.errors.message", letter.cause.encode()),
    )
    if original is None:
        return NewRecord(now_ms, None, None, headers)
    return NewRecord(now_ms, original.key, original.value, headers)


def size_bytes(record: NewRecord) -> int:
    """At most so many bytes of a batch."""
    length = _RECORD_OVERHEAD_BYTES_MAX + len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        length += _LENGTHS_BYTES_MAX + len(name) + len(value or b"")
    return length


async def copies(source: Partition, wanted: Sequence[int]) -> tuple[dict[int, Record], int]:
    """The records of these offsets, which rise, by offset; and of how many of them it is known.

    What is missing of these is not in the log any more, or cannot be read.
    """
    copying = _Copying(wanted)
    while not copying.is_full:
        try:
            piece = source.log.read(copying.next_offset, READ_BYTES, up_to_offset=source.high_watermark)
            batches = await _read(piece) if piece.length else []
        except (KafkaError, OSError, MalformedMessage):
            batches = []
        if not batches:
            copying.resolved_count = len(wanted)
        for last_offset, data in batches:
            await copying.take(last_offset, data)
    return copying.found, copying.resolved_count


class _Copying:
    def __init__(self, wanted: Sequence[int]) -> None:
        self._wanted = wanted
        self._turn = Turn()
        self._copied_bytes = 0
        self.found: dict[int, Record] = {}
        self.resolved_count = 0

    @property
    def is_full(self) -> bool:
        return self.resolved_count == len(self._wanted) or self._copied_bytes >= COPIED_BYTES_MAX

    @property
    def next_offset(self) -> int:
        return self._wanted[self.resolved_count]

    async def take(self, last_offset: int, batch: memoryview) -> None:
        """What is wanted of a batch that goes on to `last_offset`."""
        if self.is_full or last_offset < self.next_offset:
            return
        for record in _whole_records(batch):
            await self._turn.share()
            if record.offset < self.next_offset:
                continue
            self._pass(record.offset)
            if not self.is_full and record.offset == self.next_offset:
                self.found[record.offset] = record
                self._copied_bytes += len(record.key or b"") + len(record.value or b"")
                self.resolved_count += 1
            if self.is_full:
                return
        self._pass(last_offset + 1)

    def _pass(self, offset: int) -> None:
        """There is nothing more below `offset`."""
        while self.resolved_count < len(self._wanted) and self._wanted[self.resolved_count] < offset:
            self.resolved_count += 1


async def _read(piece: FileSlice) -> list[tuple[int, memoryview]]:
    """(last offset, batch) of each batch in a slice, which is released. Raises OSError."""
    try:
        # One batch alone may be much larger than what is asked for.
        data = piece.read() if piece.length <= READ_BYTES else await look_beside(piece.read)
    finally:
        piece.release()
    return [(header.last_offset, batch) for header, batch in split_batches(data)]


def _whole_records(batch: memoryview) -> Iterator[Record]:
    """Those that can be read."""
    try:
        yield from decode_records(batch)
    except MalformedMessage:
        return
