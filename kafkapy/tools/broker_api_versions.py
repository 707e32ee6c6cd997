"""Show which versions of each API the brokers serve."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.tools.tool_parser import add_connection_arguments, run_tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from kafkapy.client.cluster import Cluster


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _print)


def _print(_arguments: argparse.Namespace, cluster: Cluster) -> int:
    metadata = cluster.retrying(lambda: cluster.metadata([]))
    for broker in sorted(metadata.brokers, key=lambda broker: broker.node_id):
        connection = cluster.retrying(partial(cluster.broker, broker.node_id))
        rack = "null" if broker.rack is None else broker.rack
        print(f"{broker.host}:{broker.port} (id: {broker.node_id} rack: {rack} isFenced: false) -> (")
        print(",\n".join(_api_lines(connection.versions)))
        print(")")
    return 0


def _api_lines(served: Mapping[int, tuple[int, int]]) -> list[str]:
    """Of every API that brokers have or this one serves, in the order of the keys."""
    from kafkapy_wire.api_keys import API_VERSIONS

    names = {int(key): api.message_name for key, api in API_VERSIONS.items() if "broker" in api.listeners}
    return [_api_line(key, names.get(key), served.get(key)) for key in sorted(served.keys() | names.keys())]


def _api_line(key: int, name: str | None, versions: tuple[int, int] | None) -> str:
    from kafkapy_wire.api_keys import API_VERSIONS, ApiKey

    shown = f"\t{name or 'UNKNOWN'}({key}): "
    if versions is None:
        return f"{shown}UNSUPPORTED"
    first, last = versions
    told = f"{first}" if first == last else f"{first} to {last}"
    if name is None:
        return f"{shown}{told} [usable: UNSUPPORTED]"
    ours = API_VERSIONS[ApiKey(key)]
    newest = min(last, ours.max_version)
    usable = str(newest) if newest >= max(first, ours.min_version) else "UNSUPPORTED"
    return f"{shown}{told} [usable: {usable}]"
