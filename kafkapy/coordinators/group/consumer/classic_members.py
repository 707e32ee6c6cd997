"""Members of a consumer group that speak the classic protocol, while others speak the new one (KIP-848).

Each has its own generation, which is its member epoch: it joins, and is answered at once. REBALANCE_IN_PROGRESS in
answer to a heartbeat makes it join again; its JoinGroup says what it owns, and is its next step.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.consumer.member import ClassicMembership, ConsumerMember, MemberState
from kafkapy.coordinators.group.consumer.membership import Draft, static_holder
from kafkapy.coordinators.group.embedded_protocol import Subscription, read_subscription
from kafkapy.coordinators.runtime import Decision
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage

if TYPE_CHECKING:
    from kafkapy.coordinators.group.consumer.group import ConsumerGroup
    from kafkapy.coordinators.group.consumer.membership import Membership
    from kafkapy.coordinators.group.consumer.timers import Timers
    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy_wire.messages.heartbeat import HeartbeatRequest
    from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
    from kafkapy_wire.messages.leave_group import MemberIdentity, MemberResponse
    from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.groups")

FIRST_VERSION_REQUIRING_MEMBER_ID = 4
PROTOCOL_TYPE = "consumer"


class ClassicMembers:
    """The four requests of the classic protocol, of members of consumer groups. Errors are raised as KafkaError."""

    def __init__(self, parts: ShardParts, membership: Membership, timers: Timers) -> None:
        self._parts = parts
        self._membership = membership
        self._timers = timers

    # -- JoinGroup

    def join(self, group: ConsumerGroup, request: JoinGroupRequest, caller: Caller) -> Decision[JoinGroupResponse]:
        """Answered at once, with the member's epoch as the generation."""
        from kafkapy_wire.messages.join_group import JoinGroupResponse

        if self._parts.settings.now.groups.group_consumer_migration_policy.lower() == "disabled":
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        instance_id, is_unknown = request.group_instance_id, not request.member_id
        member_id = request.member_id or self._membership.new_member_id()
        self._membership.refuse_if_full(group, member_id, instance_id)
        _refuse_other_protocols(group, request)
        if is_unknown and instance_id is None and caller.api_version >= FIRST_VERSION_REQUIRING_MEMBER_ID:
            answer = JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=member_id, protocol_name=None)
            return Decision((), answer)
        draft = Draft(group, [])
        before, downgrades = self._member(draft, member_id, instance_id, is_unknown=is_unknown)
        subscription = _read(request)
        member = _updated(before, request, caller, subscription)
        names_changed, pattern = self._membership.write_member(draft, before, member)
        bumps = names_changed or pattern.has_changed
        self._membership.write_epoch(draft, before, member, bumps=bumps)
        owned = self._owned(subscription)
        is_stale = False
        if downgrades:
            target_epoch, target = group.assignment_epoch, draft.targets(member).get(member.member_id, {})
            is_stale = draft.epoch > group.assignment_epoch
        else:
            target_epoch, target = self._membership.write_target(draft, before, member)
        after = member
        if not is_stale:
            after = self._membership.write_step(draft, member, target_epoch, target, owned, has_changed=bumps)
        response = JoinGroupResponse(
            generation_id=after.epoch,
            protocol_type=PROTOCOL_TYPE,
            protocol_name=request.protocols[0].name,
            member_id=after.member_id,
        )
        if downgrades:
            return self._membership.downgrade_with(draft, after, response, rebalances=is_stale)
        then = partial(self._joined, group.group_id, after.member_id, request.rebalance_timeout_ms)
        return Decision(draft.written, response, then=then, apply=draft.apply)

    def _member(
        self, draft: Draft, member_id: str, instance_id: str | None, *, is_unknown: bool
    ) -> tuple[ConsumerMember, bool]:
        """The member as it was, and whether the group becomes classic with it: it takes the place of the last member
        that speaks the new protocol.
        """
        group = draft.group
        if instance_id is None:
            return group.members.get(member_id) or ConsumerMember(member_id), False
        holder = group.static_member(instance_id)
        downgrades = holder is not None and self._membership.may_downgrade(group, [holder], group.members.__len__())
        if not is_unknown:
            return static_holder(holder, instance_id, member_id), downgrades
        if holder is None:
            return ConsumerMember(member_id), False
        return self._membership.take_place(draft, holder, member_id), downgrades

    def _owned(self, subscription: Subscription) -> dict[Uuid, list[int]]:
        topics = self._parts.metadata.image.topics
        return {topics[name].topic_id: part for name, part in subscription.owned.items() if name in topics}

    def _joined(self, group_id: str, member_id: str, rebalance_timeout_ms: int, error: KafkaError | None) -> None:
        """The member has its rebalance timeout to ask for its assignment."""
        if error is None:
            self._timers.joined(group_id, member_id, rebalance_timeout_ms)

    # -- SyncGroup

    def sync(self, group: ConsumerGroup, request: SyncGroupRequest) -> Decision[SyncGroupResponse]:
        """The member's own assignment."""
        from kafkapy.coordinators.group.migration import assignment_bytes
        from kafkapy_wire.messages.sync_group import SyncGroupResponse

        member = _classic_member(group, request.member_id, request.group_instance_id, request.generation_id)
        assert member.classic is not None
        names = (request.protocol_type, PROTOCOL_TYPE), (request.protocol_name, member.classic.protocols[0][0])
        if any(asked is not None and asked != actual for asked, actual in names):
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if group.assignment_epoch > member.epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
            self._timers.expect_join(group, member)
            raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
        response = SyncGroupResponse(
            protocol_type=request.protocol_type,
            protocol_name=request.protocol_name,
            assignment=assignment_bytes(member, member.assigned, self._parts.metadata.image),
        )

        def then(error: KafkaError | None) -> None:
            if error is None:
                self._timers.synced(group.group_id, member.member_id)

        return Decision((), response, then=then)

    # -- Heartbeat

    def heartbeat(self, group: ConsumerGroup, request: HeartbeatRequest) -> ErrorCode:
        """NONE, or REBALANCE_IN_PROGRESS: the member must join again, within its rebalance timeout."""
        member = _classic_member(group, request.member_id, request.group_instance_id, request.generation_id)
        self._timers.expect_heartbeat(group.group_id, member.member_id)
        waits = member.state is MemberState.UNRELEASED_PARTITIONS and _waits_for_others(group, member)
        if (
            member.epoch < group.assignment_epoch
            or member.state is MemberState.UNREVOKED_PARTITIONS
            or (member.state is MemberState.UNRELEASED_PARTITIONS and not waits)
        ):
            self._timers.expect_join(group, member)
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    # -- LeaveGroup

    def leave(self, group: ConsumerGroup, identities: list[MemberIdentity]) -> Decision[list[MemberResponse]]:
        """Each with its own error. A member of the new protocol may be made to leave like this, too."""
        from kafkapy_wire.messages.leave_group import MemberResponse

        leaving: dict[str, ConsumerMember] = {}
        responses: list[MemberResponse] = []
        for identity in identities:
            error = ErrorCode.NONE
            try:
                member = _leaving_member(group, identity)
                leaving[member.member_id] = member
            except KafkaError as refusal:
                error = refusal.code
            responses.append(
                MemberResponse(
                    member_id=identity.member_id, group_instance_id=identity.group_instance_id, error_code=error
                )
            )
        decision = self._membership.fence(group, leaving.values(), "left")
        return Decision(decision.records, responses, decision.then, decision.apply)


