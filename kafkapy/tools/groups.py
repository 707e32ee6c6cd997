"""List the groups of every type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, run_tool

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.groups import GroupListing

_TYPES = ("classic", "consumer", "share", "streams")
_CONSUMER = "consumer"
_WIDTH_MIN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    parser.add_argument("--list", action="store_true")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--group-type", metavar="|".join(_TYPES))
    for kind in (_CONSUMER, "share", "streams"):
        which.add_argument(f"--{kind}", action="store_true", help=f"{kind} groups alone")
    parser.add_argument("--protocol", metavar="NAME")


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _list)


def _list(given: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import list_groups

    if not given.list:
        raise ClientError("Command must include exactly one action: --list.")
    if given.group_type is not None and given.group_type.lower() not in _TYPES:
        raise ClientError("--group-type must be a valid group type.")
    rows = [
        (group.group_id, group.group_type, group.protocol_type)
        for group in list_groups(cluster)
        if _is_wanted(given, group)
    ]
    width = max([_WIDTH_MIN, *(len(cell) for row in rows for cell in row)])
    print(" ".join(name.ljust(width) for name in ("GROUP", "TYPE", "PROTOCOL")))
    for row in rows:
        print("".join(f"{cell.ljust(width)} " for cell in row))
    return 0


def _is_wanted(given: argparse.Namespace, group: GroupListing) -> bool:
    kind, protocol = group.group_type.lower(), group.protocol_type
    if given.protocol is not None and protocol != given.protocol:
        return False
    if given.group_type is not None:
        return kind == str(given.group_type).lower()
    if given.consumer:  # classic groups of consumers, too, and those that only keep offsets
        return kind == _CONSUMER or (kind in ("classic", "") and protocol in (_CONSUMER, ""))
    return (not given.share or kind == "share") and (not given.streams or kind == "streams")
