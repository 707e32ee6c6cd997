"""The answer to ShareGroupDescribe, made from a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.messages.share_group_describe import Assignment, DescribedGroup, Member, TopicPartitions

if TYPE_CHECKING:
    from kafkapy.coordinators.group.share.group import ShareGroup
    from kafkapy.coordinators.group.share.member import ShareMember
    from kafkapy_controller.image import MetadataImage

ASSIGNOR: Final = "simple"


def described(group: ShareGroup, image: MetadataImage) -> DescribedGroup:
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=ASSIGNOR,
        members=[_member(member, image) for member in group.members.values()],
    )


def _member(member: ShareMember, image: MetadataImage) -> Member:
    """Topics that were deleted are left out."""
    return Member(
        member_id=member.member_id,
        rack_id=member.rack_id,
        member_epoch=member.epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topics),
        assignment=Assignment(
            topic_partitions=[
                TopicPartitions(
                    topic_id=topic_id, topic_name=image.topics_by_id[topic_id].name, partitions=sorted(indexes)
                )
                for topic_id, indexes in member.assigned.items()
                if topic_id in image.topics_by_id
            ]
        ),
    )
