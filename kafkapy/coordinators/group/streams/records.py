"""The records of a streams group, in Kafka's formats: Apache Kafka 4.4 reads what is written here.

The group (17), its members' words (19), what is to be had (20, and 21 for each member), what each member has (22), and
the topology (23).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.coordinators.framing import framed_record
from kafkapy.coordinators.group.assignors.java_order import string_key
from kafkapy_wire.record_formats.group_coordinator import (
    Endpoint,
    KeyValue,
    LastAssignmentConfig,
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupCurrentMemberAssignmentValueTaskIds,
    StreamsGroupMemberMetadataKey,
    StreamsGroupMemberMetadataValue,
    StreamsGroupMetadataKey,
    StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupTargetAssignmentMemberValueTaskIds,
    StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue,
    StreamsGroupTopologyKey,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import Tasks, TaskSets, TasksSince
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue

GROUP: Final = 17
MEMBER: Final = 19
TARGET_METADATA: Final = 20
TARGET_MEMBER: Final = 21
CURRENT_ASSIGNMENT: Final = 22
TOPOLOGY: Final = 23

NO_TOPOLOGY_EPOCH: Final = -1


class GroupMetadata(NamedTuple):
    """What the record of the group itself holds."""

    epoch: int
    metadata_hash: int = 0
    validated_topology_epoch: int = NO_TOPOLOGY_EPOCH
    """The epoch of the topology that the topics which exist fit to; -1: they do not."""
    assignment_configs: Mapping[str, str] = {}
    """The settings by which the group was assigned."""
    stored_description_topology_epoch: int = NO_TOPOLOGY_EPOCH
    """Of a plug-in of Apache Kafka's that stores descriptions of topologies. Kept for it."""
    failed_description_topology_epoch: int = NO_TOPOLOGY_EPOCH


def group(group_id: str, of: GroupMetadata) -> CoordinatorRecord:
    value = StreamsGroupMetadataValue(
        epoch=of.epoch,
        metadata_hash=of.metadata_hash,
        validated_topology_epoch=of.validated_topology_epoch,
        last_assignment_configs=[
            LastAssignmentConfig(key=key, value=value) for key, value in of.assignment_configs.items()
        ],
        stored_description_topology_epoch=of.stored_description_topology_epoch,
        failed_description_topology_epoch=of.failed_description_topology_epoch,
    )
    return framed_record(GROUP, StreamsGroupMetadataKey(group_id=group_id), value)


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(GROUP, StreamsGroupMetadataKey(group_id=group_id), None)


def topology(group_id: str, value: StreamsGroupTopologyValue) -> CoordinatorRecord:
    return framed_record(TOPOLOGY, StreamsGroupTopologyKey(group_id=group_id), value)


def topology_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(TOPOLOGY, StreamsGroupTopologyKey(group_id=group_id), None)


def member(group_id: str, of: StreamsMember) -> CoordinatorRecord:
    """What the member has said. Tags are sorted, as Apache Kafka writes them."""
    endpoint = of.user_endpoint
    value = StreamsGroupMemberMetadataValue(
        instance_id=of.instance_id,
        rack_id=of.rack_id,
        client_id=of.client_id,
        client_host=of.client_host,
        rebalance_timeout_ms=of.rebalance_timeout_ms,
        topology_epoch=of.topology_epoch,
        process_id=of.process_id,
        user_endpoint=None if endpoint is None else Endpoint(host=endpoint.host, port=endpoint.port),
        client_tags=[KeyValue(key=key, value=of.client_tags[key]) for key in sorted(of.client_tags, key=string_key)],
    )
    return framed_record(MEMBER, StreamsGroupMemberMetadataKey(group_id=group_id, member_id=of.member_id), value)


def member_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(MEMBER, StreamsGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None)


def target_epoch(group_id: str, epoch: int, assigned_at_ms: int) -> CoordinatorRecord:
    value = StreamsGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=assigned_at_ms)
    return framed_record(TARGET_METADATA, StreamsGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_epoch_tombstone(group_id: str) -> CoordinatorRecord:
    return framed_record(TARGET_METADATA, StreamsGroupTargetAssignmentMetadataKey(group_id=group_id), None)


def target(group_id: str, member_id: str, of: TaskSets) -> CoordinatorRecord:
    value = StreamsGroupTargetAssignmentMemberValue(
        active_tasks=_target_tasks(of.active),
        standby_tasks=_target_tasks(of.standby),
        warmup_tasks=_target_tasks(of.warmup),
    )
    return framed_record(TARGET_MEMBER, _target_key(group_id, member_id), value)


def target_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(TARGET_MEMBER, _target_key(group_id, member_id), None)


def current_assignment(group_id: str, of: StreamsMember) -> CoordinatorRecord:
    value = StreamsGroupCurrentMemberAssignmentValue(
        member_epoch=of.epoch,
        previous_member_epoch=of.previous_epoch,
        state=of.state,
        active_tasks=_tasks_with_epochs(of.assigned.active),
        standby_tasks=_tasks(of.assigned.standby),
        warmup_tasks=_tasks(of.assigned.warmup),
        active_tasks_pending_revocation=_tasks_with_epochs(of.pending_revocation.active),
        standby_tasks_pending_revocation=_tasks(of.pending_revocation.standby),
        warmup_tasks_pending_revocation=_tasks(of.pending_revocation.warmup),
    )
    return framed_record(CURRENT_ASSIGNMENT, _current_key(group_id, of.member_id), value)


def current_assignment_tombstone(group_id: str, member_id: str) -> CoordinatorRecord:
    return framed_record(CURRENT_ASSIGNMENT, _current_key(group_id, member_id), None)


def removal(group_id: str, member_id: str) -> list[CoordinatorRecord]:
    """Assignments before the member: Apache Kafka refuses to load another order."""
    return [
        current_assignment_tombstone(group_id, member_id),
        target_tombstone(group_id, member_id),
        member_tombstone(group_id, member_id),
    ]


def _target_key(group_id: str, member_id: str) -> StreamsGroupTargetAssignmentMemberKey:
    return StreamsGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)


def _current_key(group_id: str, member_id: str) -> StreamsGroupCurrentMemberAssignmentKey:
    return StreamsGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id)


def _target_tasks(tasks: Tasks) -> list[StreamsGroupTargetAssignmentMemberValueTaskIds]:
    return [
        StreamsGroupTargetAssignmentMemberValueTaskIds(subtopology_id=name, partitions=sorted(tasks[name]))
        for name in sorted(tasks, key=string_key)
    ]


def _tasks(tasks: Tasks) -> list[StreamsGroupCurrentMemberAssignmentValueTaskIds]:
    return [
        StreamsGroupCurrentMemberAssignmentValueTaskIds(subtopology_id=name, partitions=sorted(tasks[name]))
        for name in sorted(tasks, key=string_key)
    ]


def _tasks_with_epochs(tasks: TasksSince) -> list[StreamsGroupCurrentMemberAssignmentValueTaskIds]:
    return [
        StreamsGroupCurrentMemberAssignmentValueTaskIds(
            subtopology_id=name,
            partitions=sorted(tasks[name]),
            assignment_epochs=[tasks[name][partition] for partition in sorted(tasks[name])],
        )
        for name in sorted(tasks, key=string_key)
    ]
