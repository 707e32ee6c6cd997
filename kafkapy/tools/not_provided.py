"""A tool of Kafka's that is not provided: one line says what to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.streams import say

if TYPE_CHECKING:
    import argparse

# Without an entry: Apache Kafka's own tool, from any release that knows the broker's APIs.
_INSTEAD = {
    "kafka-client-metrics": "use kafka-configs --entity-type client-metrics, or `kafkapy configs --client-metrics`",
    "kafka-console-share-consumer": "use `kafkapy consume --share`",
    "kafka-dump-log": "use `kafkapy log`",
    "kafka-features": "use `kafkapy features`",
    "kafka-leader-election": "use `kafkapy cluster elect-leaders`",
    "kafka-log-dirs": "use `kafkapy logdirs`",
    "kafka-metadata-quorum": "use `kafkapy cluster describe`",
    "kafka-reassign-partitions": "use `kafkapy cluster reassign`",
    "kafka-server-stop": "stop the container, or send SIGTERM to the broker's process",
    "kafka-share-groups": "use `kafkapy groups`",
    "kafka-streams-groups": "use `kafkapy groups`",
    "kafka-transactions": "use `kafkapy transactions`",
    "zookeeper-shell": "there is no ZooKeeper here",
}
_KAFKAS_OWN = "Apache Kafka's own tool works with this broker, too"


TAKES_ANYTHING = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(tool=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    say(f"{arguments.tool} is not provided: {_INSTEAD.get(arguments.tool, _KAFKAS_OWN)}\n")
    return 1
