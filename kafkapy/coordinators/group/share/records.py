"""The records of a share group, in Kafka's formats: Apache Kafka 4.4 reads what is written here.

The group (11), its members' words (10), what is to be read (12, and 13 for each member), what each member reads (14),
and which partitions have a state at the share coordinator (15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.framing import framed_record
from kafkapy.coordinators.group.share.topic_states import name_of
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.record_formats.group_coordinator import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue,
    ShareGroupCurrentMemberAssignmentValueTopicPartitions,
    ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey,
    ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue,
    ShareGroupStatePartitionMetadataValueTopicInfo,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMemberValueTopicPartition,
    ShareGroupTargetAssignmentMetadataKey,
    ShareGroupTargetAssignmentMetadataValue,
    TopicPartitionsInfo,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.share.member import ShareMember
    from kafkapy.coordinators.group.share.topic_states import TopicState, TopicStates
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

MEMBER: Final = 10
GROUP: Final = 11
TARGET_METADATA: Final = 12
TARGET_MEMBER: Final = 13
CURRENT_ASSIGNMENT: Final = 14
TOPIC_STATES: Final = 15

STABLE: Final = 0


def group_epoch(group_id: str, epoch: int, metadata_hash: int) -> CoordinatorRecord:
    value = ShareGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return framed_record(GROUP, ShareGroupMetadataKey(group_id=group_id), value)


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(GROUP, ShareGroupMetadataKey(group_id=group_id), None)


def member(group_id: str, of: ShareMember) -> CoordinatorRecord:
    """What the member has said. `subscribed_topic_names` are sorted, as Apache Kafka writes them."""
    value = ShareGroupMemberMetadataValue(
        rack_id=of.rack_id,
        client_id=of.client_id,
        client_host=of.client_host,
        subscribed_topic_names=sorted(of.topics),
    )
    return framed_record(MEMBER, ShareGroupMemberMetadataKey(group_id=group_id, member_id=of.member_id), value)


def member_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(MEMBER, ShareGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None)


def target_epoch(group_id: str, epoch: int, assigned_at_ms: int) -> CoordinatorRecord:
    value = ShareGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=assigned_at_ms)
    return framed_record(TARGET_METADATA, ShareGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_epoch_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(TARGET_METADATA, ShareGroupTargetAssignmentMetadataKey(group_id=group_id), None)


def target(group_id: str, member_id: str, of: Target) -> CoordinatorRecord:
    value = ShareGroupTargetAssignmentMemberValue(
        topic_partitions=[
            ShareGroupTargetAssignmentMemberValueTopicPartition(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in of.items()
        ]
    )
    return framed_record(
        TARGET_MEMBER, ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value
    )


def target_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(
        TARGET_MEMBER, ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None
    )


def current_assignment(group_id: str, of: ShareMember) -> CoordinatorRecord:
    value = ShareGroupCurrentMemberAssignmentValue(
        member_epoch=of.epoch,
        previous_member_epoch=of.previous_epoch,
        state=STABLE,
        assigned_partitions=[
            ShareGroupCurrentMemberAssignmentValueTopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in of.assigned.items()
        ],
    )
    key = ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=of.member_id)
    return framed_record(CURRENT_ASSIGNMENT, key, value)


def current_assignment_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    key = ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id)
    return framed_record(CURRENT_ASSIGNMENT, key, None)


def topic_states(group_id: str, states: TopicStates, image: MetadataImage) -> CoordinatorRecord:
    value = ShareGroupStatePartitionMetadataValue(
        initializing_topics=_topics(states.initializing),
        initialized_topics=_topics(states.initialized),
        deleting_topics=[
            ShareGroupStatePartitionMetadataValueTopicInfo(topic_id=topic_id, topic_name=name_of(topic_id, image))
            for topic_id in sorted(states.deleting)
        ],
    )
    return framed_record(TOPIC_STATES, ShareGroupStatePartitionMetadataKey(group_id=group_id), value)


def topic_states_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(TOPIC_STATES, ShareGroupStatePartitionMetadataKey(group_id=group_id), None)


def _topics(states: Mapping[Uuid, TopicState]) -> list[TopicPartitionsInfo]:
    return [
        TopicPartitionsInfo(topic_id=topic_id, topic_name=state.name, partitions=sorted(state.partitions))
        for topic_id, state in states.items()
    ]
