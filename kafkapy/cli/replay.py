"""`kafkapy replay`: does a broker answer a recorded session as the recorded one did?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import add_connection_arguments, complain, counted, print_json
from kafkapy.client.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy.recording import Exchange
    from kafkapy.recording.replay import Replayed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy replay`."""
    parser.add_argument("session", metavar="FILE", help="a recording written as JSON lines, see docs/recording.md")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help="a field of answers that may differ, besides those that differ by nature: Kafka's name of it, or "
        "API.FIELD; may be given more than once (default: none)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0: all answers are the same, 1: one differs, or the broker cannot be reached, 2: no such file."""
    from kafkapy.recording.session import InvalidSession, read_json_lines

    try:
        exchanges = read_json_lines(Path(arguments.session))
    except InvalidSession as error:
        complain("replay", str(error))
        return 2
    except OSError as error:
        complain("replay", f"cannot read {arguments.session}: {error.strerror or error}")
        return 2
    return run_command("replay", arguments, lambda given, cluster: _replay(given, cluster, exchanges))


def _replay(arguments: argparse.Namespace, cluster: Cluster, exchanges: list[Exchange]) -> int:
    """Raises ClientError."""
    from kafkapy.recording.differences import IGNORED
    from kafkapy.recording.replay import LOGIN, ReplayFailed, replay

    brokers = cluster.metadata([]).brokers
    if not brokers:
        raise ClientError("the cluster names no broker")
    nodes = {broker.node_id: (broker.host, broker.port) for broker in brokers}
    try:
        result = replay(
            exchanges,
            brokers[0].host,
            brokers[0].port,
            nodes=nodes,
            ignored=IGNORED | frozenset(arguments.ignore),
            timeout_seconds=cluster.timeout_seconds,
            connect=cluster.new_socket,
        )
    except ReplayFailed as error:
        raise ClientError(str(error)) from None
    if arguments.json:
        _print_json(result)
    else:
        _print_text(result, sum(each.api_key not in LOGIN for each in exchanges))
    return 0 if result.difference is None else 1


def _print_text(result: Replayed, count: int) -> None:
    if result.difference is not None:
        sys.stdout.write(f"{result.difference}\n")
        where = f"after {counted(result.requests, 'request')} of {count}"
        sys.stdout.write(f"the first difference, {where}\n")
    else:
        sys.stdout.write(
            f"{counted(result.answers, 'answer')} to {counted(result.requests, 'request')}: no difference\n"
        )


def _print_json(result: Replayed) -> None:
    from kafkapy.recording import exchange_as_json

    difference = result.difference
    print_json(
        {
            "requests": result.requests,
            "answers": result.answers,
            "difference": difference
            and {
                "what": difference.what,
                "recorded": str(difference.recorded),
                "replayed": str(difference.replayed),
                "exchange": exchange_as_json(difference.exchange),
            },
        }
    )
