"""Members of a streams group that leave, for good or for a while, or are fenced."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.epochs import next_epoch
from kafkapy.coordinators.group.streams import answering, records
from kafkapy.coordinators.group.streams.identity import static_holder
from kafkapy.coordinators.group.streams.member import LEAVING_STATIC_EPOCH
from kafkapy.coordinators.group.streams.membership import request_shutdown
from kafkapy.coordinators.group.streams.tasks import NOTHING_HELD
from kafkapy.coordinators.runtime import Decision

if TYPE_CHECKING:
    from kafkapy.coordinators.group.streams.answering import Beaten
    from kafkapy.coordinators.group.streams.group import StreamsGroup
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest

logger = logging.getLogger("kafkapy.groups")


def leave(group: StreamsGroup, request: StreamsGroupHeartbeatRequest) -> Decision[Beaten]:
    """A member leaves (-1), or a static one for a while (-2). Raises KafkaError: UNKNOWN_MEMBER_ID,
    FENCED_INSTANCE_ID.
    """
    member_id, instance_id = request.member_id, request.instance_id

    def apply() -> None:
        if request.shutdown_application:
            request_shutdown(group, member_id)

    if instance_id is None:
        member = group.member(member_id)
    else:
        member = static_holder(group.static_member(instance_id), instance_id, member_id)
        if request.member_epoch == LEAVING_STATIC_EPOCH:
            return Decision([_away(group, member)], answering.left(member_id, LEAVING_STATIC_EPOCH), apply=apply)
    return Decision(fence(group, member, "left"), answering.left(member_id, request.member_epoch), apply=apply)


def _away(group: StreamsGroup, member: StreamsMember) -> CoordinatorRecord:
    logger.info("group %s: static member %s left for a while", group.group_id, member.instance_id)
    away = member._replace(
        epoch=LEAVING_STATIC_EPOCH,
        pending_revocation=NOTHING_HELD,
        assigned=member.assigned.with_epoch_zero(),
    )
    return records.current_assignment(group.group_id, away)


def fence(group: StreamsGroup, member: StreamsMember, reason: str) -> list[CoordinatorRecord]:
    """Remove a member: its tasks are free at once."""
    logger.info("group %s: %s %s", group.group_id, member.member_id, reason)
    metadata = group.metadata._replace(epoch=next_epoch(group.epoch))
    written = [*records.removal(group.group_id, member.member_id), records.group(group.group_id, metadata)]
    if len(group.members) == 1:
        written.append(records.target_epoch(group.group_id, metadata.epoch, 0))
    return written
