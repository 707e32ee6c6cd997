"""`kafkapy users`: users of SASL/SCRAM, their passwords and mechanisms."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    positive_count,
    print_json,
    print_table,
    wants_json,
)

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy users`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="users_command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="show the users, and how they can authenticate")
    add_json_argument(listing)
    add = commands.add_parser("add", help="make a user, or give one another password")
    add.add_argument("user", metavar="USER", help="its name")
    add.add_argument("--password", metavar="P", help="default: the first line of standard input")
    add.add_argument("--iterations", type=positive_count, metavar="N", help="of the hash (default: 8192)")
    remove = commands.add_parser("remove", help="remove users")
    remove.add_argument("user", metavar="USER", help="its name")
    for command in (add, remove):
        command.add_argument(
            "--mechanism", choices=MECHANISMS, metavar="M", help=f"{' or '.join(MECHANISMS)} (default: both)"
        )
    for command in (listing, add, remove):
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.users_command
    body = {"list": _list, "add": _add, "remove": _remove}[command]
    return run_command(f"users {command}", arguments, body)


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.users import credentials

    found = credentials(cluster)
    if wants_json(arguments):
        print_json([one._asdict() for one in found])
    elif found:
        print_table(["USER", "MECHANISM", "ITERATIONS"], [list(one) for one in found])
    else:
        print("there are no users")
    return 0


def _add(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.users import ITERATIONS, set_password

    password = arguments.password
    if password is None:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise ClientError("the password is empty: give --password, or a line on standard input")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise ClientError("the password is not UTF-8") from None
    for mechanism in _mechanisms(arguments):
        set_password(cluster, arguments.user, password, mechanism, arguments.iterations or ITERATIONS)
        print(f"user {arguments.user!r} can authenticate with {mechanism}")
    return 0


def _remove(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.users import credentials, remove_credentials

    present = {one.mechanism for one in credentials(cluster) if one.user == arguments.user}
    wanted = [mechanism for mechanism in _mechanisms(arguments) if mechanism in present]
    if not wanted:
        how = f" with {arguments.mechanism}" if arguments.mechanism else ""
        raise ClientError(f"there is no user {arguments.user!r}{how}")
    remove_credentials(cluster, arguments.user, wanted)
    for mechanism in wanted:
        print(f"user {arguments.user!r} cannot authenticate with {mechanism} any more")
    return 0


def _mechanisms(arguments: argparse.Namespace) -> tuple[str, ...]:
    return MECHANISMS if arguments.mechanism is None else (arguments.mechanism,)
