"""Records of `__consumer_offsets` in Kafka's formats: two bytes of type before a key, of version before a value.

Here are the framing and the records of offsets; each type of group has its own in its package. Apache Kafka 4.4 writes
OffsetCommitValue 4 with the topic's id when it is known; an offset with a retention of its own (OffsetCommit v2-4) only
fits into OffsetCommitValue 1.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.framing import framed, unframed
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.group_coordinator import (
    GroupMetadataKey,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from kafkapy_wire.uuid import ZERO_UUID, Uuid

if TYPE_CHECKING:
    pass


class RecordType(IntEnum):
    """The types of record that hold offsets. Those of groups are in `kinds.py`."""

    LEGACY_OFFSET_COMMIT = 0
    OFFSET_COMMIT = 1


OFFSET_COMMIT_VALUE_VERSION = 4
OFFSET_COMMIT_WITH_EXPIRY_VALUE_VERSION = 1


class CommittedOffset(NamedTuple):
    """One committed offset. `leader_epoch` -1: unknown. `expire_timestamp_ms` None: the node's retention counts."""

    offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp_ms: int
    expire_timestamp_ms: int | None
    topic_id: Uuid


class OffsetCommitRecord(NamedTuple):
    group_id: str
    topic: str
    partition: int
    committed: CommittedOffset | None
    """None: a tombstone."""


def offset_commit(group_id: str, topic: str, partition: int, committed: CommittedOffset) -> CoordinatorRecord:
    value = OffsetCommitValue(
        offset=committed.offset,
        leader_epoch=committed.leader_epoch,
        metadata=committed.metadata,
        commit_timestamp=committed.commit_timestamp_ms,
        expire_timestamp=-1 if committed.expire_timestamp_ms is None else committed.expire_timestamp_ms,
        topic_id=committed.topic_id,
    )
    version = (
        OFFSET_COMMIT_VALUE_VERSION
        if committed.expire_timestamp_ms is None
        else OFFSET_COMMIT_WITH_EXPIRY_VALUE_VERSION
    )
    return CoordinatorRecord(_offset_key(group_id, topic, partition), framed(version, value))


def offset_tombstone(group_id: str, topic: str, partition: int) -> CoordinatorRecord:
    return CoordinatorRecord(_offset_key(group_id, topic, partition), None)


def read_offset_commit(record_type: int, key: memoryview, value: bytes | None) -> OffsetCommitRecord:
    """The content of a record of a `RecordType`; `key` is what follows the type in its key.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    if record_type == RecordType.LEGACY_OFFSET_COMMIT:
        return _read_legacy_offset_commit(key, value)
    return _read_offset_commit(key, value)


def _read_offset_commit(key: memoryview, stored: bytes | None) -> OffsetCommitRecord:
    name = decode(OffsetCommitKey, key, 0)
    if stored is None:
        return OffsetCommitRecord(name.group, name.topic, name.partition, None)
    version, body = unframed(stored)
    value = decode(OffsetCommitValue, body, version)
    committed = CommittedOffset(
        offset=value.offset,
        leader_epoch=value.leader_epoch,
        metadata=value.metadata,
        commit_timestamp_ms=value.commit_timestamp,
        expire_timestamp_ms=None if value.expire_timestamp == -1 else value.expire_timestamp,
        topic_id=value.topic_id,
    )
    return OffsetCommitRecord(name.group, name.topic, name.partition, committed)


def _read_legacy_offset_commit(key: memoryview, stored: bytes | None) -> OffsetCommitRecord:
    """As Kafka 0.8.2 wrote it."""
    name = decode(LegacyOffsetCommitKey, key, 0)
    if stored is None:
        return OffsetCommitRecord(name.group, name.topic, name.partition, None)
    version, body = unframed(stored)
    value = decode(LegacyOffsetCommitValue, body, version)
    committed = CommittedOffset(value.offset, -1, value.metadata, value.commit_timestamp, None, ZERO_UUID)
    return OffsetCommitRecord(name.group, name.topic, name.partition, committed)


def _offset_key(group_id: str, topic: str, partition: int) -> bytes:
    return framed(RecordType.OFFSET_COMMIT, OffsetCommitKey(group=group_id, topic=topic, partition=partition), 0)


def first_string(key: memoryview) -> str:
    """The group id that begins the key of every group's record. Raises MalformedMessage."""
    length = int.from_bytes(key[:2])
    text = bytes(key[2 : 2 + length])
    if len(text) == length < 1 << 15 and text.isascii():  # nearly all are: a coordinator replays all that it writes
        return text.decode("ascii")
    return decode(GroupMetadataKey, key[: 2 + int.from_bytes(key[:2])], 0).group
