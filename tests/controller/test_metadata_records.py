"""Frames of metadata records, and which version of a record may be written at which level of metadata.version."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_controller.metadata_batches import build_metadata_batch, build_snapshot, read_batches, read_snapshot
from kafkapy_controller.metadata_records import (
    RECORD_CLASSES,
    RECORD_VERSIONS,
    MetadataRecord,
    decode_metadata_record,
    encode_metadata_record,
    record_version,
)
from kafkapy_controller.metadata_version import LEVEL_NAMES
from kafkapy_controller.voters import QuorumMembership, Voter
from kafkapy_wire.errors import MalformedMessage, UnsupportedVersion
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import ONE_UUID, random_uuid


@pytest.mark.parametrize("record_class", RECORD_CLASSES.values(), ids=lambda c: c.__name__)
def test_every_record_survives_its_frame_at_every_level_that_has_it(record_class: type[MetadataRecord]) -> None:
    record = record_class()
    first_level = RECORD_VERSIONS[record_class][0][0]
    for level in LEVEL_NAMES:
        if level >= first_level:
            assert decode_metadata_record(encode_metadata_record(record, level)) == record
        else:
            with pytest.raises(UnsupportedVersion, match=f"has no {record_class.__name__}, which comes with"):
                encode_metadata_record(record, level)


@pytest.mark.parametrize("record_class", RECORD_CLASSES.values(), ids=lambda c: c.__name__)
def test_every_version_of_a_record_but_those_before_kraft_has_a_level(record_class: type[MetadataRecord]) -> None:
    versions = [version for _, version in RECORD_VERSIONS[record_class]]
    levels = [level for level, _ in RECORD_VERSIONS[record_class]]
    assert versions == sorted(versions)
    assert levels == sorted(levels)
    # No level that a cluster may still be at has version 0 of these two: fencing alone is written as 0 at every level.
    oldest = 1 if record_class in (m.RegisterBrokerRecord, m.BrokerRegistrationChangeRecord) else 0
    assert versions == [version for version in record_class.__schema__.valid_versions if version >= oldest]


def test_a_frame_is_what_kafka_writes() -> None:
    # From a dump of bootstrap.checkpoint of Apache Kafka 4.3.1: frame version 1, type 12, version 0, then the record.
    record = m.FeatureLevelRecord(name="group.version", feature_level=1)
    assert encode_metadata_record(record, 30).hex() == "010c000e67726f75702e76657273696f6e000100"


@pytest.mark.parametrize(
    ("record", "levels"),
    [
        (m.RegisterBrokerRecord(), {7: 1, 8: 2, 16: 2, 17: 3, 29: 3, 30: 4, 33: 4}),
        (m.PartitionRecord(), {7: 0, 16: 0, 17: 1, 22: 1, 23: 2, 30: 2}),
        (m.PartitionChangeRecord(), {7: 0, 17: 1, 30: 2}),
        (m.TopicRecord(), {7: 0, 30: 0}),
        (m.BrokerRegistrationChangeRecord(fenced=1), {30: 0}),
        (m.BrokerRegistrationChangeRecord(in_controlled_shutdown=1), {30: 1}),
        (m.BrokerRegistrationChangeRecord(log_dirs=[ONE_UUID]), {30: 2}),
        (m.BrokerRegistrationChangeRecord(cordoned_log_dirs=[]), {30: 3}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_version_follows_the_finalized_level(record: MetadataRecord, levels: dict[int, int]) -> None:
    assert {level: record_version(record, level) for level in levels} == levels


@pytest.mark.parametrize(
    "frame", [b"", b"\x01\x0c", b"\x02\x0c\x00\x00", b"\x01\x06\x00\x00", b"\x01\x0c\x01\x00", b"\x01\x80\x00"]
)
def test_what_is_no_frame_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_metadata_record(frame)


@given(st.binary(max_size=80))
def test_hostile_frames_are_records_or_malformed(frame: bytes) -> None:
    with suppress(MalformedMessage):
        decode_metadata_record(frame)


def test_a_batch_is_read_back() -> None:
    records: list[MetadataRecord] = [m.TopicRecord(name="a", topic_id=random_uuid()), m.NoOpRecord()]
    data = build_metadata_batch(records, 30, base_offset=7, epoch=3, now_ms=1_000)
    (batch,) = read_batches(data)
    assert (batch.base_offset, batch.last_offset, batch.epoch, batch.records) == (7, 8, 3, records)


def test_a_flipped_bit_in_a_batch_is_noticed() -> None:
    data = bytearray(build_metadata_batch([m.NoOpRecord()], 30, base_offset=0, epoch=1, now_ms=0))
    data[-1] ^= 1
    with pytest.raises(MalformedMessage, match="CRC"):
        list(read_batches(bytes(data)))


def test_a_snapshot_cut_anywhere_is_malformed() -> None:
    membership = QuorumMembership(1, (Voter(1, ONE_UUID, ()),))
    data = build_snapshot([m.FeatureLevelRecord(name="x", feature_level=1)], membership, 30, now_ms=0)
    assert len(read_snapshot(data)) == 3
    for cut in range(len(data)):
        with pytest.raises(MalformedMessage):
            read_snapshot(data[:cut])
