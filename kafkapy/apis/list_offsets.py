"""ListOffsets (API key 2), versions 1-11: the offset of a partition at a point in time.

v2 isolation level    v4 leader epoch (KIP-320)    v6 flexible    v7 max timestamp (KIP-734)
v8 earliest local (KIP-405)    v9 latest tiered (KIP-1005)    v10 timeout    v11 earliest pending upload (KIP-1023)

A timestamp >= 0 asks for the first record at or after it; nothing found is offset -1 without an error. Negative ones
are names: see `SpecialTimestamp`. Without tiered storage the local log is the whole log, and nothing is tiered or
pending.

Errors  UNKNOWN_TOPIC_OR_PARTITION, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR
        UNSUPPORTED_VERSION   a special timestamp that this version does not know
        INVALID_REQUEST       the partition is named twice
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

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
FIRST_VERSION_WITH_LEADER_EPOCH = 4


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
    times_named = Counter(
        (topic.name, wanted.partition_index) for topic in request.topics for wanted in topic.partitions
    )
    response = ListOffsetsResponse()
    turn = Turn()
    for topic in request.topics:
        answers = []
        # A partition named twice is answered once.
        for wanted in {wanted.partition_index: wanted for wanted in topic.partitions}.values():
            answer = ListOffsetsPartitionResponse(partition_index=wanted.partition_index)
            try:
                if times_named[topic.name, wanted.partition_index] > 1:
                    raise KafkaError(ErrorCode.INVALID_REQUEST)
                _check_timestamp(wanted.timestamp, context.api_version)
                partition = context.broker.partitions.leader(topic.name, wanted.partition_index)
                partition.check_leader_epoch(wanted.current_leader_epoch)
                _look_up(partition, wanted, request, answer)
                if context.api_version < FIRST_VERSION_WITH_LEADER_EPOCH:
                    answer.leader_epoch = -1
            except KafkaError as error:
                answer.error_code = error.code
                if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
                    context.broker.disk.unreadable(error)
            answers.append(answer)
            await turn.share()
        response.topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=answers))
    return response


def _check_timestamp(timestamp: int, version: int) -> None:
    if timestamp < 0 and version < FIRST_VERSION.get(timestamp, 0x7FFF):  # type: ignore[call-overload]  # IntEnum keys
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)


def _look_up(
    partition: Partition,
    wanted: ListOffsetsPartition,
    request: ListOffsetsRequest,
    answer: ListOffsetsPartitionResponse,
) -> None:
    """Fill in what is found; the answer's defaults say that nothing was."""
    log = partition.log
    committed_only = request.isolation_level == READ_COMMITTED
    readable_end = partition.last_stable_offset if committed_only else partition.high_watermark
    match wanted.timestamp:
        case SpecialTimestamp.LATEST:
            answer.offset = readable_end
            answer.leader_epoch = log.leader_epochs.latest_epoch
        case SpecialTimestamp.EARLIEST | SpecialTimestamp.EARLIEST_LOCAL:
            answer.offset = log.log_start_offset
            answer.leader_epoch = log.leader_epochs.epoch_for_offset(log.log_start_offset)
        case SpecialTimestamp.LATEST_TIERED | SpecialTimestamp.EARLIEST_PENDING_UPLOAD:
            pass
        case _:
            if wanted.timestamp == SpecialTimestamp.MAX_TIMESTAMP:
                found = log.offset_of_max_timestamp()
            else:
                found = log.offset_for_timestamp(wanted.timestamp)
            if found is not None and found.offset < readable_end:
                answer.timestamp, answer.offset, answer.leader_epoch = found.timestamp, found.offset, found.leader_epoch


def error_response(request: ListOffsetsRequest, error: KafkaError) -> ListOffsetsResponse:
    topics = []
    for topic in request.topics:
        answers = [
            ListOffsetsPartitionResponse(partition_index=wanted.partition_index, error_code=error.code)
            for wanted in topic.partitions
        ]
        topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=answers))
    return ListOffsetsResponse(topics=topics)
