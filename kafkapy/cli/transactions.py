"""`kafkapy transactions`: list and describe transactions, and abort those that stay open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    count_or_zero,
    offset_number,
    print_json,
    print_table,
    wants_json,
)

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.offsets import Partition
    from kafkapy_wire.messages.describe_transactions import TransactionState

STATES = ("CompleteAbort", "CompleteCommit", "Empty", "Ongoing", "PrepareAbort", "PrepareCommit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy transactions`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="transactions_command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="print the transactional ids with their states")
    listing.add_argument(
        "--state",
        action="append",
        default=[],
        choices=STATES,
        metavar="S",
        help=f"only those in this state: {', '.join(STATES)}; may be repeated (default: all)",
    )
    listing.add_argument(
        "--producer-id",
        action="append",
        default=[],
        type=count_or_zero,
        metavar="N",
        help="only that of this producer id; may be repeated (default: all)",
    )
    listing.add_argument(
        "--longer-than",
        type=count_or_zero,
        metavar="MS",
        help="only those that are open for longer than so many milliseconds (default: all)",
    )
    listing.add_argument(
        "--pattern", metavar="P", help="only ids that match this regular expression as a whole (default: all)"
    )
    add_json_argument(listing)

    describe = commands.add_parser("describe", help="show transactions with their producers and partitions")
    describe.add_argument("ids", nargs="+", metavar="TRANSACTIONAL_ID", help="one or more transactional ids")
    add_json_argument(describe)

    producers = commands.add_parser(
        "producers", help="show the producers of a partition, and where their open transactions begin"
    )
    producers.add_argument("partition", metavar="TOPIC:N", help="a partition of a topic")
    add_json_argument(producers)

    abort = commands.add_parser(
        "abort",
        help="abort an open transaction",
        description="Abort the open transaction of a transactional id; its producer is fenced and can go on with "
        "nothing. With --partition and --start-offset: abort a transaction that hangs in one partition, which its "
        "coordinator knows nothing of any more; `kafkapy transactions producers` shows where it begins.",
    )
    abort.add_argument("id", nargs="?", metavar="TRANSACTIONAL_ID", help="whose transaction it is")
    abort.add_argument("--partition", "-p", metavar="TOPIC:N", help="where it hangs (default: of the id, everywhere)")
    abort.add_argument(
        "--start-offset", type=offset_number, metavar="N", help="its first offset there (default: of the id)"
    )

    for command in (listing, describe, producers, abort):
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.transactions_command
    body = {"list": _list, "describe": _describe, "producers": _producers, "abort": _abort}[command]
    return run_command(f"transactions {command}", arguments, body)


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import list_transactions

    found = list_transactions(
        cluster,
        states=arguments.state,
        producer_ids=arguments.producer_id,
        longer_than_ms=arguments.longer_than,
        pattern=arguments.pattern,
    )
    if wants_json(arguments):
        print_json(
            [
                {
                    "transactional_id": each.transactional_id,
                    "coordinator": each.coordinator_id,
                    "producer_id": each.producer_id,
                    "state": each.state,
                }
                for each in found
            ]
        )
    elif found:
        rows: list[list[str | int | None]] = [
            [each.transactional_id, each.coordinator_id, each.producer_id, each.state] for each in found
        ]
        print_table(["TRANSACTIONAL ID", "COORDINATOR", "PRODUCER ID", "STATE"], rows)
    return 0


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import describe_transaction

    documents = []
    for transactional_id in dict.fromkeys(arguments.ids):
        coordinator_id, state = describe_transaction(cluster, transactional_id)
        partitions = [(topic.topic, index) for topic in state.topics for index in sorted(topic.partitions)]
        documents.append(_as_json(coordinator_id, state, partitions))
        if not wants_json(arguments):
            print(
                f"transactional id {transactional_id}  state {state.transaction_state}  coordinator {coordinator_id}  "
                f"producer id {state.producer_id}  epoch {state.producer_epoch}  "
                f"timeout {state.transaction_timeout_ms} ms{_age(state)}"
            )
            if partitions:
                print_table(["TOPIC", "PARTITION"], partitions)
    if wants_json(arguments):
        print_json(documents)
    return 0


def _age(state: TransactionState) -> str:
    """How long it is open, by this machine's clock."""
    if state.transaction_start_time_ms < 0:
        return ""
    return f"  open for {max(0, int(time.time() * 1_000) - state.transaction_start_time_ms)} ms"


def _as_json(coordinator_id: int, state: TransactionState, partitions: list[Partition]) -> dict[str, object]:
    begun = state.transaction_start_time_ms
    return {
        "transactional_id": state.transactional_id,
        "state": state.transaction_state,
        "coordinator": coordinator_id,
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "timeout_ms": state.transaction_timeout_ms,
        "start_ms": begun if begun >= 0 else None,
        "partitions": [{"topic": topic, "partition": index} for topic, index in partitions],
    }


def _producers(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.transactions import active_producers

    found = active_producers(cluster, _one_partition(cluster, arguments.partition))
    if wants_json(arguments):
        print_json(
            [
                {
                    "producer_id": each.producer_id,
                    "producer_epoch": each.producer_epoch,
                    "last_sequence": each.last_sequence,
                    "last_timestamp_ms": each.last_timestamp,
                    "coordinator_epoch": each.coordinator_epoch,
                    "transaction_start_offset": _or_none(each.current_txn_start_offset),
                }
                for each in found
            ]
        )
    elif found:
        rows = [
            [
                each.producer_id,
                each.producer_epoch,
                each.last_sequence,
                _or_none(each.coordinator_epoch),
                _or_none(each.current_txn_start_offset),
            ]
            for each in found
        ]
        print_table(["PRODUCER ID", "EPOCH", "LAST SEQUENCE", "COORDINATOR EPOCH", "OPEN SINCE OFFSET"], rows)
    return 0


def _or_none(number: int) -> int | None:
    return number if number >= 0 else None


def _abort(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.transactions import abort_hanging_transaction, abort_transaction

    hangs = arguments.partition is not None or arguments.start_offset is not None
    if (arguments.id is not None) == hangs or (arguments.partition is None) != (arguments.start_offset is None):
        raise ClientError("name a transactional id, or a --partition and a --start-offset")
    if arguments.id is not None:
        before = abort_transaction(cluster, arguments.id)
        print(f"aborted the transaction of {arguments.id}: producer {before.producer_id} is fenced")
        return 0
    topic, index = partition = _one_partition(cluster, arguments.partition)
    producer = abort_hanging_transaction(cluster, partition, arguments.start_offset)
    print(f"aborted the transaction of producer {producer.producer_id} in {topic}-{index}")
    return 0


def _one_partition(cluster: Cluster, text: str) -> Partition:
    """Raises ClientError."""
    from kafkapy.client.errors import ClientError
    from kafkapy.client.offsets import named_partitions

    partitions = named_partitions(cluster, [text])
    if len(partitions) != 1:
        raise ClientError(f"topic {text!r} has {len(partitions)} partitions: name one, as in {text}:0")
    return partitions[0]
