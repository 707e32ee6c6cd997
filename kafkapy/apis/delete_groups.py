"""DeleteGroups (API key 42), versions 0-3: deletes groups without members, and their committed offsets.

v2 flexible    v3 error_message (KIP-1331): null here; Apache Kafka sets it for streams groups only

A group named twice is answered once.

Errors  GROUP_ID_NOT_FOUND  no such group
        NON_EMPTY_GROUP     the group has members
        NOT_COORDINATOR     another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, all_in_turns, attempt
from kafkapy.turns import each_in_turns, unique_in_turns
from kafkapy_wire.messages.delete_groups import DeletableGroupResult, DeleteGroupsResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest


async def handle(request: DeleteGroupsRequest, context: RequestContext) -> DeleteGroupsResponse:
    group_ids = await unique_in_turns(request.groups_names)
    codes = await all_in_turns(lambda group_id: _delete(group_id, context), group_ids)
    results = await each_in_turns(
        lambda result: DeletableGroupResult(group_id=result[0], error_code=result[1]),
        zip(group_ids, codes, strict=True),
    )
    return DeleteGroupsResponse(results=results)


def _delete(group_id: str, context: RequestContext) -> Pending[ErrorCode]:
    return attempt(lambda: context.broker.groups.delete_group(group_id)).otherwise(lambda error: error.code)


def error_response(request: DeleteGroupsRequest, error: KafkaError) -> DeleteGroupsResponse:
    return DeleteGroupsResponse(
        results=[DeletableGroupResult(group_id=group_id, error_code=error.code) for group_id in request.groups_names]
    )
