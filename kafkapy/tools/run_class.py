"""Run a tool by its Java class, as older scripts do."""

from __future__ import annotations

import argparse

from kafkapy.client.streams import say

_TOOLS = {
    "GetOffsetShell": "kafka-get-offsets",
    "TopicCommand": "kafka-topics",
    "ConsumerGroupCommand": "kafka-consumer-groups",
    "ConfigCommand": "kafka-configs",
    "ConsoleProducer": "kafka-console-producer",
    "ConsoleConsumer": "kafka-console-consumer",
    "StorageTool": "kafka-storage",
    "ClusterTool": "kafka-cluster",
    "Kafka": "kafka-server-start",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("class_name", metavar="CLASS")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="ARGUMENT")


def run(arguments: argparse.Namespace) -> int:
    from kafkapy.tools import run_tool_by_name

    tool = _TOOLS.get(arguments.class_name.rpartition(".")[2])
    if tool is None:
        say(f"there is no Java here, and no tool in the place of {arguments.class_name}\n")
        return 1
    return run_tool_by_name(tool, arguments.rest)
