"""DescribeTopicPartitions (API key 75), version 0: partitions of topics, page by page (KIP-966).

Topics come sorted by name; a request without names asks for all. After `response_partition_limit` partitions (at most
max.request.partition.size.limit, at least one) the answer ends with a cursor: where the next page begins. Topics that
do not exist do not count towards the limit.

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_TOPIC_EXCEPTION     not a topic's name
        INVALID_REQUEST             the request does not name the cursor's topic, or the cursor's partition is negative

A partition without a leader, or whose leader has no listener with the name of the client's, has leader_id -1 and no
error, other than in Metadata.

Differs: an empty topic name is answered with INVALID_TOPIC_EXCEPTION; Apache Kafka answers UNKNOWN_SERVER_ERROR for
every topic of such a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.metadata import ALL_TOPIC_OPERATIONS, offline_replicas, partition_error
from kafkapy.turns import Turn, each_in_turns, sorted_in_turns
from kafkapy_controller.image import NO_LEADER
from kafkapy_controller.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages import describe_topic_partitions as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage


async def handle(
    request: wire.DescribeTopicPartitionsRequest, context: RequestContext
) -> wire.DescribeTopicPartitionsResponse:
    image = context.broker.metadata.image
    limit_max = context.broker.settings.now.topics.max_request_partition_size_limit
    room = max(min(limit_max, request.response_partition_limit), 1)
    listener_name = context.client.listener_name
    response = wire.DescribeTopicPartitionsResponse()
    turn = Turn()
    for name in await _names(request, image):
        await turn.share()
        if not room:
            response.next_cursor = wire.DescribeTopicPartitionsResponseCursor(topic_name=name, partition_index=0)
            break
        topic = image.topics.get(name)
        if topic is None:
            response.topics.append(_unknown_topic(name))
            continue
        cursor = request.cursor
        first = cursor.partition_index if cursor is not None and cursor.topic_name == name else 0
        end = min(len(topic.partitions), first + room)
        response.topics.append(_topic(topic, range(first, end), image, listener_name))
        room -= max(end - first, 0)
        if end < len(topic.partitions):
            response.next_cursor = wire.DescribeTopicPartitionsResponseCursor(topic_name=name, partition_index=end)
            break
    return response


def error_response(
    request: wire.DescribeTopicPartitionsRequest, error: KafkaError
) -> wire.DescribeTopicPartitionsResponse:
    return wire.DescribeTopicPartitionsResponse(
        topics=[
            wire.DescribeTopicPartitionsResponseTopic(name=topic.name, error_code=error.code)
            for topic in request.topics
        ]
    )


async def _names(request: wire.DescribeTopicPartitionsRequest, image: MetadataImage) -> Iterator[str]:
    """The topics from the cursor on. Raises KafkaError INVALID_REQUEST: the cursor does not fit the request."""
    names: set[str] = set()
    await each_in_turns(names.add, (topic.name for topic in request.topics))
    names = names or set(image.topics)
    cursor = request.cursor
    if cursor is None:
        return await sorted_in_turns(names)
    if request.topics and cursor.topic_name not in names:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            f"DescribeTopicPartitionsRequest topic list should contain the cursor topic: {cursor.topic_name}",
        )
    if cursor.partition_index < 0:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST, f"DescribeTopicPartitionsRequest cursor partition must be valid: {cursor}"
        )
    return await sorted_in_turns(name for name in names if name >= cursor.topic_name)


def _unknown_topic(name: str) -> wire.DescribeTopicPartitionsResponseTopic:
    valid = is_valid_topic_name(name)
    return wire.DescribeTopicPartitionsResponseTopic(
        name=name,
        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if valid else ErrorCode.INVALID_TOPIC_EXCEPTION,
        is_internal=name in INTERNAL_TOPICS,
        topic_authorized_operations=ALL_TOPIC_OPERATIONS,
    )


def _topic(
    topic: TopicImage, indexes: range, image: MetadataImage, listener_name: str
) -> wire.DescribeTopicPartitionsResponseTopic:
    return wire.DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[_partition(index, topic.partitions[index], image, listener_name) for index in indexes],
        topic_authorized_operations=ALL_TOPIC_OPERATIONS,
    )


def _partition(
    index: int, partition: PartitionImage, image: MetadataImage, listener_name: str
) -> wire.DescribeTopicPartitionsResponsePartition:
    error = partition_error(partition, image, listener_name)
    return wire.DescribeTopicPartitionsResponsePartition(
        partition_index=index,
        leader_id=NO_LEADER if error else partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.eligible_leader_replicas),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=offline_replicas(partition, image),
    )
