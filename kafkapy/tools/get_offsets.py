"""Show where partitions begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, add_ignored, names_matching, run_tool
from kafkapy_wire.integer_text import INT64_MAX, parse_integer

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster

_TIMES = {
    "latest": -1,
    "earliest": -2,
    "max-timestamp": -3,
    "earliest-local": -4,
    "latest-tiered": -5,
    "earliest-pending-upload": -6,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser, "--broker-list")
    parser.add_argument("--topic", metavar="PATTERN")
    parser.add_argument("--partitions", metavar="N,N")
    parser.add_argument("--topic-partitions", metavar="TOPIC:N,...")
    parser.add_argument("--time", default="latest", metavar="MS", help="or earliest, latest, max-timestamp")
    parser.add_argument("--exclude-internal-topics", action="store_true")
    add_ignored(parser, "--max-wait-ms", "--offsets", takes_value=True)


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _print, failed="Error occurred: ")


def _print(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.offsets import list_offsets
    from kafkapy.client.topics import list_topics

    time = _TIMES.get(arguments.time)
    if time is None:
        time = parse_integer(arguments.time, min(_TIMES.values()), INT64_MAX)
    if time is None:
        raise ClientError(f"Malformed time argument {arguments.time}. Please use -1 or latest / -2 or earliest ...")
    topics = list_topics(cluster, include_internal=not arguments.exclude_internal_topics)
    if arguments.topic is not None:
        names = names_matching(arguments.topic, [topic.name or "" for topic in topics])
        topics = [topic for topic in topics if topic.name in names]
    numbers = set(filter(None, (arguments.partitions or "").split(",")))
    pairs = set(filter(None, (arguments.topic_partitions or "").split(",")))
    wanted = [
        (topic.name or "", partition.partition_index)
        for topic in topics
        for partition in topic.partitions
        if (not numbers or str(partition.partition_index) in numbers)
        and (not pairs or f"{topic.name}:{partition.partition_index}" in pairs or topic.name in pairs)
    ]
    if not wanted:
        raise ClientError("Could not match any topic-partitions with the specified filters")
    found = list_offsets(cluster, dict.fromkeys(wanted, time))
    for topic_name, index in wanted:
        offset = found[topic_name, index]
        print(f"{topic_name}:{index}:{offset if offset >= 0 else ''}")
    return 0
