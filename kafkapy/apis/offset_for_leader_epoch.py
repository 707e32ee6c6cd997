"""OffsetForLeaderEpoch (API key 23), versions 2-4: where a leader epoch ends, so that a client can detect truncation.

v3 replica id    v4 flexible

`leader_epoch` in the answer is the largest known epoch that is not above the requested one. `end_offset` is the start
of the epoch after it, or the log end offset (KIP-101, KIP-279). Both are -1 if no such epoch is known.

Errors  UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH

Followers of kafkapy do not send it: the leader tells them by Fetch where their logs diverge (KIP-595).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.offset_for_leader_epoch import OffsetForLeaderPartition


async def handle(request: OffsetForLeaderEpochRequest, context: RequestContext) -> OffsetForLeaderEpochResponse:
    response = OffsetForLeaderEpochResponse()
    turn = Turn()
    for topic in request.topics:
        answers = []
        for wanted in topic.partitions:
            answers.append(_end_of_epoch(topic.topic, wanted, context))
            await turn.share()
        response.topics.append(OffsetForLeaderTopicResult(topic=topic.topic, partitions=answers))
        await turn.share()
    return response


def _end_of_epoch(topic: str, wanted: OffsetForLeaderPartition, context: RequestContext) -> EpochEndOffset:
    answer = EpochEndOffset(partition=wanted.partition)
    try:
        partition = context.broker.partitions.leader(topic, wanted.partition, wanted.current_leader_epoch)
        answer.leader_epoch, answer.end_offset = partition.log.end_offset_for_epoch(wanted.leader_epoch)
    except KafkaError as error:
        answer.error_code = error.code
    return answer


def error_response(request: OffsetForLeaderEpochRequest, error: KafkaError) -> OffsetForLeaderEpochResponse:
    topics = []
    for topic in request.topics:
        answers = [EpochEndOffset(partition=wanted.partition, error_code=error.code) for wanted in topic.partitions]
        topics.append(OffsetForLeaderTopicResult(topic=topic.topic, partitions=answers))
    return OffsetForLeaderEpochResponse(topics=topics)
