"""Arguments as Kafka's tools take them, and a client made from them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from kafkapy.cli.client_login import login_of
from kafkapy.cli.client_settings import client_settings, security_of
from kafkapy.cli.parser import CommandParser
from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy.client.errors import ClientError
from kafkapy.client.interrupts import interruptible
from kafkapy.client.streams import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# Kafka's tools wait a minute (default.api.timeout.ms); who waits for a broker in a loop does not want to.
TIMEOUT_SECONDS = 30.0


class ToolParser(CommandParser):
    """Wrong usage ends with Kafka's exit code, 1."""

    def error(self, message: str) -> NoReturn:
        try:
            super().error(message)
        except SystemExit:
            raise SystemExit(1) from None


def add_connection_arguments(parser: argparse.ArgumentParser, *aliases: str, required: bool = True) -> None:
    """`--bootstrap-server` under its other names too, and a file of client settings."""
    parser.add_argument(
        "--bootstrap-server",
        *aliases,
        dest="bootstrap_server",
        required=required,
        metavar="HOST:PORT",
        help="a broker of the cluster, several with commas",
    )
    add_client_settings_arguments(parser)


def add_servers_arguments(parser: argparse.ArgumentParser) -> None:
    """Of a tool that asks brokers or controllers."""
    servers = parser.add_mutually_exclusive_group()
    for option in ("--bootstrap-server", "--bootstrap-controller"):
        servers.add_argument(option, dest="bootstrap_server", metavar="HOST:PORT")


def add_client_settings_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--command-config", metavar="FILE", help="client settings, a properties file")


def add_ignored(parser: argparse.ArgumentParser, *options: str, takes_value: bool = False) -> None:
    """Options of Kafka's tools that change nothing here."""
    for option in options:
        if takes_value:
            parser.add_argument(option, action="append", help=argparse.SUPPRESS)
        else:
            parser.add_argument(option, action="store_true", help=argparse.SUPPRESS)


def named_values(pairs: Iterable[str], option: str) -> dict[str, str]:
    """NAME=VALUE each; Kafka allows a value that is empty. Raises ClientError."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ClientError(f"{option} {pair!r} is not NAME=VALUE")
        found[name.strip()] = value
    return found


def only_action(arguments: argparse.Namespace, *actions: str) -> str:
    """The one of `actions` that is asked for. Raises ClientError, with Kafka's words."""
    chosen = [action for action in actions if getattr(arguments, action)]
    if len(chosen) != 1:
        *others, last = (f"--{action}" for action in actions)
        raise ClientError(f"Command must include exactly one action: {', '.join(others)} or {last}")
    return chosen[0]


def check_principals(texts: Iterable[str]) -> None:
    """Raises ClientError: one is not `User:alice`."""
    for text in texts:
        if not all(text.partition(":")):
            raise ClientError(f"expected a string in format principalType:principalName but got {text}")


def run_tool(
    arguments: argparse.Namespace,
    body: Callable[[argparse.Namespace, Cluster], int],
    *,
    failed: str = "",
    properties: Mapping[str, str] | None = None,
) -> int:
    """The exit code of `body`; 1 after a line on standard error, which begins with `failed`, where it raises
    ClientError. `properties` are client settings that were given as arguments.
    """
    try:
        settings = {**client_settings(getattr(arguments, "command_config", None)), **(properties or {})}
        bootstrap, security, login = _bootstrap(arguments, settings), security_of(settings), login_of(settings)
        # In the place of Kafka's words for a broker that is not there: its tools log that every second, for a minute.
        with (
            interruptible(),
            Cluster(bootstrap, timeout_seconds=TIMEOUT_SECONDS, security=security, login=login) as cluster,
        ):
            return body(arguments, cluster)
    except ClientError as error:
        say(f"{failed}{' '.join(str(error).split())}\n")
        return 1


def _bootstrap(arguments: argparse.Namespace, settings: Mapping[str, str]) -> list[tuple[str, int]]:
    """Raises ClientError."""
    text = getattr(arguments, "bootstrap_server", None) or settings.get("bootstrap.servers")
    if text is None:
        raise ClientError("name a broker: --bootstrap-server HOST:PORT")
    return parse_bootstrap(text)


def names_matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Kafka's include lists: a regular expression, where commas mean `or`, quotes around it not counted.

    Raises ClientError.
    """
    import re

    text = pattern.strip("\"'").replace(",", "|").replace(" ", "")
    try:
        compiled = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ClientError(f"{pattern!r} is not a regular expression: {error}") from None
    return [name for name in names if compiled.fullmatch(name)]


def table(columns: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[object]]) -> str:
    """Lines as Java's `%-15s %-10s` formats them: each cell at least as wide as its column, `-` for None."""
    lines = []
    for row in (columns, *rows):
        cells = ["-" if cell is None else str(cell) for cell in row]
        lines.append(" ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)))
    return "\n".join(lines)


def tabbed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines as Kafka's newer tools print them: each cell as wide as its column, and a tab behind it."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return "\n".join(
        "".join(f"{cell.ljust(width)}\t" for cell, width in zip(row, widths, strict=True)) for row in (columns, *rows)
    )
