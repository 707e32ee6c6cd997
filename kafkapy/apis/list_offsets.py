"""ListOffsets (API key 2), versions 1-11: the offset of a partition at a point in time.

v2 isolation level    v4 leader epoch (KIP-320)    v6 flexible    v7 max timestamp (KIP-734)
v8 earliest local (KIP-405)    v9 latest tiered (KIP-1005)    v10 timeout    v11 earliest pending upload (KIP-1023)

A timestamp >= 0 asks for the first record at or after it; if there is none, the answer is offset -1 without an error.
Negative timestamps have special meanings: see `SpecialTimestamp`. There is no tiered storage: the local log is the
whole log, and no segment is tiered or pending upload.

A consumer (`replica_id` -1) is told of committed records only, a follower (its broker id) and a debugging client (-2)
of all records. A debugging client may ask a follower, too.

Errors  UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
        KAFKA_STORAGE_ERROR
        OFFSET_NOT_AVAILABLE  a new leader has yet to learn what is committed; before v5 LEADER_NOT_AVAILABLE (KIP-207)
        UNSUPPORTED_VERSION   a special timestamp that this version does not know
        INVALID_REQUEST       the partition is named twice
        INVALID_RECORD        a record is larger than max.decompressed.message.bytes

Differs: the first record that can be read is found. Apache Kafka may find a deleted one or none while a segment has
         only deleted records, and none while compaction has left a segment empty.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

from kafkapy.partitions.finding import find_by_time
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.list_offsets import ListOffsetsPartition

READ_COMMITTED = 1
CONSUMER = -1
DEBUGGING = -2
FIRST_VERSION_WITH_LEADER_EPOCH = 4
FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE = 5


class SpecialTimestamp(IntEnum):
    LATEST = -1
    EARLIEST = -2
    MAX_TIMESTAMP = -3
    EARLIEST_LOCAL = -4
    LATEST_TIERED = -5
    EARLIEST_PENDING_UPLOAD = -6


FIRST_VERSION = {
    SpecialTimestamp.LATEST: 1,
    SpecialTimestamp.EARLIEST: 1,
    SpecialTimestamp.MAX_TIMESTAMP: 7,
    SpecialTimestamp.EARLIEST_LOCAL: 8,
    SpecialTimestamp.LATEST_TIERED: 9,
    SpecialTimestamp.EARLIEST_PENDING_UPLOAD: 11,
}


async def handle(request: ListOffsetsRequest, context: RequestContext) -> ListOffsetsResponse:
    counts: Counter[tuple[str, int]] = Counter()
    turn = Turn()
    for topic in request.topics:
        for wanted in topic.partitions:
            counts[topic.name, wanted.partition_index] += 1
            await turn.share()
        await turn.share()
    answered: dict[str, ListOffsetsTopicResponse] = {}
    for topic in request.topics:
        await turn.share()
        for wanted in topic.partitions:
            await turn.share()
            count = counts.pop((topic.name, wanted.partition_index), 0)
            if not count:
                continue  # a partition named twice is answered once
            answer = ListOffsetsPartitionResponse(partition_index=wanted.partition_index)
            try:
                if count > 1:
                    raise KafkaError(ErrorCode.INVALID_REQUEST)
                _check_timestamp(wanted.timestamp, context.api_version)
                partitions = context.broker.partitions
                if request.replica_id == DEBUGGING:
                    partition = partitions.replica(topic.name, wanted.partition_index)
                    partition.check_leader_epoch(wanted.current_leader_epoch)
                else:
                    partition = partitions.leader(topic.name, wanted.partition_index, wanted.current_leader_epoch)
                await _look_up(partition, wanted, request, answer)
                if context.api_version < FIRST_VERSION_WITH_LEADER_EPOCH:
                    answer.leader_epoch = -1
            except KafkaError as error:
                answer.error_code = error.code
                if (
                    error.code is ErrorCode.OFFSET_NOT_AVAILABLE
                    and context.api_version < FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE
                ):
                    answer.error_code = ErrorCode.LEADER_NOT_AVAILABLE
                if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
                    context.broker.disk.unreadable(error)
            # A topic named twice is answered once, one without partitions not at all.
            if topic.name not in answered:
                answered[topic.name] = ListOffsetsTopicResponse(name=topic.name)
            answered[topic.name].partitions.append(answer)
    return ListOffsetsResponse(topics=list(answered.values()))


def _check_timestamp(timestamp: int, version: int) -> None:
    if timestamp < 0 and version < FIRST_VERSION.get(timestamp, 0x7FFF):  # type: ignore[call-overload]  # IntEnum keys
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)


async def _look_up(
    partition: Partition,
    wanted: ListOffsetsPartition,
    request: ListOffsetsRequest,
    answer: ListOffsetsPartitionResponse,
) -> None:
    """Fill in the offset that is found; the answer's default is that none was."""
    log = partition.log
    is_consumer = request.replica_id == CONSUMER
    if not is_consumer:
        readable_end = log.log_end_offset
    elif request.isolation_level == READ_COMMITTED:
        readable_end = partition.last_stable_offset
    else:
        readable_end = partition.high_watermark
    match wanted.timestamp:
        case SpecialTimestamp.LATEST:
            if is_consumer:
                _check_available(partition)
            answer.offset = readable_end
            answer.leader_epoch = log.leader_epochs.latest_epoch
        case SpecialTimestamp.EARLIEST | SpecialTimestamp.EARLIEST_LOCAL:
            answer.offset = log.log_start_offset
            answer.leader_epoch = log.leader_epochs.epoch_for_offset(log.log_start_offset)
        case SpecialTimestamp.LATEST_TIERED | SpecialTimestamp.EARLIEST_PENDING_UPLOAD:
            pass
        case _:
            of_max = wanted.timestamp == SpecialTimestamp.MAX_TIMESTAMP
            found = await find_by_time(log.times, wanted.timestamp, of_max=of_max)
            if found is not None and found.offset < readable_end:
                answer.timestamp, answer.offset, answer.leader_epoch = found.timestamp, found.offset, found.leader_epoch
            elif is_consumer:
                _check_available(partition)


def _check_available(partition: Partition) -> None:
    """Raises KafkaError OFFSET_NOT_AVAILABLE: records of earlier leaders may be committed, and this one does not know.

    The offsets of its answers would go back (KIP-207).
    """
    if partition.leads and partition.high_watermark < partition.epoch_start_offset:
        raise KafkaError(ErrorCode.OFFSET_NOT_AVAILABLE)


def error_response(request: ListOffsetsRequest, error: KafkaError) -> ListOffsetsResponse:
    topics = []
    for topic in request.topics:
        answers = [
            ListOffsetsPartitionResponse(partition_index=wanted.partition_index, error_code=error.code)
            for wanted in topic.partitions
        ]
        topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=answers))
    return ListOffsetsResponse(topics=topics)
