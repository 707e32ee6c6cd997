"""List, describe and delete consumer groups, reset their offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.client.streams import say
from kafkapy.tools.tool_parser import add_connection_arguments, add_ignored, run_tool, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.group_description import GroupDescription, GroupMember
    from kafkapy.client.offsets import Partition

FAILED = "Error: Executing consumer group command failed due to "
_NOT_FOUND = "org.apache.kafka.common.errors.GroupIdNotFoundException"
_WIDTH = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    actions = parser.add_mutually_exclusive_group(required=True)
    for action in ("list", "describe", "delete", "reset-offsets", "delete-offsets"):
        actions.add_argument(f"--{action}", action="store_const", dest="action", const=action)
    parser.add_argument("--group", action="append", default=[], metavar="GROUP")
    parser.add_argument("--all-groups", action="store_true")
    parser.add_argument("--topic", action="append", default=[], metavar="TOPIC[:N,N]")
    parser.add_argument("--all-topics", action="store_true")
    parser.add_argument("--members", action="store_true")
    parser.add_argument("--offsets", action="store_true")
    parser.add_argument("--state", nargs="?", const="", metavar="STATES")
    parser.add_argument("--type", nargs="?", const="", metavar="TYPES")
    parser.add_argument("--execute", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    where = parser.add_mutually_exclusive_group()
    for option in ("--to-earliest", "--to-latest", "--to-current"):
        where.add_argument(option, action="store_true")
    where.add_argument("--to-offset", type=int, metavar="N")
    where.add_argument("--shift-by", type=int, metavar="N")
    where.add_argument("--to-datetime", metavar="TIME")
    where.add_argument("--by-duration", metavar="DURATION")
    add_ignored(parser, "--verbose")
    add_ignored(parser, "--timeout", takes_value=True)


def run(arguments: argparse.Namespace) -> int:
    body = {
        "list": _list,
        "describe": _describe,
        "delete": _delete,
        "reset-offsets": _reset,
        "delete-offsets": _delete_offsets,
    }
    return run_tool(arguments, body[arguments.action], failed=FAILED)


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import list_groups

    groups = [group for group in list_groups(cluster) if group.protocol_type in ("consumer", "")]
    columns = ["GROUP"]
    wanted_states, wanted_types = _wanted(arguments.state), _wanted(arguments.type)
    if wanted_states:
        groups = [group for group in groups if group.state.lower() in wanted_states]
    if wanted_types:
        groups = [group for group in groups if group.group_type.lower() in wanted_types]
    if arguments.state is None and arguments.type is None:
        for group in groups:
            print(group.group_id)
        return 0
    rows = [[group.group_id] for group in groups]
    for is_asked, column, values in (
        (arguments.type is not None, "TYPE", [group.group_type for group in groups]),
        (arguments.state is not None, "STATE", [group.state for group in groups]),
    ):
        if is_asked:
            columns.append(column)
            for row, value in zip(rows, values, strict=True):
                row.append(value)
    widths = [
        max([least, *(len(row[column]) for row in rows)]) + 10
        for column, least in enumerate([15, 10, 10][: len(columns)])
    ]
    print(table(columns, widths, rows))
    return 0


def _wanted(text: str | None) -> set[str]:
    return {part.strip().lower() for part in (text or "").split(",") if part.strip()}


def _group_ids(arguments: argparse.Namespace, cluster: Cluster) -> list[str]:
    """Raises ClientError: neither `--group` nor `--all-groups`."""
    from kafkapy.client.groups import list_groups

    if arguments.all_groups:
        return [group.group_id for group in list_groups(cluster) if group.protocol_type in ("consumer", "")]
    if not arguments.group:
        raise ClientError(f"--{arguments.action} needs --group or --all-groups")
    return list(dict.fromkeys(arguments.group))


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.errors import Refused
    from kafkapy.client.groups import describe_group
    from kafkapy_wire.errors import ErrorCode

    for group_id in _group_ids(arguments, cluster):
        try:
            group = describe_group(cluster, group_id)
        except Refused as error:
            if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
                raise
            print(f"\n{FAILED}{_NOT_FOUND}: Group {group_id} not found.")
            return 0  # as Kafka's tool, which goes by what it prints
        if arguments.state is not None:
            _print_state(cluster, group)
        elif arguments.members:
            _print_members(group)
        else:
            _print_offsets(cluster, group)
    return 0


def _tell_if_not_active(group: GroupDescription) -> None:
    if group.state == "Empty":
        say(f"\nConsumer group '{group.group_id}' has no active members.\n")
    elif group.state not in ("Stable", "Dead"):
        say(f"\nWarning: Consumer group '{group.group_id}' is rebalancing.\n")


def _print_offsets(cluster: Cluster, group: GroupDescription) -> None:
    from kafkapy.cli.groups import existing_partitions
    from kafkapy.client.groups import committed_offsets
    from kafkapy.client.offsets import both_ends

    _tell_if_not_active(group)
    owners = {partition: member for member in group.members for partition in member.partitions}
    committed = committed_offsets(cluster, group.group_id)
    partitions = sorted(committed.keys() | owners.keys())
    if not partitions:
        return
    ends = both_ends(cluster, dict.fromkeys(existing_partitions(cluster, partitions)))
    rows = [
        _offset_row(group.group_id, one, committed.get(one), ends[one][1] if one in ends else None, owners.get(one))
        for one in partitions
    ]
    columns = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST"]
    columns.append("CLIENT-ID")
    widths = [_width(rows, 0), _width(rows, 1), 10, 15, 15, 15, _width(rows, 6), _width(rows, 7), 0]
    print("\n" + table(columns, widths, rows))


def _offset_row(
    group_id: str, partition: Partition, committed: int | None, end: int | None, member: GroupMember | None
) -> list[object]:
    lag = None if committed is None or end is None else end - committed
    owner: list[object] = [None] * 3 if member is None else [member.member_id, member.host, member.client_id]
    return [group_id, *partition, committed, end, lag, *owner]


def _print_members(group: GroupDescription) -> None:
    _tell_if_not_active(group)
    rows: list[list[object]] = [
        [group.group_id, member.member_id, member.host, member.client_id, len(member.partitions)]
        for member in group.members
    ]
    columns = ["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"]
    widths = [_width(rows, 0), _width(rows, 1), _width(rows, 2), _width(rows, 3), 16]
    print("\n" + table(columns, widths, rows))


def _print_state(cluster: Cluster, group: GroupDescription) -> None:
    from kafkapy.client.nodes import describe_nodes

    _tell_if_not_active(group)
    addresses = {node.broker_id: f"{node.host}:{node.port}" for node in describe_nodes(cluster).nodes}
    coordinator = f"{addresses.get(group.coordinator_id, '')}  ({group.coordinator_id})"
    row: list[object] = [group.group_id, coordinator, group.assignor or "-", group.state, len(group.members)]
    columns = ["GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"]
    widths = [max(_WIDTH, len(group.group_id)), max(25, len(coordinator)), 20, 20, 0]
    print("\n" + table(columns, widths, [row]))


def _width(rows: Sequence[Sequence[object]], column: int) -> int:
    return max([_WIDTH, *(len(str(row[column])) for row in rows)])


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.groups import delete_group

    deleted, failed = [], {}
    for group_id in _group_ids(arguments, cluster):
        try:
            delete_group(cluster, group_id)
            deleted.append(group_id)
        except ClientError as error:
            failed[group_id] = str(error)
    quoted = ", ".join(f"'{group_id}'" for group_id in deleted)
    if failed:
        print("\nError: Deletion of some consumer groups failed:")
        for group_id, reason in failed.items():
            print(f"* Group '{group_id}' could not be deleted due to: {reason}")
        if deleted:
            print(f"\nThese consumer groups were deleted successfully: {quoted}")
        return 0  # as Kafka's tool
    print(f"Deletion of requested consumer groups ({quoted}) was successful.")
    return 0


def _reset(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.cli.groups import require_no_members
    from kafkapy.client.groups import commit_offsets, committed_offsets
    from kafkapy.client.offsets import both_ends

    if not (arguments.execute or arguments.dry_run):
        say(
            "WARN: No action will be performed as the --execute option is missing. In a future major release, the "
            "default behavior of this command will be to prompt the user before executing the reset rather than "
            "doing a dry run. You should add the --dry-run option explicitly if you are scripting this command and "
            "want to keep the current default behavior without prompting.\n"
        )
    rows: list[list[object]] = []
    for group_id in _group_ids(arguments, cluster):
        require_no_members(cluster, group_id)
        committed = committed_offsets(cluster, group_id)
        partitions = _partitions_to_reset(arguments, cluster, committed)
        ends = both_ends(cluster, dict.fromkeys(partitions))
        targets = {
            one: min(max(offset, ends[one][0]), ends[one][1])
            for one, offset in _targets(arguments, cluster, partitions, committed, ends).items()
        }
        if arguments.execute and targets:
            commit_offsets(cluster, group_id, targets)
        rows += [[group_id, *one, offset] for one, offset in targets.items()]
    columns = ["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"]
    print("\n" + table(columns, [_width(rows, 0), _width(rows, 1), 10, 0], rows))
    return 0


def _partitions_to_reset(
    arguments: argparse.Namespace, cluster: Cluster, committed: dict[Partition, int]
) -> list[Partition]:
    from kafkapy.cli.groups import existing_partitions
    from kafkapy.client.offsets import named_partitions

    if arguments.all_topics:
        return sorted(existing_partitions(cluster, list(committed)))
    if not arguments.topic:
        raise ClientError("--reset-offsets needs --topic or --all-topics")
    return named_partitions(cluster, arguments.topic)


def _targets(
    arguments: argparse.Namespace,
    cluster: Cluster,
    partitions: Sequence[Partition],
    committed: dict[Partition, int],
    ends: dict[Partition, tuple[int, int]],
) -> dict[Partition, int]:
    """Raises ClientError: it is not said where to, or not where from."""
    if arguments.to_earliest:
        return {one: ends[one][0] for one in partitions}
    if arguments.to_latest:
        return {one: ends[one][1] for one in partitions}
    if arguments.to_offset is not None:
        return dict.fromkeys(partitions, arguments.to_offset)
    if arguments.to_current:
        return {one: committed.get(one, ends[one][1]) for one in partitions}
    if arguments.shift_by is not None:
        missing = next((one for one in partitions if one not in committed), None)
        if missing is not None:
            raise ClientError(f"Cannot shift offset for partition {missing[0]}-{missing[1]}: no committed offset")
        return {one: committed[one] + arguments.shift_by for one in partitions}
    if arguments.to_datetime is not None or arguments.by_duration is not None:
        from kafkapy.client.offsets import list_offsets

        found = list_offsets(cluster, dict.fromkeys(partitions, _time_ms(arguments)))
        return {one: found[one] if found[one] >= 0 else ends[one][1] for one in partitions}
    raise ClientError("--reset-offsets needs --to-earliest, --to-latest, --to-offset, --shift-by, ...")


def _time_ms(arguments: argparse.Namespace) -> int:
    """Raises ClientError."""
    from kafkapy.client.command_line import milliseconds

    if arguments.to_datetime is not None:
        return milliseconds(arguments.to_datetime)
    import re
    import time

    found = re.fullmatch(
        r"P(?:(?P<d>\d{1,6})D)?(?:T(?:(?P<h>\d{1,8})H)?(?:(?P<m>\d{1,10})M)?(?:(?P<s>\d{1,12}(?:\.\d+)?)S)?)?",
        arguments.by_duration,
    )
    if found is None or not any(found.groups()):
        raise ClientError(f"--by-duration {arguments.by_duration!r} is not a duration like P1DT2H30M")
    days, hours, minutes, seconds = (float(found[unit] or 0) for unit in "dhms")
    return max(0, int((time.time() - ((days * 24 + hours) * 60 + minutes) * 60 - seconds) * 1000))


def _delete_offsets(arguments: argparse.Namespace, cluster: Cluster) -> int:
    del arguments, cluster
    raise ClientError("--delete-offsets is not provided: Apache Kafka's own tool works with this broker, too")
