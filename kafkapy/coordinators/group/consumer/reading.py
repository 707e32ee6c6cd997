"""The records of a consumer group, read: each changes the group it is about.

What Apache Kafka takes for an error of the coordinator is let pass here (a member's tombstone before those of its
assignments, a partition with two owners): a compacted log shows states in another order than they were written in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.framing import unframed
from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.member import ClassicMembership, ConsumerMember, MemberState, Partitions
from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.group_coordinator import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataValue,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.coordinators.group.consumer.group import ConsumerGroup
    from kafkapy_wire.record_formats.group_coordinator import ConsumerGroupCurrentMemberAssignmentValueTopicPartitions

NO_EPOCH = -1
_STATES = {int(state): state for state in MemberState}


def read(record_type: int, key: memoryview, value: bytes | None) -> Callable[[ConsumerGroup], None]:
    """What the record does to its group. Not of the group's own tombstone.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    stored = None if value is None else unframed(value)
    match record_type:
        case records.GROUP:
            return _read_group(stored)
        case records.PARTITION_METADATA:
            return lambda group: setattr(group, "has_partition_metadata", stored is not None)
        case records.MEMBER:
            return _read_member(decode(ConsumerGroupMemberMetadataKey, key, 0).member_id, stored)
        case records.TARGET_METADATA:
            return _read_target_metadata(stored)
        case records.TARGET_MEMBER:
            return _read_target(decode(ConsumerGroupTargetAssignmentMemberKey, key, 0).member_id, stored)
        case records.CURRENT_ASSIGNMENT:
            return _read_current(decode(ConsumerGroupCurrentMemberAssignmentKey, key, 0).member_id, stored)
        case _:
            return _read_pattern(decode(ConsumerGroupRegularExpressionKey, key, 0).regular_expression, stored)


Stored = tuple[int, memoryview]


def _read_group(stored: Stored | None) -> Callable[[ConsumerGroup], None]:
    assert stored is not None, "a group's tombstone removes it from the directory"
    value = decode(ConsumerGroupMetadataValue, stored[1], stored[0])

    def apply(group: ConsumerGroup) -> None:
        group.epoch, group.metadata_hash = value.epoch, value.metadata_hash

    return apply


def _read_member(member_id: str, stored: Stored | None) -> Callable[[ConsumerGroup], None]:
    if stored is None:
        return lambda group: group.remove_member(member_id)
    value = decode(ConsumerGroupMemberMetadataValue, stored[1], stored[0])
    classic = value.classic_member_metadata
    said = {
        "instance_id": value.instance_id,
        "rack_id": value.rack_id,
        "client_id": value.client_id,
        "client_host": value.client_host,
        "topics": frozenset(value.subscribed_topic_names),
        "pattern": value.subscribed_topic_regex or "",
        "rebalance_timeout_ms": value.rebalance_timeout_ms,
        "server_assignor": value.server_assignor,
        "classic": None
        if classic is None
        else ClassicMembership(
            classic.session_timeout_ms,
            tuple((protocol.name, protocol.metadata) for protocol in classic.supported_protocols),
        ),
    }

    def apply(group: ConsumerGroup) -> None:
        known = group.members.get(member_id) or ConsumerMember(member_id)
        group.put_member(known._replace(**said))  # type: ignore[arg-type]

    return apply


def _read_target_metadata(stored: Stored | None) -> Callable[[ConsumerGroup], None]:
    if stored is None:
        epoch, assigned_at_ms = NO_EPOCH, 0
    else:
        value = decode(ConsumerGroupTargetAssignmentMetadataValue, stored[1], stored[0])
        epoch, assigned_at_ms = value.assignment_epoch, value.assignment_timestamp

    def apply(group: ConsumerGroup) -> None:
        group.assignment_epoch, group.assigned_at_ms = epoch, assigned_at_ms

    return apply


def _read_target(member_id: str, stored: Stored | None) -> Callable[[ConsumerGroup], None]:
    if stored is None:

        def forget(group: ConsumerGroup) -> None:
            group.targets.pop(member_id, None)

        return forget
    value = decode(ConsumerGroupTargetAssignmentMemberValue, stored[1], stored[0])
    target = {topic.topic_id: frozenset(topic.partitions) for topic in value.topic_partitions if topic.partitions}

    def apply(group: ConsumerGroup) -> None:
        group.targets[member_id] = target

    return apply


def _read_current(member_id: str, stored: Stored | None) -> Callable[[ConsumerGroup], None]:
    if stored is None:

        def clear(group: ConsumerGroup) -> None:
            known = group.members.get(member_id)
            if known is not None:
                group.put_member(
                    known._replace(epoch=NO_EPOCH, previous_epoch=NO_EPOCH, assigned={}, pending_revocation={})
                )

        return clear
    value = decode(ConsumerGroupCurrentMemberAssignmentValue, stored[1], stored[0])
    assigned = _partitions(value.assigned_partitions, value.member_epoch)
    pending = _partitions(value.partitions_pending_revocation, value.member_epoch)

    def apply(group: ConsumerGroup) -> None:
        known = group.members.get(member_id) or ConsumerMember(member_id)
        group.put_member(
            known._replace(
                epoch=value.member_epoch,
                previous_epoch=value.previous_member_epoch,
                state=_STATES.get(value.state, MemberState.UNKNOWN),
                assigned=assigned,
                pending_revocation=pending,
            )
        )

    return apply


def _partitions(
    stored: Iterable[ConsumerGroupCurrentMemberAssignmentValueTopicPartitions], member_epoch: int
) -> Partitions:
    """Kafka before 4.2 has stored no epochs: each partition was assigned in the member's, at the latest."""
    return {
        topic.topic_id: dict(zip(topic.partitions, topic.assignment_epochs, strict=True))
        if topic.assignment_epochs and len(topic.assignment_epochs) == len(topic.partitions)
        else dict.fromkeys(topic.partitions, member_epoch)
        for topic in stored
        if topic.partitions
    }


def _read_pattern(text: str, stored: Stored | None) -> Callable[[ConsumerGroup], None]:
    if stored is None:

        def forget(group: ConsumerGroup) -> None:
            group.resolved.pop(text, None)

        return forget
    value = decode(ConsumerGroupRegularExpressionValue, stored[1], stored[0])
    resolved = ResolvedPattern(frozenset(value.topics), value.version, value.timestamp)

    def apply(group: ConsumerGroup) -> None:
        group.resolved[text] = resolved

    return apply
