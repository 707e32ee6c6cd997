"""The batches of a snapshot: written one after the other, found again, and refused when anything of them is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkapy_controller import metadata_batches
from kafkapy_controller.metadata_batches import (
    build_control_batch,
    build_metadata_batch,
    check_header,
    control_records_in,
    read_batches,
    read_snapshot,
    snapshot_batches,
    whole_batches_end,
)
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.voters import QuorumMembership, Voter, VoterEndpoint, leader_change_record
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import split_batches
from kafkapy_wire.uuid import Uuid

MEMBERSHIP = QuorumMembership(1, (Voter(1, Uuid(b"d" * 16), (VoterEndpoint("CONTROLLER", "localhost", 9093),)),))


def no_ops(count: int) -> list[MetadataRecord]:
    return [m.NoOpRecord() for _ in range(count)]


def test_records_are_taken_batch_by_batch() -> None:
    taken = 0

    def records() -> Iterator[MetadataRecord]:
        nonlocal taken
        for record in no_ops(500):
            taken += 1
            yield record

    seen = []
    for batch in snapshot_batches(records(), MEMBERSHIP, 33, now_ms=5, last_contained_ms=4, epoch=7):
        ((header, _),) = split_batches(batch)
        assert header.partition_leader_epoch == 7
        seen.append((taken, header.base_offset, header.record_count, header.is_control))
    most = metadata_batches.BATCH_RECORDS_MAX
    assert most == 200
    assert seen == [
        (0, 0, 3, True),
        (200, 3, 200, False),
        (400, 203, 200, False),
        (500, 403, 100, False),
        (500, 503, 1, True),
    ]


@pytest.mark.parametrize("membership", [None, MEMBERSHIP])
@pytest.mark.parametrize("count", [0, 1, 200, 201])
def test_a_snapshot_is_read_as_it_was_written(membership: QuorumMembership | None, count: int) -> None:
    data = b"".join(snapshot_batches(no_ops(count), membership, 33, now_ms=5, last_contained_ms=4, epoch=7))
    batches = read_snapshot(data)
    assert [record for batch in batches for record in batch.records] == no_ops(count)
    assert check_header(batches[0]) == 4
    assert {batch.epoch for batch in batches} == {7}
    read = QuorumMembership(0, ())
    for batch in batches:
        for record in batch.control_records:
            read = read.replay(record)
    assert read == (membership or QuorumMembership(0, ()))


def test_a_file_that_begins_with_records_has_no_header() -> None:
    (batch,) = read_batches(build_metadata_batch(no_ops(1), 33, base_offset=0, epoch=0, now_ms=0))
    with pytest.raises(MalformedMessage, match="no header"):
        check_header(batch)
    (footer_first, *_) = reversed(read_snapshot(b"".join(snapshot_batches([], None, 33, now_ms=0))))
    with pytest.raises(MalformedMessage, match="no header"):
        check_header(footer_first)


def test_whole_batches_end_at_every_cut() -> None:
    batches = list(snapshot_batches(no_ops(3), MEMBERSHIP, 33, now_ms=0))
    data = b"".join(batches)
    ends = [sum(map(len, batches[:count])) for count in range(len(batches) + 1)]
    for cut in range(len(data) + 1):
        end, needed = whole_batches_end(data[:cut])
        assert end == max(whole for whole in ends if whole <= cut)
        knows_length = cut - end >= 12
        assert needed == (len(batches[ends.index(end)]) if knows_length else 0)


def test_a_length_that_makes_no_sense_is_not_waited_for() -> None:
    for length in (-1, 0, 48, -(2**31)):
        assert whole_batches_end(bytes(8) + length.to_bytes(4, "big", signed=True) + bytes(100)) == (0, 0)


def log_bytes() -> bytes:
    """Metadata, then who leads, then metadata again."""
    return b"".join(
        (
            build_metadata_batch(no_ops(2), 33, base_offset=10, epoch=1, now_ms=0),
            build_control_batch([leader_change_record(2, [1, 2], 0)], base_offset=12, epoch=2),
            build_metadata_batch(no_ops(1), 33, base_offset=13, epoch=2, now_ms=0),
        )
    )


def test_control_records_are_found_among_others() -> None:
    assert [record.offset for record in control_records_in(log_bytes())] == [12]
    assert list(control_records_in(b"")) == []


def test_a_log_cut_anywhere_has_its_control_records_or_is_malformed() -> None:
    data = log_bytes()
    ends, position = {0}, 0
    for header, _ in split_batches(data):
        position += header.size_bytes
        ends.add(position)
    for cut in range(len(data)):
        if cut in ends:
            assert len(list(control_records_in(data[:cut]))) <= 1
        else:
            with pytest.raises(MalformedMessage):
                list(control_records_in(data[:cut]))


def test_a_damaged_control_batch_is_malformed() -> None:
    data = bytearray(log_bytes())
    first = next(split_batches(bytes(data)))[0].size_bytes
    data[first + 70] ^= 1
    with pytest.raises(MalformedMessage, match="batch at offset 12 does not match its CRC"):
        list(control_records_in(bytes(data)))
