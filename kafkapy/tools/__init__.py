"""Kafka's command-line tools by their own names, flags and output, on kafkapy's client: they answer in 0.2 s.

`python -m kafkapy.tools kafka-topics --list --bootstrap-server localhost:9092`. In the image each name is a command,
with and without `.sh`. A tool is a module with `add_arguments(parser)` and `run(arguments) -> exit code`, imported only
when it is the one that was asked for; with TAKES_ANYTHING it does not look at its arguments. Exit codes are those of
Kafka's tools: 0, or 1 after a line on standard error.

What scripts rely on is kept: flags, exit codes, and the lines on standard output. What Kafka's tools write besides,
their own logs and stack traces, is not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TOOLS", "main", "run_tool_by_name", "tool_names"]

TOOLS: dict[str, str] = {
    "kafka-topics": "topics",
    "kafka-console-producer": "console_producer",
    "kafka-console-consumer": "console_consumer",
    "kafka-consumer-groups": "consumer_groups",
    "kafka-broker-api-versions": "broker_api_versions",
    "kafka-configs": "configs",
    "kafka-acls": "acls",
    "kafka-delegation-tokens": "delegation_tokens",
    "kafka-groups": "groups",
    "kafka-cluster": "cluster",
    "kafka-storage": "storage",
    "kafka-get-offsets": "get_offsets",
    "kafka-delete-records": "delete_records",
    "kafka-server-start": "server_start",
    "kafka-run-class": "run_class",
    "cub": "cub",
    "ub": "cub",
    "zookeeper-server-start": "zookeeper_server_start",
    "zookeeper-server-stop": "nothing_to_do",
    "kafka-client-metrics": "not_provided",
    "kafka-console-share-consumer": "not_provided",
    "kafka-consumer-perf-test": "not_provided",
    "kafka-dump-log": "not_provided",
    "kafka-e2e-latency": "not_provided",
    "kafka-features": "not_provided",
    "kafka-leader-election": "not_provided",
    "kafka-log-dirs": "not_provided",
    "kafka-metadata-quorum": "not_provided",
    "kafka-metadata-shell": "not_provided",
    "kafka-producer-perf-test": "not_provided",
    "kafka-reassign-partitions": "not_provided",
    "kafka-replica-verification": "not_provided",
    "kafka-server-stop": "not_provided",
    "kafka-share-consumer-perf-test": "not_provided",
    "kafka-share-groups": "not_provided",
    "kafka-streams-application-reset": "not_provided",
    "kafka-streams-groups": "not_provided",
    "kafka-transactions": "not_provided",
    "kafka-verifiable-consumer": "not_provided",
    "kafka-verifiable-producer": "not_provided",
    "kafka-verifiable-share-consumer": "not_provided",
    "zookeeper-shell": "not_provided",
}


def tool_names() -> list[str]:
    """Every command that an installation has: of Kafka's tools with and without `.sh`."""
    plain = list(TOOLS)
    return [*plain, *(f"{name}.sh" for name in plain if name not in ("cub", "ub"))]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool that the first argument names, with the rest; return its exit code."""
    from kafkapy.cli.running import run_to_exit_code

    arguments = sys.argv[1:] if argv is None else list(argv)
    return run_to_exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    from kafkapy.client.streams import say
    from kafkapy.nearest import did_you_mean

    name = arguments[0].rpartition("/")[2].removesuffix(".sh") if arguments else ""
    if name not in TOOLS:
        say(f"there is no tool {name!r}{did_you_mean(name, TOOLS)}\n" if name else "name one of Kafka's tools\n")
        return 1
    return run_tool_by_name(name, arguments[1:])


def run_tool_by_name(name: str, arguments: Sequence[str]) -> int:
    """The exit code of one of TOOLS. Raises SystemExit: wrong usage, or a help."""
    from importlib import import_module

    from kafkapy.tools.tool_parser import ToolParser

    module = import_module(f"kafkapy.tools.{TOOLS[name]}")
    parser = ToolParser(prog=name, description=module.__doc__)
    module.add_arguments(parser)
    words = list(arguments)
    parsed = parser.parse_known_args(words)[0] if getattr(module, "TAKES_ANYTHING", False) else parser.parse_args(words)
    exit_code: int = module.run(parsed)
    return exit_code
