"""The record of a classic group, in Kafka's format: Apache Kafka 4.4 writes GroupMetadataValue 3.

That of a group with members is made in `group_record.py`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kafkapy.coordinators.framing import framed, unframed
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats.group_coordinator import GroupMetadataKey, GroupMetadataValue

GROUP_METADATA: Final = 2
GROUP_METADATA_VALUE_VERSION: Final = 3


class GroupMetadataRecord(NamedTuple):
    group_id: str
    value: GroupMetadataValue | None
    """None: a tombstone."""


def empty_group_metadata(group_id: str, now_ms: int) -> CoordinatorRecord:
    """The record of a group that had no member yet."""
    value = GroupMetadataValue(protocol_type="", protocol=None, leader=None, current_state_timestamp=now_ms)
    return CoordinatorRecord(group_key(group_id), framed(GROUP_METADATA_VALUE_VERSION, value))


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return CoordinatorRecord(group_key(group_id), None)


def read_group_metadata(key: memoryview, value: bytes | None) -> GroupMetadataRecord:
    """The content of a record; `key` is what follows the type in its key.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    group_id = decode(GroupMetadataKey, key, 0).group
    if value is None:
        return GroupMetadataRecord(group_id, None)
    version, stored = unframed(value)
    metadata = decode(GroupMetadataValue, stored, version)
    _check_members(metadata)
    return GroupMetadataRecord(group_id, metadata)


def _check_members(value: GroupMetadataValue) -> None:
    """Raises MalformedMessage: the record has a member twice."""
    member_ids = [member.member_id for member in value.members]
    instance_ids = [member.group_instance_id for member in value.members if member.group_instance_id is not None]
    for what, ids in (("member id", member_ids), ("group instance id", instance_ids)):
        if len(set(ids)) < len(ids):
            raise MalformedMessage(f"two members with one {what} in a group of {len(value.members)}")


def group_key(group_id: str) -> bytes:
    return framed(GROUP_METADATA, GroupMetadataKey(group=group_id), 0)
