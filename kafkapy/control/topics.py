"""Topics: made, listed, changed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, check
from kafkapy.control.values import PartitionState, Topic
from kafkapy.nearest import did_you_mean
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState
from kafkapy_wire.uuid import uuid_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.image import PartitionImage

DEFAULT = -1
TIMEOUT_MS = 10_000
TOPIC_RESOURCE = 2


async def create_topic(
    nodes: ControlledNodes,
    name: str,
    partitions: int | None = None,
    replicas: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Make a topic; what is not given is the broker's default. Raises KafkaError: TOPIC_ALREADY_EXISTS and its like."""
    topic = CreatableTopic(
        name=name,
        num_partitions=DEFAULT if partitions is None else partitions,
        replication_factor=DEFAULT if replicas is None else replicas,
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in (settings or {}).items()],
    )
    answer = await nodes.ask_controller(
        CreateTopicsRequest(topics=[topic], timeout_ms=TIMEOUT_MS), CreateTopicsResponse
    )
    created = answer.topics[0]
    message = created.error_message
    check(created.error_code, f"{message}{_meant(settings)}" if created.error_code and settings else message)
    while name not in nodes.image.topics:  # noqa: ASYNC110  # a broker that is fenced now hears of it in a moment
        await trio.sleep(LOOK_AGAIN_SECONDS)


def _meant(settings: Mapping[str, str]) -> str:
    """What follows a refusal of settings: the known name that is like the first unknown one."""
    from kafkapy.settings.catalog import topic_definitions

    known = topic_definitions()
    return next((did_you_mean(name, known) for name in settings if name not in known), "")


async def ensure_topic(nodes: ControlledNodes, name: str) -> None:
    """Make a topic with the broker's defaults, unless it exists."""
    if name not in nodes.image.topics:
        try:
            await create_topic(nodes, name)
        except KafkaError as error:
            if error.code is not ErrorCode.TOPIC_ALREADY_EXISTS:
                raise


async def delete_topics(nodes: ControlledNodes, *names: str) -> None:
    """Delete topics. Raises KafkaError: one does not exist; the others are deleted."""
    wanted = [DeleteTopicState(name=name) for name in names]
    answer = await nodes.ask_controller(DeleteTopicsRequest(topics=wanted, timeout_ms=TIMEOUT_MS), DeleteTopicsResponse)
    deleted = [topic.topic_id for topic in answer.responses if not topic.error_code]
    while any(topic_id in nodes.image.topics_by_id for topic_id in deleted):  # noqa: ASYNC110  # as in `create_topic`
        await trio.sleep(LOOK_AGAIN_SECONDS)
    for topic in answer.responses:
        check(topic.error_code, topic.error_message)


async def list_topics(nodes: ControlledNodes, internal: bool = False) -> list[str]:
    """The names of all topics, in order."""
    return sorted(name for name, topic in nodes.image.topics.items() if internal or not topic.is_internal)


async def describe_topic(nodes: ControlledNodes, name: str) -> Topic:
    """A topic: its settings, and of each partition leader, replicas, ISR and offsets.

    Raises LookupError: there is no such topic.
    """
    image = nodes.image
    topic = nodes.topic(name)
    return Topic(
        name=name,
        topic_id=uuid_text(topic.topic_id),
        partitions=tuple(_state(nodes, name, index, partition) for index, partition in enumerate(topic.partitions)),
        settings=dict(image.resource_configs(TOPIC_RESOURCE, name)),
    )


def _state(nodes: ControlledNodes, name: str, index: int, partition: PartitionImage) -> PartitionState:
    try:
        led = nodes.leader(name, index)
        offsets = led.log.log_start_offset, led.high_watermark, led.last_stable_offset
    except (LookupError, KafkaError):
        offsets = -1, -1, -1
    log_start_offset, high_watermark, last_stable_offset = offsets
    return PartitionState(
        leader=partition.leader,
        leader_epoch=partition.leader_epoch,
        replicas=partition.replicas,
        isr=partition.isr,
        log_start_offset=log_start_offset,
        high_watermark=high_watermark,
        last_stable_offset=last_stable_offset,
    )
