"""What a consumer sees of the bytes that a fetch brings."""

from __future__ import annotations

import pytest

from kafkapy.client.fetcher import Chunk, read_chunk
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.fetch import AbortedTransaction, PartitionData
from kafkapy_wire.records import (
    ControlRecordType,
    NewRecord,
    build_batch,
    build_end_transaction_marker,
)


def batch(base_offset: int, *values: bytes, producer_id: int = -1) -> bytes:
    return build_batch(
        [NewRecord(0, None, value) for value in values],
        base_offset=base_offset,
        producer_id=producer_id,
        is_transactional=producer_id >= 0,
    )


def marker(offset: int, producer_id: int, control_type: ControlRecordType) -> bytes:
    return build_end_transaction_marker(
        control_type, timestamp=0, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, base_offset=offset
    )


def read(
    log: bytes, *, position: int = 0, read_committed: bool = False, aborted: list[AbortedTransaction] | None = None
) -> Chunk:
    data = PartitionData(records=log, aborted_transactions=aborted)
    return read_chunk(("t", 0), position, data, read_committed=read_committed)


def values(chunk: Chunk) -> list[bytes | None]:
    return [record.value for record, _ in chunk.records]


def test_records_before_the_position_are_skipped() -> None:
    chunk = read(batch(0, b"a") + batch(1, b"b", b"c", b"d"), position=2)
    assert (values(chunk), chunk.next_offset) == ([b"c", b"d"], 4)


def test_a_batch_that_is_cut_off_comes_with_the_next_fetch() -> None:
    whole = batch(0, b"a")
    for cut in range(len(batch(1, b"b"))):
        chunk = read(whole + batch(1, b"b")[:cut])
        assert (values(chunk), chunk.next_offset) == ([b"a"], 1)


def test_nothing_came() -> None:
    assert read(b"", position=5).next_offset == 5


def test_control_records_are_passed_over() -> None:
    log = batch(0, b"a", producer_id=1) + marker(1, 1, ControlRecordType.COMMIT)
    chunk = read(log)
    assert (values(chunk), chunk.next_offset) == ([b"a"], 2)


def test_read_committed_leaves_out_what_was_aborted() -> None:
    """Two producers at once: 1 aborts, then commits a second transaction; 2 commits."""
    log = b"".join(
        [
            batch(0, b"1 aborted", producer_id=1),
            batch(1, b"2 committed", producer_id=2),
            batch(2, b"not transactional"),
            batch(3, b"1 aborted too", producer_id=1),
            marker(4, 1, ControlRecordType.ABORT),
            marker(5, 2, ControlRecordType.COMMIT),
            batch(6, b"1 committed", producer_id=1),
            marker(7, 1, ControlRecordType.COMMIT),
        ]
    )
    aborted = [AbortedTransaction(producer_id=1, first_offset=0)]
    committed = read(log, read_committed=True, aborted=aborted)
    assert values(committed) == [b"2 committed", b"not transactional", b"1 committed"]
    assert committed.next_offset == 8
    assert len(values(read(log, aborted=aborted))) == 5


def test_a_batch_whose_crc_does_not_match() -> None:
    damaged = bytearray(batch(0, b"value"))
    damaged[-2] ^= 1
    with pytest.raises(MalformedMessage, match="CRC"):
        read(bytes(damaged))
