"""Wait until a broker serves, as the scripts of Confluent's images do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kafkapy.client.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

READY = ("kafka-ready", "zk-ready")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("command", metavar="COMMAND", help="kafka-ready; zk-ready has nothing to wait for")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="ARGUMENT")


def run(arguments: argparse.Namespace) -> int:
    if arguments.command not in READY:
        say(f"cub {arguments.command} is not provided: kafka-ready is\n")
        return 1
    return _wait(arguments.rest) if arguments.command == "kafka-ready" else 0


def _wait(words: Sequence[str]) -> int:
    from kafkapy.client.cluster import Cluster, parse_bootstrap
    from kafkapy.client.errors import ClientError, TryAgain
    from kafkapy.client.interrupts import interruptible
    from kafkapy.tools.tool_parser import ToolParser

    parser = ToolParser(prog="cub kafka-ready", description=__doc__)
    parser.add_argument("expected", type=int, metavar="BROKERS")
    parser.add_argument("timeout", type=float, metavar="SECONDS")
    parser.add_argument("-b", "--bootstrap_broker_list", required=True, metavar="HOST:PORT")
    parser.add_argument("-c", "--config", metavar="FILE")
    parser.add_argument("-z", "--zookeeper_connect", metavar="HOST:PORT")
    parser.add_argument("-s", "--security-protocol", metavar="PROTOCOL")
    wanted = parser.parse_args(list(words))
    try:
        with (
            interruptible(),
            Cluster(parse_bootstrap(wanted.bootstrap_broker_list), timeout_seconds=wanted.timeout) as c,
        ):

            def look() -> None:
                count = len(c.metadata([]).brokers)
                if count < wanted.expected:
                    raise TryAgain(f"{count} of {wanted.expected} brokers are there")

            c.retrying(look)
    except ClientError as error:
        say(f"Kafka is not ready: {error}\n")
        return 1
    return 0
