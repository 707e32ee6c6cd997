"""`kafkapy format`: data directories made beforehand, with the options of `kafka-storage format`.

A broker formats empty directories by itself. This is for a cluster id or features of one's own (a cluster of an older
metadata.version, for one), and for a directory that is added to those of log.dirs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.client.streams import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from kafkapy.settings import GivenSettings, Settings
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log.identity import Identity
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord
    from kafkapy_wire.uuid import Uuid

SHOWN_MAX = 40
"""Characters of a wrong value that an error shows."""
STANDALONE_WITH_VOTERS = (
    "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. "
    "If you want to use dynamic quorum, please remove controller.quorum.voters and specify "
    "controller.quorum.bootstrap.servers instead."
)
NO_VOTERS = (
    "Because controller.quorum.voters is not set on this controller, you must specify one of the following: "
    "--standalone, --initial-controllers, or --no-initial-controllers."
)
NO_USERS = (
    "--add-scram makes users with a new directory only: where one exists, `kafkapy users add` does, as a client that "
    "may log in already"
)
SALT_CHARACTERS = 26  # letters and digits, with as much chance as Apache Kafka's 130 bits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="SERVER.PROPERTIES", help="a file of settings by Kafka's names")
    parser.add_argument("-c", "--config", metavar="FILE", help="the same as SERVER.PROPERTIES, as kafka-storage has it")
    parser.add_argument(
        "--override", action="append", default=[], metavar="NAME=VALUE", help="a setting that wins over the file"
    )
    parser.add_argument(
        "--default",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting that holds if nothing else gives it",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="the directory (default: log.dirs, else ./kafkapy-data)")
    parser.add_argument("-t", "--cluster-id", metavar="ID", help="the cluster's id (default: a new one)")
    parser.add_argument(
        "-r",
        "--release-version",
        metavar="VERSION",
        help="the release or metadata.version that the cluster begins with: 3.9, 4.4-IV2 (default: the newest)",
    )
    parser.add_argument(
        "-f",
        "--feature",
        action="append",
        default=[],
        metavar="NAME=LEVEL",
        help="the level of one feature, such as transaction.version=0; may be given more than once",
    )
    parser.add_argument(
        "-g", "--ignore-formatted", action="store_true", help="succeed when the directory is formatted already"
    )
    parser.add_argument(
        "-S",
        "--add-scram",
        action="append",
        default=[],
        metavar="CREDENTIAL",
        help="a user of SASL/SCRAM: SCRAM-SHA-256=[name=alice,password=secret] or SCRAM-SHA-512=[...], also with "
        'iterations=8192, and with salt="...",saltedpassword="..." in base64; may be given more than once',
    )
    voters = parser.add_mutually_exclusive_group()
    voters.add_argument(
        "-s",
        "--standalone",
        action="store_true",
        help="this node is the only voter, and the metadata log says so (the default for a node alone)",
    )
    voters.add_argument(
        "-I",
        "--initial-controllers",
        metavar="VOTERS",
        help="the voters of a new cluster, ID@HOST:PORT:DIRECTORY_ID,...: the same list for each of them",
    )
    voters.add_argument(
        "-N",
        "--no-initial-controllers",
        action="store_true",
        help="a node that comes to a cluster: it learns from the other controllers who votes",
    )


def run(arguments: argparse.Namespace) -> int:
    from kafkapy.metadata.formatting import FormatError
    from kafkapy.settings import SettingsError
    from kafkapy_log import StoreError

    try:
        _format(arguments)
    except (FormatError, SettingsError, StoreError) as error:
        say(f"kafkapy: {error}\n")
        return 1
    except OSError as error:
        say(f"kafkapy: cannot format the directory: {error}\n")
        return 1
    return 0


def _format(arguments: argparse.Namespace) -> None:
    from kafkapy.cli.start import data_directory, log_directories
    from kafkapy.metadata.formatting import FormatError, format_data_directory
    from kafkapy.metadata.membership import names_others
    from kafkapy.settings import Settings
    from kafkapy_controller.metadata_version import METADATA_VERSION, level_name
    from kafkapy_log.identity import Identity
    from kafkapy_wire.uuid import random_uuid, uuid_text

    given = _given(arguments)
    settings = Settings.parse(given)
    metadata_directory = data_directory(settings)
    directories = list(dict.fromkeys([metadata_directory, *log_directories(settings)]))
    for directory in directories:
        if directory.exists() and not directory.is_dir():
            raise FormatError(
                f"cannot use the data directory {directory} (is a file, not a directory): name another directory"
            )
    if arguments.cluster_id is not None and not arguments.cluster_id.strip():
        raise FormatError(
            "--cluster-id is empty: leave it out for a new id, or set the variable that it was to come from"
        )
    try:
        membership, directory_id = _membership(arguments, settings)
        features = _new_features(arguments, settings)
        credentials = _credentials(arguments.add_scram, features[METADATA_VERSION])
    except ValueError as error:
        raise FormatError(str(error)) from error
    present = _present(directories, arguments.cluster_id, settings.node.node_id)
    if len(present) == len(directories) and arguments.ignore_formatted:
        print("All of the log directories are already formatted.")
        if credentials:
            say(f"{NO_USERS}\n")
        return
    if present and not arguments.ignore_formatted:
        raise FormatError(
            f"Log directory {next(iter(present))} is already formatted. Use --ignore-formatted to ignore this "
            "directory and format the others." + (f" {NO_USERS}" if credentials else "")
        )
    cluster_ids = {identity.cluster_id for identity in present.values()}
    cluster_id = arguments.cluster_id or (cluster_ids.pop() if cluster_ids else given.cluster_id)
    if cluster_id is None and (arguments.initial_controllers or names_others(settings)):
        raise FormatError(
            "--cluster-id is missing, and this node is one of several: format all of them with one and the same id, "
            f"as in --cluster-id {uuid_text(random_uuid())}"
        )
    cluster_id = cluster_id or uuid_text(random_uuid())
    # That of the metadata comes last: a start goes on with it, as long as it has no meta.properties.
    for directory in [each for each in reversed(directories) if each not in present]:
        has_metadata = directory == metadata_directory
        format_data_directory(
            directory,
            Identity(cluster_id, settings.node.node_id, directory_id if has_metadata else random_uuid()),
            membership,
            features,
            time.time_ns() // 1_000_000,
            credentials=credentials,
            has_metadata=has_metadata and settings.node.is_controller,
        )
        kind = _kind(membership, settings.node.node_id) if has_metadata else "data directory"
        print(f"Formatting {kind} {directory} with {METADATA_VERSION} {level_name(features[METADATA_VERSION])}.")


def _present(directories: Iterable[Path], cluster_id: str | None, node_id: int) -> dict[Path, Identity]:
    """Those that are formatted. Raises FormatError: for another cluster or node."""
    from kafkapy.metadata.formatting import FormatError
    from kafkapy_log.identity import read_identity

    present = {}
    for directory in directories:
        identity = read_identity(directory)
        if identity is None:
            continue
        if cluster_id not in (None, identity.cluster_id):
            raise FormatError(
                f"Invalid cluster.id in: {directory}/meta.properties. Expected {cluster_id}, but read "
                f"{identity.cluster_id}"
            )
        if identity.node_id != node_id:
            raise FormatError(
                f"Stored node id {identity.node_id} doesn't match previous node id {node_id} in "
                f"{directory}/meta.properties. If you moved your data, make sure your configured node id matches. If "
                "you intend to create a new node, you should remove all data in your data directories."
            )
        present[directory] = identity
    return present


def _kind(membership: QuorumMembership, node_id: int) -> str:
    """Of the directory with the metadata."""
    if not membership.kraft_version or not membership.voters:
        return "metadata directory"
    return "dynamic metadata voter directory" if membership.voter(node_id) is not None else "dynamic metadata directory"


def _membership(arguments: argparse.Namespace, settings: Settings) -> tuple[QuorumMembership, Uuid]:
    """Who votes, and the id of this directory. Raises FormatError, ValueError."""
    from kafkapy.metadata.formatting import FormatError
    from kafkapy.metadata.membership import names_others, own_voter, parse_initial_controllers, quorum_of
    from kafkapy_controller.voters import LATEST_KRAFT_VERSION, QuorumMembership
    from kafkapy_wire.uuid import random_uuid

    node, directory_id = settings.node, random_uuid()
    voters_in_settings = bool(settings.quorum.voters)
    if voters_in_settings and (arguments.standalone or arguments.initial_controllers is not None):
        raise FormatError(STANDALONE_WITH_VOTERS)
    if arguments.standalone:
        if not node.is_controller:
            raise FormatError("You can only use --standalone on a controller.")
        return QuorumMembership(LATEST_KRAFT_VERSION, (own_voter(settings, directory_id),)), directory_id
    if arguments.initial_controllers is not None:
        name = settings.network.controller_listener_names[0]
        voters = parse_initial_controllers(arguments.initial_controllers, name)
        membership = QuorumMembership(LATEST_KRAFT_VERSION, voters)
        own = membership.voter(node.node_id)
        return membership, directory_id if own is None else own.directory_id
    if arguments.no_initial_controllers and not voters_in_settings:
        return QuorumMembership(LATEST_KRAFT_VERSION, ()), directory_id
    if node.is_controller and not voters_in_settings and names_others(settings):
        raise FormatError(NO_VOTERS)
    return quorum_of(settings, directory_id), directory_id


def _new_features(arguments: argparse.Namespace, settings: Settings) -> dict[str, int]:
    """Raises ValueError."""
    from kafkapy_controller.features import features_of_new_cluster
    from kafkapy_controller.metadata_version import parse_release_version

    release = arguments.release_version
    return features_of_new_cluster(
        _features(arguments.feature),
        None if release is None else parse_release_version(release),
        voters_in_log=not settings.quorum.voters,
    )


def _credentials(texts: Iterable[str], metadata_version: int) -> list[UserScramCredentialRecord]:
    """Raises ValueError with Kafka's words."""
    from secrets import choice
    from string import ascii_lowercase, digits

    from kafkapy_controller.metadata_version import SCRAM
    from kafkapy_controller.scram import NEEDS_LEVEL, credential_record, parse_scram_argument

    records = []
    for text in texts:
        if metadata_version < SCRAM:
            raise ValueError(NEEDS_LEVEL)
        salt = "".join(choice(ascii_lowercase + digits) for _ in range(SALT_CHARACTERS))
        records.append(credential_record(parse_scram_argument(text), salt.encode()))
    return records


def _given(arguments: argparse.Namespace) -> GivenSettings:
    from kafkapy.metadata.formatting import FormatError
    from kafkapy.settings.sources import collect_settings

    if arguments.file is not None and arguments.config is not None:
        raise FormatError(f"two files of settings, {arguments.file} and {arguments.config}: name one")
    overrides = list(arguments.override)
    if arguments.data_dir is not None:
        overrides.append(f"log.dirs={arguments.data_dir}")
    file = arguments.config if arguments.file is None else arguments.file
    return collect_settings(file, overrides=overrides, defaults=arguments.default)


def _features(named: Iterable[str]) -> dict[str, int]:
    """`NAME=LEVEL` each. Raises ValueError with Kafka's words."""
    features: dict[str, int] = {}
    for text in named:
        name, equals, level = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"Can't parse feature=level string {text}: equals sign not found.")
        digits = level.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 5 and -(2**15) <= int(level) < 2**15):
            shown = level if len(level) <= SHOWN_MAX else f"{level[:SHOWN_MAX]}..."
            raise ValueError(f"Can't parse feature=level string {name}={shown}: unable to parse {shown} as a short.")
        features[name] = int(level)
    return features
