"""ConsumerGroupDescribe (API key 69), versions 0-1: state, epochs, members, assignments of consumer groups (KIP-848).

v1 member_type: whether a member uses the classic protocol (KIP-1099)

Errors  INVALID_GROUP_ID     the group id is empty
        GROUP_ID_NOT_FOUND   no such group, or it is of another type
        UNSUPPORTED_VERSION  group.coordinator.rebalance.protocols does not name "consumer", or group.version is 0
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS
Differs: if a request names more than 50 groups, or one with more than 500 members, a group that it names twice is
answered once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.apis.describe_groups import ANSWERED_AT_ONCE_MAX, GROUP_OPERATIONS
from kafkapy.pending import Pending, all_of, attempt
from kafkapy.turns import Turn, unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.consumer_group_describe import ConsumerGroupDescribeResponse, DescribedGroup

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest


def handle(
    request: ConsumerGroupDescribeRequest, context: RequestContext
) -> Pending[ConsumerGroupDescribeResponse] | Coroutine[object, object, ConsumerGroupDescribeResponse]:
    def answer(groups: list[DescribedGroup]) -> ConsumerGroupDescribeResponse:
        if request.include_authorized_operations:
            for group in groups:
                if group.error_code == ErrorCode.NONE:
                    group.authorized_operations = GROUP_OPERATIONS
        return ConsumerGroupDescribeResponse(groups=groups)

    consumer = context.broker.groups.consumer
    if len(request.group_ids) <= ANSWERED_AT_ONCE_MAX and not any(map(consumer.has_many_members, request.group_ids)):
        return all_of([_describe(group_id, context) for group_id in request.group_ids]).map(answer)

    async def answer_in_turns() -> ConsumerGroupDescribeResponse:
        turn = Turn()
        groups = []
        for group_id in await unique_in_turns(request.group_ids):
            if consumer.has_many_members(group_id):
                groups.append(await _describe_in_turns(group_id, context))
            else:
                groups.append(await _describe(group_id, context).wait())
            await turn.share()
        return answer(groups)

    return answer_in_turns()


def _describe(group_id: str, context: RequestContext) -> Pending[DescribedGroup]:
    refuse = partial(_refused, group_id)
    return attempt(lambda: context.broker.groups.consumer.describe_group(group_id)).otherwise(refuse)


async def _describe_in_turns(group_id: str, context: RequestContext) -> DescribedGroup:
    try:
        return await context.broker.groups.consumer.describe_in_turns(group_id)
    except KafkaError as error:
        return _refused(group_id, error)


def _refused(group_id: str, error: KafkaError) -> DescribedGroup:
    return DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)


def error_response(request: ConsumerGroupDescribeRequest, error: KafkaError) -> ConsumerGroupDescribeResponse:
    return ConsumerGroupDescribeResponse(groups=[_refused(group_id, error) for group_id in request.group_ids])
