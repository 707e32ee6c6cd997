"""The offsets of share groups: described, altered and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import (
    GROUP_REFUSED,
    TOPIC_REFUSED,
    Parts,
    Served,
    handle_in_part,
    parted,
    then,
    with_fields,
)
from kafkapy.security.access import is_allowed
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages import alter_share_group_offsets as altering
from kafkapy_wire.messages import delete_share_group_offsets as deleting
from kafkapy_wire.messages import describe_share_group_offsets as describing
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.uuid import Uuid


NO_OFFSET = -1


def _by_topic_name(topic: Any) -> str:
    name: str = topic.topic_name
    return name


def describe(served: Served, request: describing.DescribeShareGroupOffsetsRequest, context: NodeContext) -> Any:
    groups = []
    refused_topics: dict[str, list[describing.DescribeShareGroupOffsetsResponseTopic]] = {}
    asks_for_all = {group.group_id for group in request.groups if group.topics is None}
    for group in request.groups:
        allowed: Any = group.topics
        refused: list[Any] = []
        if group.topics and is_allowed(
            context, AclOperation.DESCRIBE, ResourceType.GROUP, group.group_id, is_logged=False
        ):
            allowed, refused = parted(context, group.topics, AclOperation.DESCRIBE, ResourceType.TOPIC, _by_topic_name)
        refused_topics[group.group_id] = [_refused(topic) for topic in refused]
        groups.append(with_fields(group, topics=allowed))

    def with_refused(
        response: describing.DescribeShareGroupOffsetsResponse,
    ) -> describing.DescribeShareGroupOffsetsResponse:
        for group in response.groups:
            if group.group_id in asks_for_all:
                group.topics, _ = parted(
                    context, group.topics, AclOperation.DESCRIBE, ResourceType.TOPIC, _by_topic_name
                )
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


def _refused(
    topic: describing.DescribeShareGroupOffsetsRequestTopic,
) -> describing.DescribeShareGroupOffsetsResponseTopic:
    return describing.DescribeShareGroupOffsetsResponseTopic(
        topic_name=topic.topic_name,
        partitions=[
            describing.DescribeShareGroupOffsetsResponsePartition(
                partition_index=index,
                start_offset=NO_OFFSET,
                error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                error_message=TOPIC_REFUSED,
            )
            for index in topic.partitions
        ],
    )


def alter(served: Served, request: altering.AlterShareGroupOffsetsRequest, context: NodeContext) -> Any:
    _check_group(context, AclOperation.READ, request.group_id)
    allowed, refused = parted(context, request.topics, AclOperation.READ, ResourceType.TOPIC, _by_topic_name)
    refusals = [
        altering.AlterShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name,
            topic_id=_id_of(topic.topic_name, context),
            partitions=[
                altering.AlterShareGroupOffsetsResponsePartition(
                    partition_index=partition.partition_index,
                    error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                    error_message=TOPIC_REFUSED,
                )
                for partition in topic.partitions
            ],
        )
        for topic in refused
    ]
    return then(served.handle(with_fields(request, topics=allowed), context), lambda answer: _with(answer, refusals))


def delete(served: Served, request: deleting.DeleteShareGroupOffsetsRequest, context: NodeContext) -> Any:
    _check_group(context, AclOperation.DELETE, request.group_id)
    allowed, refused = parted(context, request.topics, AclOperation.READ, ResourceType.TOPIC, _by_topic_name)
    refusals = [
        deleting.DeleteShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name,
            error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            error_message=TOPIC_REFUSED,
        )
        for topic in refused
    ]
    return then(served.handle(with_fields(request, topics=allowed), context), lambda answer: _with(answer, refusals))


def _check_group(context: NodeContext, operation: AclOperation, group_id: str) -> None:
    if not is_allowed(context, operation, ResourceType.GROUP, group_id):
        raise KafkaError(ErrorCode.GROUP_AUTHORIZATION_FAILED, GROUP_REFUSED)


def _with(answer: Any, refusals: list[Any]) -> Any:
    if answer.error_code == ErrorCode.NONE:
        answer.responses = [*answer.responses, *refusals]
    return answer


def _id_of(name: str, context: NodeContext) -> Uuid:
    topic = context.node.metadata.image.topics.get(name)
    return ZERO_UUID if topic is None else topic.topic_id
