"""Large groups are assigned anew by a worker thread, as Apache Kafka does (streams.assignor.offload.enable).

Members hear of it with the heartbeat that follows.

What each member is to have is written in pieces, the epoch last: until then the group has the assignment of before, and
a coordinator that finds only some of them stored computes them again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.group import StreamsGroup
from kafkapy.coordinators.runtime import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.streams.assigning import NextTarget
    from kafkapy.coordinators.group.streams.tasks import TaskSets
    from kafkapy.coordinators.group.streams.topology import ConfiguredTopology

RECORDS_AT_ONCE_MAX: Final = 100


class _Computed(NamedTuple):
    next_target: NextTarget
    targets: Mapping[str, TaskSets]
    changed: list[str]


class LargeGroups:
    """Those of one shard."""

    def __init__(self, parts: ShardParts) -> None:
        self._parts = parts
        self._being_assigned: set[str] = set()

    def is_being_assigned(self, group_id: str) -> bool:
        return group_id in self._being_assigned

    def begin(self, next_target: NextTarget, configured: ConfiguredTopology, standby_count: int) -> None:
        self._being_assigned.add(next_target.group_id)
        frozen = next_target.frozen()
        self._parts.in_background(
            lambda: _Computed(frozen, *frozen.compute(configured, standby_count)),
            lambda computed: self._write(computed, 0),
        )

    def _write(self, computed: _Computed, start: int) -> None:
        """Write the next piece, if the group still waits for it."""
        next_target, targets, changed = computed
        group_id, end = next_target.group_id, start + RECORDS_AT_ONCE_MAX
        is_last = end >= len(changed)
        group = self._parts.directory.get(group_id)
        if isinstance(group, StreamsGroup) and group.assignment_epoch < next_target.epoch <= group.epoch:
            written = [
                records.target(group_id, present_id, targets[member_id])
                for member_id in changed[start:end]
                if (present_id := _present_id(group, next_target, member_id)) is not None
            ]
            if is_last:
                written.append(records.target_epoch(group_id, next_target.epoch, self._parts.clock.now_ms()))
            if self._parts.execute(Decision(written, None)) and not is_last:
                self._parts.clock.call_in_turn(partial(self._write, computed, end))
                return
            if group.assignment_epoch == next_target.epoch:
                next_target.log()
        self._being_assigned.discard(group_id)


def _present_id(group: StreamsGroup, next_target: NextTarget, member_id: str) -> str | None:
    """The member's id by now: a static member may be back under another one. None: it is gone."""
    if member_id in group.members:
        return member_id
    instance_id = next_target.members[member_id].instance_id
    return None if instance_id is None else group.static_members.get(instance_id)
