"""LeaveGroup (API key 13), versions 0-5: removes members from a classic group, which then rebalances.

v1 throttle_time_ms    v3 several members at once, static ones by group_instance_id alone (KIP-345)
v4 flexible    v5 reason (KIP-800)

Errors  INVALID_GROUP_ID    the group id is empty
        NOT_COORDINATOR     another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
 of one member, before v3 of the request:
        UNKNOWN_MEMBER_ID   no such member, or no such group
        FENCED_INSTANCE_ID  another member has taken over this group_instance_id
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt
from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.leave_group import LeaveGroupResponse, MemberIdentity

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberResponse

FIRST_VERSION_WITH_MEMBERS = 3
MEMBERS_AT_ONCE_MAX = 500
"""Those who leave together cause one rebalance. Of more than so many each lot causes its own."""


def handle(
    request: LeaveGroupRequest, context: RequestContext
) -> Pending[LeaveGroupResponse] | Coroutine[object, object, LeaveGroupResponse]:
    if len(request.members) > MEMBERS_AT_ONCE_MAX:
        return _leave_in_turns(request, context)
    is_single = context.api_version < FIRST_VERSION_WITH_MEMBERS
    members = [MemberIdentity(member_id=request.member_id)] if is_single else request.members

    def answer(responses: list[MemberResponse]) -> LeaveGroupResponse:
        if is_single:
            return LeaveGroupResponse(error_code=responses[0].error_code)
        return LeaveGroupResponse(members=responses)

    outcome = attempt(lambda: context.broker.groups.classic.leave_group(request.group_id, members))
    return outcome.map(answer).otherwise(lambda error: LeaveGroupResponse(error_code=error.code))


async def _leave_in_turns(request: LeaveGroupRequest, context: RequestContext) -> LeaveGroupResponse:
    response = LeaveGroupResponse()
    turn = Turn()
    try:
        for start in range(0, len(request.members), MEMBERS_AT_ONCE_MAX):
            members = request.members[start : start + MEMBERS_AT_ONCE_MAX]
            response.members += await context.broker.groups.classic.leave_group(request.group_id, members).wait()
            await turn.share()
    except KafkaError as error:
        return LeaveGroupResponse(error_code=error.code)
    return response
