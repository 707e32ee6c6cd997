"""The records of a share group, read: each changes the group it is about.

A member's tombstone may come before those of its assignments: a compacted log shows states in another order than they
were written in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.framing import unframed
from kafkapy.coordinators.group.share import records
from kafkapy.coordinators.group.share.member import NO_EPOCH, ShareMember
from kafkapy.coordinators.group.share.topic_states import TopicState, TopicStates
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.group_coordinator import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue,
    ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataValue,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.coordinators.group.share.group import ShareGroup
    from kafkapy_wire.record_formats.group_coordinator import TopicPartitionsInfo
    from kafkapy_wire.uuid import Uuid

Stored = tuple[int, memoryview]


def read(record_type: int, key: memoryview, value: bytes | None, now_ms: int) -> Callable[[ShareGroup], None]:
    """What the record does to its group. Not of the group's own tombstone.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    stored = None if value is None else unframed(value)
    match record_type:
        case records.GROUP:
            return _read_group(stored)
        case records.MEMBER:
            return _read_member(decode(ShareGroupMemberMetadataKey, key, 0).member_id, stored)
        case records.TARGET_METADATA:
            return _read_target_metadata(stored)
        case records.TARGET_MEMBER:
            return _read_target(decode(ShareGroupTargetAssignmentMemberKey, key, 0).member_id, stored)
        case records.CURRENT_ASSIGNMENT:
            return _read_current(decode(ShareGroupCurrentMemberAssignmentKey, key, 0).member_id, stored)
        case _:
            return _read_topic_states(stored, now_ms)


def _read_group(stored: Stored | None) -> Callable[[ShareGroup], None]:
    assert stored is not None, "a group's tombstone removes it from the directory"
    value = decode(ShareGroupMetadataValue, stored[1], stored[0])

    def apply(group: ShareGroup) -> None:
        group.epoch, group.metadata_hash = value.epoch, value.metadata_hash

    return apply


def _read_member(member_id: str, stored: Stored | None) -> Callable[[ShareGroup], None]:
    if stored is None:
        return lambda group: group.remove_member(member_id)
    value = decode(ShareGroupMemberMetadataValue, stored[1], stored[0])

    def apply(group: ShareGroup) -> None:
        known = group.members.get(member_id) or ShareMember(member_id)
        group.put_member(
            known._replace(
                rack_id=value.rack_id,
                client_id=value.client_id,
                client_host=value.client_host,
                topics=frozenset(value.subscribed_topic_names),
            )
        )

    return apply


def _read_target_metadata(stored: Stored | None) -> Callable[[ShareGroup], None]:
    if stored is None:
        epoch, assigned_at_ms = NO_EPOCH, 0
    else:
        value = decode(ShareGroupTargetAssignmentMetadataValue, stored[1], stored[0])
        epoch, assigned_at_ms = value.assignment_epoch, value.assignment_timestamp

    def apply(group: ShareGroup) -> None:
        group.assignment_epoch, group.assigned_at_ms = epoch, assigned_at_ms

    return apply


def _read_target(member_id: str, stored: Stored | None) -> Callable[[ShareGroup], None]:
    if stored is None:

        def forget(group: ShareGroup) -> None:
            group.targets.pop(member_id, None)

        return forget
    value = decode(ShareGroupTargetAssignmentMemberValue, stored[1], stored[0])
    target = {topic.topic_id: frozenset(topic.partitions) for topic in value.topic_partitions if topic.partitions}

    def apply(group: ShareGroup) -> None:
        group.targets[member_id] = target

    return apply


def _read_current(member_id: str, stored: Stored | None) -> Callable[[ShareGroup], None]:
    if stored is None:

        def clear(group: ShareGroup) -> None:
            known = group.members.get(member_id)
            if known is not None:
                group.put_member(known._replace(epoch=NO_EPOCH, previous_epoch=NO_EPOCH, assigned={}))

        return clear
    value = decode(ShareGroupCurrentMemberAssignmentValue, stored[1], stored[0])
    assigned = {topic.topic_id: frozenset(topic.partitions) for topic in value.assigned_partitions if topic.partitions}

    def apply(group: ShareGroup) -> None:
        known = group.members.get(member_id) or ShareMember(member_id)
        group.put_member(
            known._replace(epoch=value.member_epoch, previous_epoch=value.previous_member_epoch, assigned=assigned)
        )

    return apply


def _read_topic_states(stored: Stored | None, now_ms: int) -> Callable[[ShareGroup], None]:
    states: TopicStates | None = None
    if stored is not None:
        value = decode(ShareGroupStatePartitionMetadataValue, stored[1], stored[0])
        states = TopicStates(
            _topics(value.initializing_topics, now_ms),
            _topics(value.initialized_topics, now_ms),
            frozenset(topic.topic_id for topic in value.deleting_topics),
        )

    def apply(group: ShareGroup) -> None:
        group.topic_states = states

    return apply


def _topics(stored: Iterable[TopicPartitionsInfo], now_ms: int) -> dict[Uuid, TopicState]:
    return {topic.topic_id: TopicState(topic.topic_name, frozenset(topic.partitions), now_ms) for topic in stored}
