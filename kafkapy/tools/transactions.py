"""List and describe transactions, and end those that stay open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, run_tool, tabbed

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster

_LISTED = ("TransactionalId", "Coordinator", "ProducerId", "TransactionState")
_DESCRIBED = (
    *("CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState", "TransactionTimeoutMs"),
    *("CurrentTransactionStartTimeMs", "TransactionDurationMs", "TopicPartitions"),
)
_PRODUCERS = (
    *("ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp"),
    "CurrentTransactionStartOffset",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = ("list", "describe", "describe-producers", "abort", "force-terminate")
    parser.add_argument("command", choices=commands, metavar="COMMAND", help=", ".join(commands))
    add_connection_arguments(parser)
    parser.add_argument("--transactional-id", metavar="ID")
    parser.add_argument("--transactional-id-pattern", metavar="PATTERN")
    parser.add_argument("--duration-filter", type=int, metavar="MS")
    parser.add_argument("--topic")
    parser.add_argument("--partition", type=int, metavar="N")
    parser.add_argument("--start-offset", type=int, metavar="N")


def run(arguments: argparse.Namespace) -> int:
    body = {
        "list": _list,
        "describe": _describe,
        "describe-producers": _describe_producers,
        "abort": _abort,
        "force-terminate": _force_terminate,
    }
    return run_tool(arguments, body[arguments.command])


def _needed(arguments: argparse.Namespace, *options: str) -> None:
    """Raises ClientError."""
    missing = [f"--{option.replace('_', '-')}" for option in options if getattr(arguments, option) is None]
    if missing:
        raise ClientError(f"{arguments.command} needs {', '.join(missing)}")


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import list_transactions

    found = list_transactions(
        cluster, longer_than_ms=arguments.duration_filter, pattern=arguments.transactional_id_pattern
    )
    rows = [[each.transactional_id, str(each.coordinator_id), str(each.producer_id), each.state] for each in found]
    print(tabbed(_LISTED, rows))
    return 0


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    import time

    from kafkapy.client.transactions import describe_transaction

    _needed(arguments, "transactional_id")
    coordinator_id, state = describe_transaction(cluster, arguments.transactional_id)
    start_ms = state.transaction_start_time_ms
    duration_ms = time.time_ns() // 1_000_000 - start_ms
    partitions = [f"{topic.topic}-{index}" for topic in state.topics for index in topic.partitions]
    row = [
        *(coordinator_id, arguments.transactional_id, state.producer_id, state.producer_epoch),
        *(state.transaction_state, state.transaction_timeout_ms),
        *(("None", "None") if start_ms < 0 else (start_ms, duration_ms)),
        ",".join(partitions),
    ]
    print(tabbed(_DESCRIBED, [list(map(str, row))]))
    return 0


def _describe_producers(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import active_producers

    _needed(arguments, "topic", "partition")
    rows = [
        [
            *map(str, (each.producer_id, each.producer_epoch, each.coordinator_epoch, each.last_sequence)),
            str(each.last_timestamp),
            "None" if each.current_txn_start_offset < 0 else str(each.current_txn_start_offset),
        ]
        for each in active_producers(cluster, (arguments.topic, arguments.partition))
    ]
    print(tabbed(_PRODUCERS, rows))
    return 0


def _abort(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import abort_hanging_transaction

    _needed(arguments, "topic", "partition", "start_offset")
    abort_hanging_transaction(cluster, (arguments.topic, arguments.partition), arguments.start_offset)
    return 0


def _force_terminate(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import abort_transaction

    _needed(arguments, "transactional_id")
    abort_transaction(cluster, arguments.transactional_id)
    return 0
