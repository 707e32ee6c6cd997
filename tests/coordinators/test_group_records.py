"""The records of `__consumer_offsets`, byte for byte as Apache Kafka 4.3.1 wrote them."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.framing import unframed
from kafkapy.coordinators.group import records
from kafkapy.coordinators.group.classic.group import ClassicGroup
from kafkapy.coordinators.group.classic.group_record import group_metadata
from kafkapy.coordinators.group.classic.records import (
    GroupMetadataRecord,
    group_tombstone,
    read_group_metadata,
)
from kafkapy.coordinators.group.kinds import TYPE_OF_RECORD
from kafkapy.coordinators.group.records import CommittedOffset, OffsetCommitRecord, RecordType
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import partition_for
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats.group_coordinator import LegacyOffsetCommitKey, LegacyOffsetCommitValue
from kafkapy_wire.records import NewRecord, build_batch, stamp
from kafkapy_wire.uuid import ZERO_UUID, Uuid

TOPIC_ID = Uuid(bytes.fromhex("ffae74c038dc48b2a0448e0a0052a6b0"))

# OffsetCommit v9 of the group "" for t-0, offset 5, metadata "x".
OFFSET_KEY = "0001000000017400000000"
OFFSET_VALUE = "00040000000000000005ffffffff0278000001a1fe1fb565010010ffae74c038dc48b2a0448e0a0052a6b0"
OFFSET_BATCH = (
    "00000000000000000000006e0000000002b43757ac000000000000000001a1fe1fb565000001a1fe1fb565ffffffffffffffffffff"
    "000000000000000178000000160001000000017400000000560004"
    "0000000000000005ffffffff0278000001a1fe1fb565010010ffae74c038dc48b2a0448e0a0052a6b000"
)
COMMITTED_AT_MS = 0x1A1FE1FB565

# The same by OffsetCommit v2 with a retention time of one second.
EXPIRING_KEY = "0001000a7032616165326135337200017400000000"
EXPIRING_VALUE = "00010000000000000005000178000001a1fe35bb21000001a1fe35bf09"

# A stable group of one static member.
GROUP_KEY = "0002000b7032326439666461643273"
GROUP_VALUE = (
    "00030008636f6e73756d657200000001000572616e6765002769302d30333562323032342d656139342d343538352d623537622d36306432"
    "6234643931623832000001a1fe38a8f800000001002769302d30333562323032342d656139342d343538352d623537622d36306432623464"
    "39316238320002693000026330000a2f3132372e302e302e3100002710000027100000000d000100000001000174ffffffff00000003616263"
)


def read_record(record: CoordinatorRecord) -> OffsetCommitRecord | GroupMetadataRecord:
    record_type, key = unframed(record.key)
    if record_type in map(int, RecordType):
        return records.read_offset_commit(record_type, key, record.value)
    return read_group_metadata(key, record.value)


def test_offset_commit() -> None:
    committed = CommittedOffset(5, -1, "x", COMMITTED_AT_MS, None, TOPIC_ID)
    record = records.offset_commit("", "t", 0, committed)
    assert (record.key.hex(), (record.value or b"").hex()) == (OFFSET_KEY, OFFSET_VALUE)
    assert read_record(record) == OffsetCommitRecord("", "t", 0, committed)


def test_batch_of_an_offset_commit() -> None:
    new = NewRecord(COMMITTED_AT_MS, bytes.fromhex(OFFSET_KEY), bytes.fromhex(OFFSET_VALUE))
    batch = bytearray(build_batch([new], base_sequence=0))
    stamp(batch, 0, 0, 0)
    assert batch.hex() == OFFSET_BATCH


def test_offset_commit_with_a_retention_of_its_own() -> None:
    committed = CommittedOffset(5, -1, "x", 0x1A1FE35BB21, 0x1A1FE35BB21 + 1_000, ZERO_UUID)
    record = records.offset_commit("p2aae2a53r", "t", 0, committed)
    assert (record.key.hex(), (record.value or b"").hex()) == (EXPIRING_KEY, EXPIRING_VALUE)
    assert read_record(record) == OffsetCommitRecord("p2aae2a53r", "t", 0, committed)


def test_group_metadata() -> None:
    read = read_record(CoordinatorRecord(bytes.fromhex(GROUP_KEY), bytes.fromhex(GROUP_VALUE)))
    assert isinstance(read, GroupMetadataRecord)
    assert read.value is not None
    group = ClassicGroup(read.group_id)
    group.replay(read.value)
    assert group.subscribed_topics == frozenset({"t"})
    (member,) = group.members.values()
    assert (member.group_instance_id, member.client_id, member.client_host, member.assignment) == (
        "i0",
        "c0",
        "/127.0.0.1",
        b"abc",
    )
    written = group_metadata(group, group.assignments())
    assert (written.key.hex(), (written.value or b"").hex()) == (GROUP_KEY, GROUP_VALUE)


def test_tombstones() -> None:
    assert read_record(group_tombstone("g")) == GroupMetadataRecord("g", None)
    assert read_record(records.offset_tombstone("g", "t", 3)) == OffsetCommitRecord("g", "t", 3, None)


def test_records_of_kafka_0_8_2() -> None:
    from kafkapy_wire.codec import encode

    key = LegacyOffsetCommitKey(group="g", topic="t", partition=1)
    value = LegacyOffsetCommitValue(offset=7, metadata="m", commit_timestamp=99)
    record = CoordinatorRecord(b"\0\0" + encode(key, 0), b"\0\0" + encode(value, 0))
    assert read_record(record) == OffsetCommitRecord("g", "t", 1, CommittedOffset(7, -1, "m", 99, None, ZERO_UUID))
    assert read_record(CoordinatorRecord(record.key, None)) == OffsetCommitRecord("g", "t", 1, None)


def test_every_type_of_record_belongs_to_one_owner() -> None:
    """Apache Kafka 4.4 has the types 0 to 23; 9 and 18 were never released."""
    assert sorted([*TYPE_OF_RECORD, *map(int, RecordType)]) == [number for number in range(24) if number not in (9, 18)]


@pytest.mark.parametrize("cut", range(len(bytes.fromhex(GROUP_KEY))))
def test_a_cut_key_is_malformed(cut: int) -> None:
    with pytest.raises(MalformedMessage):
        read_record(CoordinatorRecord(bytes.fromhex(GROUP_KEY)[:cut], None))


@pytest.mark.parametrize(
    ("group_id", "partition"),
    # Java: Math.abs(s.hashCode()) % 50; the last one's hashCode is Integer.MIN_VALUE.
    [("", 0), ("g", 3), ("console-consumer-1", 24), ("grüße-😀", 27), ("polygenelubricants", 0)],
)
def test_partition_of_a_group(group_id: str, partition: int) -> None:
    assert partition_for(group_id, 50) == partition
