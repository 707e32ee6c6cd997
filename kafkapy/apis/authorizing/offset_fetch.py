"""OffsetFetch: the group must be described, and of its topics only those that may be are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import Parts, Served, by_name, handle_in_part, name_or_id, parted, then, with_fields
from kafkapy.security.access import is_allowed
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.offset_fetch import (
        OffsetFetchRequest,
        OffsetFetchRequestTopic,
        OffsetFetchRequestTopics,
        OffsetFetchResponse,
    )

FIRST_VERSION_WITH_ERROR, FIRST_VERSION_WITH_GROUPS = 2, 8
"""An error of the whole answer; several groups."""
NO_OFFSET = -1


def offset_fetch(served: Served, request: OffsetFetchRequest, context: NodeContext) -> Any:
    if context.api_version < FIRST_VERSION_WITH_GROUPS:
        return _of_one_group(served, request, context)
    name_of = name_or_id(context.node.metadata.image)
    groups = []
    refused_topics: dict[str, list[OffsetFetchResponseTopics]] = {}
    for group in request.groups:
        if group.topics and _may_describe_group(group.group_id, context):
            allowed, refused = parted(context, group.topics, AclOperation.DESCRIBE, ResourceType.TOPIC, name_of)
            refused_topics[group.group_id] = list(map(_refused_topic, refused))
            groups.append(with_fields(group, topics=allowed))
        else:
            groups.append(group)
    asks_for_all = {group.group_id for group in request.groups if group.topics is None}

    def with_refused(response: OffsetFetchResponse) -> OffsetFetchResponse:
        for group in response.groups:
            if group.group_id in asks_for_all:
                group.topics = [topic for topic in group.topics if _is_told(topic, name_of, context)]
            elif group.error_code == ErrorCode.NONE:
                group.topics = [*group.topics, *refused_topics.get(group.group_id, ())]
        return response

    answer = handle_in_part(
        served,
        with_fields(request, groups=groups),
        context,
        Parts("groups", "groups"),
        AclOperation.DESCRIBE,
        ResourceType.GROUP,
        lambda group: group.group_id,
    )
    return then(answer, with_refused)


def _of_one_group(served: Served, request: OffsetFetchRequest, context: NodeContext) -> Any:
    if not is_allowed(context, AclOperation.DESCRIBE, ResourceType.GROUP, request.group_id):
        refusal = served.error_response(request, KafkaError(ErrorCode.GROUP_AUTHORIZATION_FAILED))
        if context.api_version >= FIRST_VERSION_WITH_ERROR:
            refusal.topics = []
        return refusal
    allowed: Any = request.topics
    refused: list[Any] = []
    if request.topics is not None:
        allowed, refused = parted(context, request.topics, AclOperation.DESCRIBE, ResourceType.TOPIC, by_name)

    def with_refused(response: OffsetFetchResponse) -> OffsetFetchResponse:
        if request.topics is None:
            response.topics = [topic for topic in response.topics if _is_told(topic, by_name, context)]
        elif response.error_code == ErrorCode.NONE:
            response.topics = [*response.topics, *map(_refused_topic_of_old, refused)]
        return response

    return then(served.handle(with_fields(request, topics=allowed), context), with_refused)


def _may_describe_group(group_id: str, context: NodeContext) -> bool:
    return is_allowed(context, AclOperation.DESCRIBE, ResourceType.GROUP, group_id, is_logged=False)


def _is_told(topic: Any, name_of: Callable[[Any], str | None], context: NodeContext) -> bool:
    name = name_of(topic)
    return name is None or is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name, is_logged=False)


def _refused_topic(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics:
    return OffsetFetchResponseTopics(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetFetchResponsePartitions(
                partition_index=index,
                committed_offset=NO_OFFSET,
                error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            )
            for index in topic.partition_indexes
        ],
    )


def _refused_topic_of_old(topic: OffsetFetchRequestTopic) -> OffsetFetchResponseTopic:
    return OffsetFetchResponseTopic(
        name=topic.name,
        partitions=[
            OffsetFetchResponsePartition(
                partition_index=index,
                committed_offset=NO_OFFSET,
                error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            )
            for index in topic.partition_indexes
        ],
    )
