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
from kafkapy.coordinators.group.large_groups import ASSIGNED_AT_ONCE_MAX, Targets
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

TASK_COST: Final = 2
"""To assign a task, active or standby, takes as long as this many partitions of a consumer group."""


class NextTarget(NamedTuple):
    """A `NextTarget`: the group's members as they will be, and what they were to have so far."""

    group_id: str
    epoch: int
    members: Mapping[str, StreamsMember]
    targets: Mapping[str, TaskSets]
    task_offsets: Mapping[str, TaskOffsets]
    configured: ConfiguredTopology
    standby_count: int

    @property
    def is_large(self) -> bool:
        replica_count = self.configured.task_count * (1 + self.standby_count)
        return len(self.members) + TASK_COST * replica_count > ASSIGNED_AT_ONCE_MAX

    def frozen(self) -> NextTarget:
        return self._replace(
            members=dict(self.members), targets=dict(self.targets), task_offsets=dict(self.task_offsets)
        )

    def compute(self) -> Targets[TaskSets]:
        """Nothing, if topics are missing. Raises KafkaError(UNKNOWN_SERVER_ERROR): the assignor has failed."""
        order = member_order(self.members)
        assigned: dict[str, TaskSets] = {}
        if self.configured.is_ready:
            try:
                assigned = sticky_tasks(self._specification(order))
            except TaskAssignorError as error:
                message = f"Failed to compute a new target assignment for epoch {self.epoch}: {error}"
                raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, message) from error
        return Targets.of({member_id: assigned.get(member_id, NO_TASK_SETS) for member_id in order}, self.targets)

    def instance_id(self, member_id: str) -> str | None:
        return self.members[member_id].instance_id

    def target_record(self, member_id: str, target: TaskSets) -> CoordinatorRecord:
        return records.target(self.group_id, member_id, target)

    def epoch_record(self, now_ms: int) -> CoordinatorRecord:
        return records.target_epoch(self.group_id, self.epoch, now_ms)

    def log(self) -> None:
        logger.info("group %s: assigned epoch %d to %d members", self.group_id, self.epoch, len(self.members))

    def _specification(self, order: list[str]) -> TaskGroupSpec:
        assert self.configured.subtopologies is not None, "a topology that is ready has subtopologies"
        members = {}
        for member_id in order:
            member = self.members[member_id]
            offsets = self.task_offsets.get(member_id, NO_TASK_OFFSETS).offsets
            held = member.assigned
            members[member_id] = TaskMemberSpec(member.process_id, held.active_tasks(), held.standby, offsets)
        subtopologies = {
            name: SubtopologySpec(of.task_count, bool(of.state_changelog_topics))
            for name, of in self.configured.subtopologies.items()
        }
        return TaskGroupSpec(members, subtopologies, self.standby_count)
