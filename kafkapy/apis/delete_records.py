"""DeleteRecords (API key 21), versions 0-2: move a partition's log start offset forward (KIP-107).

v2 flexible

Offset -1 is the high watermark. When the answer leaves, records below the offset cannot be read any more. A segment is
deleted when all its records are below the offset. A partition named twice is answered once:
its last offset counts.

Errors  UNKNOWN_TOPIC_OR_PARTITION
        OFFSET_OUT_OF_RANGE       below 0 or above the high watermark
        INVALID_TOPIC_EXCEPTION   an internal topic
        POLICY_VIOLATION          the topic is compacted and its cleanup.policy has no "delete"
        KAFKA_STORAGE_ERROR       the new start could not be written to log-start-offset-checkpoint: it holds until a
                                  crash of the broker

Differs: the answer waits until log-start-offset-checkpoint has the new start. Apache Kafka writes that file once a
minute: if it is killed before, the records that it had answered to be deleted can be read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import Turn
from kafkapy_controller.topic_names import INTERNAL_TOPICS
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.delete_records import DeleteRecordsPartition

HIGH_WATERMARK = -1
UNKNOWN_LOW_WATERMARK = -1


async def handle(request: DeleteRecordsRequest, context: RequestContext) -> DeleteRecordsResponse:
    topics = []
    turn = Turn()
    wanted_of: dict[str, dict[int, DeleteRecordsPartition]] = {}
    for topic in request.topics:
        for wanted in topic.partitions:
            wanted_of.setdefault(topic.name, {})[wanted.partition_index] = wanted
            await turn.share()
        await turn.share()
    for name, partitions in wanted_of.items():
        answers = []
        for wanted in partitions.values():
            answers.append(_delete(name, wanted, context))
            await turn.share()
        topics.append(DeleteRecordsTopicResult(name=name, partitions=answers))
    deleted = [answer for topic in topics for answer in topic.partitions if not answer.error_code]
    if deleted:
        try:
            await context.broker.checkpoints.write()
        except OSError as error:
            context.broker.disk.put_off("writing checkpoints", error)
            for answer in deleted:
                answer.error_code, answer.low_watermark = ErrorCode.KAFKA_STORAGE_ERROR, UNKNOWN_LOW_WATERMARK
    return DeleteRecordsResponse(topics=topics)


def _delete(topic: str, wanted: DeleteRecordsPartition, context: RequestContext) -> DeleteRecordsPartitionResult:
    answer = DeleteRecordsPartitionResult(partition_index=wanted.partition_index, low_watermark=UNKNOWN_LOW_WATERMARK)
    try:
        partition = context.broker.partitions.leader(topic, wanted.partition_index)
        if topic in INTERNAL_TOPICS:
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
        if not partition.settings.deletes:
            raise KafkaError(ErrorCode.POLICY_VIOLATION)
        offset = partition.high_watermark if wanted.offset == HIGH_WATERMARK else wanted.offset
        if not 0 <= offset <= partition.high_watermark:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        partition.delete_records_before(offset, now_ms=context.broker.clock.now_ms())
        answer.low_watermark = partition.log.log_start_offset
    except KafkaError as error:
        answer.error_code = error.code
    return answer


def error_response(request: DeleteRecordsRequest, error: KafkaError) -> DeleteRecordsResponse:
    topics = []
    for topic in request.topics:
        answers = [
            DeleteRecordsPartitionResult(
                partition_index=wanted.partition_index, low_watermark=-1, error_code=error.code
            )
            for wanted in topic.partitions
        ]
        topics.append(DeleteRecordsTopicResult(name=topic.name, partitions=answers))
    return DeleteRecordsResponse(topics=topics)
