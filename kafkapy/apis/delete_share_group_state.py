"""DeleteShareGroupState (API key 86), version 0: a group coordinator gives up state of share partitions.

State that does not exist is deleted without an error. Brokers send it to the broker that coordinates the share
partition.

Errors of one partition:
        INVALID_REQUEST              a negative partition
        UNKNOWN_TOPIC_OR_PARTITION   the metadata of this broker has no such partition
        NOT_COORDINATOR              another broker coordinates it, or there is no __share_group_state
        COORDINATOR_LOAD_IN_PROGRESS
        COORDINATOR_NOT_AVAILABLE    not committed within share.coordinator.write.timeout.ms
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.share_state_requests import answer_partitions
from kafkapy_wire.messages.delete_share_group_state import (
    DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse,
    DeleteStateResult,
    PartitionData,
    PartitionResult,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.uuid import Uuid


def handle(
    request: DeleteShareGroupStateRequest, context: RequestContext
) -> Pending[DeleteShareGroupStateResponse] | Coroutine[object, object, DeleteShareGroupStateResponse]:
    coordinator = context.broker.share_coordinator

    def delete(key: SharePartitionKey, _: PartitionData) -> Pending[PartitionResult]:
        return coordinator.delete(key).map(lambda _: PartitionResult(partition=key.partition))

    return answer_partitions(request, delete, _refused, _respond, what="delete share group state")


def _refused(partition: int, code: ErrorCode, message: str) -> PartitionResult:
    return PartitionResult(partition=partition, error_code=code, error_message=message)


def _respond(topics: dict[Uuid, dict[int, PartitionResult]]) -> DeleteShareGroupStateResponse:
    results = [
        DeleteStateResult(topic_id=topic_id, partitions=list(partitions.values()))
        for topic_id, partitions in topics.items()
    ]
    return DeleteShareGroupStateResponse(results=results)


def error_response(request: DeleteShareGroupStateRequest, error: KafkaError) -> DeleteShareGroupStateResponse:
    results = [
        DeleteStateResult(
            topic_id=topic.topic_id,
            partitions=[_refused(each.partition, error.code, error.message or "") for each in topic.partitions],
        )
        for topic in request.topics
    ]
    return DeleteShareGroupStateResponse(results=results)
