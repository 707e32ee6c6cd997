"""What each member of a share group is to read, computed anew when members, what they name, or states have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.simple import SharingMember, simple
from kafkapy.coordinators.group.assignors.specification import NOTHING
from kafkapy.coordinators.group.large_groups import ASSIGNED_AT_ONCE_MAX, Targets
from kafkapy.coordinators.group.share import records
from kafkapy.coordinators.group.topic_metadata import topic_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.share.member import ShareMember
    from kafkapy.coordinators.group.share.topic_states import TopicStates
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.groups")


class NextTarget(NamedTuple):
    """A `NextTarget`: the group's members as they will be, and the partitions that have a state."""

    group_id: str
    epoch: int
    members: Mapping[str, ShareMember]
    names: Mapping[str, int]
    """How many members name each topic."""
    targets: Mapping[str, Target]
    """What they were to read so far."""
    states: TopicStates
    image: MetadataImage

    @property
    def is_large(self) -> bool:
        partition_count = sum([len(state.partitions) for state in self.states.initialized.values()])
        return len(self.members) + len(self.names) + partition_count > ASSIGNED_AT_ONCE_MAX

    def frozen(self) -> NextTarget:
        return self._replace(members=dict(self.members), names=dict(self.names), targets=dict(self.targets))

    def compute(self) -> Targets[Target]:
        ids_of: dict[frozenset[str], frozenset[Uuid]] = {}  # most members read the same
        for member in self.members.values():
            if member.topics not in ids_of:
                ids_of[member.topics] = topic_ids(member.topics, self.image)
        sharing = {
            member_id: SharingMember(ids_of[self.members[member_id].topics], self.targets.get(member_id, NOTHING))
            for member_id in member_order(self.members)
        }
        topics = self.image.topics_by_id
        assignable = {
            topic_id: sorted(state.partitions & set(range(len(topics[topic_id].partitions))))
            for topic_id, state in self.states.initialized.items()
            if topic_id in topics
        }
        is_homogeneous = all(count == len(self.members) for count in self.names.values())
        return Targets.of(simple(sharing, assignable, is_homogeneous=is_homogeneous), self.targets)

    def instance_id(self, member_id: str) -> str | None:  # noqa: ARG002 - no member of a share group is static
        return None

    def target_record(self, member_id: str, target: Target) -> CoordinatorRecord:
        return records.target(self.group_id, member_id, target)

    def epoch_record(self, now_ms: int) -> CoordinatorRecord:
        return records.target_epoch(self.group_id, self.epoch, now_ms)

    def log(self) -> None:
        logger.info("group %s: assigned epoch %d to %d members", self.group_id, self.epoch, len(self.members))
