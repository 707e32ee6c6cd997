"""What JoinGroup, SyncGroup, Heartbeat and LeaveGroup decide about a classic group."""

from __future__ import annotations

import logging
import uuid
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from kafkapy.coordinators.group.classic.answers import join_response
from kafkapy.coordinators.group.classic.group_record import group_metadata
from kafkapy.coordinators.group.classic.member import ClassicMember, protocols_of
from kafkapy.coordinators.group.classic.rebalance import NEW_MEMBER_JOIN_TIMEOUT_MS, Rebalancer
from kafkapy.coordinators.group.classic.state import ClassicGroupState
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.join_group import JoinGroupResponse
from kafkapy_wire.uuid import random_uuid

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

    from kafkapy.coordinators.group.classic.group import ClassicGroup
    from kafkapy.coordinators.group.group import Caller
    from kafkapy.pending import Pending
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.join_group import JoinGroupRequest
    from kafkapy_wire.messages.leave_group import MemberIdentity, MemberResponse
    from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

logger = logging.getLogger("kafkapy.groups")

T = TypeVar("T")

_EMPTY, _PREPARING, _COMPLETING, _STABLE, _DEAD = ClassicGroupState

FIRST_VERSION_REQUIRING_MEMBER_ID = 4
FIRST_VERSION_SKIPPING_ASSIGNMENT = 9
MEMBER_ID_PREFIX_MAX = 1_000
"""Characters of a client id or instance id. Those may have 32,767 bytes; a member id is one of them and more, and an
answer that cannot be encoded would cost every member of the group its connection."""


