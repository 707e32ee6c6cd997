"""Metadata (API key 3), versions 0-13: the brokers, and the partitions of some or all topics with their leaders.

v1 null asks for all topics, an empty list for none; in v0 empty is all   v2 cluster id   v4 the client may forbid that
a topic is made   v5 offline replicas   v7 leader epochs (KIP-320)   v8 authorized operations (KIP-430)   v9 flexible
v10 topic ids (KIP-516)   v11 no cluster operations any more (KIP-700)   v12 topics may be asked for by id
v13 an error for the whole answer (KIP-1102)

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic, and none was made
        INVALID_TOPIC_EXCEPTION     not a topic's name
        UNKNOWN_TOPIC_ID            no such topic; from the moment one topic is asked for by id, names are not looked at
        LEADER_NOT_AVAILABLE        a partition without a leader
        LISTENER_NOT_FOUND          its leader has no listener of the client's listener name (v6+; before the one above)
        REPLICA_NOT_AVAILABLE       v0: a replica is down; it is then left out
        INVALID_REQUEST             v10-v11: a topic is asked for by id
        UNKNOWN_SERVER_ERROR        v12+: neither a name nor an id
Differs: a topic that is made for the request is in this answer already. Apache Kafka says UNKNOWN_TOPIC_OR_PARTITION
and lets the client ask again.
Without an authorizer every operation is authorized.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy_controller.image import NO_LEADER
from kafkapy_controller.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage

logger = logging.getLogger("kafkapy.apis.metadata")

NO_OPERATIONS = -2147483648
"""Nobody asked."""
ALL_TOPIC_OPERATIONS = 3_576
"""A bit for each AclOperation a topic knows: 3 READ to 8 DESCRIBE, 10 and 11 DESCRIBE_, ALTER_CONFIGS."""
ALL_CLUSTER_OPERATIONS = 8_096
"""The same for the cluster: 5 CREATE, 7 ALTER to 11 ALTER_CONFIGS, 12 IDEMPOTENT_WRITE."""

FIRST_VERSION_WITH_LISTENER_NOT_FOUND = 6
FIRST_VERSION_ASKING_BY_ID = 12


def handle(
    request: MetadataRequest, context: RequestContext
) -> MetadataResponse | Coroutine[object, object, MetadataResponse]:
    _check(request, context.api_version)
    missing = _topics_to_make(request, context)
    return _make_and_answer(request, context, missing) if missing else _answer(request, context)


def error_response(request: MetadataRequest, error: KafkaError) -> MetadataResponse:
    return MetadataResponse(
        error_code=error.code,
        topics=[
            MetadataResponseTopic(name=topic.name or "", topic_id=topic.topic_id, error_code=error.code)
            for topic in request.topics or ()
        ],
    )


def _check(request: MetadataRequest, version: int) -> None:
    for topic in request.topics or ():
        if version < FIRST_VERSION_ASKING_BY_ID:
            if topic.topic_id != ZERO_UUID or topic.name is None:
                raise KafkaError(ErrorCode.INVALID_REQUEST)
        elif topic.name is None and topic.topic_id == ZERO_UUID:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)


def _topics_to_make(request: MetadataRequest, context: RequestContext) -> list[str]:
    if not request.topics or not request.allow_auto_topic_creation or _asks_by_id(request):
        return []
    broker = context.broker
    if not broker.settings.now.topics.auto_create_topics_enable:
        return []
    known = broker.metadata.image.topics
    names = dict.fromkeys(topic.name for topic in request.topics)
    return [name for name in names if name is not None and name not in known and is_valid_topic_name(name)]


async def _make_and_answer(request: MetadataRequest, context: RequestContext, missing: list[str]) -> MetadataResponse:
    from kafkapy.metadata.internal_topics import create_missing_topics

    try:
        await create_missing_topics(context.broker.controller, missing, context.broker.settings.now)
    except KafkaError as error:
        # The answer says UNKNOWN_TOPIC_OR_PARTITION, as Apache Kafka's does; the reason is for who runs the broker.
        logger.warning("cannot make the topics %s that %s asks for: %s", missing, context.client_id, error)
    return _answer(request, context)


def _asks_by_id(request: MetadataRequest) -> bool:
    return any(topic.topic_id != ZERO_UUID for topic in request.topics or ())


def _answer(request: MetadataRequest, context: RequestContext) -> MetadataResponse:
    broker = context.broker
    image = broker.metadata.image
    return MetadataResponse(
        brokers=_brokers(image, context),
        cluster_id=broker.cluster_id,
        controller_id=broker.controller.leader_id,
        topics=_topics(request, image, context),
        cluster_authorized_operations=(
            ALL_CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NO_OPERATIONS
        ),
    )


def _brokers(image: MetadataImage, context: RequestContext) -> list[MetadataResponseBroker]:
    listener_name = context.client.listener_name
    return [
        MetadataResponseBroker(
            node_id=broker.broker_id,
            host=context.advertised_host(endpoint),
            port=endpoint.port,
            rack=broker.rack,
        )
        for broker in image.unfenced_brokers()
        if (endpoint := broker.endpoints.get(listener_name)) is not None
    ]


def _topics(request: MetadataRequest, image: MetadataImage, context: RequestContext) -> list[MetadataResponseTopic]:
    """In the order of the request, what is known first; Apache Kafka's order is that of a hash table."""
    operations = ALL_TOPIC_OPERATIONS if request.include_topic_authorized_operations else NO_OPERATIONS
    wanted = request.topics
    if wanted is None or (not wanted and context.api_version == 0):
        return [_topic(topic, operations, image, context) for topic in image.topics.values()]
    if _asks_by_id(request):
        ids = dict.fromkeys(topic.topic_id for topic in wanted if topic.topic_id != ZERO_UUID)
        unknown_ids = [
            MetadataResponseTopic(name=None, topic_id=topic_id, error_code=ErrorCode.UNKNOWN_TOPIC_ID)
            for topic_id in ids
            if topic_id not in image.topics_by_id
        ]
        known = (image.topics_by_id[topic_id] for topic_id in ids if topic_id in image.topics_by_id)
        return unknown_ids + [_topic(topic, operations, image, context) for topic in known]
    names = dict.fromkeys(topic.name for topic in wanted if topic.name is not None)
    topics = [_topic(image.topics[name], operations, image, context) for name in names if name in image.topics]
    topics += [_unknown_topic(name, operations) for name in names if name not in image.topics]
    return topics


