"""What each member of a consumer group is to own, computed anew when subscriptions or topics have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.registry import ASSIGNORS
from kafkapy.coordinators.group.assignors.specification import NOTHING, GroupSpec, MemberSpec
from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.subscriptions import subscribed_topics
from kafkapy.coordinators.group.topic_metadata import topic_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.group import ConsumerGroup
    from kafkapy.coordinators.group.consumer.member import ConsumerMember
    from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern, Subscriptions
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.groups")


class NextTarget(NamedTuple):
    """The group's members as they will be, and what they read then."""

    group: ConsumerGroup
    epoch: int
    members: Mapping[str, ConsumerMember]
    subscriptions: Subscriptions
    resolved: Mapping[str, ResolvedPattern]
    targets: Mapping[str, Target]
    """What they were to own so far."""

    def compute(
        self, assignor: str, image: MetadataImage, now_ms: int
    ) -> tuple[list[CoordinatorRecord], dict[str, Target]]:
        """The records of what has changed, and what each member is to own."""
        specification = self._specification(image)
        assigned = ASSIGNORS[assignor](specification)
        group_id = self.group.group_id
        written = [
            records.target(group_id, member_id, assigned.get(member_id, NOTHING))
            for member_id in specification.members
            if self.targets.get(member_id) != assigned.get(member_id, NOTHING)
        ]
        written.append(records.target_epoch(group_id, self.epoch, now_ms))
        logger.info(
            "group %s: assigned epoch %d by %s to %d members", group_id, self.epoch, assignor, len(self.members)
        )
        return written, assigned

    def _specification(self, image: MetadataImage) -> GroupSpec:
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
