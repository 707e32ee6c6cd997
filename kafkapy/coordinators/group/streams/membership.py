"""What StreamsGroupHeartbeat decides: a member joins, says what has changed, and goes a step on.

A decision reads the group and returns records; replaying them is what changes it. Records are written in Apache Kafka's
order: the member, the topology, the group, what is to be had, what the member has.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.epochs import next_epoch
from kafkapy.coordinators.group.large_groups import LargeGroups, target_records
from kafkapy.coordinators.group.streams import answering, records
from kafkapy.coordinators.group.streams.assigning import NextTarget
from kafkapy.coordinators.group.streams.endpoints import partitions_by_endpoint
from kafkapy.coordinators.group.streams.group import NO_TASK_OFFSETS, TaskOffsets
from kafkapy.coordinators.group.streams.group_settings import StreamsGroupSettings, group_settings
from kafkapy.coordinators.group.streams.identity import identify, refuse_if_full, updated
from kafkapy.coordinators.group.streams.member import JOINING_EPOCH
from kafkapy.coordinators.group.streams.reconciliation import Step
from kafkapy.coordinators.group.streams.tasks import NO_TASK_SETS, TaskSets
from kafkapy.coordinators.group.streams.topologies import match, refuse_unknown_tasks, settle
from kafkapy.coordinators.group.streams.topology import StreamsStatus
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.group.streams.answering import Beaten
    from kafkapy.coordinators.group.streams.group import Offsets, StreamsGroup
    from kafkapy.coordinators.group.streams.identity import Identified
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import Tasks
    from kafkapy.coordinators.group.streams.topologies import MatchedTopology
    from kafkapy.coordinators.group.typed_groups import TypedGroups
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.messages.streams_group_heartbeat import (
        Status,
        StreamsGroupHeartbeatRequest,
        StreamsGroupHeartbeatRequestTaskIds,
        StreamsGroupHeartbeatResponse,
        TaskOffset,
    )
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue

logger = logging.getLogger("kafkapy.groups")


class Draft:
    """A group as it will be after the records that are collected here. One for each decision."""

    def __init__(self, group: StreamsGroup, written: list[CoordinatorRecord], identified: Identified) -> None:
        self.group = group
        self.written = written
        self.before = identified.member
        self.replaced = identified.replaced
        """A static member whose place the member has taken."""
        self.metadata = group.metadata
        self.status: list[Status] = []
        self._changes: list[Callable[[StreamsGroup], None]] = []

    def remember(self, change: Callable[[StreamsGroup], None]) -> None:
        """Something that is in memory only. Of a group that nobody knows yet it is not kept, as in Apache Kafka."""
        self._changes.append(change)

    def apply(self) -> None:
        """With the append: before it, nothing may change."""
        for change in self._changes:
            change(self.group)

    def members_with(self, member: StreamsMember) -> dict[str, StreamsMember]:
        members = dict(self.group.members)
        if self.replaced is not None:
            members.pop(self.replaced.member_id, None)
        members[member.member_id] = member
        return members

    def targets(self, member: StreamsMember) -> Mapping[str, TaskSets]:
        if self.replaced is None:
            return self.group.targets
        targets = dict(self.group.targets)
        targets[member.member_id] = targets.pop(self.replaced.member_id, NO_TASK_SETS)
        return targets


class Membership:
    """The decisions about members of one shard's streams groups. Errors are raised as KafkaError."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[StreamsGroup]) -> None:
        self._settings = parts.settings
        self._clock = parts.clock
        self._metadata = parts.metadata
        self._groups = groups
        self._large_groups = LargeGroups(parts, groups)

    def settings_of(self, group_id: str) -> StreamsGroupSettings:
        return group_settings(group_id, self._settings.now, self._metadata.image)

    def heartbeat(
        self,
        group: StreamsGroup,
        request: StreamsGroupHeartbeatRequest,
        topology: StreamsGroupTopologyValue | None,
        caller: Caller,
        written: list[CoordinatorRecord],
    ) -> Decision[Beaten]:
        """A member joins (epoch 0) or goes on. `written`: records that come before those of the member."""
        joins = request.member_epoch == JOINING_EPOCH
        if joins:
            size_max = self._settings.now.groups.group_streams_max_size
            refuse_if_full(group, request.member_id, request.instance_id, size_max)
        owned = _owned(request)
        identified = identify(group, request, owned)
        written += identified.records
        draft = Draft(group, written, identified)
        settings = self.settings_of(group.group_id)
        member = updated(identified.member, request, caller)
        bumps = _write_member(draft, member)
        stored = settle(group, topology, draft.written)
        draft.status += answering.stale_topology(member, group.topology)
        matched = match(group, stored, self._metadata.image)
        draft.remember(lambda of: _keep_topology(of, matched))
        refuse_unknown_tasks(matched.configured, owned)
        _keep_task_offsets(draft, request)
        delay_ms = self._write_epoch(draft, matched, settings, bumps=bumps)
        waits = bool(delay_ms) or group.first_assignment is not None
        target_epoch, target = self._write_target(draft, member, matched, settings, waits=waits)
        after = Step(target_epoch, target, owned, group.owners).of(member)
        if after != member:
            draft.written.append(records.current_assignment(group.group_id, after))
        if request.shutdown_application:
            draft.remember(lambda of: request_shutdown(of, after.member_id))
        response = answering.beaten(after, settings)
        self._tell(draft, request, after, matched, response, joins=joins)
        draft.status += answering.topic_problem(matched.configured)
        requested_by = group.shutdown_requested_by
        if requested_by is None and request.shutdown_application:
            requested_by = after.member_id
        draft.status += answering.shutdown(requested_by)
        draft.status += answering.missing_tags(after, settings.rack_aware_tags, caller.api_version)
        response.status = draft.status
        missing = matched.configured.internal_topics_to_create if matched.configured.problem is not None else {}
        return Decision(draft.written, answering.Beaten(response, missing, delay_ms), apply=draft.apply)

    # -- its parts

    def _write_epoch(
        self, draft: Draft, matched: MatchedTopology, settings: StreamsGroupSettings, *, bumps: bool
    ) -> int:
        """Raise the group's epoch if something has changed that its assignment depends on. How long the first
        assignment is to wait for further members, from now on: 0, if not at all.
        """
        group, known = draft.group, draft.metadata
        configs = settings.assignment_configs
        draft.metadata = known._replace(
            metadata_hash=matched.metadata_hash,
            validated_topology_epoch=matched.validated_epoch,
            assignment_configs=configs,
        )
        if not bumps and draft.metadata == known:
            return 0
        draft.metadata = draft.metadata._replace(epoch=next_epoch(known.epoch))
        draft.written.append(records.group(group.group_id, draft.metadata))
        if group.members or group.first_assignment is not None:
            return 0
        return settings.initial_rebalance_delay_ms

    def _write_target(
        self,
        draft: Draft,
        member: StreamsMember,
        matched: MatchedTopology,
        settings: StreamsGroupSettings,
        *,
        waits: bool,
    ) -> tuple[int, TaskSets]:
        """Assign anew if the group's epoch is ahead, not more often than group.streams.assignment.interval.ms."""
        group, now_ms = draft.group, self._clock.now_ms()
        if waits:
            detail = "Assignment delayed due to the configured initial rebalance delay."
            draft.status.append(answering.status(StreamsStatus.ASSIGNMENT_DELAYED, detail))
            return group.assignment_epoch, NO_TASK_SETS
        targets = draft.targets(member)
        before_it = group.assignment_epoch, targets.get(member.member_id, NO_TASK_SETS)
        epoch = draft.metadata.epoch
        if epoch <= group.assignment_epoch or self._large_groups.is_being_assigned(group.group_id):
            return before_it
        if is_too_soon(group, settings, now_ms):
            detail = "Assignment delayed due to the configured assignment interval."
            draft.status.append(answering.status(StreamsStatus.ASSIGNMENT_DELAYED, detail))
            return before_it
        next_target = NextTarget(
            group.group_id,
            epoch,
            draft.members_with(member),
            targets,
            group.task_offsets,
            matched.configured,
            settings.standby_count,
        )
        if next_target.is_large:
            draft.remember(lambda _: self._large_groups.begin(next_target))
            return before_it
        computed = next_target.compute()
        draft.written += target_records(next_target, computed, now_ms)
        next_target.log()
        return epoch, computed.all[member.member_id]

    def _tell(
        self,
        draft: Draft,
        request: StreamsGroupHeartbeatRequest,
        after: StreamsMember,
        matched: MatchedTopology,
        response: StreamsGroupHeartbeatResponse,
        *,
        joins: bool,
    ) -> None:
        """Tell the member its tasks if they have changed, and everybody's endpoints if it does not know them."""
        group = draft.group
        tasks_changed = draft.before.assigned != after.assigned
        if joins or tasks_changed:
            answering.tell_tasks(response, after)
        epoch = group.endpoint_epoch
        if draft.before.user_endpoint != after.user_endpoint or (tasks_changed and after.user_endpoint is not None):
            epoch += 1
            draft.remember(lambda of: setattr(of, "endpoint_epoch", epoch))
        if epoch != request.endpoint_information_epoch:
            response.partitions_by_user_endpoint = partitions_by_endpoint(
                group, after, draft.replaced, matched.configured.subtopologies, self._metadata.image
            )
        if self._groups.get(group.group_id) is group:
            response.endpoint_information_epoch = epoch

    # -- the first assignment

    def assign_first(self, group: StreamsGroup) -> Decision[None]:
        """The first members of the group have been waited for."""
        configured = group.configured
        if not group.members or group.epoch <= group.assignment_epoch or configured is None:
            return NOTHING
        settings, now_ms = self.settings_of(group.group_id), self._clock.now_ms()
        if is_too_soon(group, settings, now_ms):
            return NOTHING
        standby_count = int(group.metadata.assignment_configs.get("num.standby.replicas", settings.standby_count))
        next_target = NextTarget(
            group.group_id,
            group.epoch,
            group.members,
            group.targets,
            group.task_offsets,
            configured,
            standby_count,
        )
        if next_target.is_large:
            self._large_groups.begin(next_target)
            return NOTHING
        try:
            computed = next_target.compute()
        except KafkaError as error:
            logger.error("group %s: %s", group.group_id, error)
            return NOTHING
        next_target.log()
        return Decision(target_records(next_target, computed, now_ms), None)


