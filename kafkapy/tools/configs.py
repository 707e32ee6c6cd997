"""Show and change settings of topics, brokers and groups while they run."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.own_broker import own_broker
from kafkapy.tools.tool_parser import add_client_settings_arguments, add_ignored, add_servers_arguments, run_tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.configs import Resource
    from kafkapy_wire.messages.describe_configs import DescribeConfigsResourceResult

_TYPES = ("topics", "brokers", "groups", "users", "clients", "ips", "broker-loggers", "client-metrics")
_FLAGS = {
    "topic": "topics",
    "client": "clients",
    "user": "users",
    "broker": "brokers",
    "broker-logger": "broker-loggers",
    "ip": "ips",
    "group": "groups",
    "client-metrics": "client-metrics",
}
"""Flags, and the types of entity that they are short for, in the order in which Kafka takes them."""
_WITH_DEFAULTS = ("client", "user", "broker", "ip")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_servers_arguments(parser)
    parser.add_argument("--zookeeper", metavar="HOST:PORT", help="in a container: the broker that runs in it")
    add_client_settings_arguments(parser)
    actions = parser.add_mutually_exclusive_group(required=True)
    for action in ("alter", "describe"):
        actions.add_argument(f"--{action}", action="store_const", dest="action", const=action)
    parser.add_argument("--entity-type", action="append", default=[], choices=_TYPES, metavar="TYPE")
    parser.add_argument("--entity-name", action="append", dest="entity_names", default=[], metavar="NAME")
    parser.add_argument("--entity-default", action="append_const", dest="entity_names", const="")
    for flag, kind in _FLAGS.items():
        parser.add_argument(f"--{flag}", dest=kind, metavar="NAME", help=f"--entity-type {kind} --entity-name NAME")
        if flag in _WITH_DEFAULTS:
            parser.add_argument(f"--{flag}-defaults", dest=f"{kind} defaults", action="store_true")
    parser.add_argument("--add-config", metavar="NAME=VALUE,NAME=[VALUE,VALUE]")
    parser.add_argument("--add-config-file", metavar="FILE")
    parser.add_argument("--delete-config", metavar="NAME,NAME")
    parser.add_argument("--all", action="store_true")
    add_ignored(parser, "--force")


def run(arguments: argparse.Namespace) -> int:
    if arguments.zookeeper is not None and arguments.bootstrap_server is None:
        arguments.bootstrap_server = own_broker()
    return run_tool(arguments, _alter if arguments.action == "alter" else _describe, failed="Error: ")


def _entities(arguments: argparse.Namespace) -> list[tuple[str, str | None]]:
    """Types with names: "" for the default of all, None for each. Raises ClientError."""
    flags = [(kind, getattr(arguments, kind)) for kind in _FLAGS.values() if getattr(arguments, kind) is not None]
    flags += [(_FLAGS[flag], "") for flag in _WITH_DEFAULTS if getattr(arguments, f"{_FLAGS[flag]} defaults")]
    types, names = arguments.entity_type, arguments.entity_names
    if flags and (types or names):
        raise ClientError("--entity-{type,name,default} should not be used in conjunction with specific entity flags")
    found = flags or list(zip_longest(types, names[: len(types)]))
    kinds = [kind for kind, _ in found]
    if not found:
        raise ClientError("At least one entity type must be specified: --entity-type topics --entity-name NAME")
    if len(set(kinds)) < len(kinds):
        raise ClientError(f"Duplicate entity type(s) specified: {','.join(kinds)}")
    if len(kinds) > 1 and set(kinds) != {"users", "clients"}:
        raise ClientError("Only 'users' and 'clients' entity types may be specified together")
    return found


def _resources(
    arguments: argparse.Namespace, entities: list[tuple[str, str | None]], cluster: Cluster
) -> list[tuple[Resource, str]]:
    """Each with Kafka's words for it. Raises ClientError."""
    from kafkapy.client.configs import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, Resource

    ((kind, name),) = entities
    type_id = {
        "topics": TOPIC,
        "brokers": BROKER,
        "groups": GROUP,
        "client-metrics": CLIENT_METRICS,
        "broker-loggers": BROKER_LOGGER,
    }[kind]
    words = kind.removesuffix("s")
    if name is not None and not (name == "" and kind == "brokers"):
        if not name:
            raise ClientError(f"--entity-default is for brokers: {kind} have no common settings of their own")
        is_node = kind in ("brokers", "broker-loggers")
        if is_node and not (name.isascii() and name.isdecimal() and len(name) <= 10):
            raise ClientError(f"The entity name for {kind} must be a valid integer broker id, found: {name}")
        return [(Resource(type_id, name), f"{words} {name}")]
    if name is not None:
        return [(Resource(type_id, ""), "brokers")]
    if arguments.action == "alter":
        raise ClientError("--alter needs --entity-name or --entity-default")
    names = _names(cluster, kind)
    found = [(Resource(type_id, one), f"{words} {one}") for one in names]
    return [*found, (Resource(type_id, ""), "brokers")] if kind == "brokers" else found


