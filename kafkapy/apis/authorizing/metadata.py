"""Metadata and DescribeTopicPartitions: topics that a client may not describe are hidden, or refused if named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kafkapy.apis.authorizing.cluster import cluster_operations
from kafkapy.apis.authorizing.rule import Served, parted, with_fields
from kafkapy.apis.metadata import NO_OPERATIONS, check_topic
from kafkapy.apis.told_address import note_metadata
from kafkapy.long_messages import decoded, encoded
from kafkapy.pending import Pending
from kafkapy.security.access import is_allowed, is_allowed_in_cluster, operation_bits
from kafkapy.turns import Turn
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_controller.topic_names import INTERNAL_TOPICS
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponseTopic,
    TopicRequest,
)
from kafkapy_wire.messages.metadata import MetadataRequestTopic, MetadataResponse, MetadataResponseTopic
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from kafkapy.context import NodeContext, RequestContext
    from kafkapy_wire.messages.metadata import MetadataRequest


async def metadata(served: Served, request: MetadataRequest, context: NodeContext) -> MetadataResponse:
    """The answer of the handler is encoded in part; it is decoded again, so that it can be changed."""
    version = context.api_version
    asks_for_all = request.topics is None or (not request.topics and version == 0)
    refused: list[MetadataResponseTopic] = []
    if asks_for_all:
        named = await _describable(context)
        part = with_fields(request, topics=named, allow_auto_topic_creation=False)
    else:
        allowed, refused = await _parted(request, context)
        part = with_fields(request, topics=allowed)
    if not refused:
        note_metadata(request, cast("RequestContext", context))
    hides_all = not part.topics  # in version 0 an empty list would ask for all
    answer = served.handle(part, context)
    while not isinstance(answer, Message):
        answer = await (answer.wait() if isinstance(answer, Pending) else answer)
    data = await encoded(answer, version)
    response: Any = await decoded(MetadataResponse, memoryview(data), 0, version, elements_max=len(data))
    if hides_all:
        response.topics = []
    if request.include_topic_authorized_operations:
        turn = Turn()
        for topic in response.topics:
            if topic.topic_authorized_operations != NO_OPERATIONS:
                topic.topic_authorized_operations = operation_bits(context, ResourceType.TOPIC, topic.name or "")
            await turn.share()
    response.topics += refused
    if response.cluster_authorized_operations != NO_OPERATIONS:
        response.cluster_authorized_operations = cluster_operations(context)
    return response  # type: ignore[no-any-return]  # decoded by its class


async def _describable(context: NodeContext) -> list[MetadataRequestTopic]:
    turn = Turn()
    named = []
    for name in context.node.metadata.image.topics:
        if is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name, is_logged=False):
            named.append(MetadataRequestTopic(name=name))
        if turn.is_over:
            await turn.share()
    return named


async def _parted(
    request: MetadataRequest, context: NodeContext
) -> tuple[list[MetadataRequestTopic], list[MetadataResponseTopic]]:
    """The topics that may be described, or created; and the answers to the others."""
    image = context.node.metadata.image
    asked = {(topic.name, topic.topic_id): topic for topic in request.topics or ()}
    asks_by_id = any(topic_id != ZERO_UUID for _, topic_id in asked)
    may_create = (
        not request.allow_auto_topic_creation
        or not context.node.settings.now.topics.auto_create_topics_enable
        or is_allowed_in_cluster(context, AclOperation.CREATE, is_logged=False)
    )
    turn = Turn()
    allowed: list[MetadataRequestTopic] = []
    refused: list[MetadataResponseTopic] = []
    for (name, topic_id), topic in asked.items():
        check_topic(topic, context.api_version)
        if asks_by_id:
            known = image.topics_by_id.get(topic_id)
            if known is None or is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, known.name):
                allowed.append(topic)
            else:
                refused.append(_refused(None, topic))
        elif name is None or (
            is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name)
            and (
                may_create or name in image.topics or is_allowed(context, AclOperation.CREATE, ResourceType.TOPIC, name)
            )
        ):
            allowed.append(topic)
        else:
            refused.append(_refused(name, topic))
        if turn.is_over:
            await turn.share()
    return allowed, refused


def _refused(name: str | None, topic: MetadataRequestTopic) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name=name,
        topic_id=topic.topic_id,
        error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        is_internal=name in INTERNAL_TOPICS,
    )


async def describe_topic_partitions(
    served: Served, request: DescribeTopicPartitionsRequest, context: NodeContext
) -> DescribeTopicPartitionsResponse:
    """Topics that are refused come after the last page."""
    refused: list[TopicRequest] = []
    if request.topics:
        allowed, refused = parted(
            context, request.topics, AclOperation.DESCRIBE, ResourceType.TOPIC, lambda topic: topic.name
        )
    else:
        allowed = [TopicRequest(name=topic.name or "") for topic in await _describable(context)]
    response = DescribeTopicPartitionsResponse()
    if allowed:
        response = await served.handle(with_fields(request, topics=allowed), context)
    for topic in response.topics:
        topic.topic_authorized_operations = operation_bits(context, ResourceType.TOPIC, topic.name or "")
    response.topics += [
        DescribeTopicPartitionsResponseTopic(
            name=topic.name,
            error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            is_internal=topic.name in INTERNAL_TOPICS,
        )
        for topic in refused
    ]
    return response
