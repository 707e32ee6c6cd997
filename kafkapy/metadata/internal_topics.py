"""Topics that the broker creates by itself: auto-created ones, internal ones, and those that are given at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.settings import Settings
    from kafkapy.settings.given import GivenTopic
    from kafkapy_controller.image import MetadataImage
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


async def create_internal_topic(controller: TopicCreator, name: str, settings: Settings, registered_count: int) -> None:
    """As `create_missing_topics`, for a coordinator's topic; the error's message also says which setting to change.

    `registered_count`: of the brokers of the cluster.
    """
    try:
        await create_missing_topics(controller, [name], settings)
    except KafkaError as error:
        prefix = _SETTING_PREFIXES[name]
        if error.code is ErrorCode.INVALID_REPLICATION_FACTOR:
            factor = topic_to_create(name, settings).replication_factor
            message = too_few_brokers(f"{prefix}.replication.factor", factor, registered_count)
            if message is not None:
                raise KafkaError(error.code, message) from error
        advice = _ADVICE.get(error.code)
        if advice is None:
            raise
        reason = (error.message or error.code.name).rstrip(".")
        raise KafkaError(error.code, f"{reason}. {advice.format(prefix)}") from error


def too_few_brokers(setting: str, replication_factor: int, registered_count: int) -> str | None:
    """What to do if there will not be so many replicas as long as nobody does anything; None: there may be."""
    if replication_factor <= registered_count:
        return None
    brokers = "1 broker is" if registered_count == 1 else f"{registered_count} brokers are"
    return (
        f"{setting} is {replication_factor}, and {brokers} registered: "
        f"set it to {max(registered_count, 1)}, or start more brokers"
    )


USED_BY = {
    "__consumer_offsets": "consumer groups",
    "__transaction_state": "transactions",
    "__share_group_state": "share groups",
}
"""What cannot work without the topic."""
_SETTING_PREFIXES = {
    "__consumer_offsets": "offsets.topic",
    "__transaction_state": "transaction.state.log",
    "__share_group_state": "share.coordinator.state.topic",
}
_ADVICE = {
    ErrorCode.POLICY_VIOLATION: "Set {}.num.partitions to a smaller number",
    ErrorCode.INVALID_CONFIG: "Set {}.segment.bytes and the topic's other settings to values that a topic can have",
}


def too_few_for_default(settings: Settings, image: MetadataImage) -> str | None:
    """The same for topics of which nobody says how many replicas they are to have.

    The active controller has decided that, by its own setting: on a cluster's nodes it is one and the same.
    """
    factor = settings.topics.default_replication_factor
    return too_few_brokers("default.replication.factor", factor, len(image.brokers))


def _topic(name: str, partition_count: int, replication_factor: int, configs: Mapping[str, str]) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partition_count,
        replication_factor=replication_factor,
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
    )
