"""APIs that are about topics: each topic is allowed or refused for itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import (
    TOPIC_REFUSED,
    Parts,
    Served,
    answer_in_part,
    by_name,
    handle_in_part,
    name_or_id,
    parted,
    then,
    with_fields,
)
from kafkapy.errors import CloseConnection
from kafkapy.pending import Pending
from kafkapy.security.access import check, is_allowed, is_allowed_in_cluster
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_partitions import CreatePartitionsResponse, CreatePartitionsTopicResult
from kafkapy_wire.messages.create_topics import CreatableTopicResult, CreateTopicsResponse
from kafkapy_wire.messages.delete_topics import DeletableTopicResult, DeleteTopicsResponse
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest
    from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
    from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
    from kafkapy_wire.messages.produce import ProduceRequest
    from kafkapy_wire.uuid import Uuid

_TOPICS = Parts("topics", "topics")


_IS_TRANSACTIONAL = 0x10
_ATTRIBUTES = slice(21, 23)


def produce(served: Served, request: ProduceRequest, context: NodeContext) -> Any:
    if _has_transactional_records(request):
        if request.transactional_id is None:
            raise KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        check(context, AclOperation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id)
    name_of = name_or_id(context.node.metadata.image)
    allowed, refused = parted(context, request.topic_data, AclOperation.WRITE, ResourceType.TOPIC, name_of)
    if not refused:
        return served.handle(request, context)
    part = with_fields(request, topic_data=allowed)
    if not request.acks:
        return _handle_and_close(served, part, context)
    refusal = served.error_response(
        with_fields(request, topic_data=refused), KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    )
    return answer_in_part(served, part, context, Parts("topic_data", "responses"), refusal)


def _has_transactional_records(request: ProduceRequest) -> bool:
    return any(
        data.records is not None
        and len(data.records) >= _ATTRIBUTES.stop
        and int.from_bytes(data.records[_ATTRIBUTES], "big") & _IS_TRANSACTIONAL
        for topic in request.topic_data
        for data in topic.partition_data
    )


async def _handle_and_close(served: Served, request: ProduceRequest, context: NodeContext) -> Any:
    """With acks=0 there is no answer that could have the error: what is allowed is stored, then the connection ends."""
    answer = served.handle(request, context) if request.topic_data else None
    while answer is not None and not isinstance(answer, Message):
        answer = await (answer.wait() if isinstance(answer, Pending) else answer)
    raise CloseConnection(f"a produce request with acks=0 failed with {ErrorCode.TOPIC_AUTHORIZATION_FAILED.name}")


def list_offsets(served: Served, request: Any, context: NodeContext) -> Any:
    return handle_in_part(served, request, context, _TOPICS, AclOperation.DESCRIBE, ResourceType.TOPIC, by_name)


def delete_records(served: Served, request: Any, context: NodeContext) -> Any:
    return handle_in_part(served, request, context, _TOPICS, AclOperation.DELETE, ResourceType.TOPIC, by_name)


def describe_producers(served: Served, request: Any, context: NodeContext) -> Any:
    return handle_in_part(
        served, request, context, _TOPICS, AclOperation.READ, ResourceType.TOPIC, by_name, TOPIC_REFUSED
    )


def offset_for_leader_epoch(served: Served, request: Any, context: NodeContext) -> Any:
    """Followers ask, and consumers."""
    if is_allowed_in_cluster(context, AclOperation.CLUSTER_ACTION, is_logged=False):
        return served.handle(request, context)
    return handle_in_part(
        served, request, context, _TOPICS, AclOperation.DESCRIBE, ResourceType.TOPIC, lambda entry: entry.topic
    )


def create_topics(served: Served, request: CreateTopicsRequest, context: NodeContext) -> Any:
    counts = Counter([topic.name for topic in request.topics])
    may_create_all = is_allowed_in_cluster(context, AclOperation.CREATE, is_logged=False)

    def name_of(topic: CreatableTopic) -> str | None:
        """None: the handler refuses it in any case."""
        return None if counts[topic.name] > 1 or topic.name == CLUSTER_METADATA_TOPIC else topic.name

    refused: list[CreatableTopic] = []
    allowed = request.topics
    if not may_create_all:
        allowed, refused = parted(context, request.topics, AclOperation.CREATE, ResourceType.TOPIC, name_of)
    refusal = CreateTopicsResponse(
        topics=[
            CreatableTopicResult(
                name=topic.name,
                error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                error_message="Authorization failed.",
            )
            for topic in refused
        ]
    )
    answer = answer_in_part(served, with_fields(request, topics=allowed), context, _TOPICS, refusal)
    return then(answer, lambda response: _without_hidden_configs(response, context))


def _without_hidden_configs(response: CreateTopicsResponse, context: NodeContext) -> CreateTopicsResponse:
    """Who may not describe the settings of a topic is not told those of one that was made."""
    for topic in response.topics:
        if topic.error_code == ErrorCode.NONE and not is_allowed(
            context, AclOperation.DESCRIBE_CONFIGS, ResourceType.TOPIC, topic.name, is_logged=False
        ):
            topic.topic_config_error_code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
            topic.num_partitions = topic.replication_factor = -1
            topic.configs = []
    return response


def create_partitions(served: Served, request: CreatePartitionsRequest, context: NodeContext) -> Any:
    counts = Counter([topic.name for topic in request.topics])
    allowed, refused = parted(
        context,
        request.topics,
        AclOperation.ALTER,
        ResourceType.TOPIC,
        lambda topic: None if counts[topic.name] > 1 else topic.name,
    )
    refusal = CreatePartitionsResponse(
        results=[
            CreatePartitionsTopicResult(
                name=topic.name, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, error_message=None
            )
            for topic in refused
        ]
    )
    return answer_in_part(served, with_fields(request, topics=allowed), context, Parts("topics", "results"), refusal)


def delete_topics(served: Served, request: DeleteTopicsRequest, context: NodeContext) -> Any:
    """Who may not even describe a topic that is named by its id is not told its name."""
    may_delete_all = is_allowed_in_cluster(context, AclOperation.DELETE, is_logged=False)
    if may_delete_all or not context.node.settings.now.topics.delete_topic_enable:
        return served.handle(request, context)
    named = Counter([*request.topic_names, *[topic.name for topic in request.topics]])
    ids = Counter([topic.topic_id for topic in request.topics])
    image = context.node.metadata.image
    refusal = DeleteTopicsResponse()
    topic_names = [name for name in request.topic_names if named[name] > 1 or _may_delete(name, None, context, refusal)]
    topics: list[DeleteTopicState] = []
    for topic in request.topics:
        if topic.name is not None:
            is_single = named[topic.name] == 1 and topic.topic_id == ZERO_UUID
            if not is_single or _may_delete(topic.name, None, context, refusal):
                topics.append(topic)
        else:
            known = image.topics_by_id.get(topic.topic_id)
            if known is None or ids[topic.topic_id] > 1 or _may_delete(known.name, topic.topic_id, context, refusal):
                topics.append(topic)

    def add(response: DeleteTopicsResponse) -> DeleteTopicsResponse:
        response.responses = [*response.responses, *refusal.responses]
        return response

    if not topic_names and not topics:
        return refusal
    return then(served.handle(with_fields(request, topic_names=topic_names, topics=topics), context), add)


def _may_delete(name: str, topic_id: Uuid | None, context: NodeContext, refusal: DeleteTopicsResponse) -> bool:
    """`topic_id`: the topic was named by it. A refusal is added."""
    may_describe = is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name)
    exists = name in context.node.metadata.image.topics
    if may_describe and (not exists or is_allowed(context, AclOperation.DELETE, ResourceType.TOPIC, name)):
        return True
    is_named = topic_id is None or may_describe
    refusal.responses.append(
        DeletableTopicResult(
            name=name if is_named else None,
            topic_id=ZERO_UUID if topic_id is None else topic_id,
            error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            error_message=TOPIC_REFUSED,
        )
    )
    return False
