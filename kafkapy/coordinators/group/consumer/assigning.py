"""What each member of a consumer group is to own, computed anew when subscriptions or topics have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.registry import ASSIGNORS
from kafkapy.coordinators.group.assignors.specification import NOTHING, GroupSpec, MemberSpec
from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.subscriptions import subscribed_topics
from kafkapy.coordinators.group.topic_metadata import topic_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.member import ConsumerMember
    from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern, Subscriptions
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

ASSIGNED_AT_ONCE_MAX: Final = 3_000
"""Members and partitions: ten milliseconds."""


class NextTarget(NamedTuple):
    """The group's members as they will be, and what they read then."""

    group_id: str
    epoch: int
    members: Mapping[str, ConsumerMember]
    subscriptions: Subscriptions
    resolved: Mapping[str, ResolvedPattern]
    targets: Mapping[str, Target]
    """What they were to own so far."""

    def is_large(self, image: MetadataImage) -> bool:
        """Whether to compute it takes too long for the event loop."""
        names = self.subscriptions.topics(self.resolved)
        if len(self.members) + len(names) > ASSIGNED_AT_ONCE_MAX:
            return True
        partition_count = sum([len(image.topics[name].partitions) for name in names if name in image.topics])
        return len(self.members) + partition_count > ASSIGNED_AT_ONCE_MAX

    def frozen(self) -> NextTarget:
        """A copy that does not change with the group."""
        return self._replace(
            subscriptions=self.subscriptions.changed([], []),
            resolved=dict(self.resolved),
            targets=dict(self.targets),
        )

    def compute(self, assignor: str, image: MetadataImage) -> tuple[dict[str, Target], list[str]]:
        """What each member is to own; and the members for which that has changed."""
        specification = self._specification(image)
        assigned = ASSIGNORS[assignor](specification)
        changed = [
            member_id
            for member_id in specification.members
            if self.targets.get(member_id) != assigned.get(member_id, NOTHING)
        ]
        return assigned, changed

    def as_records(self, assigned: Mapping[str, Target], changed: list[str], now_ms: int) -> list[CoordinatorRecord]:
        group_id = self.group_id
        written = [records.target(group_id, member_id, assigned.get(member_id, NOTHING)) for member_id in changed]
        written.append(records.target_epoch(group_id, self.epoch, now_ms))
        return written

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
