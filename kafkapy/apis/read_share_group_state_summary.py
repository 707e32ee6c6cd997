"""ReadShareGroupStateSummary (API key 87), versions 0-1: how far a share group has come, without its deliveries.

v1 delivery_complete_count

State that was never initialized is answered with start offset -1. Brokers send it to the broker that coordinates the
share partition.

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
from kafkapy_wire.messages.read_share_group_state_summary import (
    PartitionData,
    PartitionResult,
    ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse,
    ReadStateSummaryResult,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy.coordinators.share.share_state import ShareState
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.uuid import Uuid

UNKNOWN_START_OFFSET = -1


def handle(
    request: ReadShareGroupStateSummaryRequest, context: RequestContext
) -> Pending[ReadShareGroupStateSummaryResponse] | Coroutine[object, object, ReadShareGroupStateSummaryResponse]:
    coordinator = context.broker.share_coordinator

    def read(key: SharePartitionKey, _: PartitionData) -> Pending[PartitionResult]:
        return coordinator.read_summary(key).map(lambda state: _result(key.partition, state))

    return answer_partitions(request, read, _refused, _respond, what="read share group state summary")


def _result(partition: int, state: ShareState | None) -> PartitionResult:
    if state is None:
        return PartitionResult(partition=partition, start_offset=UNKNOWN_START_OFFSET)
    return PartitionResult(
        partition=partition,
        state_epoch=state.state_epoch,
        leader_epoch=state.leader_epoch,
        start_offset=state.start_offset,
        delivery_complete_count=state.delivery_complete_count,
    )


def _refused(partition: int, code: ErrorCode, message: str) -> PartitionResult:
    return PartitionResult(partition=partition, error_code=code, error_message=message)


def _respond(topics: dict[Uuid, dict[int, PartitionResult]]) -> ReadShareGroupStateSummaryResponse:
    results = [
        ReadStateSummaryResult(topic_id=topic_id, partitions=list(partitions.values()))
        for topic_id, partitions in topics.items()
    ]
    return ReadShareGroupStateSummaryResponse(results=results)


def error_response(request: ReadShareGroupStateSummaryRequest, error: KafkaError) -> ReadShareGroupStateSummaryResponse:
    results = [
        ReadStateSummaryResult(
            topic_id=topic.topic_id,
            partitions=[_refused(each.partition, error.code, error.message or "") for each in topic.partitions],
        )
        for topic in request.topics
    ]
    return ReadShareGroupStateSummaryResponse(results=results)