def _unknown_topic(name: str, operations: int) -> MetadataResponseTopic:
    valid = is_valid_topic_name(name)
    return MetadataResponseTopic(
        name=name,
        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if valid else ErrorCode.INVALID_TOPIC_EXCEPTION,
        is_internal=name in INTERNAL_TOPICS,
        topic_authorized_operations=operations,
    )


def _topic(topic: TopicImage, operations: int, image: MetadataImage, context: RequestContext) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[_partition(index, partition, image, context) for index, partition in enumerate(topic.partitions)],
        topic_authorized_operations=operations,
    )


def _partition(
    index: int, partition: PartitionImage, image: MetadataImage, context: RequestContext
) -> MetadataResponsePartition:
    version, listener_name = context.api_version, context.client.listener_name
    error = partition_error(partition, image, listener_name)
    leader = NO_LEADER if error else partition.leader
    if error is ErrorCode.LISTENER_NOT_FOUND and version < FIRST_VERSION_WITH_LISTENER_NOT_FOUND:
        error = ErrorCode.LEADER_NOT_AVAILABLE
    replicas, isr = list(partition.replicas), list(partition.isr)
    if version == 0:
        # Clients of that time took every replica for one that they can connect to.
        replicas = [broker_id for broker_id in replicas if _has_endpoint(broker_id, listener_name, image)]
        isr = [broker_id for broker_id in isr if broker_id in replicas]
        if not error and len(replicas) < len(partition.replicas):
            error = ErrorCode.REPLICA_NOT_AVAILABLE
    return MetadataResponsePartition(
        error_code=error,
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=isr,
        offline_replicas=offline_replicas(partition, image),
    )


def partition_error(partition: PartitionImage, image: MetadataImage, listener_name: str) -> ErrorCode:
    """NONE when clients of that listener can reach the leader."""
    if _has_endpoint(partition.leader, listener_name, image):
        return ErrorCode.NONE
    return ErrorCode.LISTENER_NOT_FOUND if partition.leader in image.brokers else ErrorCode.LEADER_NOT_AVAILABLE


def _has_endpoint(broker_id: int, listener_name: str, image: MetadataImage) -> bool:
    broker = image.brokers.get(broker_id)
    return broker is not None and not broker.fenced and listener_name in broker.endpoints


def offline_replicas(partition: PartitionImage, image: MetadataImage) -> list[int]:
    """Replicas on brokers or in directories that are down."""
    return [
        broker_id
        for broker_id, directory in zip(partition.replicas, partition.directories, strict=True)
        if not image.is_online(broker_id, directory)
    ]
