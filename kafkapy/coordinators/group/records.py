"""Records of `__consumer_offsets` in Kafka's formats: two bytes of type before a key, of version before a value.

Apache Kafka 4.4 writes GroupMetadataValue 3 and OffsetCommitValue 4, the latter with the topic's id when it is known;
an offset with a retention of its own (OffsetCommit v2-4) only fits into OffsetCommitValue 1.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.classic_group import FIRST_GENERATION, GENERATION_MAX
from kafkapy.coordinators.group.unserved_groups import TYPE_OF_RECORD, UnservedGroupRecord
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats.group_coordinator import (
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    MemberMetadata,
    OffsetCommitKey,
    OffsetCommitValue,
)
from kafkapy_wire.uuid import ZERO_UUID, Uuid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.classic_group import ClassicGroup
    from kafkapy.coordinators.group.classic_member import ClassicMember
    from kafkapy_wire.message import Message


class RecordType(IntEnum):
    """The type of a record: the first two bytes of its key."""

    LEGACY_OFFSET_COMMIT = 0
    OFFSET_COMMIT = 1
    GROUP_METADATA = 2


GROUP_METADATA_VALUE_VERSION = 3
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


class GroupMetadataRecord(NamedTuple):
    group_id: str
    value: GroupMetadataValue | None
    """None: a tombstone."""


def group_metadata(
    group: ClassicGroup, assignments: Mapping[str, bytes], replacing: tuple[ClassicMember, ClassicMember] | None = None
) -> CoordinatorRecord:
    """The record of the group, its members with these assignments. Of each member only the selected protocol is stored.

    With `replacing`, as if the second member had replaced the first.
    """
    members = list(group.members.values())
    leader = group.leader
    if replacing is not None:
        old, new = replacing
        members.remove(old)
        members.append(new)
        leader = new.member_id if leader == old.member_id else leader
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=group.protocol_name,
        leader=leader,
        current_state_timestamp=-1 if group.state_timestamp_ms is None else group.state_timestamp_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.session_timeout_ms,
                subscription=member.metadata(group.protocol_name),
                assignment=assignments.get(member.member_id, b""),
            )
            for member in members
        ],
    )
    return CoordinatorRecord(_group_key(group.group_id), _framed(GROUP_METADATA_VALUE_VERSION, value))


def empty_generation(group: ClassicGroup, now_ms: int) -> CoordinatorRecord:
    """The record of the group after its last member has left: the next generation, without members."""
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id + 1 if group.generation_id < GENERATION_MAX else FIRST_GENERATION,
        protocol=None,
        leader=None,
        current_state_timestamp=now_ms,
    )
    return CoordinatorRecord(_group_key(group.group_id), _framed(GROUP_METADATA_VALUE_VERSION, value))


def empty_group_metadata(group_id: str, now_ms: int) -> CoordinatorRecord:
    """The record of a group that had no member yet."""
    value = GroupMetadataValue(protocol_type="", protocol=None, leader=None, current_state_timestamp=now_ms)
    return CoordinatorRecord(_group_key(group_id), _framed(GROUP_METADATA_VALUE_VERSION, value))


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return CoordinatorRecord(_group_key(group_id), None)


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
    return CoordinatorRecord(_offset_key(group_id, topic, partition), _framed(version, value))


def offset_tombstone(group_id: str, topic: str, partition: int) -> CoordinatorRecord:
    return CoordinatorRecord(_offset_key(group_id, topic, partition), None)


def read_record(
    record: CoordinatorRecord,
) -> OffsetCommitRecord | GroupMetadataRecord | UnservedGroupRecord | None:
    """The content of a record; None if this coordinator does not know its type.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    record_type, key = _unframed(record.key)
    match record_type:
        case RecordType.LEGACY_OFFSET_COMMIT:
            return _read_legacy_offset_commit(key, record.value)
        case RecordType.OFFSET_COMMIT:
            return _read_offset_commit(key, record.value)
        case RecordType.GROUP_METADATA:
            group_id = decode(GroupMetadataKey, key, 0).group
            if record.value is None:
                return GroupMetadataRecord(group_id, None)
            version, stored = _unframed(record.value)
            value = decode(GroupMetadataValue, stored, version)
            _check_members(value)
            return GroupMetadataRecord(group_id, value)
        case _:
            group_type = TYPE_OF_RECORD.get(record_type)
            if group_type is None:
                return None
            group_id = _first_string(key)  # the key of each of these types begins with it
            return UnservedGroupRecord(group_id, group_type, record.key, record.value is None)


def _check_members(value: GroupMetadataValue) -> None:
    """Raises MalformedMessage: the record has a member twice."""
    member_ids = [member.member_id for member in value.members]
    instance_ids = [member.group_instance_id for member in value.members if member.group_instance_id is not None]
    for what, ids in (("member id", member_ids), ("group instance id", instance_ids)):
        if len(set(ids)) < len(ids):
            raise MalformedMessage(f"two members with one {what} in a group of {len(value.members)}")


def _first_string(key: memoryview) -> str:
    return decode(GroupMetadataKey, key[: 2 + int.from_bytes(key[:2])], 0).group


def _read_offset_commit(key: memoryview, stored: bytes | None) -> OffsetCommitRecord:
    name = decode(OffsetCommitKey, key, 0)
    if stored is None:
        return OffsetCommitRecord(name.group, name.topic, name.partition, None)
    version, body = _unframed(stored)
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
    version, body = _unframed(stored)
    value = decode(LegacyOffsetCommitValue, body, version)
    committed = CommittedOffset(value.offset, -1, value.metadata, value.commit_timestamp, None, ZERO_UUID)
    return OffsetCommitRecord(name.group, name.topic, name.partition, committed)


def _group_key(group_id: str) -> bytes:
    return _framed(RecordType.GROUP_METADATA, GroupMetadataKey(group=group_id), 0)


def _offset_key(group_id: str, topic: str, partition: int) -> bytes:
    return _framed(RecordType.OFFSET_COMMIT, OffsetCommitKey(group=group_id, topic=topic, partition=partition), 0)


def _framed(number: int, message: Message, version: int | None = None) -> bytes:
    return number.to_bytes(2, "big") + encode(message, number if version is None else version)


def _unframed(stored: bytes) -> tuple[int, memoryview]:
    if len(stored) < 2:
        raise MalformedMessage(f"{len(stored)} bytes are no key or value of a coordinator")
    return int.from_bytes(stored[:2], "big"), memoryview(stored)[2:]
