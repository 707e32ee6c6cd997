"""`kafkapy groups`: list and describe groups of every type, move their offsets, delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    complain,
    counted,
    milliseconds,
    offset_distance,
    offset_number,
    print_json,
    print_table,
    wants_json,
)
from kafkapy.client.share_groups import SHARE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from kafkapy.cli.group_views import OffsetLine
    from kafkapy.client.cluster import Cluster
    from kafkapy.client.group_description import GroupDescription
    from kafkapy.client.offsets import Partition

TYPES = ("classic", "consumer", "share", "streams")
STATES = (
    *("Assigning", "CompletingRebalance", "Dead", "Empty", "NotReady", "PreparingRebalance", "Reconciling", "Stable"),
)
DESCRIBED_TYPES = ("", "Classic", "Consumer", SHARE, "Streams")
"""As `groups list` names them; a broker that is too old to say has classic groups only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy groups`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="groups_command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="print the groups, their types and states")
    listing.add_argument(
        "--type",
        type=_types,
        default=(),
        metavar="TYPE,...",
        help=f"only groups of these types: {', '.join(TYPES)} (default: all)",
    )
    listing.add_argument(
        "--state",
        type=_states,
        default=(),
        metavar="STATE,...",
        help=f"only groups in these states: {', '.join(STATES)} (default: all)",
    )
    add_json_argument(listing)

    describe = commands.add_parser("describe", help="show members, committed offsets and lag")
    describe.add_argument("groups", nargs="*", metavar="GROUP", help="(default: all groups)")
    view = describe.add_mutually_exclusive_group()
    view.add_argument(
        "--members", action="store_const", dest="view", const="members", help="only members, and what each has to do"
    )
    view.add_argument("--offsets", action="store_const", dest="view", const="offsets", help="only offsets and lag")
    view.add_argument("--state", action="store_const", dest="view", const="state", help="only state and epochs")
    add_json_argument(describe)

    delete = commands.add_parser("delete", help="delete groups that have no members, with their offsets")
    delete.add_argument("groups", nargs="+", metavar="GROUP")
    _add_internal_topics_argument(delete)

    delete_offsets = commands.add_parser(
        "delete-offsets", help="delete committed offsets of topics that no member reads"
    )
    delete_offsets.add_argument("group", metavar="GROUP")
    delete_offsets.add_argument(
        "--topic",
        "-t",
        action="append",
        required=True,
        metavar="T[:N,N]",
        help="a topic, or some partitions of it; may be given repeatedly",
    )

    reset = commands.add_parser(
        "reset-offsets",
        help="move the committed offsets of a group that has no members",
        description="Move the committed offsets of a group that has no members. Shows what would change; "
        "with --execute it is changed.",
    )
    reset.add_argument("group", metavar="GROUP")
    reset.add_argument(
        "--topic",
        "-t",
        action="append",
        default=[],
        metavar="T[:N,N]",
        help="a topic, or some partitions of it; may be given repeatedly (default: all that the group has offsets of; "
        "of a streams group the input topics)",
    )
    where = reset.add_mutually_exclusive_group(required=True)
    where.add_argument("--to-earliest", action="store_true", help="to the first record that is kept")
    where.add_argument("--to-latest", action="store_true", help="to the end: the group reads only new records")
    where.add_argument("--to-offset", type=offset_number, metavar="N", help="to this offset")
    where.add_argument(
        "--shift-by", type=offset_distance, metavar="N", help="forward by N records, back with a negative N"
    )
    where.add_argument(
        "--to-datetime",
        metavar="TIME",
        help="to the first record at or after 2026-01-31T14:00:00 (UTC, or with +01:00), or this many ms since 1970",
    )
    how = reset.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only show it (the default)")
    how.add_argument("--execute", action="store_true", help="do it")
    _add_internal_topics_argument(reset)
    add_json_argument(reset)

    for command in (listing, describe, delete, delete_offsets, reset):
        add_connection_arguments(command)


def _add_internal_topics_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--delete-internal-topics",
        action="store_true",
        help="of a streams group: also delete its repartition and changelog topics",
    )


def _types(text: str) -> tuple[str, ...]:
    return _words(text, TYPES)


def _states(text: str) -> tuple[str, ...]:
    return _words(text, STATES)


def _words(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Of a list with commas, in lower case. Raises argparse.ArgumentTypeError: a word that is not known."""
    from argparse import ArgumentTypeError

    words = tuple(word.strip().lower() for word in text.split(","))
    for word in words:
        if word not in map(str.lower, known):
            raise ArgumentTypeError(f"{word!r} is not one of {', '.join(known)}")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.groups_command
    body = {
        "list": _list,
        "describe": _describe,
        "delete": _delete,
        "delete-offsets": _delete_offsets,
        "reset-offsets": _reset_offsets,
    }
    return run_command(f"groups {command}", arguments, body[command])


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import list_groups

    groups = [
        group
        for group in list_groups(cluster)
        if (not arguments.type or group.group_type.lower() in arguments.type)
        and (not arguments.state or group.state.lower() in arguments.state)
    ]
    if wants_json(arguments):
        print_json(
            [
                {
                    "group": group.group_id,
                    "type": group.group_type,
                    "state": group.state,
                    "protocol_type": group.protocol_type,
                }
                for group in groups
            ]
        )
    elif groups:
        rows = [[group.group_id, group.group_type, group.state, group.protocol_type] for group in groups]
        print_table(["GROUP", "TYPE", "STATE", "PROTOCOL"], rows)
    return 0


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.cli.group_views import group_as_json, print_group, print_members, print_offsets, print_state
    from kafkapy.client.groups import committed_offsets

    documents = []
    for number, group in enumerate(_described_groups(cluster, arguments.groups)):
        if number and not wants_json(arguments):
            print()
        if arguments.view == "state" and not wants_json(arguments):
            print_state(group)
            continue
        if arguments.view == "members" and not wants_json(arguments):
            print_members(group)
            continue
        if group.group_type == SHARE:
            lines = _share_lines(cluster, group)
        else:
            lines = _offset_lines(cluster, group, committed_offsets(cluster, group.group_id))
        if wants_json(arguments):
            documents.append(group_as_json(group, lines))
        elif arguments.view == "offsets":
            print_offsets(group, lines)
        else:
            print_group(group, lines)
    if wants_json(arguments):
        print_json(documents)
    return 0


def _described_groups(cluster: Cluster, wanted: list[str]) -> Iterator[GroupDescription]:
    """The wanted groups, else all that are of a type that can be described."""
    from kafkapy.client.errors import Refused
    from kafkapy.client.groups import describe_group, list_groups
    from kafkapy_wire.errors import ErrorCode

    for group_id in dict.fromkeys(wanted):
        yield describe_group(cluster, group_id)
    if wanted:
        return
    for listed in list_groups(cluster):
        if listed.group_type not in DESCRIBED_TYPES:
            complain("groups describe", f"group {listed.group_id!r} is left out: its type is {listed.group_type}")
            continue
        try:
            yield describe_group(cluster, listed.group_id)
        except Refused as error:
            if error.code != ErrorCode.GROUP_ID_NOT_FOUND:  # deleted since it was listed
                raise


def _offset_lines(cluster: Cluster, group: GroupDescription, committed: dict[Partition, int]) -> list[OffsetLine]:
    from kafkapy.cli.group_views import OffsetLine
    from kafkapy.client.offsets import both_ends

    owners = {partition: member for member in group.members for partition in member.partitions}
    partitions = sorted(committed.keys() | owners.keys())
    ends = both_ends(cluster, dict.fromkeys(existing_partitions(cluster, partitions)))
    return [
        OffsetLine(partition, committed.get(partition), ends.get(partition), owners.get(partition))
        for partition in partitions
    ]


def _share_lines(cluster: Cluster, group: GroupDescription) -> list[OffsetLine]:
    from kafkapy.cli.group_views import OffsetLine
    from kafkapy.client.offsets import both_ends
    from kafkapy.client.share_groups import share_offsets

    offsets = share_offsets(cluster, group.group_id)
    ends = both_ends(cluster, dict.fromkeys(existing_partitions(cluster, sorted(offsets))))
    return [
        OffsetLine(partition, offset.start_offset, ends.get(partition), None, offset.lag)
        for partition, offset in sorted(offsets.items())
    ]


def existing_partitions(cluster: Cluster, partitions: list[Partition]) -> list[Partition]:
    """Those that have a leader: offsets outlive a deleted topic for a while."""
    topics = sorted({topic for topic, _ in partitions})
    if not topics:
        return []
    metadata = cluster.retrying(lambda: cluster.metadata(topics))
    led = {
        (topic.name, partition.partition_index)
        for topic in metadata.topics
        if topic.error_code == 0
        for partition in topic.partitions
        if partition.leader_id >= 0
    }
    return [partition for partition in partitions if partition in led]


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import delete_group

    for group_id in arguments.groups:
        internal_topics = _internal_topics(cluster, arguments, group_id)
        delete_group(cluster, group_id)
        print(f"deleted group {group_id}")
        for topic in _delete_topics(cluster, internal_topics):
            print(f"deleted topic {topic}")
    return 0


def _internal_topics(cluster: Cluster, arguments: argparse.Namespace, group_id: str) -> tuple[str, ...]:
    """Those to delete. Raises ClientError: they are asked for, and the group is no streams group."""
    from kafkapy.client.errors import ClientError
    from kafkapy.client.groups import describe_group
    from kafkapy.client.streams_groups import StreamsGroupDescription

    if not arguments.delete_internal_topics:
        return ()
    group = describe_group(cluster, group_id)
    if not isinstance(group, StreamsGroupDescription):
        raise ClientError(f"group {group_id!r} is of type {group.group_type}: only streams groups have internal topics")
    return group.internal_topics


def _delete_topics(cluster: Cluster, topics: tuple[str, ...]) -> list[str]:
    """Those that existed: the application may not have come to make all."""
    from kafkapy.client.errors import Refused
    from kafkapy.client.topics import delete_topic
    from kafkapy_wire.errors import ErrorCode

    deleted = []
    for topic in topics:
        try:
            delete_topic(cluster, topic)
        except Refused as error:
            if error.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                raise
        else:
            deleted.append(topic)
    return deleted


def _delete_offsets(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.groups import committed_offsets, delete_offsets, describe_group
    from kafkapy.client.offsets import named_partitions

    if describe_group(cluster, arguments.group).group_type == SHARE:
        return _delete_share_offsets(arguments, cluster)
    committed = committed_offsets(cluster, arguments.group)
    partitions = [each for each in named_partitions(cluster, arguments.topic) if each in committed]
    if not partitions:
        raise ClientError(f"group {arguments.group!r} has no offsets of {', '.join(arguments.topic)}")
    delete_offsets(cluster, arguments.group, partitions)
    for topic, index in partitions:
        print(f"deleted offset of {topic}-{index}: {committed[topic, index]}")
    return 0


def _delete_share_offsets(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.share_groups import delete_share_offsets, share_offsets

    topics = list(dict.fromkeys(arguments.topic))
    for topic in topics:
        if ":" in topic:
            raise ClientError(f"{topic}: a share group forgets whole topics; write --topic {topic.partition(':')[0]}")
    starts = share_offsets(cluster, arguments.group)
    delete_share_offsets(cluster, arguments.group, topics)
    for (topic, index), offset in sorted(starts.items()):
        if topic in topics:
            print(f"deleted offset of {topic}-{index}: {offset.start_offset}")
    return 0


def _reset_offsets(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import commit_offsets, committed_offsets
    from kafkapy.client.offsets import both_ends
    from kafkapy.client.share_groups import alter_share_offsets, share_offsets

    group = require_no_members(cluster, arguments.group)
    internal_topics = _internal_topics(cluster, arguments, arguments.group)
    is_share = group is not None and group.group_type == SHARE
    if is_share:
        starts = share_offsets(cluster, arguments.group)
        committed = {partition: offset.start_offset for partition, offset in starts.items()}
    else:
        committed = committed_offsets(cluster, arguments.group)
    partitions = _wanted_partitions(cluster, arguments, group, committed)
    ends = both_ends(cluster, dict.fromkeys(partitions))
    targets = _targets(cluster, arguments, partitions, committed, ends)
    # As Kafka's tool: an offset that is not in the log becomes the nearest that is.
    targets = {
        partition: min(max(offset, ends[partition][0]), ends[partition][1]) for partition, offset in targets.items()
    }
    deleted_topics = []
    if arguments.execute:
        (alter_share_offsets if is_share else commit_offsets)(cluster, arguments.group, targets)
        deleted_topics = _delete_topics(cluster, internal_topics)
    if wants_json(arguments):
        print_json(
            [
                {"topic": topic, "partition": index, "from": committed.get((topic, index)), "to": offset}
                for (topic, index), offset in targets.items()
            ]
        )
    else:
        rows = [[*partition, committed.get(partition), offset] for partition, offset in targets.items()]
        print_table(["TOPIC", "PARTITION", "FROM", "TO"], rows)
        if not arguments.execute:
            print("nothing is changed yet: add --execute")
        for topic in deleted_topics:
            print(f"deleted topic {topic}")
    return 0


def require_no_members(cluster: Cluster, group_id: str) -> GroupDescription | None:
    """Raises ClientError. None: a group that does not exist has none, and its first offsets make it."""
    from kafkapy.client.errors import ClientError, Refused
    from kafkapy.client.groups import describe_group
    from kafkapy_wire.errors import ErrorCode

    try:
        group = describe_group(cluster, group_id)
    except Refused as error:
        if error.code == ErrorCode.GROUP_ID_NOT_FOUND:
            return None
        raise
    if group.state not in ("Empty", "Dead"):
        members = counted(len(group.members), "member")
        raise ClientError(f"group {group_id!r} is {group.state} with {members}: stop its consumers first")
    return group


def _wanted_partitions(
    cluster: Cluster,
    arguments: argparse.Namespace,
    group: GroupDescription | None,
    committed: dict[Partition, int],
) -> list[Partition]:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.offsets import named_partitions
    from kafkapy.client.streams_groups import StreamsGroupDescription

    if arguments.topic:
        return named_partitions(cluster, arguments.topic)
    partitions = sorted(existing_partitions(cluster, list(committed)))
    if isinstance(group, StreamsGroupDescription):
        # As Kafka's tool: what the application wrote for itself is to be deleted, not to be read again.
        partitions = [each for each in partitions if each[0] in group.input_topics]
    if not partitions:
        raise ClientError(f"group {arguments.group!r} has no offsets yet: say which with --topic")
    return partitions


def _targets(
    cluster: Cluster,
    arguments: argparse.Namespace,
    partitions: list[Partition],
    committed: dict[Partition, int],
    ends: dict[Partition, tuple[int, int]],
) -> dict[Partition, int]:
    """Where each partition goes, not yet held against what the log has."""
    from kafkapy.client.errors import ClientError
    from kafkapy.client.offsets import list_offsets

    if arguments.to_earliest:
        return {partition: ends[partition][0] for partition in partitions}
    if arguments.to_latest:
        return {partition: ends[partition][1] for partition in partitions}
    if arguments.to_offset is not None:
        return dict.fromkeys(partitions, arguments.to_offset)
    if arguments.shift_by is not None:
        missing = [partition for partition in partitions if partition not in committed]
        if missing:
            raise ClientError(f"partition {missing[0][0]}-{missing[0][1]} has no committed offset to shift")
        return {partition: committed[partition] + arguments.shift_by for partition in partitions}
    found = list_offsets(cluster, dict.fromkeys(partitions, milliseconds(arguments.to_datetime)))
    # No record that late: the end.
    return {partition: found[partition] if found[partition] >= 0 else ends[partition][1] for partition in partitions}
