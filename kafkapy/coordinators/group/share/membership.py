"""What ShareGroupHeartbeat decides: a member joins, says what has changed, leaves, or is fenced.

A decision reads the group and returns records; replaying them is what changes it. Records are written in Apache Kafka's
order: the member, the group's epoch, what is to be read, what the member reads, the states that are to be initialized.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.specification import NOTHING
from kafkapy.coordinators.group.epochs import next_epoch
from kafkapy.coordinators.group.large_groups import LargeGroups, target_records
from kafkapy.coordinators.group.share import records
from kafkapy.coordinators.group.share.assigning import NextTarget
from kafkapy.coordinators.group.share.member import JOINING_EPOCH, ShareMember
from kafkapy.coordinators.group.share.topic_states import TopicStates
from kafkapy.coordinators.group.topic_metadata import metadata_hash, refuse_too_many_topics, topic_ids
from kafkapy.coordinators.runtime import Decision
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_group_heartbeat import (
    Assignment,
    ShareGroupHeartbeatResponse,
    TopicPartitions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.group.share.group import ShareGroup
    from kafkapy.coordinators.group.typed_groups import TypedGroups
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.settings import GroupSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.groups")

START_BY_SETTING = -1
"""A start offset: where share.auto.offset.reset says."""
START_AT_BEGIN = 0


class Initialization(NamedTuple):
    """What the share coordinator is to be asked, once the records are written."""

    group_id: str
    state_epoch: int
    offsets: Mapping[Uuid, Mapping[int, int]]
    """topic id -> partition -> start offset."""


class Beaten(NamedTuple):
    """The outcome of a heartbeat."""

    response: ShareGroupHeartbeatResponse
    initialization: Initialization | None = None


class Membership:
    """The decisions about members of one shard's share groups. Errors are raised as KafkaError."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[ShareGroup]) -> None:
        self._settings = parts.settings
        self._clock = parts.clock
        self._metadata = parts.metadata
        self._large_groups = LargeGroups(parts, groups)

    def settings_of(self, group_id: str) -> GroupSettings:
        own = self._metadata.image.resource_configs(ConfigResourceType.GROUP, group_id)
        now = self._settings.now
        return now.group_settings(own) if own else now.group_settings()

    def heartbeat(self, group: ShareGroup, request: ShareGroupHeartbeatRequest, caller: Caller) -> Decision[Beaten]:
        """Raises KafkaError: GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, INVALID_REQUEST."""
        now_ms, image = self._clock.now_ms(), self._metadata.image
        joins = request.member_epoch == JOINING_EPOCH
        self._refuse_if_full(group, request.member_id)
        before = _member_of(group, request.member_id, joins=joins)
        _refuse_epoch(before, request.member_epoch)
        member = _updated(before, request, caller)
        written: list[CoordinatorRecord] = []
        bumps = member.topics != before.topics
        if bumps:
            refuse_too_many_topics(group.names, member.topics)
        if member != before:
            written.append(records.member(group.group_id, member))
        epoch = group.epoch
        if group.assignment_epoch >= epoch:
            bumps = bumps or group.has_unread_partitions()
        looks = bumps or not group.is_metadata_fresh
        names = group.names_with(before, member) if looks else group.names
        if looks:
            changed_hash = metadata_hash(names, image)
            if bumps or changed_hash != group.metadata_hash:
                bumps = True
                epoch = next_epoch(epoch)
                written.append(records.group_epoch(group.group_id, epoch, changed_hash))
        assignment_epoch, target = group.assignment_epoch, group.targets.get(member.member_id, NOTHING)
        next_target = self._next_target(group, epoch, member, names, now_ms)
        if next_target is not None and not next_target.is_large:
            computed = next_target.compute()
            written += target_records(next_target, computed, now_ms)
            next_target.log()
            assignment_epoch, target = epoch, computed.all[member.member_id]
        after = _reconciled(member, assignment_epoch, target, image, has_changed=bumps)
        if after != member:
            written.append(records.current_assignment(group.group_id, after))
        initialization = self._initialization(group, epoch, names, written, now_ms)
        response = ShareGroupHeartbeatResponse(
            member_id=after.member_id,
            member_epoch=after.epoch,
            heartbeat_interval_ms=self.settings_of(group.group_id).share_heartbeat_interval_ms,
        )
        if joins or request.subscribed_topic_names is not None or after.assigned != before.assigned:
            response.assignment = _assignment(after)

        def apply() -> None:
            group.is_metadata_fresh = group.is_metadata_fresh or looks
            if next_target is not None and next_target.is_large:
                self._large_groups.begin(next_target)

        return Decision(written, Beaten(response, initialization), apply=apply)

    def leave(self, group: ShareGroup, member_id: str, epoch: int) -> Decision[Beaten]:
        """Raises KafkaError(UNKNOWN_MEMBER_ID)."""
        written = self.fence(group, group.member(member_id), "left")
        return Decision(written, Beaten(ShareGroupHeartbeatResponse(member_id=member_id, member_epoch=epoch)))

    def fence(self, group: ShareGroup, member: ShareMember, reason: str) -> list[CoordinatorRecord]:
        logger.info("group %s: member %s %s", group.group_id, member.member_id, reason)
        group_id, epoch = group.group_id, next_epoch(group.epoch)
        names = group.names_with(member, None)
        written = [
            records.current_assignment_tombstone(group_id, member.member_id),
            records.target_tombstone(group_id, member.member_id),
            records.member_tombstone(group_id, member.member_id),
            records.group_epoch(group_id, epoch, metadata_hash(names, self._metadata.image)),
        ]
        if len(group.members) == 1:
            written.append(records.target_epoch(group_id, epoch, 0))
        return written

    def _refuse_if_full(self, group: ShareGroup, member_id: str) -> None:
        size_max = self._settings.now.share.group_share_max_size
        if len(group.members) >= size_max and member_id not in group.members:
            message = f"The share group has reached its maximum capacity of {size_max} members."
            raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, message)

    def _next_target(
        self, group: ShareGroup, epoch: int, member: ShareMember, names: Mapping[str, int], now_ms: int
    ) -> NextTarget | None:
        """None: it is not due to assign anew."""
        if epoch <= group.assignment_epoch or self._large_groups.is_being_assigned(group.group_id):
            return None
        interval_ms = self.settings_of(group.group_id).share_assignment_interval_ms
        if group.assigned_at_ms and interval_ms and now_ms < group.assigned_at_ms + interval_ms:
            return None
        members = {**group.members, member.member_id: member}
        states = group.topic_states or TopicStates()
        return NextTarget(group.group_id, epoch, members, names, group.targets, states, self._metadata.image)

    def _initialization(
        self,
        group: ShareGroup,
        epoch: int,
        names: Mapping[str, int],
        written: list[CoordinatorRecord],
        now_ms: int,
    ) -> Initialization | None:
        """What must be initialized before it can be read. Partitions that are added to a topic are read from 0 on."""
        states = group.topic_states or TopicStates()
        image = self._metadata.image
        retry_ms = self._settings.now.share.group_share_initialize_retry_interval_ms
        missing = states.missing(names, image, now_ms, retry_ms)
        if not missing:
            return None
        written.append(records.topic_states(group.group_id, states.begin(missing), image))
        return Initialization(
            group.group_id,
            epoch,
            {
                topic_id: dict.fromkeys(
                    sorted(state.partitions), START_AT_BEGIN if topic_id in states.known else START_BY_SETTING
                )
                for topic_id, state in missing.items()
            },
        )


