"""What Metadata and FindCoordinator tell clients of this node: who is sent here, and may not get here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import Endpoint, MetadataImage
    from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic

TOPICS_MAX: Final = 20
PARTITIONS_MAX: Final = 100
"""Of a topic. More are not looked at: who asks for more is not judged by that."""


def note_metadata(request: MetadataRequest, context: RequestContext) -> None:
    """Called with each request that is answered: the client is told where the brokers are."""
    told = context.broker.told_clients
    key = told.unsettled(context.client, context.client_id)
    if key is None:
        return
    topics = request.topics
    if topics is None or (not topics and context.api_version == 0):
        told.listed(key)
    elif _needs_this_node(topics, context.broker.metadata.image, context.broker.node_id):
        broker = context.broker.metadata.image.brokers.get(context.broker.node_id)
        endpoint = None if broker is None else broker.endpoints.get(context.client.listener_name)
        if endpoint is not None:
            told.told(key, context.client, endpoint.host, endpoint.port)


def note_coordinator(endpoint: Endpoint, broker_id: int, context: RequestContext) -> None:
    """The client is told that this broker is its coordinator."""
    told = context.broker.told_clients
    if broker_id != context.broker.node_id:
        return
    key = told.unsettled(context.client, context.client_id)
    if key is not None:
        told.told(key, context.client, endpoint.host, endpoint.port, is_coordinator=True)


def _needs_this_node(topics: Sequence[MetadataRequestTopic], image: MetadataImage, node_id: int) -> bool:
    """Whether a client can do nothing without this node: it leads all partitions of the topics, or is the only one."""
    if not topics:
        return len(image.unfenced_brokers()) == 1
    if len(topics) > TOPICS_MAX:
        return False
    for asked in topics:
        topic = image.topics.get(asked.name) if asked.name is not None else image.topics_by_id.get(asked.topic_id)
        if topic is None or len(topic.partitions) > PARTITIONS_MAX:
            return False
        if any(partition.leader != node_id for partition in topic.partitions):
            return False
    return True
