"""The answer to ConsumerGroupDescribe, made from a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import each_in_turns
from kafkapy_wire.messages.consumer_group_describe import (
    Assignment,
    DescribedGroup,
    Member,
    TopicPartitions,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.group import ConsumerGroup
    from kafkapy.coordinators.group.consumer.member import ConsumerMember
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

MEMBER_TYPE_CLASSIC, MEMBER_TYPE_CONSUMER = 0, 1


def described(group: ConsumerGroup, default_assignor: str, image: MetadataImage) -> DescribedGroup:
    answer = _without_members(group, default_assignor)
    answer.members = [_member(member, group.targets, image) for member in group.members.values()]
    return answer


async def described_in_turns(group: ConsumerGroup, default_assignor: str, image: MetadataImage) -> DescribedGroup:
    """As the group is when this is called: its members are immutable."""
    answer = _without_members(group, default_assignor)
    members, targets = [*group.members.values()], dict(group.targets)
    answer.members = await each_in_turns(lambda member: _member(member, targets, image), members)
    return answer


def _without_members(group: ConsumerGroup, default_assignor: str) -> DescribedGroup:
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=group.subscriptions.preferred_assignor(default_assignor),
    )


def _member(member: ConsumerMember, targets: Mapping[str, Target], image: MetadataImage) -> Member:
    owned = {
        topic_id: [*member.assigned.get(topic_id, ()), *member.pending_revocation.get(topic_id, ())]
        for topic_id in {**member.assigned, **member.pending_revocation}
    }
    return Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topics),
        subscribed_topic_regex=member.pattern,
        assignment=_assignment(owned, image),
        target_assignment=_assignment(targets.get(member.member_id, {}), image),
        member_type=MEMBER_TYPE_CLASSIC if member.uses_classic_protocol else MEMBER_TYPE_CONSUMER,
    )


def _assignment(partitions: Mapping[Uuid, Collection[int]], image: MetadataImage) -> Assignment:
    """Topics that were deleted are left out."""
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, topic_name=image.topics_by_id[topic_id].name, partitions=sorted(indexes))
            for topic_id, indexes in partitions.items()
            if topic_id in image.topics_by_id
        ]
    )
