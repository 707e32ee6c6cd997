"""Format data directories, make ids."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkapy.client.streams import say
from kafkapy.image.defaults import IMAGE_VARIABLE, default_arguments

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    import argparse

    parser.add_argument("command", choices=("format", "random-uuid", "info", "version-mapping"), metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="OPTIONS", help="those of `kafkapy format`")


def run(arguments: argparse.Namespace) -> int:
    from kafkapy.cli import command_parser

    if arguments.command == "random-uuid":
        from kafkapy.cli.random_uuid import run as print_random_uuid

        return print_random_uuid(arguments)
    if arguments.command != "format":
        say(f"kafka-storage {arguments.command} is not provided: `kafkapy log` shows what a directory holds\n")
        return 1
    from kafkapy.cli.format import run as run_format
    from kafkapy.image.launch import adopt_variables
    from kafkapy.settings.errors import SettingsError

    if os.environ.get(IMAGE_VARIABLE):  # what holds for the broker of the container holds for its directory
        try:
            adopt_variables(dict(os.environ))
        except SettingsError as error:
            say(f"kafkapy: {error}\n")
            return 1
    parser = command_parser("format")
    return run_format(parser.parse_intermixed_args([*default_arguments(), *arguments.rest]))
