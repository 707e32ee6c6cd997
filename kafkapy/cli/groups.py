"""`kafkapy groups`: list and describe consumer groups, move their offsets, delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    run_command,
    wants_json,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.groups import GroupDescription, GroupMember
    from kafkapy.client.offsets import Partition

DESCRIBED_TYPES = ("", "Classic", "Consumer")
"""As `groups list` names them; a broker that is too old to say has classic groups only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy groups`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="groups_command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="print the groups, their types and states")
    add_json_argument(listing)

    describe = commands.add_parser("describe", help="show members, committed offsets and lag")
    describe.add_argument("groups", nargs="*", metavar="GROUP", help="(default: all groups)")
    add_json_argument(describe)

    delete = commands.add_parser("delete", help="delete groups that have no members, with their offsets")
    delete.add_argument("groups", nargs="+", metavar="GROUP")

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
        help="a topic, or some partitions of it; may be given repeatedly (default: all that the group has offsets of)",
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
    add_json_argument(reset)

    for command in (listing, describe, delete, reset):
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.groups_command
    body = {"list": _list, "describe": _describe, "delete": _delete, "reset-offsets": _reset_offsets}[command]
    return run_command(f"groups {command}", arguments, body)


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import list_groups

    groups = list_groups(cluster)
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
    from kafkapy.client.groups import committed_offsets

    documents = []
    for number, group in enumerate(_described_groups(cluster, arguments.groups)):
        group_id = group.group_id
        lines = _offset_lines(cluster, group, committed_offsets(cluster, group_id))
        if wants_json(arguments):
            documents.append(_as_json(group, lines))
        else:
            if number:
                print()
            _print_group(group, lines)
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


class _OffsetLine:
    """One partition of a group: `committed` None where nothing is; `end` None where the partition is no more."""

    __slots__ = ("committed", "end", "member", "partition", "start")

    def __init__(
        self,
        partition: Partition,
        committed: int | None,
        ends: tuple[int, int] | None,
        member: GroupMember | None,
    ) -> None:
        self.partition = partition
        self.committed = committed
        self.start = ends[0] if ends else None
        self.end = ends[1] if ends else None
        self.member = member

    @property
    def lag(self) -> int | None:
        """Records still to be read; below what is kept nothing can be."""
        if self.committed is None or self.end is None or self.start is None:
            return None
        return max(0, self.end - max(self.committed, self.start))

    @property
    def is_unread_without_commit(self) -> bool:
        """Where a member begins, and so its lag, is for its client to say."""
        return self.committed is None and self.end is not None and self.end != self.start


def _offset_lines(cluster: Cluster, group: GroupDescription, committed: dict[Partition, int]) -> list[_OffsetLine]:
    from kafkapy.client.offsets import both_ends

    owners = {partition: member for member in group.members for partition in member.partitions}
    partitions = sorted(committed.keys() | owners.keys())
    ends = both_ends(cluster, dict.fromkeys(existing_partitions(cluster, partitions)))
    return [
        _OffsetLine(partition, committed.get(partition), ends.get(partition), owners.get(partition))
        for partition in partitions
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


def _print_group(group: GroupDescription, lines: list[_OffsetLine]) -> None:
    total = sum(line.lag or 0 for line in lines)
    uncommitted = sum(line.is_unread_without_commit for line in lines)
    also = f" (and nothing is committed for {uncommitted} partition{'s'[: uncommitted > 1]})" if uncommitted else ""
    print(
        f"group {group.group_id}  type {group.group_type}  state {group.state}  assignor {group.assignor or '-'}  "
        f"coordinator {group.coordinator_id}  members {len(group.members)}  lag {total}{also}"
    )
    if lines:
        rows = []
        for line in lines:
            member = line.member
            owner = [member.member_id, member.client_id, member.host] if member else [None, None, None]
            rows.append([*line.partition, line.committed, line.end, line.lag, *owner])
        print_table(["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT", "HOST"], rows)
    idle = [member for member in group.members if not member.partitions]
    if idle:
        print("members without partitions:")
        print_table(["MEMBER", "CLIENT", "HOST"], [[m.member_id, m.client_id, m.host] for m in idle])


def _as_json(group: GroupDescription, lines: list[_OffsetLine]) -> dict[str, object]:
    return {
        "group": group.group_id,
        "type": group.group_type,
        "state": group.state,
        "assignor": group.assignor,
        "coordinator": group.coordinator_id,
        "members": [
            {
                "member_id": member.member_id,
                "group_instance_id": member.group_instance_id,
                "client_id": member.client_id,
                "host": member.host,
                "partitions": [{"topic": topic, "partition": index} for topic, index in member.partitions],
            }
            for member in group.members
        ],
        "offsets": [
            {
                "topic": line.partition[0],
                "partition": line.partition[1],
                "committed": line.committed,
                "end": line.end,
                "lag": line.lag,
                "member_id": line.member.member_id if line.member else None,
            }
            for line in lines
        ],
    }


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import delete_group

    for group_id in arguments.groups:
        delete_group(cluster, group_id)
        print(f"deleted group {group_id}")
    return 0


def _reset_offsets(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import commit_offsets, committed_offsets
    from kafkapy.client.offsets import both_ends

    require_no_members(cluster, arguments.group)
    committed = committed_offsets(cluster, arguments.group)
    partitions = _wanted_partitions(cluster, arguments, committed)
    ends = both_ends(cluster, dict.fromkeys(partitions))
    targets = _targets(cluster, arguments, partitions, committed, ends)
    # As Kafka's tool: an offset that is not in the log becomes the nearest that is.
    targets = {
        partition: min(max(offset, ends[partition][0]), ends[partition][1]) for partition, offset in targets.items()
    }
    if arguments.execute:
        commit_offsets(cluster, arguments.group, targets)
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
    return 0


def require_no_members(cluster: Cluster, group_id: str) -> None:
    """Raises ClientError. A group that does not exist has none: its first offsets make it."""
    from kafkapy.client.errors import ClientError, Refused
    from kafkapy.client.groups import describe_group
    from kafkapy_wire.errors import ErrorCode

    try:
        group = describe_group(cluster, group_id)
    except Refused as error:
        if error.code == ErrorCode.GROUP_ID_NOT_FOUND:
            return
        raise
    if group.state not in ("Empty", "Dead"):
        members = counted(len(group.members), "member")
        raise ClientError(f"group {group_id!r} is {group.state} with {members}: stop its consumers first")


def _wanted_partitions(
    cluster: Cluster, arguments: argparse.Namespace, committed: dict[Partition, int]
) -> list[Partition]:
    from kafkapy.client.errors import ClientError
    from kafkapy.client.offsets import named_partitions

    if not arguments.topic:
        partitions = sorted(existing_partitions(cluster, list(committed)))
        if not partitions:
            raise ClientError(f"group {arguments.group!r} has no offsets yet: say which with --topic")
        return partitions
    return named_partitions(cluster, arguments.topic)


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
