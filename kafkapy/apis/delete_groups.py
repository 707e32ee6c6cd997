"""DeleteGroups (API key 42), versions 0-3: deletes groups without members, and their committed offsets.

v2 flexible    v3 error_message (KIP-1331): null here; Apache Kafka sets it for streams groups only

A group named twice is answered once.

Errors  GROUP_ID_NOT_FOUND  no such group
        NON_EMPTY_GROUP     the group has members
        NOT_COORDINATOR     another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
 and of share groups what share coordinators say
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.group import GroupType
from kafkapy.pending import Pending, all_in_turns, attempt, settled
from kafkapy.turns import each_in_turns, unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.delete_groups import DeletableGroupResult, DeleteGroupsResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest


async def handle(request: DeleteGroupsRequest, context: RequestContext) -> DeleteGroupsResponse:
    group_ids = await unique_in_turns(request.groups_names)
    refused = await _delete_share_states(group_ids, context)

    def delete(group_id: str) -> Pending[ErrorCode]:
        return settled(refused[group_id]) if group_id in refused else _delete(group_id, context)

    codes = await all_in_turns(delete, group_ids)
    results = await each_in_turns(
        lambda result: DeletableGroupResult(group_id=result[0], error_code=result[1]),
        zip(group_ids, codes, strict=True),
    )
    return DeleteGroupsResponse(results=results)


async def _delete_share_states(group_ids: Sequence[str], context: RequestContext) -> dict[str, ErrorCode]:
    """What share coordinators keep of share groups is deleted first. Those that stay, and why."""

    def has_states(group_id: str) -> bool:
        try:
            return context.broker.groups.type_of(group_id) is GroupType.SHARE
        except KafkaError:
            return False  # deleting the group tells why

    refused: dict[str, ErrorCode] = {}
    for group_id in await each_in_turns(lambda group_id: group_id if has_states(group_id) else "", group_ids):
        if not group_id:
            continue
        try:
            code = await context.broker.sharing.groups.delete_states(group_id)
        except KafkaError as error:
            code = error.code
        if code is not ErrorCode.NONE:
            refused[group_id] = code
    return refused


def _delete(group_id: str, context: RequestContext) -> Pending[ErrorCode]:
    return attempt(lambda: context.broker.groups.delete_group(group_id)).otherwise(lambda error: error.code)


def error_response(request: DeleteGroupsRequest, error: KafkaError) -> DeleteGroupsResponse:
    return DeleteGroupsResponse(
        results=[DeletableGroupResult(group_id=group_id, error_code=error.code) for group_id in request.groups_names]
    )
