"""Start a node, with the lines of Kafka's log that scripts wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.tools.tool_parser import add_ignored

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="SERVER.PROPERTIES")
    parser.add_argument("--override", action="append", default=[], metavar="NAME=VALUE")
    add_ignored(parser, "-daemon")


def run(arguments: argparse.Namespace) -> int:
    from kafkapy.image.launch import launch

    overrides = [word for override in arguments.override for word in ("--override", override)]
    return launch([arguments.file, *overrides])
