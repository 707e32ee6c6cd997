"""What each member of a streams group is to have, computed anew when members, topology or topics have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.sticky_tasks import (
    SubtopologySpec,
    TaskAssignorError,
    TaskGroupSpec,
    TaskMemberSpec,
    sticky_tasks,
)
from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.group import NO_TASK_OFFSETS
from kafkapy.coordinators.group.streams.tasks import NO_TASK_SETS
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.streams.group import TaskOffsets
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import TaskSets
    from kafkapy.coordinators.group.streams.topology import ConfiguredTopology
    from kafkapy.coordinators.ports import CoordinatorRecord

logger = logging.getLogger("kafkapy.groups")

ASSIGNED_AT_ONCE_MAX: Final = 3_000
"""Members and tasks, standbys among them: ten milliseconds."""


class NextTarget(NamedTuple):
    """The group's members as they will be, and what they were to have so far."""

    group_id: str
    epoch: int
    members: Mapping[str, StreamsMember]
    targets: Mapping[str, TaskSets]
    task_offsets: Mapping[str, TaskOffsets]

    def is_large(self, configured: ConfiguredTopology, standby_count: int) -> bool:
        """Whether to compute it takes too long for the event loop."""
        return len(self.members) + configured.task_count * (1 + standby_count) > ASSIGNED_AT_ONCE_MAX

    def frozen(self) -> NextTarget:
        """A copy that does not change with the group."""
        return self._replace(
            members=dict(self.members), targets=dict(self.targets), task_offsets=dict(self.task_offsets)
        )

    def compute(self, configured: ConfiguredTopology, standby_count: int) -> tuple[dict[str, TaskSets], list[str]]:
        """What each member is to have: nothing, if topics are missing; and the members for which that has changed.

        Raises KafkaError(UNKNOWN_SERVER_ERROR): the assignor has failed.
        """
        order = member_order(self.members)
        assigned: dict[str, TaskSets] = {}
        if configured.is_ready:
            try:
                assigned = sticky_tasks(self._specification(order, configured, standby_count))
            except TaskAssignorError as error:
                message = f"Failed to compute a new target assignment for epoch {self.epoch}: {error}"
                raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, message) from error
        targets = {member_id: assigned.get(member_id, NO_TASK_SETS) for member_id in order}
        return targets, [member_id for member_id, target in targets.items() if self.targets.get(member_id) != target]

    def as_records(self, targets: Mapping[str, TaskSets], changed: list[str], now_ms: int) -> list[CoordinatorRecord]:
        written = [records.target(self.group_id, member_id, targets[member_id]) for member_id in changed]
        written.append(records.target_epoch(self.group_id, self.epoch, now_ms))
        return written

    def log(self) -> None:
        logger.info("group %s: assigned epoch %d to %d members", self.group_id, self.epoch, len(self.members))

    def _specification(self, order: list[str], configured: ConfiguredTopology, standby_count: int) -> TaskGroupSpec:
        assert configured.subtopologies is not None, "a topology that is ready has subtopologies"
        members = {}
        for member_id in order:
            member = self.members[member_id]
            offsets = self.task_offsets.get(member_id, NO_TASK_OFFSETS).offsets
            held = member.assigned
            members[member_id] = TaskMemberSpec(member.process_id, held.active_tasks(), held.standby, offsets)
        subtopologies = {
            name: SubtopologySpec(of.task_count, bool(of.state_changelog_topics))
            for name, of in configured.subtopologies.items()
        }
        return TaskGroupSpec(members, subtopologies, standby_count)
