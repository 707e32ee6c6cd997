"""Which metrics clients send to the brokers (KIP-714)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, only_action, run_tool

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster

_ACTIONS = ("list", "describe", "alter", "delete")
_SETTINGS = {"metrics": "metrics", "interval": "interval.ms", "match": "match"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    for action in _ACTIONS:
        parser.add_argument(f"--{action}", action="store_true")
    parser.add_argument("--name")
    parser.add_argument("--generate-name", action="store_true", help="with --alter: a name that is new")
    parser.add_argument(
        "--metrics", metavar="PREFIX,PREFIX", help="of the names of metrics; *: all, empty: the default"
    )
    parser.add_argument("--interval", metavar="MS")
    parser.add_argument("--match", metavar="SELECTOR=PATTERN,...", help="which clients")


def run(arguments: argparse.Namespace) -> int:
    body = {"alter": _alter, "delete": _delete, "describe": _describe, "list": _list}

    def checked(given: argparse.Namespace, cluster: Cluster) -> int:
        return body[only_action(given, *_ACTIONS)](given, cluster)

    return run_tool(arguments, checked, failed="Error while executing client metrics command : ")


def _alter(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import CLIENT_METRICS, Resource, alter_configs
    from kafkapy_wire.uuid import random_uuid, uuid_text

    if (given.name is None) is not given.generate_name:
        raise ClientError("One of --name or --generate-name must be specified with --alter.")
    values = {setting: getattr(given, option) for option, setting in _SETTINGS.items()}
    name = given.name or uuid_text(random_uuid())
    changed = {setting: value for setting, value in values.items() if value}
    deleted = [setting for setting, value in values.items() if value == ""]
    alter_configs(cluster, Resource(CLIENT_METRICS, name), changed, deleted)
    print(f"Altered client metrics config for {name}.")
    return 0


def _delete(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import CLIENT_METRICS, Resource, alter_configs, describe_configs, is_own

    if given.name is None:
        raise ClientError("A client metrics resource name must be specified with --delete.")
    resource = Resource(CLIENT_METRICS, given.name)
    own = [config.name for config in describe_configs(cluster, resource) if is_own(resource, config)]
    alter_configs(cluster, resource, {}, own)
    print(f"Deleted client metrics config for {given.name}.")
    return 0


def _describe(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import CLIENT_METRICS, Resource, describe_configs, list_client_metrics

    present = list_client_metrics(cluster)
    if given.name is not None and given.name not in present:
        print(f"The client metric resource {given.name} doesn't exist and doesn't have dynamic config.")
        return 0
    for name in present if given.name is None else [given.name]:
        print(f"Client metrics configs for {name} are:")
        for config in describe_configs(cluster, Resource(CLIENT_METRICS, name)):
            print(f"  {config.name}={config.value}")
    return 0


def _list(_given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import list_client_metrics

    for name in list_client_metrics(cluster):
        print(name)
    return 0