def _refuse_other_protocols(group: ConsumerGroup, request: JoinGroupRequest) -> None:
    """Raises KafkaError(INCONSISTENT_GROUP_PROTOCOL): the classic members have no protocol in common with this one."""
    offers = [dict(member.classic.protocols) for member in group.members.values() if member.classic is not None]
    names = [protocol.name for protocol in request.protocols]
    is_common = any(all(name in offer for offer in offers) for name in names)
    if request.protocol_type != PROTOCOL_TYPE or not is_common:
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)


def _read(request: JoinGroupRequest) -> Subscription:
    try:
        return read_subscription(request.protocols[0].metadata)
    except MalformedMessage:
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL) from None


def _updated(
    member: ConsumerMember, request: JoinGroupRequest, caller: Caller, subscription: Subscription
) -> ConsumerMember:
    protocols: dict[str, bytes] = {}
    for protocol in request.protocols:
        protocols.setdefault(protocol.name, protocol.metadata)
    timeout_ms = request.rebalance_timeout_ms
    return member._replace(
        instance_id=member.instance_id if request.group_instance_id is None else request.group_instance_id,
        rack_id=member.rack_id if subscription.rack_id is None else subscription.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        topics=frozenset(subscription.topics),
        pattern="",
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic=ClassicMembership(request.session_timeout_ms, tuple(protocols.items())),
    )


def _classic_member(
    group: ConsumerGroup, member_id: str, instance_id: str | None, generation_id: int
) -> ConsumerMember:
    """Raises KafkaError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION."""
    if instance_id is None:
        member = group.member(member_id)
    else:
        member = static_holder(group.static_member(instance_id), instance_id, member_id)
    if not member.uses_classic_protocol:
        message = f"Member {member.member_id} does not use the classic protocol."
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, message)
    if generation_id != member.epoch:
        raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
    return member


def _leaving_member(group: ConsumerGroup, identity: MemberIdentity) -> ConsumerMember:
    if identity.group_instance_id is None:
        return group.member(identity.member_id)
    holder = group.static_member(identity.group_instance_id)
    named = identity.member_id or (holder.member_id if holder is not None else "")
    return static_holder(holder, identity.group_instance_id, named)


def _waits_for_others(group: ConsumerGroup, member: ConsumerMember) -> bool:
    """Whether another member still owns something that this one is to own."""
    return any(
        partition not in member.assigned.get(topic_id, {}) and partition in group.owned_of(topic_id)
        for topic_id, partitions in group.targets.get(member.member_id, {}).items()
        for partition in partitions
    )