class ClassicProtocol:
    """The four requests of a classic group's members. Errors of a whole request are raised as KafkaError."""

    def __init__(self, settings: CurrentSettings, rebalancer: Rebalancer, random: Random) -> None:
        self._settings = settings
        self._random = random
        self._rebalancer = rebalancer

    # -- JoinGroup

    def join(
        self, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, parked: Pending[JoinGroupResponse]
    ) -> Decision[None]:
        """Add the member, or refuse it. `parked` is answered now, after a commit, or when the phase ends."""
        if not self._has_room(group, request.member_id):
            group.remove(request.member_id)
            raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED)
        if not group.supports_protocols(request.protocol_type, protocols_of(request.protocols)):
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if not request.member_id:
            return self._join_unknown(group, request, caller, parked)
        if request.member_id in group.pending_joins:
            if request.group_instance_id is not None:
                # The id was given to a dynamic member. Apache Kafka fails with UNKNOWN_SERVER_ERROR here.
                raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
            return self._join_new(group, request, request.member_id, caller, parked)
        group.validate_member(request.member_id, request.group_instance_id)
        return self._join_again(group, request, group.members[request.member_id], parked)

    def _has_room(self, group: ClassicGroup, member_id: str) -> bool:
        """Whether group.max.size allows the member. The setting may have been lowered below the group's size: while
        members join again, only those that have joined count, and the last ones are refused."""
        member = group.members.get(member_id)
        match group.state:
            case ClassicGroupState.PREPARING_REBALANCE:
                is_back = member is not None and member.join is not None
                return is_back or group.awaiting_join_count < self._settings.now.groups.group_max_size
            case ClassicGroupState.COMPLETING_REBALANCE | ClassicGroupState.STABLE:
                return member is not None or len(group.members) < self._settings.now.groups.group_max_size
            case _:
                return True

    def _join_unknown(
        self, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, parked: Pending[JoinGroupResponse]
    ) -> Decision[None]:
        instance_id = request.group_instance_id
        prefix = caller.client_id if instance_id is None else instance_id
        member_id = f"{prefix[:MEMBER_ID_PREFIX_MAX]}-{uuid.UUID(bytes=random_uuid(self._random))}"
        if instance_id is not None:
            holder = group.static_members.get(instance_id)
            if holder is not None:
                return self._join_in_place_of(group, request, group.members[holder], member_id, caller, parked)
        elif caller.api_version >= FIRST_VERSION_REQUIRING_MEMBER_ID:
            # KIP-394: a client that retries after a timeout has this id, and does not become a second member.
            self._rebalancer.expect_join(group, member_id, request.session_timeout_ms)
            parked.answer(
                JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=member_id, protocol_name=None)
            )
            return NOTHING
        return self._join_new(group, request, member_id, caller, parked)

    def _join_new(
        self,
        group: ClassicGroup,
        request: JoinGroupRequest,
        member_id: str,
        caller: Caller,
        parked: Pending[JoinGroupResponse],
    ) -> Decision[None]:
        pending = group.pending_joins.pop(member_id, None)
        if pending is not None:
            pending.cancel()
        member = ClassicMember(
            member_id=member_id,
            group_instance_id=request.group_instance_id,
            client_id=caller.client_id,
            client_host=caller.client_host,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            session_timeout_ms=request.session_timeout_ms,
            protocol_type=request.protocol_type,
            protocols=protocols_of(request.protocols),
        )
        member.is_new = True
        if group.state is _PREPARING and group.previous_state is _EMPTY:
            group.new_member_added = True
        group.add(member, parked)
        self._rebalancer.expect_heartbeat(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
        self._rebalancer.prepare_or_complete_join(group, _reason(f"{member_id} is new", request))
        return NOTHING

    def _join_again(
        self,
        group: ClassicGroup,
        request: JoinGroupRequest,
        member: ClassicMember,
        parked: Pending[JoinGroupResponse],
    ) -> Decision[None]:
        is_leader = member.member_id == group.leader
        is_unchanged = member.protocols == protocols_of(request.protocols)
        # While the leader assigns, an unchanged member must have missed its answer. In a stable group an unchanged
        # follower may as well stay; the leader joins again in order to have everything assigned anew.
        if is_unchanged and (group.state is _COMPLETING or (group.state is _STABLE and not is_leader)):
            response = join_response(group, member, with_members=is_leader and group.state is _COMPLETING)
            return Decision((), None, then=partial(_answer_or_refuse, parked, response))
        self._update(group, request, member, parked)
        self._rebalancer.prepare_or_complete_join(group, _reason(f"{member.member_id} joins again", request))
        return NOTHING

    def _join_in_place_of(
        self,
        group: ClassicGroup,
        request: JoinGroupRequest,
        old: ClassicMember,
        member_id: str,
        caller: Caller,
        parked: Pending[JoinGroupResponse],
    ) -> Decision[None]:
        """A static member is back without its member id (KIP-345): the process was restarted."""
        member = old.renamed(
            member_id,
            protocols=protocols_of(request.protocols),
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            session_timeout_ms=request.session_timeout_ms,
        )
        if group.state is _STABLE and group.select_protocol((old, member)) == group.protocol_name:
            return self._replace_in_stable_group(group, old, member, caller, parked)
        self._replace(group, old, member, parked)
        reason = _reason(f"static member {request.group_instance_id} is back as {member_id}", request)
        if group.state is _COMPLETING:
            # The leader may be assigning to the old id already; no member would get that assignment.
            self._rebalancer.prepare(group, reason)
        elif group.state is _STABLE:
            self._rebalancer.prepare_or_complete_join(group, reason)
        else:
            self._rebalancer.complete_join_if_all_joined(group)
        return NOTHING

    def _replace(
        self, group: ClassicGroup, old: ClassicMember, member: ClassicMember, parked: Pending[JoinGroupResponse]
    ) -> None:
        group.answer_join(old, ErrorCode.FENCED_INSTANCE_ID)
        group.answer_sync(old, ErrorCode.FENCED_INSTANCE_ID)
        group.replace_static(old, member)
        self._rebalancer.expect_heartbeat(group, member)
        group.park_join(member, parked)

    def _replace_in_stable_group(
        self,
        group: ClassicGroup,
        old: ClassicMember,
        member: ClassicMember,
        caller: Caller,
        parked: Pending[JoinGroupResponse],
    ) -> Decision[None]:
        """Only the id changes. It is stored first: if the append fails, the old member stays."""
        leader_before = group.leader
        generation_id = group.generation_id

        def answer(error: KafkaError | None) -> None:
            if member.join is not parked or group.generation_id != generation_id:
                return  # a rebalance has begun meanwhile: the request waits for its end
            if error is not None:
                group.answer_join(member, error.code)
                return
            if caller.api_version >= FIRST_VERSION_SKIPPING_ASSIGNMENT:
                # KIP-814: the answer names the leader and all members, and the leader must not assign.
                is_leader = member.member_id == group.leader
                response = join_response(group, member, with_members=is_leader, skip_assignment=is_leader)
            else:
                # An older client would assign if it learnt that it leads: its answer names its former id as leader.
                response = join_response(group, member, with_members=False)
                response.leader = leader_before or ""
            group.answer_join(member, response)

        return Decision(
            [group_metadata(group, group.assignments() | {member.member_id: member.assignment}, (old, member))],
            None,
            then=answer,
            apply=lambda: self._replace(group, old, member, parked),
        )

    def _update(
        self,
        group: ClassicGroup,
        request: JoinGroupRequest,
        member: ClassicMember,
        parked: Pending[JoinGroupResponse],
    ) -> None:
        group.update(
            member,
            protocols=protocols_of(request.protocols),
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            session_timeout_ms=request.session_timeout_ms,
            join=parked,
        )

    # -- SyncGroup

    def sync(
        self, group: ClassicGroup, request: SyncGroupRequest, parked: Pending[SyncGroupResponse]
    ) -> Decision[None]:
        """Answer the member with its assignment when the leader has sent it."""
        self._validate(group, request.member_id, request.group_instance_id, request.generation_id)
        for asked, actual in (
            (request.protocol_type, group.protocol_type),
            (request.protocol_name, group.protocol_name),
        ):
            if asked is not None and actual is not None and asked != actual:
                raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if group.state is _PREPARING:
            raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
        member = group.members[request.member_id]
        if group.state is _STABLE:
            self._rebalancer.received_sync(group, member.member_id)
            response = group.sync_response(member)
            return Decision((), None, then=partial(_answer_or_refuse, parked, response))

        def park() -> None:
            self._rebalancer.received_sync(group, member.member_id)
            group.answer_sync(member, ErrorCode.REBALANCE_IN_PROGRESS)  # one on an abandoned connection
            member.sync = parked

        if member.member_id != group.leader:
            return Decision((), None, apply=park)
        assignments = {assignment.member_id: assignment.assignment for assignment in request.assignments}
        generation_id = group.generation_id

        def answer_all(error: KafkaError | None) -> None:
            if group.generation_id == generation_id and group.state is _STABLE:
                for member in group.members.values():
                    self._rebalancer.answer_sync(group, member, ErrorCode.NONE if error is None else error.code)

        # Replaying this record is what makes the group stable.
        return Decision([group_metadata(group, assignments)], None, then=answer_all, apply=park)

    # -- Heartbeat

    def heartbeat(
        self, group: ClassicGroup, member_id: str, group_instance_id: str | None, generation_id: int
    ) -> ErrorCode:
        """Restart the session. REBALANCE_IN_PROGRESS: the member must join again.

        Raises KafkaError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION.
        """
        self._validate(group, member_id, group_instance_id, generation_id)
        self._rebalancer.expect_heartbeat(group, group.members[member_id])
        # A member may beat between its JoinGroup answer and its SyncGroup. Apache Kafka answers NONE to that, although
        # the table in its ClassicGroupState says REBALANCE_IN_PROGRESS.
        return ErrorCode.REBALANCE_IN_PROGRESS if group.state is _PREPARING else ErrorCode.NONE

    # -- LeaveGroup

    def leave(self, group: ClassicGroup, members: list[MemberIdentity]) -> Decision[list[MemberResponse]]:
        """Remove members, each with its own error. A static one may be named by its instance id alone (KIP-345)."""
        from kafkapy_wire.messages.leave_group import MemberResponse

        responses: list[MemberResponse] = []
        leaving: dict[str, None] = {}
        for identity in members:
            member_id, error = self._may_leave(group, identity, leaving)
            if error is ErrorCode.NONE:
                logger.info("group %s: %s left (%s)", group.group_id, member_id, identity.reason or "no reason given")
                leaving[member_id] = None
            responses.append(
                MemberResponse(
                    member_id=identity.member_id, group_instance_id=identity.group_instance_id, error_code=error
                )
            )
        decision = self._rebalancer.leaving(group, leaving) if leaving else NOTHING
        return Decision(decision.records, responses, decision.then, decision.apply)

    def _may_leave(
        self, group: ClassicGroup, identity: MemberIdentity, leaving: Collection[str]
    ) -> tuple[str, ErrorCode]:
        """The id of the leaving member, and the error if it cannot leave; `leaving`: those earlier in the request."""
        member_id = identity.member_id
        if not member_id:
            static_member_id = group.static_members.get(identity.group_instance_id or "")
            if identity.group_instance_id is None or static_member_id is None or static_member_id in leaving:
                return "", ErrorCode.UNKNOWN_MEMBER_ID
            return static_member_id, ErrorCode.NONE
        if member_id in leaving or group.static_members.get(identity.group_instance_id or "") in leaving:
            return member_id, ErrorCode.UNKNOWN_MEMBER_ID
        if member_id not in group.pending_joins:
            try:
                group.validate_member(member_id, identity.group_instance_id)
            except KafkaError as error:
                return member_id, error.code
        return member_id, ErrorCode.NONE

    def _validate(self, group: ClassicGroup, member_id: str, group_instance_id: str | None, generation_id: int) -> None:
        group.validate_member(member_id, group_instance_id)
        if generation_id != group.generation_id:
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)


def _answer_or_refuse(parked: Pending[T], response: T, error: KafkaError | None) -> None:
    if error is None:
        parked.answer(response)
    else:
        parked.refuse(error)


def _reason(what: str, request: JoinGroupRequest) -> str:
    return f"{what} (client: {request.reason or 'no reason given'})"
