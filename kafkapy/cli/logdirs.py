"""`kafkapy logdirs`: the data directories of brokers, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    node_numbers,
    print_json,
    print_table,
    wants_json,
)

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy_wire.messages.describe_log_dirs import DescribeLogDirsResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy logdirs`."""
    parser.add_argument("--broker", type=node_numbers, metavar="N,N", help="only of these brokers (default: all)")
    parser.add_argument(
        "--topic",
        "-t",
        action="append",
        default=[],
        metavar="T[:N,N]",
        help="only this topic, or some partitions of it; may be given repeatedly (default: all)",
    )
    add_json_argument(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    return run_command("logdirs", arguments, _logdirs)


def _logdirs(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.log_directories import describe_log_directories
    from kafkapy.client.offsets import named_partitions

    known = cluster.retrying(cluster.broker_ids)
    for node_id in arguments.broker or ():
        if node_id not in known:
            raise ClientError(f"there is no broker {node_id} in the cluster: there is {', '.join(map(str, known))}")
    wanted = named_partitions(cluster, arguments.topic) if arguments.topic else None
    documents = []
    for number, node_id in enumerate(arguments.broker or known):
        for directory in describe_log_directories(cluster, node_id, wanted):
            if wants_json(arguments):
                documents.append(_as_json(node_id, directory))
                continue
            if number or documents:
                print()
            _print_directory(node_id, directory)
            number += 1
    if wants_json(arguments):
        print_json(documents)
    return 0


def _print_directory(node_id: int, directory: DescribeLogDirsResult) -> None:
    from kafkapy.client.errors import error_text

    replicas = [(topic.name, partition) for topic in directory.topics for partition in topic.partitions]
    total = sum(partition.partition_size for _, partition in replicas)
    disk = f"  disk {directory.total_bytes}  usable {directory.usable_bytes}" if directory.total_bytes >= 0 else ""
    failed = f"  {error_text(directory.error_code)}" if directory.error_code else ""
    cordoned = "  cordoned" if directory.is_cordoned else ""
    print(
        f"broker {node_id}  directory {directory.log_dir}  replicas {len(replicas)}  bytes {total}"
        f"{disk}{cordoned}{failed}"
    )
    if replicas:
        rows = [
            [
                topic,
                each.partition_index,
                each.partition_size,
                each.offset_lag,
                "moves here" if each.is_future_key else None,
            ]
            for topic, each in sorted(replicas, key=lambda pair: (pair[0], pair[1].partition_index))
        ]
        print_table(["TOPIC", "PARTITION", "BYTES", "LAG", "FUTURE"], rows)


def _as_json(node_id: int, directory: DescribeLogDirsResult) -> dict[str, object]:
    from kafkapy_wire.errors import error_code

    return {
        "broker": node_id,
        "directory": directory.log_dir,
        "error": error_code(directory.error_code).name if directory.error_code else None,
        "total_bytes": directory.total_bytes if directory.total_bytes >= 0 else None,
        "usable_bytes": directory.usable_bytes if directory.usable_bytes >= 0 else None,
        "cordoned": directory.is_cordoned,
        "replicas": [
            {
                "topic": topic.name,
                "partition": each.partition_index,
                "bytes": each.partition_size,
                "lag": each.offset_lag,
                "future": each.is_future_key,
            }
            for topic in directory.topics
            for each in topic.partitions
        ],
    }
