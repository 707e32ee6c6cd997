"""WriteShareGroupState (API key 85), versions 0-1: the leader of a partition stores what a share group has done.

v1 delivery_complete_count

Brokers send it to the broker that coordinates the share partition.

Errors of one partition:
        INVALID_REQUEST              a negative partition or epoch, a state that was never initialized, or a state batch
                                     that ends before it begins
        FENCED_LEADER_EPOCH          a leader of a later epoch has read the state
        FENCED_STATE_EPOCH           the state was initialized anew since the leader has read it
        UNKNOWN_TOPIC_OR_PARTITION   the metadata of this broker has no such partition
        NOT_COORDINATOR              another broker coordinates it, or there is no __share_group_state
        COORDINATOR_LOAD_IN_PROGRESS
        COORDINATOR_NOT_AVAILABLE    not committed within share.coordinator.write.timeout.ms
Differs: Apache Kafka stores a state batch that ends before it begins, after which no leader can read the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from kafkapy.apis.share_state_requests import answer_partitions
from kafkapy.coordinators.share.share_state import ShareStateUpdate
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy.pending import Pending
from kafkapy.turns import each_in_turns, has_more_than
from kafkapy_wire.messages.write_share_group_state import (
    PartitionData,
    PartitionResult,
    WriteShareGroupStateRequest,
    WriteShareGroupStateResponse,
    WriteStateResult,
)
from kafkapy_wire.messages.write_share_group_state import (
    StateBatch as StateBatchData,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.uuid import Uuid

    Later: TypeAlias = Coroutine[object, object, WriteShareGroupStateResponse]

BATCHES_AT_ONCE_MAX: Final = 1_000


def handle(
    request: WriteShareGroupStateRequest, context: RequestContext
) -> Pending[WriteShareGroupStateResponse] | Later:
    partitions = (partition for topic in request.topics for partition in topic.partitions)
    if has_more_than(BATCHES_AT_ONCE_MAX, (len(each.state_batches) for each in partitions)):
        return _write_many(request, context)
    return _write(request, context, lambda wanted: tuple(map(_batch, wanted.state_batches)))


async def _write_many(request: WriteShareGroupStateRequest, context: RequestContext) -> WriteShareGroupStateResponse:
    by_partition = {}
    for topic in request.topics:
        for partition in topic.partitions:
            by_partition[id(partition)] = await each_in_turns(_batch, partition.state_batches)
    answer = _write(request, context, lambda wanted: tuple(by_partition.pop(id(wanted))))
    return await (answer.wait() if isinstance(answer, Pending) else answer)


def _batch(batch: StateBatchData) -> StateBatch:
    return StateBatch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)


def _write(
    request: WriteShareGroupStateRequest,
    context: RequestContext,
    batches_of: Callable[[PartitionData], tuple[StateBatch, ...]],
) -> Pending[WriteShareGroupStateResponse] | Later:
    coordinator = context.broker.share_coordinator

    def write(key: SharePartitionKey, wanted: PartitionData) -> Pending[PartitionResult]:
        update = ShareStateUpdate(wanted.start_offset, wanted.delivery_complete_count, batches_of(wanted))
        written = coordinator.write(key, update, state_epoch=wanted.state_epoch, leader_epoch=wanted.leader_epoch)
        return written.map(lambda _: PartitionResult(partition=key.partition))

    return answer_partitions(request, write, _refused, _respond, what="write share group state")


def _refused(partition: int, code: ErrorCode, message: str) -> PartitionResult:
    return PartitionResult(partition=partition, error_code=code, error_message=message)


def _respond(topics: dict[Uuid, dict[int, PartitionResult]]) -> WriteShareGroupStateResponse:
    results = [
        WriteStateResult(topic_id=topic_id, partitions=list(partitions.values()))
        for topic_id, partitions in topics.items()
    ]
    return WriteShareGroupStateResponse(results=results)


def error_response(request: WriteShareGroupStateRequest, error: KafkaError) -> WriteShareGroupStateResponse:
    results = [
        WriteStateResult(
            topic_id=topic.topic_id,
            partitions=[_refused(each.partition, error.code, error.message or "") for each in topic.partitions],
        )
        for topic in request.topics
    ]
    return WriteShareGroupStateResponse(results=results)
