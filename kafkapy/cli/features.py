"""`kafkapy features`: the levels of the cluster's features (KIP-584), and changes of them."""

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

    from kafkapy.client.cluster import Cluster

METADATA_VERSION = "metadata.version"
LEVEL_MAX = 32_767


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy features`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="features_command", required=True, metavar="COMMAND")

    describe = commands.add_parser("describe", help="show the levels that hold, and those that brokers support")
    add_json_argument(describe)

    upgrade = commands.add_parser("upgrade", help="raise levels")
    downgrade = commands.add_parser("downgrade", help="lower levels; 0 switches a feature off")
    downgrade.add_argument(
        "--unsafe", action="store_true", help="even if metadata is lost that the lower level does not have"
    )
    for change in (upgrade, downgrade):
        change.add_argument(
            "features", nargs="+", metavar="FEATURE=LEVEL", help="a number; of metadata.version also 4.0 or 4.0-IV3"
        )
        change.add_argument("--dry-run", action="store_true", help="only ask whether it could be done")

    for command in (describe, upgrade, downgrade):
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.features_command
    body = {"describe": _describe, "upgrade": _change, "downgrade": _change}[command]
    return run_command(f"features {command}", arguments, body)


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.feature_levels import describe_features

    features, epoch = describe_features(cluster)
    if wants_json(arguments):
        print_json(
            {
                "epoch": epoch,
                "features": [
                    {
                        "feature": each.name,
                        "level": each.finalized_level,
                        "min_level": each.min_level,
                        "max_level": each.max_level,
                    }
                    for each in features
                ],
            }
        )
        return 0
    rows = [
        [
            each.name,
            _shown(each.name, each.finalized_level),
            _shown(each.name, each.min_level),
            _shown(each.name, each.max_level),
        ]
        for each in features
    ]
    print_table(["FEATURE", "LEVEL", "SUPPORTED FROM", "TO"], rows)
    return 0


def _shown(name: str, level: int) -> str:
    """A level; that of metadata.version with Kafka's name."""
    from kafkapy_controller.metadata_version import LEVEL_NAMES

    known = LEVEL_NAMES.get(level) if name == METADATA_VERSION else None
    return str(level) if known is None else f"{level} ({known})"


def _change(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.feature_levels import SAFE_DOWNGRADE, UNSAFE_DOWNGRADE, UPGRADE, update_features

    levels = {name: _level(name, text) for name, text in parse_settings(arguments.features).items()}
    kind = UPGRADE
    if arguments.features_command == "downgrade":
        kind = UNSAFE_DOWNGRADE if arguments.unsafe else SAFE_DOWNGRADE
    update_features(cluster, levels, kind, validate_only=arguments.dry_run)
    done = "could be" if arguments.dry_run else "is now"
    for name, level in levels.items():
        print(f"{name} {done} {_shown(name, level)}")
    return 0


def _level(name: str, text: str) -> int:
    """Raises ClientError."""
    from kafkapy.client.errors import ClientError
    from kafkapy_controller.metadata_version import LEVEL_NAMES
    from kafkapy_wire.integer_text import parse_integer

    number = parse_integer(text, 0, LEVEL_MAX)
    if number is not None:
        return number
    if name == METADATA_VERSION:
        # The last level of a release is what a new cluster of it has.
        found = [level for level, known in LEVEL_NAMES.items() if text in (known, known.partition("-")[0])]
        if found:
            return max(found)
    raise ClientError(f"{name}={text}: {text!r} is no level of it")