def is_too_soon(group: StreamsGroup, settings: StreamsGroupSettings, now_ms: int) -> bool:
    interval_ms = settings.assignment_interval_ms
    return bool(group.assigned_at_ms and interval_ms and now_ms < group.assigned_at_ms + interval_ms)


def request_shutdown(group: StreamsGroup, member_id: str) -> None:
    """All members are told to shut down until the group is empty."""
    if group.shutdown_requested_by is None:
        logger.info("group %s: %s requests that the application shuts down", group.group_id, member_id)
        group.shutdown_requested_by = member_id


def _write_member(draft: Draft, member: StreamsMember) -> bool:
    """Write what the member has said, if that has changed. Whether the group is to be assigned anew."""
    if member == draft.before:
        return False
    draft.written.append(records.member(draft.group.group_id, member))
    return member.instance_id is None or not member.is_assigned_like(draft.before)


def _keep_topology(group: StreamsGroup, matched: MatchedTopology) -> None:
    group.is_metadata_fresh = True
    if group.configured is not matched.configured:
        group.configured = matched.configured
        group.endpoints.clear()


def _keep_task_offsets(draft: Draft, request: StreamsGroupHeartbeatRequest) -> None:
    if request.task_offsets is None and request.task_end_offsets is None:
        return
    known = draft.group.task_offsets.get(request.member_id, NO_TASK_OFFSETS)
    offsets = TaskOffsets(
        known.offsets if request.task_offsets is None else _nested(request.task_offsets),
        known.end_offsets if request.task_end_offsets is None else _nested(request.task_end_offsets),
    )

    def keep(group: StreamsGroup) -> None:
        group.task_offsets[request.member_id] = offsets

    draft.remember(keep)


def _nested(told: Iterable[TaskOffset]) -> Offsets:
    """Raises KafkaError(INVALID_REQUEST): a task is named twice."""
    nested: Offsets = {}
    for task in told:
        partitions = nested.setdefault(task.subtopology_id, {})
        if task.partition in partitions:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                f"Task offsets contain a duplicate entry for subtopology {task.subtopology_id} and partition "
                f"{task.partition}.",
            )
        partitions[task.partition] = task.offset
    return nested


def _owned(request: StreamsGroupHeartbeatRequest) -> TaskSets | None:
    if request.active_tasks is None or request.standby_tasks is None or request.warmup_tasks is None:
        return None
    return TaskSets(_tasks(request.active_tasks), _tasks(request.standby_tasks), _tasks(request.warmup_tasks))


def _tasks(told: Iterable[StreamsGroupHeartbeatRequestTaskIds]) -> Tasks:
    tasks: dict[str, set[int]] = {}
    for task in told:
        tasks.setdefault(task.subtopology_id, set()).update(task.partitions)
    return {name: frozenset(partitions) for name, partitions in tasks.items()}
