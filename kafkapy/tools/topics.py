"""Create, delete, describe, alter and list topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, add_ignored, named_values, names_matching, run_tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from kafkapy.client.cluster import Cluster
    from kafkapy_wire.messages.metadata import MetadataResponsePartition, MetadataResponseTopic

FAILED = "Error while executing topic command : "
BROKER_DEFAULT = -1
NO_LEADER = -1
_COLLIDING_NAMES = (
    "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To "
    "avoid issues it is best to use either, but not both."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    actions = parser.add_mutually_exclusive_group(required=True)
    for action in ("create", "delete", "describe", "alter", "list"):
        actions.add_argument(f"--{action}", action="store_const", dest="action", const=action)
    parser.add_argument("--topic", metavar="TOPIC", help="a name; a regular expression but for --create")
    parser.add_argument("--topic-id", metavar="ID", help="describe the topic with this id")
    parser.add_argument("--partitions", type=int, metavar="N")
    parser.add_argument("--replication-factor", type=int, metavar="N")
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--if-not-exists", action="store_true")
    parser.add_argument("--if-exists", action="store_true")
    parser.add_argument("--exclude-internal", action="store_true")
    parser.add_argument("--topics-with-overrides", action="store_true")
    parser.add_argument("--under-replicated-partitions", action="store_true")
    parser.add_argument("--unavailable-partitions", action="store_true")
    add_ignored(parser, "--force", "--disable-rack-aware")
    add_ignored(parser, "--partition-size-limit-per-response", takes_value=True)


def run(arguments: argparse.Namespace) -> int:
    body = {"create": _create, "delete": _delete, "describe": _describe, "alter": _alter, "list": _list}
    return run_tool(arguments, body[arguments.action], failed=FAILED)


def _create(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import Refused
    from kafkapy.client.topics import create_topic
    from kafkapy_wire.errors import ErrorCode

    name = _required_topic(arguments)
    if "." in name or "_" in name:
        print(_COLLIDING_NAMES)
    if arguments.partitions is not None and arguments.partitions < 1:
        raise ClientError("The partitions must be greater than 0")
    try:
        create_topic(
            cluster,
            name,
            partitions=BROKER_DEFAULT if arguments.partitions is None else arguments.partitions,
            replication_factor=(
                BROKER_DEFAULT if arguments.replication_factor is None else arguments.replication_factor
            ),
            settings=named_values(arguments.config, "--config"),
        )
    except Refused as error:
        if error.code != ErrorCode.TOPIC_ALREADY_EXISTS:
            raise
        if arguments.if_not_exists:
            return 0
        raise ClientError(f"Topic '{name}' already exists.") from None
    print(f"Created topic {name}.")
    return 0


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.topics import delete_topic

    for topic in _matching(arguments, cluster, needed=not arguments.if_exists):
        delete_topic(cluster, topic.name or "")
    return 0


def _alter(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.topics import set_partitions

    if arguments.partitions is None:
        raise ClientError("--alter needs --partitions")
    for topic in _matching(arguments, cluster, needed=not arguments.if_exists):
        set_partitions(cluster, topic.name or "", arguments.partitions)
    return 0


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    for topic in _matching(arguments, cluster, needed=False):
        print(topic.name)
    return 0


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    partition_filter = _partition_filter(arguments)
    for topic in _matching(arguments, cluster, needed=not arguments.if_exists):
        configs = _changed_settings(cluster, topic.name or "")
        if arguments.topics_with_overrides and not configs:
            continue
        if partition_filter is None:
            _print_summary(topic, configs)
        if arguments.topics_with_overrides:
            continue
        for partition in topic.partitions:
            if partition_filter is None or partition_filter(partition):
                _print_partition(topic, partition)
    return 0


def _print_summary(topic: MetadataResponseTopic, configs: Sequence[str]) -> None:
    from kafkapy_wire.uuid import uuid_text

    replicas = len(topic.partitions[0].replica_nodes) if topic.partitions else 0
    print(
        f"Topic: {topic.name}\tTopicId: {uuid_text(topic.topic_id)}\tPartitionCount: {len(topic.partitions)}"
        f"\tReplicationFactor: {replicas}\tConfigs: {','.join(configs)}"
    )


def _print_partition(topic: MetadataResponseTopic, partition: MetadataResponsePartition) -> None:
    leader = "none" if partition.leader_id == NO_LEADER else partition.leader_id
    print(
        f"\tTopic: {topic.name}\tPartition: {partition.partition_index}\tLeader: {leader}"
        f"\tReplicas: {','.join(map(str, partition.replica_nodes))}\tIsr: {','.join(map(str, partition.isr_nodes))}"
        f"\tElr: \tLastKnownElr: "
    )


def _partition_filter(arguments: argparse.Namespace) -> Callable[[MetadataResponsePartition], bool] | None:
    if arguments.under_replicated_partitions:
        return lambda partition: len(partition.isr_nodes) < len(partition.replica_nodes)
    if arguments.unavailable_partitions:
        return lambda partition: partition.leader_id == NO_LEADER
    return None


def _changed_settings(cluster: Cluster, topic: str) -> list[str]:
    from kafkapy.client.configs import DEFAULT_SOURCE, TOPIC, Resource, describe_configs

    configs = describe_configs(cluster, Resource(TOPIC, topic))
    return [f"{config.name}={config.value}" for config in configs if config.config_source != DEFAULT_SOURCE]


def _required_topic(arguments: argparse.Namespace) -> str:
    if not arguments.topic:
        raise ClientError(f"--{arguments.action} needs --topic")
    name: str = arguments.topic
    return name


def _matching(arguments: argparse.Namespace, cluster: Cluster, *, needed: bool) -> list[MetadataResponseTopic]:
    """The topics that `--topic` names or matches; all without it. Raises ClientError: `needed`, and there is none."""
    from kafkapy.client.topics import list_topics
    from kafkapy_wire.uuid import uuid_text

    if arguments.action in ("delete", "alter"):
        _required_topic(arguments)
    topics = list_topics(cluster, include_internal=not arguments.exclude_internal)
    if arguments.topic_id:
        found = [topic for topic in topics if uuid_text(topic.topic_id) == arguments.topic_id]
        if not found and needed:
            raise ClientError(f"TopicId '{arguments.topic_id}' does not exist as expected")
        return found
    if not arguments.topic:
        return topics
    names = names_matching(arguments.topic, [topic.name or "" for topic in topics])
    if not names and needed:
        raise ClientError(f"Topic '{arguments.topic}' does not exist as expected")
    return [topic for topic in topics if topic.name in names]