def _member_of(group: ShareGroup, member_id: str, *, joins: bool) -> ShareMember:
    if joins and member_id not in group.members:
        return ShareMember(member_id)
    return group.member(member_id)


def _refuse_epoch(member: ShareMember, epoch: int) -> None:
    if epoch in (JOINING_EPOCH, member.epoch):
        return
    known = f"than the one known by the group coordinator ({member.epoch})"
    rejoin = "The member must abandon all its partitions and rejoin."
    if epoch > member.epoch:
        message = f"The share group member has a greater member epoch ({epoch}) {known}. {rejoin}"
        raise KafkaError(ErrorCode.FENCED_MEMBER_EPOCH, message)
    if epoch != member.previous_epoch:
        message = (
            f"The share group member has a smaller member epoch ({epoch}) {known}, and it does not match the previous "
            f"member epoch ({member.previous_epoch}). {rejoin}"
        )
        raise KafkaError(ErrorCode.FENCED_MEMBER_EPOCH, message)


def _updated(member: ShareMember, request: ShareGroupHeartbeatRequest, caller: Caller) -> ShareMember:
    names = request.subscribed_topic_names
    return member._replace(
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        topics=member.topics if names is None else frozenset(names),
        client_id=caller.client_id,
        client_host=caller.client_host,
    )


def _reconciled(
    member: ShareMember, epoch: int, target: Target, image: MetadataImage, *, has_changed: bool
) -> ShareMember:
    """The member as it is told at once what it is to read, of the topics that it has named."""
    if epoch == member.epoch and not has_changed:
        return member
    subscribed = topic_ids(member.topics, image)
    assigned = {topic_id: partitions for topic_id, partitions in target.items() if topic_id in subscribed}
    if epoch == member.epoch:
        return member._replace(assigned=assigned)
    return member._replace(assigned=assigned, epoch=epoch, previous_epoch=member.epoch)


def _assignment(member: ShareMember) -> Assignment:
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in member.assigned.items()
        ]
    )
