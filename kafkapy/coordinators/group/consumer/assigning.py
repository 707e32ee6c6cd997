"""What each member of a consumer group is to own, computed anew when subscriptions or topics have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.registry import ASSIGNORS
from kafkapy.coordinators.group.assignors.specification import NOTHING, GroupSpec, MemberSpec
from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.subscriptions import subscribed_topics
from kafkapy.coordinators.group.large_groups import ASSIGNED_AT_ONCE_MAX, Targets
from kafkapy.coordinators.group.topic_metadata import topic_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.member import ConsumerMember
    from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern, Subscriptions
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.groups")


class NextTarget(NamedTuple):
    """A `NextTarget`: the group's members as they will be, and what they read then."""

    group_id: str
    epoch: int
    members: Mapping[str, ConsumerMember]
    subscriptions: Subscriptions
    resolved: Mapping[str, ResolvedPattern]
    targets: Mapping[str, Target]
    """What they were to own so far."""
    assignor: str
    image: MetadataImage

    @property
    def is_large(self) -> bool:
        topics = self.image.topics
        names = self.subscriptions.topics(self.resolved)
        if len(self.members) + len(names) > ASSIGNED_AT_ONCE_MAX:
            return True
        partition_count = sum([len(topics[name].partitions) for name in names if name in topics])
        return len(self.members) + partition_count > ASSIGNED_AT_ONCE_MAX

    def frozen(self) -> NextTarget:
        return self._replace(
            subscriptions=self.subscriptions.changed([], []),
            resolved=dict(self.resolved),
            targets=dict(self.targets),
        )

    def compute(self) -> Targets[Target]:
        specification = self._specification()
        assigned = ASSIGNORS[self.assignor](specification)
        targets = {member_id: assigned.get(member_id, NOTHING) for member_id in specification.members}
        return Targets.of(targets, self.targets)

    def instance_id(self, member_id: str) -> str | None:
        return self.members[member_id].instance_id

    def target_record(self, member_id: str, target: Target) -> CoordinatorRecord:
        return records.target(self.group_id, member_id, target)

    def epoch_record(self, now_ms: int) -> CoordinatorRecord:
        return records.target_epoch(self.group_id, self.epoch, now_ms)

    def log(self) -> None:
        logger.info(
            "group %s: assigned epoch %d by %s to %d members",
            self.group_id,
            self.epoch,
            self.assignor,
            len(self.members),
        )

    def _specification(self) -> GroupSpec:
        image = self.image
        ids_of: dict[frozenset[str], frozenset[Uuid]] = {}  # most members read the same
        members: dict[str, MemberSpec] = {}
        counts: dict[Uuid, int] = {}
        for member_id in member_order(self.members):
            member = self.members[member_id]
            topics = subscribed_topics(member, self.resolved)
            ids = ids_of.get(topics)
            if ids is None:
                ids = ids_of[topics] = topic_ids(topics, image)
                counts.update({topic_id: len(image.topics_by_id[topic_id].partitions) for topic_id in ids})
            assigned = self.targets.get(member_id, NOTHING)
            members[member_id] = MemberSpec(ids, assigned, member.instance_id)
        return GroupSpec(members, counts, self.subscriptions.is_homogeneous)
