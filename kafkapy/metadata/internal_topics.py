"""Topics that the broker creates by itself: auto-created ones, internal ones, and those that are given at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.settings import Settings
    from kafkapy.settings.given import GivenTopic
    from kafkapy_wire.messages.create_topics import CreateTopicsResponse


class TopicCreator(Protocol):
    """The active controller: see `active_controller.ActiveController`."""

    async def create_topics(self, request: CreateTopicsRequest) -> CreateTopicsResponse: ...


async def create_missing_topics(controller: TopicCreator, names: Iterable[str], settings: Settings) -> list[str]:
    """Create the topics that do not exist, and return their names. It is no error if another request is faster.

    Raises KafkaError with the first failure.
    """
    return await _create(controller, [topic_to_create(name, settings) for name in names])


async def create_given_topics(controller: TopicCreator, topics: Iterable[GivenTopic]) -> None:
    """Create the topics that the user has given for the start. Raises KafkaError, whose message names the topic."""
    for topic in topics:
        try:
            await _create(controller, [_topic(*topic)])
        except KafkaError as error:
            raise KafkaError(error.code, f"{topic.name}: {error.message}") from error


async def _create(controller: TopicCreator, topics: list[CreatableTopic]) -> list[str]:
    response = await controller.create_topics(CreateTopicsRequest(topics=topics))
    for result in response.topics:
        if result.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
            raise KafkaError(error_code(result.error_code), result.error_message)
    return [result.name for result in response.topics if result.error_code == ErrorCode.NONE]


def topic_to_create(name: str, settings: Settings) -> CreatableTopic:
    """The request to create a topic of this name; -1 stands for the controller's default."""
    match name:
        case "__consumer_offsets":
            groups = settings.groups
            return _topic(
                name,
                groups.offsets_topic_num_partitions,
                groups.offsets_topic_replication_factor,
                {
                    "cleanup.policy": "compact",
                    "compression.type": "producer",
                    "segment.bytes": str(groups.offsets_topic_segment_bytes),
                },
            )
        case "__transaction_state":
            transactions = settings.transactions
            return _topic(
                name,
                transactions.transaction_state_log_num_partitions,
                transactions.transaction_state_log_replication_factor,
                {
                    "cleanup.policy": "compact",
                    "compression.type": "uncompressed",
                    "min.insync.replicas": str(transactions.transaction_state_log_min_isr),
                    "segment.bytes": str(transactions.transaction_state_log_segment_bytes),
                    "unclean.leader.election.enable": "false",
                },
            )
        case "__share_group_state":
            share = settings.share
            return _topic(
                name,
                share.share_coordinator_state_topic_num_partitions,
                share.share_coordinator_state_topic_replication_factor,
                {
                    "cleanup.policy": "delete",
                    "compression.type": "producer",
                    "min.insync.replicas": str(share.share_coordinator_state_topic_min_isr),
                    "retention.ms": "-1",
                    "segment.bytes": str(share.share_coordinator_state_topic_segment_bytes),
                },
            )
    return _topic(name, -1, -1, {})


async def create_internal_topic(controller: TopicCreator, name: str, settings: Settings) -> None:
    """As `create_missing_topics`, for a coordinator's topic; the error's message also says which setting to change."""
    try:
        await create_missing_topics(controller, [name], settings)
    except KafkaError as error:
        advice = _ADVICE.get(error.code)
        if advice is None:
            raise
        reason = (error.message or error.code.name).rstrip(".")
        raise KafkaError(error.code, f"{reason}. {advice.format(_SETTING_PREFIXES[name])}") from error


_SETTING_PREFIXES = {
    "__consumer_offsets": "offsets.topic",
    "__transaction_state": "transaction.state.log",
    "__share_group_state": "share.coordinator.state.topic",
}
_ADVICE = {
    ErrorCode.INVALID_REPLICATION_FACTOR: "Set {}.replication.factor to the number of running brokers at most",
    ErrorCode.POLICY_VIOLATION: "Set {}.num.partitions to a smaller number",
    ErrorCode.INVALID_CONFIG: "Set {}.segment.bytes and the topic's other settings to values that a topic can have",
}


def _topic(name: str, partition_count: int, replication_factor: int, configs: Mapping[str, str]) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partition_count,
        replication_factor=replication_factor,
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
    )
