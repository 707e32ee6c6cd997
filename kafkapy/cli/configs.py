"""`kafkapy configs`: show and change settings of topics, brokers and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    parse_settings,
    partition_number,
    print_json,
    print_table,
    run_command,
    wants_json,
)

if TYPE_CHECKING:
    import argparse

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
        whose.add_argument("--broker", type=partition_number, metavar="N", help="of one broker, by its node id")
        whose.add_argument("--broker-default", action="store_true", help="of all brokers, unless a broker has its own")
        whose.add_argument("--group", "-g", metavar="G", help="of a group")
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.configs_command
    body = {"describe": _describe, "set": _set, "delete": _delete}[command]
    return run_command(f"configs {command}", arguments, body)


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import DEFAULT_SOURCE, SOURCES, describe_configs
    from kafkapy.client.errors import ClientError

    resource = _resource(arguments)
    configs = describe_configs(cluster, resource)
    unknown = sorted(set(arguments.names) - {config.name for config in configs})
    if unknown:
        raise ClientError(f"{resource.words}: there is no setting {unknown[0]!r}")
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

    resource = _resource(arguments)
    settings = parse_settings(arguments.settings)
    alter_configs(cluster, resource, settings, [])
    for name, value in settings.items():
        print(f"{resource.words}: {name}={value}")
    return 0


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import alter_configs

    resource = _resource(arguments)
    names = list(dict.fromkeys(arguments.names))
    alter_configs(cluster, resource, {}, names)
    for name in names:
        print(f"{resource.words}: {name} has its default again")
    return 0


def _resource(arguments: argparse.Namespace) -> Resource:
    from kafkapy.client.configs import BROKER, GROUP, TOPIC, Resource

    if arguments.topic is not None:
        return Resource(TOPIC, arguments.topic)
    if arguments.group is not None:
        return Resource(GROUP, arguments.group)
    return Resource(BROKER, "" if arguments.broker is None else str(arguments.broker))
