"""DeleteGroups (API key 42), versions 0-3: forget groups that have no members, and their offsets.

v2 flexible    v3 error_message, which Apache Kafka has for streams groups alone (KIP-1331); null here

A group named twice is answered once.

Errors  GROUP_ID_NOT_FOUND  no such group
        NON_EMPTY_GROUP     it has members
        COORDINATOR_LOAD_IN_PROGRESS
Not done: authorization, throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, all_of, attempt
from kafkapy_wire.messages.delete_groups import DeletableGroupResult, DeleteGroupsResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest


def handle(request: DeleteGroupsRequest, context: RequestContext) -> Pending[DeleteGroupsResponse]:
    group_ids = list(dict.fromkeys(request.groups_names))

    def answer(codes: list[ErrorCode]) -> DeleteGroupsResponse:
        return DeleteGroupsResponse(
            results=[
                DeletableGroupResult(group_id=group_id, error_code=code)
                for group_id, code in zip(group_ids, codes, strict=True)
            ]
        )

    return all_of([_delete(group_id, context) for group_id in group_ids]).map(answer)


def _delete(group_id: str, context: RequestContext) -> Pending[ErrorCode]:
    return attempt(lambda: context.broker.groups.delete_group(group_id)).otherwise(lambda error: error.code)


def error_response(request: DeleteGroupsRequest, error: KafkaError) -> DeleteGroupsResponse:
    return DeleteGroupsResponse(
        results=[DeletableGroupResult(group_id=group_id, error_code=error.code) for group_id in request.groups_names]
    )
