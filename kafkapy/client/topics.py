"""What `kafkapy topics` asks and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import Refused, check
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.metadata import MetadataResponseTopic

_FIRST_DELETE_TOPICS_WITH_IDS = 6  # Kafka 2.8


def list_topics(cluster: Cluster, *, include_internal: bool) -> list[MetadataResponseTopic]:
    """Every topic by name, with its partitions in order."""
    topics = cluster.retrying(lambda: cluster.metadata(None)).topics
    for topic in topics:
        topic.partitions.sort(key=lambda partition: partition.partition_index)
    return sorted((topic for topic in topics if include_internal or not topic.is_internal), key=lambda t: t.name or "")


def describe_topics(cluster: Cluster, names: Sequence[str]) -> list[MetadataResponseTopic]:
    """These topics, leaders or not. Raises Refused: one does not exist."""
    topics = cluster.retrying(lambda: cluster.metadata(names)).topics
    for topic in topics:
        if topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"topic {topic.name!r} does not exist")
        check(topic.error_code, f"topic {topic.name!r}")
        topic.partitions.sort(key=lambda partition: partition.partition_index)
    return sorted(topics, key=lambda topic: names.index(topic.name or ""))


def create_topic(
    cluster: Cluster, name: str, *, partitions: int, replication_factor: int, settings: Mapping[str, str]
) -> tuple[int, int]:
    """(partitions, replication factor) of the topic that is made; -1 asks for the broker's default. Raises Refused."""
    from kafkapy_wire.messages.create_topics import (
        CreatableTopic,
        CreatableTopicConfig,
        CreateTopicsRequest,
        CreateTopicsResponse,
    )

    request = CreateTopicsRequest(
        topics=[
            CreatableTopic(
                name=name,
                num_partitions=partitions,
                replication_factor=replication_factor,
                configs=[CreatableTopicConfig(name=key, value=value) for key, value in settings.items()],
            )
        ],
        timeout_ms=timeout_ms(cluster),
    )

    def attempt() -> tuple[int, int]:
        (made,) = cluster.ask_once(cluster.any_broker(), request, CreateTopicsResponse).topics
        check(made.error_code, f"topic {name!r}", made.error_message)
        return made.num_partitions, made.replication_factor

    return cluster.retrying(attempt)


def delete_topic(cluster: Cluster, name: str) -> None:
    """Raises Refused, UNKNOWN_TOPIC_OR_PARTITION where it does not exist."""
    from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState

    def attempt() -> None:
        connection = cluster.any_broker()
        by_name = DeleteTopicsRequest(timeout_ms=timeout_ms(cluster))
        if connection.supports(ApiKey.DELETE_TOPICS, _FIRST_DELETE_TOPICS_WITH_IDS):
            by_name.topics = [DeleteTopicState(name=name)]
        else:
            by_name.topic_names = [name]
        (deleted,) = cluster.ask_once(connection, by_name, DeleteTopicsResponse).responses
        _check_existing(deleted.error_code, name, deleted.error_message)

    cluster.retrying(attempt)


def set_partitions(cluster: Cluster, name: str, partitions: int) -> None:
    """Raises Refused: no such topic, or it has as many or more."""
    from kafkapy_wire.messages.create_partitions import (
        CreatePartitionsRequest,
        CreatePartitionsResponse,
        CreatePartitionsTopic,
    )

    request = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name=name, count=partitions, assignments=None)], timeout_ms=timeout_ms(cluster)
    )

    def attempt() -> None:
        (altered,) = cluster.ask_once(cluster.any_broker(), request, CreatePartitionsResponse).results
        _check_existing(altered.error_code, name, altered.error_message)

    cluster.retrying(attempt)


def timeout_ms(cluster: Cluster) -> int:
    """How long the broker may take, a little less than we wait."""
    return max(1, int(cluster.timeout_seconds * 900))


def _check_existing(code: int, name: str, message: str | None) -> None:
    """As `check`, but an unknown topic is an answer here, although Kafka calls the code retriable."""
    if code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"topic {name!r} does not exist")
    check(code, f"topic {name!r}", message)
