"""DeleteRecords (API key 21), versions 0-2: move a partition's log start offset forward (KIP-107).

v2 flexible

Offset -1 is the high watermark. When the answer leaves, records below the offset cannot be read any more, from no live
replica. A segment is deleted when all its records are below the offset. A partition named twice is answered once: its
last offset counts.

Errors  UNKNOWN_TOPIC_OR_PARTITION
        NOT_LEADER_OR_FOLLOWER    another broker leads the partition
        REQUEST_TIMED_OUT         a live follower has not deleted them within timeout_ms
        OFFSET_OUT_OF_RANGE       below 0 or above the high watermark
        INVALID_TOPIC_EXCEPTION   an internal topic
        POLICY_VIOLATION          the topic is compacted and its cleanup.policy has no "delete"
        KAFKA_STORAGE_ERROR       the new start could not be written to log-start-offset-checkpoint: it holds until a
                                  crash of the broker

Differs: the answer waits until log-start-offset-checkpoint has the new start. Apache Kafka writes that file once a
minute: if it is killed before, the records that it had answered to be deleted can be read again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

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
    from kafkapy.clock import Clock
    from kafkapy.context import RequestContext
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.delete_records import DeleteRecordsPartition

HIGH_WATERMARK = -1
UNKNOWN_LOW_WATERMARK = -1


async def handle(request: DeleteRecordsRequest, context: RequestContext) -> DeleteRecordsResponse:
    topics = []
    turn = Turn()
    followers = _Followers()
    wanted_of: dict[str, dict[int, DeleteRecordsPartition]] = {}
    for topic in request.topics:
        for wanted in topic.partitions:
            wanted_of.setdefault(topic.name, {})[wanted.partition_index] = wanted
            await turn.share()
        await turn.share()
    for name, partitions in wanted_of.items():
        answers = []
        for wanted in partitions.values():
            answers.append(_delete(name, wanted, context, followers))
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
    await followers.wait(request.timeout_ms, context.broker.clock)
    return DeleteRecordsResponse(topics=topics)


class _Followers:
    """The answers that wait until live followers have deleted the records, too."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[DeleteRecordsPartitionResult, Partition]] = {}
        self._added = 0
        self._done = trio.Event()

    def add(self, answer: DeleteRecordsPartitionResult, partition: Partition, offset: int) -> None:
        self._added += 1
        self._waiting[self._added] = (answer, partition)
        partition.when_deleted(offset, partial(self._deleted, self._added))

    def _deleted(self, key: int, error: KafkaError | None) -> None:
        answer, partition = self._waiting.pop(key)
        if error is None:
            answer.low_watermark = partition.low_watermark
        elif not answer.error_code:
            answer.error_code = error.code
        if not self._waiting:
            self._done.set()

    async def wait(self, timeout_ms: int, clock: Clock) -> None:
        """Return when all have deleted them, or the time is up."""
        if not self._waiting:
            return
        self._done = trio.Event()
        if not await clock.wait(self._done, timeout_ms):
            for answer, _ in self._waiting.values():
                answer.error_code = answer.error_code or ErrorCode.REQUEST_TIMED_OUT


def _delete(
    topic: str, wanted: DeleteRecordsPartition, context: RequestContext, followers: _Followers
) -> DeleteRecordsPartitionResult:
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
        answer.low_watermark = partition.low_watermark
        if answer.low_watermark < offset:
            followers.add(answer, partition, offset)
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
