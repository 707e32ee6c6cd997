"""A classic group becomes a consumer group, and the other way round, while members run (KIP-848).

Only translations: the state of one type into the records of the other. Both packages stay without knowledge of each
other; who decides is `consumer/kind.py`, and replay does the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.framing import framed
from kafkapy.coordinators.group.classic.group import ClassicGroup
from kafkapy.coordinators.group.classic.records import GROUP_METADATA_VALUE_VERSION, group_key
from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.group import ConsumerGroup
from kafkapy.coordinators.group.consumer.member import ClassicMembership, ConsumerMember
from kafkapy.coordinators.group.embedded_protocol import read_assignment, read_subscription, write_assignment
from kafkapy.coordinators.group.topic_metadata import metadata_hash
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.record_formats.group_coordinator import GroupMetadataValue, MemberMetadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.group import Group
    from kafkapy.settings.broker import GroupCoordinatorSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

CONSUMER_PROTOCOL_TYPE = "consumer"
_UPGRADES = ("upgrade", "bidirectional")
_DOWNGRADES = ("downgrade", "bidirectional")


class Upgrade(NamedTuple):
    """The consumer group that a classic group becomes, and the records that make it so."""

    group: ConsumerGroup
    records: list[CoordinatorRecord]


def allows_downgrade(settings: GroupCoordinatorSettings, member_count: int) -> bool:
    """Whether a consumer group with so many members, all of them classic, may become a classic group."""
    policy = settings.group_consumer_migration_policy.lower()
    return policy in _DOWNGRADES and member_count <= settings.group_max_size


def upgrade(group: Group, settings: GroupCoordinatorSettings, image: MetadataImage) -> Upgrade:
    """Make a consumer group of a classic one that has members: they go on as classic members of it.

    Raises KafkaError(GROUP_ID_NOT_FOUND), with Apache Kafka's reason.
    """
    assert isinstance(group, ClassicGroup), f"{group.group_id} is {group}"
    if settings.group_consumer_migration_policy.lower() not in _UPGRADES:
        raise _refused(group, "online upgrade is disabled")
    if group.protocol_type != CONSUMER_PROTOCOL_TYPE:
        raise _refused(group, "the group does not use the consumer embedded protocol")
    if len(group.members) > settings.group_consumer_max_size:
        raise _refused(group, "the group size exceeds the consumer group maximum size")
    made = ConsumerGroup(group.group_id)
    made.epoch = made.assignment_epoch = group.generation_id
    try:
        for member in _consumer_members(group, image):
            made.put_member(member)
            made.targets[member.member_id] = {topic_id: frozenset(parts) for topic_id, parts in member.assigned.items()}
    except MalformedMessage:
        raise _refused(group, "the embedded consumer protocol is malformed") from None
    made.metadata_hash = metadata_hash(made.subscriptions.topics({}), image)
    return Upgrade(made, [*group.tombstones(), *_records_of(made)])


def _consumer_members(group: ClassicGroup, image: MetadataImage) -> Iterable[ConsumerMember]:
    """Raises MalformedMessage."""
    for member in group.members.values():
        assigned = read_assignment(member.assignment)
        if assigned.has_user_data:
            raise _refused(
                group,
                "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default "
                "assignor before re-attempting the upgrade",
            )
        subscription = read_subscription(member.metadata(group.protocol_name or member.protocols[0][0]))
        yield ConsumerMember(
            member.member_id,
            epoch=group.generation_id,
            previous_epoch=group.generation_id,
            instance_id=member.group_instance_id,
            rack_id=subscription.rack_id,
            rebalance_timeout_ms=member.rebalance_timeout_ms,
            client_id=member.client_id,
            client_host=member.client_host,
            topics=frozenset(subscription.topics),
            classic=ClassicMembership(member.session_timeout_ms, member.protocols),
            assigned={
                image.topics[topic].topic_id: dict.fromkeys(partitions, group.generation_id)
                for topic, partitions in assigned.partitions.items()
                if topic in image.topics and partitions
            },
        )


def _records_of(group: ConsumerGroup) -> Iterable[CoordinatorRecord]:
    group_id, members = group.group_id, group.members.values()
    yield from (records.member(group_id, member) for member in members)
    yield records.group_epoch(group_id, group.epoch, group.metadata_hash)
    yield from (records.target(group_id, member_id, target) for member_id, target in group.targets.items())
    yield records.target_epoch(group_id, group.assignment_epoch, 0)
    yield from (records.current_assignment(group_id, member) for member in members)


def _refused(group: ClassicGroup, reason: str) -> KafkaError:
    message = f"Cannot upgrade classic group {group.group_id} to consumer group because {reason}."
    return KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, message)


def downgrade(
    group: ConsumerGroup,
    members: Collection[ConsumerMember],
    targets: Mapping[str, Target],
    image: MetadataImage,
    now_ms: int,
) -> CoordinatorRecord:
    """The record of the classic group that a consumer group becomes with these members, all of them classic.

    Each has what it was to own. Apache Kafka keeps all protocols of the members in memory; the record, as always, has
    the selected one, and the members say the others when they join again.
    """
    protocol = _select_protocol(members)
    value = GroupMetadataValue(
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        generation=group.epoch,
        protocol=protocol,
        leader=next(iter(members)).member_id,
        current_state_timestamp=now_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.classic.session_timeout_ms,
                subscription=dict(member.classic.protocols)[protocol],
                assignment=assignment_bytes(member, targets.get(member.member_id, {}), image),
            )
            for member in members
            if member.classic is not None
        ],
    )
    return CoordinatorRecord(group_key(group.group_id), framed(GROUP_METADATA_VALUE_VERSION, value))


def assignment_bytes(member: ConsumerMember, partitions: Mapping[Uuid, Collection[int]], image: MetadataImage) -> bytes:
    """What a classic member is told to own, in the version that it speaks. Topics that were deleted are left out."""
    assert member.classic is not None, f"{member.member_id} is no classic member"
    try:
        version = read_subscription(member.classic.protocols[0][1]).version
    except MalformedMessage:
        version = 0
    names = image.topics_by_id
    named = {names[topic_id].name: indexes for topic_id, indexes in partitions.items() if topic_id in names}
    return write_assignment(version, named)


def _select_protocol(members: Collection[ConsumerMember]) -> str:
    """The one supported by all that most members like best; all have one in common, or they could not have joined."""
    offers = [[name for name, _ in member.classic.protocols] for member in members if member.classic is not None]
    common = [name for name in offers[0] if all(name in offer for offer in offers)]
    votes = [next(name for name in offer if name in common) for offer in offers]
    return max(common, key=votes.count)
