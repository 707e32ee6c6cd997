"""ShareGroupDescribe (API key 77), version 1: state, epochs, members and what they read, of share groups (KIP-932).

Errors  UNSUPPORTED_VERSION  share.version is 0
        INVALID_GROUP_ID     the group id is empty
        GROUP_ID_NOT_FOUND   no such group, or it is of another type
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS
Differs: if a request names more than 50 groups, one that it names twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.describe_groups import ANSWERED_AT_ONCE_MAX, GROUP_OPERATIONS
from kafkapy.pending import Pending, all_in_turns, all_of, attempt
from kafkapy.turns import unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_group_describe import DescribedGroup, ShareGroupDescribeResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.share_group_describe import ShareGroupDescribeRequest


def handle(
    request: ShareGroupDescribeRequest, context: RequestContext
) -> Pending[ShareGroupDescribeResponse] | Coroutine[object, object, ShareGroupDescribeResponse]:
    if not context.broker.sharing.is_enabled:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)

    def answer(groups: list[DescribedGroup]) -> ShareGroupDescribeResponse:
        if request.include_authorized_operations:
            for group in groups:
                if group.error_code == ErrorCode.NONE:
                    group.authorized_operations = GROUP_OPERATIONS
        return ShareGroupDescribeResponse(groups=groups)

    if len(request.group_ids) <= ANSWERED_AT_ONCE_MAX:
        return all_of([_describe(group_id, context) for group_id in request.group_ids]).map(answer)

    async def answer_in_turns() -> ShareGroupDescribeResponse:
        group_ids = await unique_in_turns(request.group_ids)
        return answer(await all_in_turns(lambda group_id: _describe(group_id, context), group_ids))

    return answer_in_turns()


def _describe(group_id: str, context: RequestContext) -> Pending[DescribedGroup]:
    def refuse(error: KafkaError) -> DescribedGroup:
        return DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)

    return attempt(lambda: context.broker.sharing.groups.describe_group(group_id)).otherwise(refuse)


def error_response(request: ShareGroupDescribeRequest, error: KafkaError) -> ShareGroupDescribeResponse:
    return ShareGroupDescribeResponse(
        groups=[
            DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)
            for group_id in request.group_ids
        ]
    )
