"""`kafkapy quotas`: show and change the quotas of users, client ids and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    parse_settings,
    print_json,
    print_table,
    wants_json,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from kafkapy.client.cluster import Cluster

KINDS = ("user", "client-id", "ip")
WORDS = {"user": "user", "client-id": "client id", "ip": "address"}
QUOTAS = (
    *("producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"),
    "connection_creation_rate",
)
QUOTAS_HELP = (
    "such as producer_byte_rate=1048576; there are producer_byte_rate and consumer_byte_rate (bytes a second), "
    "request_percentage (of the event loop), controller_mutation_rate (partitions made or deleted a second), "
    "and of an address connection_creation_rate"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy quotas`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="quotas_command", required=True, metavar="COMMAND")
    describe = commands.add_parser("describe", help="show the quotas that were set")
    add_json_argument(describe)
    change = commands.add_parser("set", help="set quotas")
    change.add_argument("quotas", nargs="+", metavar="NAME=VALUE", help=QUOTAS_HELP)
    delete = commands.add_parser("delete", help="take quotas away")
    delete.add_argument("names", nargs="+", metavar="NAME", help="such as producer_byte_rate")
    for command in (describe, change, delete):
        for kind in KINDS:
            whose = command.add_mutually_exclusive_group()
            word = WORDS[kind]
            whose.add_argument(f"--{kind}", action="append", metavar=kind[0].upper(), help=f"of this {word}")
            whose.add_argument(f"--{kind}-default", action="store_true", help=f"of every {word} without one of its own")
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.quotas_command
    body = {"describe": _describe, "set": _set, "delete": _delete}[command]
    return run_command(f"quotas {command}", arguments, body)


def _entity(arguments: argparse.Namespace) -> dict[str, str | None]:
    """Raises ClientError."""
    from kafkapy.client.errors import ClientError

    entity: dict[str, str | None] = {}
    for kind in KINDS:
        attribute = kind.replace("-", "_")
        names = getattr(arguments, attribute)
        if names is not None:
            if len(names) > 1:
                raise ClientError(f"--{kind} is given more than once: write a command for each")
            entity[kind] = names[0]
        elif getattr(arguments, f"{attribute}_default"):
            entity[kind] = None
    return entity


def _required_entity(arguments: argparse.Namespace) -> dict[str, str | None]:
    """Raises ClientError."""
    from kafkapy.client.errors import ClientError

    entity = _entity(arguments)
    if not entity:
        raise ClientError("say whose quotas: --user, --client-id, both of them, or --ip; or their --...-default")
    return entity


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.quotas import describe_quotas, entity_words

    found = describe_quotas(cluster, _entity(arguments))
    if wants_json(arguments):
        print_json([{"entity": quotas.entity, "quotas": quotas.values} for quotas in found])
    elif found:
        rows = [
            [entity_words(quotas.entity), name, f"{value:g}" if value % 1 else f"{value:.0f}"]
            for quotas in found
            for name, value in sorted(quotas.values.items())
        ]
        print_table(["ENTITY", "QUOTA", "VALUE"], rows)
    else:
        print("there are no such quotas")
    return 0


def _alter(cluster: Cluster, entity: dict[str, str | None], changed: Mapping[str, float], removed: list[str]) -> None:
    """Raises ClientError, with the nearest name where the broker does not know one."""
    from kafkapy.client.errors import Refused
    from kafkapy.client.quotas import alter_quotas
    from kafkapy.nearest import did_you_mean

    try:
        alter_quotas(cluster, entity, changed, removed)
    except Refused as error:
        for name in changed:
            if name not in QUOTAS and name in str(error):
                there_are = f"{did_you_mean(name, QUOTAS)}: there are {', '.join(QUOTAS)}"
                raise Refused(error.code, f"{error}{there_are}") from None
        raise


def _set(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.quotas import entity_words

    entity = _required_entity(arguments)
    values: dict[str, float] = {}
    for name, text in parse_settings(arguments.quotas).items():
        try:
            values[name] = float(text)
        except ValueError:
            raise ClientError(f"{name}={text}: {text!r} is not a number") from None
    _alter(cluster, entity, values, [])
    for name, text in parse_settings(arguments.quotas).items():
        print(f"{entity_words(entity)}: {name}={text}")
    return 0


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.quotas import entity_words
    from kafkapy.nearest import did_you_mean

    entity = _required_entity(arguments)
    names = list(dict.fromkeys(arguments.names))
    for name in names:
        if name not in QUOTAS:  # brokers accept that, and nothing changes
            raise ClientError(f"there is no quota {name!r}{did_you_mean(name, QUOTAS)}: there are {', '.join(QUOTAS)}")
    _alter(cluster, entity, {}, names)
    for name in names:
        print(f"{entity_words(entity)}: {name} is not limited any more")
    return 0
