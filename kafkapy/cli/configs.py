"""`kafkapy configs`: show and change settings of topics, brokers and groups, levels of loggers, client metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    node_number,
    parse_settings,
    print_json,
    print_table,
    wants_json,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.configs import Resource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy configs`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="configs_command", required=True, metavar="COMMAND")

    describe = commands.add_parser("describe", help="show settings and where each comes from")
    describe.add_argument(
        "names", nargs="*", metavar="NAME", help="only these settings (default: those that were changed)"
    )
    describe.add_argument("--all", action="store_true", help="also settings that have their default")
    add_json_argument(describe)

    change = commands.add_parser("set", help="change settings; a running broker follows at once")
    change.add_argument("settings", nargs="+", metavar="NAME=VALUE")

    delete = commands.add_parser("delete", help="take settings back to their defaults")
    delete.add_argument("names", nargs="+", metavar="NAME")

    for command in (describe, change, delete):
        whose = command.add_mutually_exclusive_group(required=True)
        whose.add_argument("--topic", "-t", metavar="T", help="the settings of a topic")
        whose.add_argument("--broker", type=node_number, metavar="N", help="of one broker, by its node id")
        whose.add_argument("--broker-default", action="store_true", help="of all brokers, unless a broker has its own")
        whose.add_argument("--group", "-g", metavar="G", help="of a group")
        whose.add_argument(
            "--client-metrics", metavar="S", help="a subscription to clients' metrics: metrics, interval.ms, match"
        )
        whose.add_argument(
            "--loggers", type=node_number, metavar="N", help="the levels of the loggers of one broker, until it stops"
        )
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.configs_command
    body = {"describe": _describe, "set": _set, "delete": _delete}[command]
    return run_command(f"configs {command}", arguments, body)


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import DEFAULT_SOURCE, SOURCES, describe_configs

    resource = _resource(arguments)
    configs = describe_configs(cluster, resource)
    _require_known(resource, arguments.names, [config.name for config in configs])
    if arguments.names:
        configs = [config for config in configs if config.name in arguments.names]
    elif not arguments.all:
        configs = [config for config in configs if config.config_source != DEFAULT_SOURCE]
    if wants_json(arguments):
        print_json(
            [
                {
                    "name": config.name,
                    "value": config.value,
                    "source": SOURCES.get(config.config_source, "UNKNOWN"),
                    "read_only": config.read_only,
                    "sensitive": config.is_sensitive,
                }
                for config in configs
            ]
        )
    elif configs:
        rows = []
        for config in configs:
            value = "(hidden)" if config.is_sensitive else config.value
            source = SOURCES.get(config.config_source, "UNKNOWN")
            rows.append([config.name, value, source + (", read-only" if config.read_only else "")])
        print_table(["NAME", "VALUE", "SOURCE"], rows)
    else:
        print(f"{resource.words}: all settings have their defaults; --all shows them")
    return 0


def _set(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import alter_configs
    from kafkapy.client.errors import Refused
    from kafkapy_wire.errors import ErrorCode

    resource = _resource(arguments)
    settings = parse_settings(arguments.settings)
    try:
        alter_configs(cluster, resource, settings, [])
    except Refused as error:
        if error.code in (ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_REQUEST):
            raise Refused(error.code, str(error) + _hints(cluster, resource, settings)) from None
        raise
    for name, value in settings.items():
        print(f"{resource.words}: {name}={value}")
    return 0


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import alter_configs

    resource = _resource(arguments)
    names = list(dict.fromkeys(arguments.names))
    # A broker accepts that a name which nobody knows is deleted.
    _require_known(resource, names, _known_names(cluster, resource))
    alter_configs(cluster, resource, {}, names)
    for name in names:
        print(f"{resource.words}: {name} has its default again")
    return 0


def _require_known(resource: Resource, names: Iterable[str], known: Collection[str]) -> None:
    """Raises ClientError, with the nearest known name."""
    from kafkapy.client.errors import ClientError
    from kafkapy.nearest import did_you_mean

    for name in names:
        if name not in known:
            raise ClientError(f"{resource.words}: there is no setting {name!r}{did_you_mean(name, known)}")


def _hints(cluster: Cluster, resource: Resource, names: Iterable[str]) -> str:
    """What was meant by names that the broker does not list."""
    from kafkapy.nearest import did_you_mean

    known = _known_names(cluster, resource)
    return "".join(did_you_mean(name, known) for name in names if name not in known)


def _known_names(cluster: Cluster, resource: Resource) -> set[str]:
    """Of the settings of the common broker settings a broker lists only those that have a value there."""
    from kafkapy.client.configs import BROKER, Resource, describe_configs

    names = {config.name for config in describe_configs(cluster, resource)}
    if resource.type_id == BROKER and not resource.name:
        one = Resource(BROKER, str(cluster.broker_ids()[0]))
        names |= {config.name for config in describe_configs(cluster, one)}
    return names


def _resource(arguments: argparse.Namespace) -> Resource:
    from kafkapy.client.configs import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, Resource

    if arguments.client_metrics is not None:
        return Resource(CLIENT_METRICS, arguments.client_metrics)
    if arguments.loggers is not None:
        return Resource(BROKER_LOGGER, str(arguments.loggers))
    if arguments.topic is not None:
        return Resource(TOPIC, arguments.topic)
    if arguments.group is not None:
        return Resource(GROUP, arguments.group)
    return Resource(BROKER, "" if arguments.broker is None else str(arguments.broker))
