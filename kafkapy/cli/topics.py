"""`kafkapy topics`: list, create, describe, alter and delete topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    complain,
    counted,
    milliseconds,
    offset_number,
    parse_settings,
    partition_count,
    print_json,
    print_table,
    replica_count,
    wants_json,
)
from kafkapy.client.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy_wire.messages.metadata import MetadataResponseTopic

BROKER_DEFAULT = -1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy topics`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="topics_command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="print the names of the topics")
    listing.add_argument("--internal", action="store_true", help="the internal topics too")
    add_json_argument(listing)

    create = commands.add_parser("create", help="make topics")
    create.add_argument("names", nargs="+", metavar="NAME")
    create.add_argument(
        "--partitions", "-p", type=partition_count, metavar="N", help="(default: the broker's num.partitions)"
    )
    create.add_argument(
        "--replication-factor",
        "-r",
        type=replica_count,
        metavar="N",
        help="(default: the broker's default.replication.factor)",
    )
    create.add_argument(
        "--config", "-c", action="append", default=[], metavar="NAME=VALUE", help="a setting; may be given repeatedly"
    )
    create.add_argument("--if-not-exists", action="store_true", help="a topic that exists already is left as it is")

    describe = commands.add_parser("describe", help="show partitions, leaders, replicas, offsets and settings")
    describe.add_argument("names", nargs="*", metavar="NAME", help="(default: all but the internal ones)")
    add_json_argument(describe)

    alter = commands.add_parser("alter", help="add partitions")
    alter.add_argument("names", nargs="+", metavar="NAME")
    alter.add_argument("--partitions", "-p", type=partition_count, metavar="N", required=True, help="the new total")

    delete = commands.add_parser("delete", help="delete topics and all their records")
    delete.add_argument("names", nargs="+", metavar="NAME")
    delete.add_argument("--if-exists", action="store_true", help="a topic that does not exist is not an error")

    delete_records = commands.add_parser(
        "delete-records",
        help="delete the oldest records of topics",
        description="Delete the oldest records of topics. The offsets of the others stay what they are.",
    )
    delete_records.add_argument(
        "names", nargs="+", metavar="NAME[:N,N]", help="a topic, or some partitions of it (default: all partitions)"
    )
    how_many = delete_records.add_mutually_exclusive_group(required=True)
    how_many.add_argument("--before-offset", type=offset_number, metavar="N", help="those with an offset below N")
    how_many.add_argument(
        "--before-datetime",
        metavar="TIME",
        help="those before the first record at or after 2026-01-31T14:00:00 (UTC, or with +01:00), or this many ms "
        "since 1970",
    )
    how_many.add_argument("--all", action="store_true", help="all that are there now")

    for command in (listing, create, describe, alter, delete, delete_records):
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.topics_command
    body = {
        "list": _list,
        "create": _create,
        "describe": _describe,
        "alter": _alter,
        "delete": _delete,
        "delete-records": _delete_records,
    }[command]
    return run_command(f"topics {command}", arguments, body)


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.topics import list_topics

    topics = list_topics(cluster, include_internal=arguments.internal)
    if wants_json(arguments):
        print_json(
            [
                {
                    "name": topic.name,
                    "partitions": len(topic.partitions),
                    "replication_factor": _replication_factor(topic),
                    "internal": topic.is_internal,
                }
                for topic in topics
            ]
        )
    else:
        for topic in topics:
            print(topic.name)
    return 0


def _create(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import Refused
    from kafkapy.client.topics import create_topic
    from kafkapy_wire.errors import ErrorCode

    settings = parse_settings(arguments.config)
    for name in arguments.names:
        try:
            partitions, replication_factor = create_topic(
                cluster,
                name,
                partitions=arguments.partitions or BROKER_DEFAULT,
                replication_factor=arguments.replication_factor or BROKER_DEFAULT,
                settings=settings,
            )
        except Refused as error:
            if error.code != ErrorCode.TOPIC_ALREADY_EXISTS or not arguments.if_not_exists:
                raise
            print(f"topic {name} exists already")
        else:
            # A user who may not describe the settings of topics is not told how many there are.
            size = "" if partitions < 0 else f" (partitions {partitions}, replication factor {replication_factor})"
            print(f"created topic {name}{size}")
    return 0


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.topics import describe_topics, list_topics

    if arguments.names:
        topics = describe_topics(cluster, list(dict.fromkeys(arguments.names)))
    else:
        topics = list_topics(cluster, include_internal=False)
    silent: dict[int, str] = {}
    if wants_json(arguments):
        print_json([_as_json(topic, cluster, silent) for topic in topics])
    else:
        for number, topic in enumerate(topics):
            if number:
                print()
            _print_topic(topic, cluster, silent)
    for broker_id, why in sorted(silent.items()):
        complain(
            "topics describe", f"where the partitions that broker {broker_id} leads begin and end is unknown: {why}"
        )
    return 0


def _alter(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.topics import set_partitions

    for name in arguments.names:
        set_partitions(cluster, name, arguments.partitions)
        print(f"topic {name} has {counted(arguments.partitions, 'partition')}")
    return 0


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import Refused
    from kafkapy.client.topics import delete_topic
    from kafkapy_wire.errors import ErrorCode

    for name in arguments.names:
        try:
            delete_topic(cluster, name)
        except Refused as error:
            if error.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION or not arguments.if_exists:
                raise
            print(f"topic {name} does not exist")
        else:
            print(f"deleted topic {name}")
    return 0


def _delete_records(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.offsets import both_ends, list_offsets, named_partitions
    from kafkapy.client.records import HIGH_WATERMARK, delete_records

    partitions = named_partitions(cluster, arguments.names)
    if arguments.before_datetime is not None:
        found = list_offsets(cluster, dict.fromkeys(partitions, milliseconds(arguments.before_datetime)))
        targets = {partition: offset if offset >= 0 else HIGH_WATERMARK for partition, offset in found.items()}
    elif arguments.all:
        targets = dict.fromkeys(partitions, HIGH_WATERMARK)
    else:
        targets = dict.fromkeys(partitions, arguments.before_offset)
        for partition, (start, end) in both_ends(cluster, targets).items():
            # What is gone already is no error; an offset that is still to come is one, before anything is deleted.
            if targets[partition] > end:
                name = f"{partition[0]}-{partition[1]}"
                raise ClientError(f"partition {name} has the offsets {start} to {end}, not {targets[partition]}")
    for partition, start in sorted(delete_records(cluster, targets).items()):
        print(f"partition {partition[0]}-{partition[1]} begins at offset {start}")
    return 0


def _print_topic(topic: MetadataResponseTopic, cluster: Cluster, silent: dict[int, str]) -> None:
    from kafkapy_wire.uuid import uuid_text

    print(
        f"topic {topic.name}  id {uuid_text(topic.topic_id)}  partitions {len(topic.partitions)}  "
        f"replication factor {_replication_factor(topic)}"
    )
    settings = _changed_settings(topic, cluster)
    if settings is None:
        print("  settings are not shown: no ACL allows this user to describe-configs, or one denies it")
    for name, value in (settings or {}).items():
        print(f"  {name}={value}")
    ends = _offsets(topic, cluster, silent)
    rows = []
    for partition in topic.partitions:
        start, end = ends.get(partition.partition_index, (None, None))
        rows.append(
            [
                partition.partition_index,
                partition.leader_id if partition.leader_id >= 0 else None,
                ",".join(map(str, partition.replica_nodes)),
                ",".join(map(str, partition.isr_nodes)),
                start,
                end,
            ]
        )
    print_table(["PARTITION", "LEADER", "REPLICAS", "ISR", "START", "END"], rows)


def _as_json(topic: MetadataResponseTopic, cluster: Cluster, silent: dict[int, str]) -> dict[str, object]:
    from kafkapy_wire.uuid import uuid_text

    ends = _offsets(topic, cluster, silent)
    partitions = []
    for partition in topic.partitions:
        start, end = ends.get(partition.partition_index, (None, None))
        partitions.append(
            {
                "partition": partition.partition_index,
                "leader": partition.leader_id if partition.leader_id >= 0 else None,
                "leader_epoch": partition.leader_epoch,
                "replicas": partition.replica_nodes,
                "isr": partition.isr_nodes,
                "offline_replicas": partition.offline_replicas,
                "log_start_offset": start,
                "high_watermark": end,
            }
        )
    return {
        "name": topic.name,
        "id": uuid_text(topic.topic_id),
        "internal": topic.is_internal,
        "replication_factor": _replication_factor(topic),
        "configs": _changed_settings(topic, cluster),
        "partitions": partitions,
    }


def _replication_factor(topic: MetadataResponseTopic) -> int:
    return len(topic.partitions[0].replica_nodes) if topic.partitions else 0


def _changed_settings(topic: MetadataResponseTopic, cluster: Cluster) -> dict[str, str | None] | None:
    """Settings of the topic itself, not those that its brokers give it; None: this user may not see them."""
    from kafkapy.client.configs import TOPIC, Resource, describe_configs, is_own
    from kafkapy.client.errors import Refused
    from kafkapy_wire.errors import ErrorCode

    resource = Resource(TOPIC, topic.name or "")
    try:
        found = describe_configs(cluster, resource)
    except Refused as error:
        if error.code != ErrorCode.TOPIC_AUTHORIZATION_FAILED:
            raise
        return None
    return {config.name: config.value for config in found if is_own(resource, config)}


def _offsets(topic: MetadataResponseTopic, cluster: Cluster, silent: dict[int, str]) -> dict[int, tuple[int, int]]:
    """Partition -> (log start offset, high watermark), of those whose leader answers; `silent`: why others do not."""
    from kafkapy.client.offsets import ends_as_far_as_known

    leaders: dict[int, list[tuple[str, int]]] = {}
    for partition in topic.partitions:
        if partition.leader_id >= 0:
            leaders.setdefault(partition.leader_id, []).append((topic.name or "", partition.partition_index))
    return {index: ends for (_, index), ends in ends_as_far_as_known(cluster, leaders, silent).items()}
