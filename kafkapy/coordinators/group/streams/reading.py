"""The records of a streams group, read: each changes the group it is about.

What Apache Kafka takes for an error of the coordinator is let pass here (a member's tombstone before those of its
assignments, a task with two owners): a compacted log shows states in another order than they were written in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.framing import unframed
from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.member import MemberState, StreamsMember, UserEndpoint
from kafkapy.coordinators.group.streams.tasks import NOTHING_HELD, HeldTasks, TaskSets
from kafkapy.coordinators.group.streams.topology.stored import StoredTopology
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.group_coordinator import (
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataKey,
    StreamsGroupMemberMetadataValue,
    StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupTargetAssignmentMetadataValue,
    StreamsGroupTopologyValue,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.coordinators.group.streams.group import StreamsGroup
    from kafkapy.coordinators.group.streams.tasks import Tasks, TasksSince
    from kafkapy_wire.record_formats.group_coordinator import (
        StreamsGroupCurrentMemberAssignmentValueTaskIds,
        StreamsGroupTargetAssignmentMemberValueTaskIds,
    )

NO_EPOCH = -1
_STATES = {int(state): state for state in MemberState}

Stored = tuple[int, memoryview]


def read(record_type: int, key: memoryview, value: bytes | None) -> Callable[[StreamsGroup], None]:
    """What the record does to its group. Not of the group's own tombstone.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    stored = None if value is None else unframed(value)
    match record_type:
        case records.GROUP:
            return _read_group(stored)
        case records.TOPOLOGY:
            return _read_topology(stored)
        case records.MEMBER:
            return _read_member(decode(StreamsGroupMemberMetadataKey, key, 0).member_id, stored)
        case records.TARGET_METADATA:
            return _read_target_metadata(stored)
        case records.TARGET_MEMBER:
            return _read_target(decode(StreamsGroupTargetAssignmentMemberKey, key, 0).member_id, stored)
        case _:
            return _read_current(decode(StreamsGroupCurrentMemberAssignmentKey, key, 0).member_id, stored)


def _read_group(stored: Stored | None) -> Callable[[StreamsGroup], None]:
    assert stored is not None, "a group's tombstone removes it from the directory"
    value = decode(StreamsGroupMetadataValue, stored[1], stored[0])
    metadata = records.GroupMetadata(
        value.epoch,
        value.metadata_hash,
        value.validated_topology_epoch,
        {config.key: config.value for config in value.last_assignment_configs or ()},
        value.stored_description_topology_epoch,
        value.failed_description_topology_epoch,
    )

    def apply(group: StreamsGroup) -> None:
        group.metadata = metadata

    return apply


def _read_topology(stored: Stored | None) -> Callable[[StreamsGroup], None]:
    topology = None
    if stored is not None:
        topology = StoredTopology(decode(StreamsGroupTopologyValue, stored[1], stored[0]))
    return lambda group: group.put_topology(topology)


def _read_member(member_id: str, stored: Stored | None) -> Callable[[StreamsGroup], None]:
    if stored is None:
        return lambda group: group.remove_member(member_id)
    value = decode(StreamsGroupMemberMetadataValue, stored[1], stored[0])
    endpoint = value.user_endpoint
    said = {
        "instance_id": value.instance_id,
        "rack_id": value.rack_id,
        "client_id": value.client_id,
        "client_host": value.client_host,
        "rebalance_timeout_ms": value.rebalance_timeout_ms,
        "topology_epoch": value.topology_epoch,
        "process_id": value.process_id,
        "user_endpoint": None if endpoint is None else UserEndpoint(endpoint.host, endpoint.port),
        "client_tags": {tag.key: tag.value for tag in value.client_tags},
    }

    def apply(group: StreamsGroup) -> None:
        known = group.members.get(member_id) or StreamsMember(member_id)
        group.put_member(known._replace(**said))  # type: ignore[arg-type]

    return apply


def _read_target_metadata(stored: Stored | None) -> Callable[[StreamsGroup], None]:
    if stored is None:
        epoch, assigned_at_ms = NO_EPOCH, 0
    else:
        value = decode(StreamsGroupTargetAssignmentMetadataValue, stored[1], stored[0])
        epoch, assigned_at_ms = value.assignment_epoch, value.assignment_timestamp

    def apply(group: StreamsGroup) -> None:
        group.assignment_epoch, group.assigned_at_ms = epoch, assigned_at_ms

    return apply


def _read_target(member_id: str, stored: Stored | None) -> Callable[[StreamsGroup], None]:
    if stored is None:

        def forget(group: StreamsGroup) -> None:
            group.targets.pop(member_id, None)

        return forget
    value = decode(StreamsGroupTargetAssignmentMemberValue, stored[1], stored[0])
    target = TaskSets(_tasks(value.active_tasks), _tasks(value.standby_tasks), _tasks(value.warmup_tasks))

    def apply(group: StreamsGroup) -> None:
        group.targets[member_id] = target

    return apply


def _read_current(member_id: str, stored: Stored | None) -> Callable[[StreamsGroup], None]:
    if stored is None:

        def clear(group: StreamsGroup) -> None:
            known = group.members.get(member_id)
            if known is not None:
                group.put_member(
                    known._replace(
                        epoch=NO_EPOCH,
                        previous_epoch=NO_EPOCH,
                        assigned=NOTHING_HELD,
                        pending_revocation=NOTHING_HELD,
                    )
                )

        return clear
    value = decode(StreamsGroupCurrentMemberAssignmentValue, stored[1], stored[0])
    epoch = value.member_epoch
    assigned = HeldTasks(
        _tasks_since(value.active_tasks, epoch), _tasks(value.standby_tasks), _tasks(value.warmup_tasks)
    )
    pending = HeldTasks(
        _tasks_since(value.active_tasks_pending_revocation, epoch),
        _tasks(value.standby_tasks_pending_revocation),
        _tasks(value.warmup_tasks_pending_revocation),
    )

    def apply(group: StreamsGroup) -> None:
        known = group.members.get(member_id) or StreamsMember(member_id)
        group.put_member(
            known._replace(
                epoch=epoch,
                previous_epoch=value.previous_member_epoch,
                state=_STATES.get(value.state, MemberState.UNKNOWN),
                assigned=assigned,
                pending_revocation=pending,
            )
        )

    return apply


def _tasks(
    stored: Iterable[StreamsGroupCurrentMemberAssignmentValueTaskIds | StreamsGroupTargetAssignmentMemberValueTaskIds],
) -> Tasks:
    return {task.subtopology_id: frozenset(task.partitions) for task in stored if task.partitions}


def _tasks_since(stored: Iterable[StreamsGroupCurrentMemberAssignmentValueTaskIds], member_epoch: int) -> TasksSince:
    """Kafka before 4.2 has stored no epochs: each task was assigned in the member's, at the latest."""
    return {
        task.subtopology_id: dict(zip(task.partitions, task.assignment_epochs, strict=True))
        if task.assignment_epochs and len(task.assignment_epochs) == len(task.partitions)
        else dict.fromkeys(task.partitions, member_epoch)
        for task in stored
        if task.partitions
    }
