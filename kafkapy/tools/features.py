"""Show and change the levels of the cluster's features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError, Refused
from kafkapy.tools.tool_parser import add_client_settings_arguments, add_servers_arguments, named_values, run_tool
from kafkapy_wire.integer_text import parse_integer

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster

_METADATA_VERSION = "metadata.version"
_LEVEL_MAX = 32_767
_DONE = {"upgrade": "upgraded", "downgrade": "downgraded", "disable": "disabled"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "command", choices=("describe", *_DONE), metavar="COMMAND", help=", ".join(("describe", *_DONE))
    )
    add_servers_arguments(parser)
    add_client_settings_arguments(parser)
    parser.add_argument("--feature", action="append", default=[], metavar="NAME=LEVEL")
    parser.add_argument("--metadata", metavar="VERSION", help="such as 4.0-IV3; --feature metadata.version=LEVEL")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--unsafe", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _describe if arguments.command == "describe" else _change)


def _describe(_arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.feature_levels import describe_features

    features, epoch = describe_features(cluster)
    for each in features:
        lowest, highest, level = (
            _shown(each.name, number) for number in (each.min_level, each.max_level, each.finalized_level)
        )
        print(
            f"Feature: {each.name:<40}  SupportedMinVersion: {lowest:<15}  SupportedMaxVersion: {highest:<15}  "
            f"FinalizedVersionLevel: {level:<15}  Epoch: {'-' if epoch is None else epoch}"
        )
    return 0


def _shown(name: str, level: int) -> str:
    from kafkapy_controller.metadata_version import LEVEL_NAMES

    return LEVEL_NAMES.get(level, f"UNKNOWN {level}") if name == _METADATA_VERSION else str(level)


def _change(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.feature_levels import SAFE_DOWNGRADE, UNSAFE_DOWNGRADE, UPGRADE, update_features

    command = arguments.command
    levels = _levels(arguments)
    if not levels:
        raise ClientError(f"You must specify at least one feature to {command}")
    kind = UPGRADE
    if command != "upgrade":
        kind = UNSAFE_DOWNGRADE if arguments.unsafe else SAFE_DOWNGRADE
    try:
        update_features(cluster, levels, kind, validate_only=arguments.dry_run)
    except Refused as error:
        told = ", ".join(levels if command == "disable" else (f"{name} to {level}" for name, level in levels.items()))
        raise ClientError(f"{'Can' if arguments.dry_run else 'Could'} not {command} {told}. {error}") from None
    done = f"{'can be' if arguments.dry_run else 'was'} {_DONE[command]}"
    for name, level in sorted(levels.items()):
        print(f"{name} {done}." if command == "disable" else f"{name} {done} to {level}.")
    return 0


def _levels(arguments: argparse.Namespace) -> dict[str, int]:
    """Raises ClientError."""
    if arguments.command == "disable":
        return dict.fromkeys(arguments.feature, 0)
    levels = {}
    if arguments.metadata is not None:
        from kafkapy_controller.metadata_version import LEVEL_NAMES

        print(" `metadata` flag is deprecated and may be removed in a future release.")
        named = [level for level, name in LEVEL_NAMES.items() if arguments.metadata in (name, name.partition("-")[0])]
        if not named:
            raise ClientError(f"Unknown metadata.version {arguments.metadata}")
        levels[_METADATA_VERSION] = max(named)
    for name, text in named_values(arguments.feature, "--feature").items():
        level = parse_integer(text, 0, _LEVEL_MAX)
        if level is None:
            raise ClientError(f"Can't parse feature=level string {name}={text}: unable to parse {text} as a short.")
        levels[name] = level
    return levels
