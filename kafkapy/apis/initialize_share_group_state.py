"""InitializeShareGroupState (API key 83), version 0: a group coordinator begins to keep state of share partitions.

The state begins anew, in the given state epoch and at the given start offset (-1: where share.auto.offset.reset says).
Brokers send it to the broker that coordinates the share partition.

Errors of one partition:
        INVALID_REQUEST              a negative partition or state epoch
        FENCED_STATE_EPOCH           the state has a higher epoch
        UNKNOWN_TOPIC_OR_PARTITION   the metadata of this broker has no such partition
        NOT_COORDINATOR              another broker coordinates it, or there is no __share_group_state
        COORDINATOR_LOAD_IN_PROGRESS
        COORDINATOR_NOT_AVAILABLE    not committed within share.coordinator.write.timeout.ms
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.share_state_requests import answer_partitions
from kafkapy_wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
    InitializeStateResult,
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
    request: InitializeShareGroupStateRequest, context: RequestContext
) -> Pending[InitializeShareGroupStateResponse] | Coroutine[object, object, InitializeShareGroupStateResponse]:
    coordinator = context.broker.share_coordinator

    def initialize(key: SharePartitionKey, wanted: PartitionData) -> Pending[PartitionResult]:
        initialized = coordinator.initialize(key, wanted.state_epoch, wanted.start_offset)
        return initialized.map(lambda _: PartitionResult(partition=key.partition))

    return answer_partitions(
        request, initialize, _refused, _respond, what="initialize share group state", takes_empty_topics=True
    )


def _refused(partition: int, code: ErrorCode, message: str) -> PartitionResult:
    return PartitionResult(partition=partition, error_code=code, error_message=message)


def _respond(topics: dict[Uuid, dict[int, PartitionResult]]) -> InitializeShareGroupStateResponse:
    results = [
        InitializeStateResult(topic_id=topic_id, partitions=list(partitions.values()))
        for topic_id, partitions in topics.items()
    ]
    return InitializeShareGroupStateResponse(results=results)


def error_response(request: InitializeShareGroupStateRequest, error: KafkaError) -> InitializeShareGroupStateResponse:
    results = [
        InitializeStateResult(
            topic_id=topic.topic_id,
            partitions=[_refused(each.partition, error.code, error.message or "") for each in topic.partitions],
        )
        for topic in request.topics
    ]
    return InitializeShareGroupStateResponse(results=results)
