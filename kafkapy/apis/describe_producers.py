"""DescribeProducers (API key 61), version 0: the active producers of partitions (KIP-664).

A follower answers what it knows, too.

Errors  UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, NOT_LEADER_OR_FOLLOWER (this broker has no replica)
Differs: if a request names more than 100 partitions of a topic, one that it names twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import Turn, unique_in_turns
from kafkapy_controller.topic_names import check_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import RequestContext


PARTITIONS_AT_ONCE_MAX = 100


async def handle(request: DescribeProducersRequest, context: RequestContext) -> DescribeProducersResponse:
    response = DescribeProducersResponse()
    turn = Turn()
    for topic in request.topics:
        answers = []
        indexes: Iterable[int] = topic.partition_indexes
        if len(topic.partition_indexes) > PARTITIONS_AT_ONCE_MAX:
            indexes = await unique_in_turns(topic.partition_indexes)
        for index in indexes:
            answers.append(_describe(topic.name, index, context))
            await turn.share()
        response.topics.append(TopicResponse(name=topic.name, partitions=answers))
        await turn.share()
    return response


def _describe(topic: str, index: int, context: RequestContext) -> PartitionResponse:
    answer = PartitionResponse(partition_index=index)
    try:
        check_topic_name(topic)
        if not context.broker.partitions.count(topic):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
        partition = context.broker.partitions.replica(topic, index)
    except KafkaError as error:
        answer.error_code = error.code
        answer.error_message = error.message
        return answer
    answer.active_producers = [
        ProducerState(
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            last_sequence=producer.last_sequence,
            last_timestamp=producer.last_timestamp,
            coordinator_epoch=producer.coordinator_epoch,
            current_txn_start_offset=producer.current_transaction_first_offset,
        )
        for producer in partition.log.producers.active_producers()
    ]
    return answer


def error_response(request: DescribeProducersRequest, error: KafkaError) -> DescribeProducersResponse:
    topics = []
    for topic in request.topics:
        answers = [
            PartitionResponse(partition_index=index, error_code=error.code, error_message=error.message)
            for index in topic.partition_indexes
        ]
        topics.append(TopicResponse(name=topic.name, partitions=answers))
    return DescribeProducersResponse(topics=topics)
