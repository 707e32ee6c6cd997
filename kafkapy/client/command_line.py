"""Arguments and output that the commands share.

Options stand before or after a subcommand: both parsers take them, and neither sets a default that would hide what the
other one was given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy.client.errors import ClientError
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

DEFAULT_BOOTSTRAP = "localhost:9092"
DEFAULT_TIMEOUT_SECONDS = 10.0

Cell = str | int | None


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """`--bootstrap-server` and `--timeout`."""
    parser.add_argument(
        "-b",
        "--bootstrap-server",
        default=argparse.SUPPRESS,
        metavar="HOST:PORT",
        help=f"a broker of the cluster, several with commas ({DEFAULT_BOOTSTRAP})",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=argparse.SUPPRESS,
        metavar="SECONDS",
        help=f"how long to wait for an answer, and to try again ({DEFAULT_TIMEOUT_SECONDS:g})",
    )


def add_json_argument(parser: argparse.ArgumentParser, help_text: str = "print JSON") -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=help_text)


def wants_json(arguments: argparse.Namespace) -> bool:
    return bool(getattr(arguments, "json", False))


def connect(arguments: argparse.Namespace) -> Cluster:
    """The cluster that the connection arguments name; nothing is sent yet. Raises ClientError: not an address."""
    return Cluster(
        parse_bootstrap(getattr(arguments, "bootstrap_server", DEFAULT_BOOTSTRAP)),
        timeout_seconds=getattr(arguments, "timeout", DEFAULT_TIMEOUT_SECONDS),
        tell=_tell_at_a_terminal,
    )


def _tell_at_a_terminal(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(text + "\n")


def run_command(command: str, arguments: argparse.Namespace, body: Callable[[argparse.Namespace, Cluster], int]) -> int:
    """The exit code of `body`; 1 after one line on standard error where it raises ClientError."""
    try:
        with connect(arguments) as cluster:
            return body(arguments, cluster)
    except ClientError as error:
        complain(command, str(error))
        return 1


def complain(command: str, text: str) -> None:
    """One line on standard error, whatever line ends a broker's message holds."""
    sys.stderr.write(f"kafkapy {command}: {' '.join(text.split())}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Aligned columns with their names above: numbers to the right, text to the left, `-` for None."""
    texts = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    to_the_right = [
        bool(rows) and all(cell is None or isinstance(cell, int) for cell in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(columns)
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row in [list(columns), *texts]:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, to_the_right, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def print_json(document: object) -> None:
    import json

    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` each. Raises ClientError."""
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ClientError(f"{pair!r} is not NAME=VALUE")
        settings[name] = value
    return settings


def positive_seconds(text: str) -> float:
    """An argument type. Raises argparse.ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def positive_count(text: str) -> int:
    """An argument type. Raises argparse.ArgumentTypeError."""
    number = parse_integer(text, 1)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def partition_number(text: str) -> int:
    """An argument type. Raises argparse.ArgumentTypeError."""
    number = parse_integer(text, 0, INT32_MAX)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a partition")
    return number
