"""ReadShareGroupState (API key 84), version 0: the leader of a partition begins to serve a share group.

Leaders of earlier epochs cannot write the state any more. Brokers send it to the broker that coordinates the share
partition.

Errors of one partition:
        INVALID_REQUEST              a negative partition or leader epoch, or the state was never initialized
        FENCED_LEADER_EPOCH          a leader of a later epoch has read the state
        UNKNOWN_TOPIC_OR_PARTITION   the metadata of this broker has no such partition
        NOT_COORDINATOR              another broker coordinates it, or there is no __share_group_state
        COORDINATOR_LOAD_IN_PROGRESS
        COORDINATOR_NOT_AVAILABLE    the leader epoch is not committed within share.coordinator.write.timeout.ms
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.share_state_requests import answer_partitions
from kafkapy_wire.messages.read_share_group_state import (
    PartitionData,
    PartitionResult,
    ReadShareGroupStateRequest,
    ReadShareGroupStateResponse,
    ReadStateResult,
    StateBatch,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy.coordinators.share.share_state import ShareState
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.uuid import Uuid


def handle(
    request: ReadShareGroupStateRequest, context: RequestContext
) -> Pending[ReadShareGroupStateResponse] | Coroutine[object, object, ReadShareGroupStateResponse]:
    coordinator = context.broker.share_coordinator

    def read(key: SharePartitionKey, wanted: PartitionData) -> Pending[PartitionResult]:
        return coordinator.read(key, wanted.leader_epoch).map(lambda state: _result(key.partition, state))

    return answer_partitions(request, read, _refused, _respond, what="read share group state")


def _result(partition: int, state: ShareState) -> PartitionResult:
    return PartitionResult(
        partition=partition,
        state_epoch=state.state_epoch,
        start_offset=state.start_offset,
        state_batches=[
            StateBatch(first_offset=first, last_offset=last, delivery_state=delivery_state, delivery_count=count)
            for first, last, delivery_state, count in state.batches
        ],
    )


def _refused(partition: int, code: ErrorCode, message: str) -> PartitionResult:
    return PartitionResult(partition=partition, error_code=code, error_message=message)


def _respond(topics: dict[Uuid, dict[int, PartitionResult]]) -> ReadShareGroupStateResponse:
    results = [
        ReadStateResult(topic_id=topic_id, partitions=list(partitions.values()))
        for topic_id, partitions in topics.items()
    ]
    return ReadShareGroupStateResponse(results=results)


def error_response(request: ReadShareGroupStateRequest, error: KafkaError) -> ReadShareGroupStateResponse:
    results = [
        ReadStateResult(
            topic_id=topic.topic_id,
            partitions=[_refused(each.partition, error.code, error.message or "") for each in topic.partitions],
        )
        for topic in request.topics
    ]
    return ReadShareGroupStateResponse(results=results)
