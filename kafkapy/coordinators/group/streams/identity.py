"""Which member of a streams group a heartbeat is of, and whether it may speak. Errors are raised as KafkaError."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.member import JOINING_EPOCH, LEAVING_STATIC_EPOCH, StreamsMember, UserEndpoint
from kafkapy.coordinators.group.streams.tasks import NO_TASK_SETS
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.coordinators.group.group import Caller
    from kafkapy.coordinators.group.streams.group import StreamsGroup
    from kafkapy.coordinators.group.streams.tasks import TaskSets
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest

logger = logging.getLogger("kafkapy.groups")

MEMBERS_MAX = 10_000
"""Of a group, whatever group.streams.max.size says: who makes members that never beat has room for so many."""


class Identified(NamedTuple):
    """The member that a heartbeat is of, as it was before."""

    member: StreamsMember
    replaced: StreamsMember | None = None
    """The static member whose place it has taken, under another id."""
    records: tuple[CoordinatorRecord, ...] = ()


def refuse_if_full(group: StreamsGroup, member_id: str, instance_id: str | None, size_max: int) -> None:
    """A static member may come back in its own place. Raises KafkaError(GROUP_MAX_SIZE_REACHED)."""
    if instance_id is not None and instance_id in group.static_members:
        return
    size_max = min(size_max, MEMBERS_MAX)
    if len(group.members) >= size_max and member_id not in group.members:
        message = f"The streams group has reached its maximum capacity of {size_max} members."
        raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, message)


def identify(group: StreamsGroup, request: StreamsGroupHeartbeatRequest, owned: TaskSets | None) -> Identified:
    """Raises KafkaError: UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID, UNRELEASED_INSTANCE_ID."""
    if request.instance_id is None:
        return Identified(_dynamic_member(group, request.member_id, request.member_epoch, owned))
    return _static_member(group, request.member_id, request.instance_id, request.member_epoch, owned)


def _dynamic_member(group: StreamsGroup, member_id: str, epoch: int, owned: TaskSets | None) -> StreamsMember:
    if epoch == JOINING_EPOCH:
        logger.info("group %s: %s joins", group.group_id, member_id)
        return group.members.get(member_id) or StreamsMember(member_id)
    member = group.member(member_id)
    _refuse_wrong_epoch(member, epoch, owned)
    return member


def _static_member(
    group: StreamsGroup, member_id: str, instance_id: str, epoch: int, owned: TaskSets | None
) -> Identified:
    holder = group.static_member(instance_id)
    if epoch != JOINING_EPOCH:
        holder = static_holder(holder, instance_id, member_id)
        _refuse_wrong_epoch(holder, epoch, owned)
        return Identified(holder)
    if holder is None:
        logger.info("group %s: static member %s joins as %s", group.group_id, instance_id, member_id)
        return Identified(group.members.get(member_id) or StreamsMember(member_id))
    if holder.epoch != LEAVING_STATIC_EPOCH:
        raise KafkaError(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} cannot join the group because the instance "
            f"id is owned by {holder.member_id} member.",
        )
    logger.info("group %s: static member %s is back as %s", group.group_id, instance_id, member_id)
    member = holder._replace(member_id=member_id, epoch=JOINING_EPOCH, previous_epoch=JOINING_EPOCH)
    written = (
        *records.removal(group.group_id, holder.member_id),
        records.member(group.group_id, member),
        records.target(group.group_id, member_id, group.targets.get(holder.member_id, NO_TASK_SETS)),
        records.current_assignment(group.group_id, member),
    )
    return Identified(member, holder, written)


def static_holder(holder: StreamsMember | None, instance_id: str, member_id: str) -> StreamsMember:
    """Raises KafkaError: UNKNOWN_MEMBER_ID, nobody has the instance id; FENCED_INSTANCE_ID, another member has it."""
    if holder is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    if holder.member_id != member_id:
        raise KafkaError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member {holder.member_id}.",
        )
    return holder


def _refuse_wrong_epoch(member: StreamsMember, epoch: int, owned: TaskSets | None) -> None:
    """A member may come with its previous epoch once more, if it has nothing beyond what it was given since: the
    answer with its present one may be lost. Raises KafkaError(FENCED_MEMBER_EPOCH).
    """
    if epoch == member.epoch:
        return
    if epoch < member.epoch:
        if epoch == member.previous_epoch and owned is not None and _is_within(owned, member):
            return
        how = "smaller"
    else:
        how = "greater"
    raise KafkaError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The streams group member has a {how} member epoch ({epoch}) than the one known by the group coordinator "
        f"({member.epoch}). The member must abandon all its partitions and rejoin.",
    )


def _is_within(owned: TaskSets, member: StreamsMember) -> bool:
    assigned = member.assigned
    return (
        _are_within(owned.active, assigned.active)
        and _are_within(owned.standby, assigned.standby)
        and _are_within(owned.warmup, assigned.warmup)
    )


def _are_within(owned: Mapping[str, Iterable[int]], assigned: Mapping[str, Iterable[int]]) -> bool:
    return all(name in assigned and {*partitions} <= {*assigned[name]} for name, partitions in owned.items())


def updated(member: StreamsMember, request: StreamsGroupHeartbeatRequest, caller: Caller) -> StreamsMember:
    """What the request says; what it leaves out is as before. Only a member that joins can take its endpoint back."""
    tags = member.client_tags
    if request.client_tags is not None:
        tags = {tag.key: tag.value for tag in request.client_tags}
        if len(tags) < len(request.client_tags):
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "A client tag is given twice.")
    endpoint = None if request.member_epoch == JOINING_EPOCH else member.user_endpoint
    if request.user_endpoint is not None:
        endpoint = UserEndpoint(request.user_endpoint.host, request.user_endpoint.port)
    return member._replace(
        instance_id=member.instance_id if request.instance_id is None else request.instance_id,
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=(
            member.rebalance_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms
        ),
        topology_epoch=member.topology_epoch if request.topology is None else request.topology.epoch,
        client_id=caller.client_id,
        client_host=caller.client_host,
        process_id=member.process_id if request.process_id is None else request.process_id,
        client_tags=tags,
        user_endpoint=endpoint,
    )