def _names(cluster: Cluster, kind: str) -> list[str]:
    if kind == "topics":
        from kafkapy.client.topics import list_topics

        return [topic.name or "" for topic in list_topics(cluster, include_internal=True)]
    if kind == "client-metrics":
        from kafkapy.client.configs import list_client_metrics

        return list_client_metrics(cluster)
    if kind in ("brokers", "broker-loggers"):
        return [str(node_id) for node_id in cluster.broker_ids()]
    from kafkapy.client.groups import list_groups

    return [group.group_id for group in list_groups(cluster)]


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import describe_configs, is_own
    from kafkapy.tools import client_entities

    entities = _entities(arguments)
    if entities[0][0] in client_entities.TYPES:
        client_entities.describe(entities, cluster)
        return 0
    for resource, words in _resources(arguments, entities, cluster):
        configs = describe_configs(cluster, resource, synonyms=True)
        if not arguments.all:
            configs = [config for config in configs if is_own(resource, config)]
        is_default = words == "brokers"
        kind = "All" if arguments.all else "Dynamic"
        print(f"Default configs for {words} in the cluster are:" if is_default else f"{kind} configs for {words} are:")
        for config in configs:
            sensitive = f"sensitive={str(config.is_sensitive).lower()}"
            print(f"  {config.name}={_shown(config.value)} {sensitive} {_synonyms(config)}")
    return 0


def _shown(value: str | None) -> str:
    return "null" if value is None else value


def _synonyms(config: DescribeConfigsResourceResult) -> str:
    from kafkapy.client.configs import SOURCES

    told = [f"{SOURCES.get(one.source, 'UNKNOWN')}:{one.name}={_shown(one.value)}" for one in config.synonyms]
    return f"synonyms={{{', '.join(told)}}}"


def _alter(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.configs import alter_configs
    from kafkapy.tools import client_entities

    entities = _entities(arguments)
    changed = _changed(arguments)
    deleted = [name.strip() for name in (arguments.delete_config or "").split(",") if name.strip()]
    if not changed and not deleted:
        raise ClientError(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter"
        )
    kind, name = entities[0]
    if kind in client_entities.TYPES:
        client_entities.alter(entities, changed, deleted, cluster)
        done = f"config for {kind.removesuffix('s')} {name}" if name else f"default config for {kind} in the cluster"
        print(f"Completed updating {done}.")
        return 0
    ((resource, words),) = _resources(arguments, entities, cluster)
    alter_configs(cluster, resource, changed, deleted)
    words = "default config for brokers in the cluster" if words == "brokers" else f"config for {words}"
    print(f"Completed updating {words}.")
    return 0


def _changed(arguments: argparse.Namespace) -> Mapping[str, str]:
    """Raises ClientError."""
    if arguments.add_config_file is not None:
        from pathlib import Path

        from kafkapy.settings.properties import parse_properties

        try:
            return parse_properties(Path(arguments.add_config_file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ClientError(f"cannot read {arguments.add_config_file}: {error}") from None
    return parse_added(arguments.add_config or "")


def parse_added(text: str) -> dict[str, str]:
    """`NAME=VALUE,NAME=[VALUE,VALUE]`: commas within brackets belong to the value. Raises ClientError."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        name, equals, rest = text[position:].partition("=")
        if not equals or not name.strip():
            raise ClientError(f"{text[position:]!r} is not NAME=VALUE")
        position += len(name) + 1
        if rest.startswith("["):
            value, bracket, _ = rest[1:].partition("]")
            if not bracket:
                raise ClientError(f"{name.strip()}={rest!r}: there is no ] behind the [")
            position += len(value) + 2
        else:
            value = rest.partition(",")[0]
            position += len(value)
        found[name.strip()] = value
        if position < len(text) and text[position] != ",":
            raise ClientError(f"{text[position:]!r}: a comma is missing before it")
        position += 1
    return found
