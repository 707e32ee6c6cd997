"""How `kafkapy groups describe` shows a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.command_line import print_table
from kafkapy.client.share_groups import SHARE
from kafkapy.client.streams_groups import StreamsGroupDescription, StreamsMember

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkapy.client.group_description import GroupDescription, GroupMember
    from kafkapy.client.offsets import Partition
    from kafkapy.client.streams_groups import Tasks


class OffsetLine:
    """One partition of a group: `committed` None where nothing is; `end` None where the partition is no more.

    Of a share group `committed` is the start offset, and `told_lag` what its coordinator says.
    """

    __slots__ = ("committed", "end", "member", "partition", "start", "told_lag")

    def __init__(
        self,
        partition: Partition,
        committed: int | None,
        ends: tuple[int, int] | None,
        member: GroupMember | None,
        told_lag: int | None = None,
    ) -> None:
        self.partition = partition
        self.committed = committed
        self.start = ends[0] if ends else None
        self.end = ends[1] if ends else None
        self.member = member
        self.told_lag = told_lag

    @property
    def lag(self) -> int | None:
        """Records still to be read; below what is kept nothing can be."""
        if self.told_lag is not None:
            return self.told_lag
        if self.committed is None or self.end is None or self.start is None:
            return None
        return max(0, self.end - max(self.committed, self.start))

    @property
    def is_unread_without_commit(self) -> bool:
        """Where a member begins, and so its lag, is for its client to say."""
        return self.committed is None and self.end is not None and self.end != self.start


def print_group(group: GroupDescription, lines: Sequence[OffsetLine]) -> None:
    print(f"{_head(group)}  {_lag(lines)}")
    if group.group_type == SHARE:  # several members read a partition
        if lines:
            _print_offsets("START", lines)
        if group.members:
            print("members:")
            _print_members(group.members)
        return
    if lines:
        rows = []
        for line in lines:
            member = line.member
            owner = [member.member_id, member.client_id, member.host] if member else [None, None, None]
            rows.append([*line.partition, line.committed, line.end, line.lag, *owner])
        print_table(["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT", "HOST"], rows)
    if isinstance(group, StreamsGroupDescription):
        if group.members:
            print("tasks:")
            _print_members(group.members)
        return
    idle = [member for member in group.members if not member.partitions]
    if idle:
        print("members without partitions:")
        print_table(["MEMBER", "CLIENT", "HOST"], [[m.member_id, m.client_id, m.host] for m in idle])


def print_offsets(group: GroupDescription, lines: Sequence[OffsetLine]) -> None:
    print(f"group {group.group_id}  {_lag(lines)}")
    if lines:
        _print_offsets("START" if group.group_type == SHARE else "COMMITTED", lines)


def _print_offsets(name: str, lines: Iterable[OffsetLine]) -> None:
    rows = [[*line.partition, line.committed, line.end, line.lag] for line in lines]
    print_table(["TOPIC", "PARTITION", name, "END", "LAG"], rows)


def print_state(group: GroupDescription) -> None:
    epochs = ""
    if group.group_epoch is not None:
        epochs = f"  group epoch {group.group_epoch}  assignment epoch {group.assignment_epoch}"
    if isinstance(group, StreamsGroupDescription) and group.topology_epoch is not None:
        epochs += f"  topology epoch {group.topology_epoch}"
    print(_head(group) + epochs)


def print_members(group: GroupDescription) -> None:
    print(f"group {group.group_id}  members {len(group.members)}")
    if group.members:
        _print_members(group.members)


def _print_members(members: Iterable[GroupMember]) -> None:
    names = ["MEMBER", "INSTANCE", "CLIENT", "HOST"]
    known = [[each.member_id, each.group_instance_id, each.client_id, each.host] for each in members]
    streams = [each for each in members if isinstance(each, StreamsMember)]
    if streams:
        names += ["PROCESS", "EPOCH", "ACTIVE", "STANDBY", "WARM-UP"]
        more = [
            [each.process_id, str(each.member_epoch), _text(each.active), _text(each.standby), _text(each.warmup)]
            for each in streams
        ]
    else:
        names += ["PARTITIONS"]
        more = [[_text(_by_topic(each.partitions))] for each in members]
    print_table(names, [[*row, *rest] for row, rest in zip(known, more, strict=True)])


def _text(tasks: Tasks) -> str | None:
    """Names with their numbers: `orders:0,1 payments:0`."""
    return " ".join(f"{name}:{','.join(map(str, numbers))}" for name, numbers in tasks) or None


def _by_topic(partitions: Iterable[Partition]) -> Tasks:
    topics: dict[str, list[int]] = {}
    for topic, index in sorted(partitions):
        topics.setdefault(topic, []).append(index)
    return tuple((topic, tuple(indexes)) for topic, indexes in topics.items())


def _head(group: GroupDescription) -> str:
    return (
        f"group {group.group_id}  type {group.group_type}  state {group.state}  assignor {group.assignor or '-'}  "
        f"coordinator {group.coordinator_id}  members {len(group.members)}"
    )


def _lag(lines: Iterable[OffsetLine]) -> str:
    total = sum(line.lag or 0 for line in lines)
    uncommitted = sum(line.is_unread_without_commit for line in lines)
    also = f" (and nothing is committed for {uncommitted} partition{'s'[: uncommitted > 1]})" if uncommitted else ""
    return f"lag {total}{also}"


def group_as_json(group: GroupDescription, lines: Iterable[OffsetLine]) -> dict[str, object]:
    document: dict[str, object] = {
        "group": group.group_id,
        "type": group.group_type,
        "state": group.state,
        "assignor": group.assignor,
        "coordinator": group.coordinator_id,
        "members": [_member_as_json(member) for member in group.members],
        "offsets": [
            {
                "topic": line.partition[0],
                "partition": line.partition[1],
                "start" if group.group_type == SHARE else "committed": line.committed,
                "end": line.end,
                "lag": line.lag,
                "member_id": line.member.member_id if line.member else None,
            }
            for line in lines
        ],
    }
    if group.group_epoch is not None:
        document |= {"group_epoch": group.group_epoch, "assignment_epoch": group.assignment_epoch}
    if isinstance(group, StreamsGroupDescription):
        document |= {
            "topology_epoch": group.topology_epoch,
            "input_topics": group.input_topics,
            "internal_topics": group.internal_topics,
        }
    return document


def _member_as_json(member: GroupMember) -> dict[str, object]:
    document: dict[str, object] = {
        "member_id": member.member_id,
        "group_instance_id": member.group_instance_id,
        "client_id": member.client_id,
        "host": member.host,
        "partitions": [{"topic": topic, "partition": index} for topic, index in member.partitions],
    }
    if isinstance(member, StreamsMember):
        document |= {
            "process_id": member.process_id,
            "member_epoch": member.member_epoch,
            **{
                name: [
                    {"subtopology": subtopology, "partition": index} for subtopology, each in tasks for index in each
                ]
                for name, tasks in (
                    ("active_tasks", member.active),
                    ("standby_tasks", member.standby),
                    ("warmup_tasks", member.warmup),
                )
            },
        }
    return document
