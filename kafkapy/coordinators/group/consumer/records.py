"""The records of a consumer group, in Kafka's formats: Apache Kafka 4.4 reads what is written here.

The group (3), its members' words (5), the topics of each pattern (16), what is to be owned (6, and 7 for each member),
and what each member owns (8). Record 4 is of Kafka before 4.1 only: it is read, and deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.framing import framed_record
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.record_formats.group_coordinator import (
    ClassicMemberMetadata,
    ClassicProtocol,
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupCurrentMemberAssignmentValueTopicPartitions,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMemberValueTopicPartition,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
)

if TYPE_CHECKING:
    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.member import ConsumerMember, Partitions
    from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern

GROUP: Final = 3
PARTITION_METADATA: Final = 4
MEMBER: Final = 5
TARGET_METADATA: Final = 6
TARGET_MEMBER: Final = 7
CURRENT_ASSIGNMENT: Final = 8
PATTERN: Final = 16


def group_epoch(group_id: str, epoch: int, metadata_hash: int) -> CoordinatorRecord:
    value = ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return framed_record(GROUP, ConsumerGroupMetadataKey(group_id=group_id), value)


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(GROUP, ConsumerGroupMetadataKey(group_id=group_id), None)


def partition_metadata_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(PARTITION_METADATA, ConsumerGroupPartitionMetadataKey(group_id=group_id), None)


def member(group_id: str, of: ConsumerMember) -> CoordinatorRecord:
    """What the member has said. `subscribed_topic_names` are sorted, as Apache Kafka writes them."""
    classic = of.classic
    value = ConsumerGroupMemberMetadataValue(
        instance_id=of.instance_id,
        rack_id=of.rack_id,
        client_id=of.client_id,
        client_host=of.client_host,
        subscribed_topic_names=sorted(of.topics),
        subscribed_topic_regex=of.pattern,
        rebalance_timeout_ms=of.rebalance_timeout_ms,
        server_assignor=of.server_assignor,
        classic_member_metadata=None
        if classic is None
        else ClassicMemberMetadata(
            session_timeout_ms=classic.session_timeout_ms,
            supported_protocols=[ClassicProtocol(name=name, metadata=metadata) for name, metadata in classic.protocols],
        ),
    )
    return framed_record(MEMBER, ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=of.member_id), value)


def member_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(MEMBER, ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None)


def target_epoch(group_id: str, epoch: int, assigned_at_ms: int) -> CoordinatorRecord:
    value = ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=assigned_at_ms)
    return framed_record(TARGET_METADATA, ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_epoch_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(TARGET_METADATA, ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), None)


def target(group_id: str, member_id: str, of: Target) -> CoordinatorRecord:
    value = ConsumerGroupTargetAssignmentMemberValue(
        topic_partitions=[
            ConsumerGroupTargetAssignmentMemberValueTopicPartition(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in of.items()
        ]
    )
    return framed_record(
        TARGET_MEMBER, ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value
    )


def target_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(
        TARGET_MEMBER, ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None
    )


def current_assignment(group_id: str, of: ConsumerMember) -> CoordinatorRecord:
    value = ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=of.epoch,
        previous_member_epoch=of.previous_epoch,
        state=of.state,
        assigned_partitions=_with_epochs(of.assigned),
        partitions_pending_revocation=_with_epochs(of.pending_revocation),
    )
    key = ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=of.member_id)
    return framed_record(CURRENT_ASSIGNMENT, key, value)


def current_assignment_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    key = ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id)
    return framed_record(CURRENT_ASSIGNMENT, key, None)


def pattern(group_id: str, text: str, resolved: ResolvedPattern) -> CoordinatorRecord:
    value = ConsumerGroupRegularExpressionValue(
        topics=sorted(resolved.topics), version=resolved.version, timestamp=resolved.resolved_at_ms
    )
    return framed_record(PATTERN, ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=text), value)


def pattern_tombstone(group_id: str, text: str) -> CoordinatorRecord:
    return framed_record(PATTERN, ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=text), None)


def _with_epochs(partitions: Partitions) -> list[ConsumerGroupCurrentMemberAssignmentValueTopicPartitions]:
    return [
        ConsumerGroupCurrentMemberAssignmentValueTopicPartitions(
            topic_id=topic_id, partitions=[*epochs], assignment_epochs=[*epochs.values()]
        )
        for topic_id, epochs in partitions.items()
    ]
