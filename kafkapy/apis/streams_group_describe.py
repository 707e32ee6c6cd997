"""StreamsGroupDescribe (API key 89), versions 0-1: state, epochs, topology, members and tasks of streams groups
(KIP-1071).

v1 assignor_name, topology_description and topology_description_status

Errors  UNSUPPORTED_VERSION  group.coordinator.rebalance.protocols does not name streams, or streams.version is 0
        INVALID_GROUP_ID     the group id is empty
        GROUP_ID_NOT_FOUND   no such group, or it is of another type
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS
Differs: if a request names more than 50 groups, or one with more than 1,500 members and tasks, a group that it names
twice is answered once.
Not done: descriptions of topologies, which a Java class would store (group.streams.topology.description.plugin.class);
the status is 1 then, as in Apache Kafka without such a class.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.apis.describe_groups import ANSWERED_AT_ONCE_MAX, GROUP_OPERATIONS
from kafkapy.pending import Pending, all_of, attempt
from kafkapy.turns import Turn, unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.streams_group_describe import DescribedGroup, StreamsGroupDescribeResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.streams_group_describe import StreamsGroupDescribeRequest

NO_TOPOLOGY_DESCRIPTION = 1


def handle(
    request: StreamsGroupDescribeRequest, context: RequestContext
) -> Pending[StreamsGroupDescribeResponse] | Coroutine[object, object, StreamsGroupDescribeResponse]:
    context.broker.groups.streams.refuse_unless_served()

    def as_asked(group: DescribedGroup) -> DescribedGroup:
        if group.error_code == ErrorCode.NONE:
            if request.include_authorized_operations:
                group.authorized_operations = GROUP_OPERATIONS
            if request.include_topology_description:
                group.topology_description_status = NO_TOPOLOGY_DESCRIPTION
        return group

    def answer(groups: list[DescribedGroup]) -> StreamsGroupDescribeResponse:
        return StreamsGroupDescribeResponse(groups=list(map(as_asked, groups)))

    streams = context.broker.groups.streams
    if len(request.group_ids) <= ANSWERED_AT_ONCE_MAX and not any(map(streams.is_large, request.group_ids)):
        return all_of([_describe(group_id, context) for group_id in request.group_ids]).map(answer)

    async def answer_in_turns() -> StreamsGroupDescribeResponse:
        turn = Turn()
        groups = []
        for group_id in await unique_in_turns(request.group_ids):
            if streams.is_large(group_id):
                group = await _describe_in_turns(group_id, context)
            else:
                group = await _describe(group_id, context).wait()
            groups.append(as_asked(group))
            await turn.share()
        return StreamsGroupDescribeResponse(groups=groups)

    return answer_in_turns()


def _describe(group_id: str, context: RequestContext) -> Pending[DescribedGroup]:
    refuse = partial(_refused, group_id)
    return attempt(lambda: context.broker.groups.streams.describe_group(group_id)).otherwise(refuse)


async def _describe_in_turns(group_id: str, context: RequestContext) -> DescribedGroup:
    try:
        return await context.broker.groups.streams.describe_in_turns(group_id)
    except KafkaError as error:
        return _refused(group_id, error)


def _refused(group_id: str, error: KafkaError) -> DescribedGroup:
    return DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)


def error_response(request: StreamsGroupDescribeRequest, error: KafkaError) -> StreamsGroupDescribeResponse:
    return StreamsGroupDescribeResponse(groups=[_refused(group_id, error) for group_id in request.group_ids])
