"""DescribeGroups (API key 15), versions 0-6: state, protocol and members of classic groups.

v1 throttle_time_ms    v3 authorized operations (KIP-430)    v4 group_instance_id (KIP-345)    v5 flexible
v6 GROUP_ID_NOT_FOUND with a message (KIP-1043)

Errors  GROUP_ID_NOT_FOUND  no such group; before v6 it is described as Dead, without an error
        NOT_COORDINATOR     another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
Differs: if a request names more than 50 groups, one that it names twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, all_in_turns, all_of, attempt
from kafkapy.turns import unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_groups import DescribedGroup, DescribeGroupsResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest

FIRST_VERSION_WITH_NOT_FOUND = 6
ANSWERED_AT_ONCE_MAX = 50  # half a millisecond; a group with many members takes longer

GROUP_OPERATIONS = sum(1 << operation for operation in (3, 6, 8, 10, 11))
"""READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS: all that AclOperation has for groups."""


def handle(
    request: DescribeGroupsRequest, context: RequestContext
) -> Pending[DescribeGroupsResponse] | Coroutine[object, object, DescribeGroupsResponse]:
    def answer(groups: list[DescribedGroup]) -> DescribeGroupsResponse:
        if request.include_authorized_operations:
            for group in groups:
                if group.error_code == ErrorCode.NONE:
                    group.authorized_operations = GROUP_OPERATIONS
        return DescribeGroupsResponse(groups=groups)

    if len(request.groups) <= ANSWERED_AT_ONCE_MAX:
        return all_of([_describe(group_id, context) for group_id in request.groups]).map(answer)

    async def answer_in_turns() -> DescribeGroupsResponse:
        group_ids = await unique_in_turns(request.groups)
        return answer(await all_in_turns(lambda group_id: _describe(group_id, context), group_ids))

    return answer_in_turns()


def _describe(group_id: str, context: RequestContext) -> Pending[DescribedGroup]:
    def refuse(error: KafkaError) -> DescribedGroup:
        if error.code is not ErrorCode.GROUP_ID_NOT_FOUND:
            return DescribedGroup(group_id=group_id, error_code=error.code)
        if context.api_version < FIRST_VERSION_WITH_NOT_FOUND:
            return DescribedGroup(group_id=group_id, group_state="Dead")
        return DescribedGroup(group_id=group_id, group_state="Dead", error_code=error.code, error_message=error.message)

    return attempt(lambda: context.broker.groups.classic.describe_group(group_id)).otherwise(refuse)


def error_response(request: DescribeGroupsRequest, error: KafkaError) -> DescribeGroupsResponse:
    return DescribeGroupsResponse(
        groups=[DescribedGroup(group_id=group_id, error_code=error.code) for group_id in request.groups]
    )
