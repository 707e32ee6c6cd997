"""Arguments and output that the commands share.

Options stand before or after a subcommand: both parsers take them, and neither sets a default that would hide what the
other one was given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from kafkapy.client.errors import ClientError
from kafkapy.client.streams import say
from kafkapy_wire.integer_text import INT32_MAX, INT64_MAX, parse_integer

BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
DEFAULT_BOOTSTRAP = "localhost:9092"
DEFAULT_TIMEOUT_SECONDS = 10.0

Cell = str | int | None

_DATE_DIGITS_MAX = 8  # 20260131 is a date
_INT64_DIGITS_MAX = 19
INT16_MAX = (1 << 15) - 1


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """`--bootstrap-server`, `--command-config` and `--timeout`."""
    parser.add_argument(
        "-b",
        "--bootstrap-server",
        default=argparse.SUPPRESS,
        metavar="HOST:PORT",
        help=f"a broker of the cluster, several with commas (default: ${BOOTSTRAP_VARIABLE}, else {DEFAULT_BOOTSTRAP})",
    )
    parser.add_argument(
        "--command-config",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="a properties file with client settings, such as security.protocol, ssl.truststore.location, "
        "sasl.mechanism and sasl.jaas.config (default: none)",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=argparse.SUPPRESS,
        metavar="SECONDS",
        help=f"how long to wait for an answer, retries included (default: {DEFAULT_TIMEOUT_SECONDS:g})",
    )


def add_json_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup, help_text: str = "print JSON") -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=help_text)


def wants_json(arguments: argparse.Namespace) -> bool:
    return bool(getattr(arguments, "json", False))


def complain(command: str, text: str) -> None:
    """One line on standard error, whatever line ends a broker's message holds."""
    say(f"kafkapy {command}: {' '.join(text.split())}\n")


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


def milliseconds(text: str) -> int:
    """Since 1970, of a time like 2026-01-31T14:00:00 or of a number that counts them already. Raises ClientError."""
    from datetime import UTC, datetime

    if text.isascii() and text.isdecimal() and len(text) > _DATE_DIGITS_MAX:
        number = parse_integer(text, 0)
        if number is not None:
            return number
        raise ClientError(f"{text[:_INT64_DIGITS_MAX]}... is more milliseconds than there are")
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return max(0, int(time.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise ClientError(f"{text!r} is not a time like 2026-01-31T14:00:00") from None


def positive_seconds(text: str) -> float:
    """An argument type. Raises argparse.ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


# Argument types for whole numbers. All raise argparse.ArgumentTypeError, whose text says what would be right.


def positive_count(text: str) -> int:
    return _number(text, 1, INT64_MAX, "a number above 0")


def count_or_zero(text: str) -> int:
    return _number(text, 0, INT64_MAX, "a number, 0 or above")


def partition_count(text: str) -> int:
    return _number(text, 1, INT32_MAX, f"a number from 1 to {INT32_MAX}")


def replica_count(text: str) -> int:
    return _number(text, 1, INT16_MAX, f"a number from 1 to {INT16_MAX}")


def offset_number(text: str) -> int:
    return _number(text, 0, INT64_MAX, "an offset: it is a number, 0 or above")


def offset_distance(text: str) -> int:
    return _number(text, -INT64_MAX, INT64_MAX, "a number of records, such as 5 or -5")


def partition_number(text: str) -> int:
    return _number(text, 0, INT32_MAX, "the number of a partition: it is 0 or above")


def node_number(text: str) -> int:
    return _number(text, 0, INT32_MAX, "a node id: it is a number, 0 or above")


def node_numbers(text: str) -> list[int]:
    """`1,2,3`, each once."""
    return list(dict.fromkeys(node_number(part.strip()) for part in text.split(",")))


def message_version(text: str) -> int:
    return _number(text, 0, INT16_MAX, "the version of a message: it is a number, 0 or above")


def _number(text: str, low: int, high: int, what: str) -> int:
    number = parse_integer(text, low, high)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return number
