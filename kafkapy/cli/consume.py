"""`kafkapy consume`: print the records of topics, alone or as a member of a group."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    complain,
    milliseconds,
    partition_number,
    positive_count,
    positive_seconds,
    wants_json,
)
from kafkapy.client.errors import ClientError, TryAgain
from kafkapy_wire.integer_text import parse_integer

if TYPE_CHECKING:
    import argparse

    from kafkapy.cli.record_text import Format
    from kafkapy.cli.subscription import Subscription
    from kafkapy.client.cluster import Cluster
    from kafkapy.client.consumer_member import ConsumerMember
    from kafkapy.client.fetcher import Chunk, Fetcher
    from kafkapy.client.group_member import GroupMember
    from kafkapy.client.offsets import Partition

POLL_SECONDS = 0.5
COMMIT_SECONDS = 1.0
LAST_COMMIT_SECONDS = 2.0

EPILOG = (
    "Without an option that says where to start, only records that come from now on are printed. "
    "Ctrl-C ends the command with exit code 130, and a member of a group commits what was printed and leaves."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy consume`."""
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="one or more topics")
    parser.add_argument(
        "--include",
        metavar="PATTERN",
        help="every topic whose whole name matches this regular expression, those that are created later too",
    )
    _add_start_arguments(parser)
    parser.add_argument(
        "--partition", "-p", type=partition_number, action="append", metavar="N", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--max-messages", "-n", type=positive_count, metavar="N", help="stop after N records (default: no limit)"
    )
    parser.add_argument(
        "--exit-at-end",
        "-e",
        action="store_true",
        help="stop at what is the last record now (default: wait for new ones until Ctrl-C)",
    )
    parser.add_argument(
        "--idle-timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="stop when no record has come for this long (default: wait)",
    )
    parser.add_argument("--group", "-g", metavar="G", help="read as a member of this group, and commit")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--protocol",
        choices=("classic", "consumer"),
        help="of the group: classic (default), or consumer, that of KIP-848",
    )
    how.add_argument(
        "--share",
        action="store_true",
        help="read as a member of a share group (KIP-932): each record goes to one member, which accepts it",
    )
    parser.add_argument(
        "--isolation-level",
        choices=("read_uncommitted", "read_committed"),
        default="read_uncommitted",
        help="read_committed leaves out records of aborted transactions (default: read_uncommitted)",
    )
    parser.add_argument("--print-topic", action="store_true", help="print the topic before each value")
    parser.add_argument("--print-timestamp", action="store_true", help="print the timestamp, in ms since 1970")
    parser.add_argument("--print-partition", action="store_true", help="print the partition")
    parser.add_argument("--print-offset", action="store_true", help="print the offset")
    parser.add_argument("--print-headers", action="store_true", help="print the headers")
    parser.add_argument("--print-key", action="store_true", help="print the key")
    parser.add_argument(
        "--separator", default="\t", metavar="SEP", help="between the printed parts of a record (default: a tab)"
    )
    parser.add_argument(
        "--null-marker", default="null", metavar="TEXT", help="printed for a null key or value (default: null)"
    )
    add_json_argument(
        parser, "print a JSON object for each record, with all its fields; `kafkapy produce --json` reads them"
    )
    add_connection_arguments(parser)


def _add_start_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--from-beginning",
        action="store_true",
        help="start at the first record (default: only new ones); a group starts at its committed offsets",
    )
    where.add_argument(
        "--from-datetime",
        metavar="TIME",
        help="start at the first record at or after 2026-01-31T14:00:00 (UTC, or with +01:00), or this many ms since "
        "1970; a group starts at its committed offsets",
    )
    where.add_argument(
        "--offset", "-o", metavar="N", help="from offset N, `earliest`, `latest`, or -N: N records before the end"
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    return run_command("consume", arguments, _consume)


def _consume(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.cli.subscription import Subscription

    subscription = Subscription(cluster, arguments.topics, arguments.include)
    _check_group_arguments(arguments)
    if arguments.partition is not None and len(arguments.topics) != 1:
        raise ClientError("--partition is for one topic")
    if arguments.exit_at_end and not subscription.partitions:
        raise ClientError(f"no topic matches the pattern {arguments.include!r}: `kafkapy topics list` prints the names")
    consumption = Consumption(arguments, cluster, subscription)
    if arguments.group is None:
        consumption.read_alone()
    elif arguments.share:
        consumption.read_in_share_group(arguments.group)
    else:
        consumption.read_in_group(arguments.group)
    wanted = arguments.max_messages
    if wanted is not None and consumption.count < wanted and not arguments.exit_at_end:
        raise ClientError(f"only {consumption.count} of {wanted} records came")
    return 0


def _check_group_arguments(arguments: argparse.Namespace) -> None:
    """Raises ClientError."""
    if arguments.group is None:
        if arguments.share or arguments.protocol is not None:
            raise ClientError(f"{'--share' if arguments.share else '--protocol'} is for a group: name it with --group")
        return
    for option in ("offset", "partition"):
        if getattr(arguments, option) is not None:
            raise ClientError(f"--{option} and --group exclude each other: the group decides who reads what")
    if not arguments.share:
        return
    if arguments.exit_at_end:
        raise ClientError("--exit-at-end and --share exclude each other: say how long to wait with --idle-timeout")
    if arguments.from_beginning or arguments.from_datetime is not None:
        raise ClientError(
            "a share group begins where its settings say: kafkapy configs set "
            f"--group {arguments.group} share.auto.offset.reset=earliest"
        )
    if arguments.isolation_level == "read_committed":
        raise ClientError(
            "a share group has an isolation level of its own: kafkapy configs set "
            f"--group {arguments.group} share.isolation.level=read_committed"
        )


class Consumption:
    """One run of the command: what was printed so far, and when it is enough."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        cluster: Cluster,
        subscription: Subscription,
        *,
        format_record: Format | None = None,
        line_end: bytes = b"\n",
    ) -> None:
        """`format_record` is how a record is printed, in place of what the arguments say."""
        from kafkapy.cli.record_text import json_format, text_format

        self.count = 0
        self.consumed: dict[Partition, int] = {}
        """Partition -> offset of the next record to print: what a group commits."""
        self._arguments = arguments
        self._cluster = cluster
        self._subscription = subscription
        self._from_ms = None if arguments.from_datetime is None else milliseconds(arguments.from_datetime)
        self._read_committed = arguments.isolation_level == "read_committed"
        self._format = format_record or (json_format if wants_json(arguments) else text_format(arguments))
        self._line_end = line_end
        self._ends: dict[Partition, int] = {}
        self._last_record_at = time.monotonic()

    def read_alone(self) -> None:
        """Every wanted partition, until it is enough."""
        start = self._start_positions()
        self._begin(start)
        reset = None if self._arguments.offset is not None else self._arguments.from_beginning
        with self._fetcher(start, reset) as fetcher:
            while not self._is_enough():
                if self._poll(fetcher.poll):
                    self._read_other_topics(fetcher)

    def read_in_group(self, group_id: str) -> None:
        """The partitions that the group gives us, until it is enough; what was printed is committed."""
        member = self._new_member(group_id)
        try:
            try:
                self._read_as(member, group_id)
            finally:
                member.leave()
        except KeyboardInterrupt:
            member.leave()  # once more, if the signal came just before it could begin
            raise

    def _new_member(self, group_id: str) -> GroupMember | ConsumerMember:
        topics = self._subscription.topics
        if getattr(self._arguments, "protocol", None) == "consumer":
            from kafkapy.client.consumer_member import ConsumerMember

            return ConsumerMember(self._cluster, group_id, topics)
        from kafkapy.client.group_member import GroupMember

        return GroupMember(self._cluster, group_id, topics)

    def read_in_share_group(self, group_id: str) -> None:
        """The records that the group gives us, until it is enough; what was printed is accepted."""
        from kafkapy.client.share_member import RECORDS_MAX, ShareMember

        member = ShareMember(self._cluster, group_id, self._subscription.topics)
        # A group assigns a topic that is new to it at the end of group.share.assignment.interval.ms.
        assigned_by = time.monotonic() + self._cluster.timeout_seconds
        wanted = self._arguments.max_messages
        try:
            try:
                while not self._is_enough():
                    left = RECORDS_MAX if wanted is None else min(RECORDS_MAX, wanted - self.count)
                    if not member.is_assigned and time.monotonic() < assigned_by:
                        self._last_record_at = time.monotonic()  # none can have come
                    self._print(member.poll(POLL_SECONDS, left))
                    if self._subscription.has_changed():
                        member.subscribe(self._subscription.topics)
            finally:
                member.leave_after(self.consumed)
        except KeyboardInterrupt:
            member.leave_after(self.consumed)  # once more, if the signal came just before it could begin
            raise

    def _read_as(self, member: GroupMember | ConsumerMember, group_id: str) -> None:
        with self._fetcher({}, self._arguments.from_beginning) as fetcher:
            while True:
                positions = self._positions_in_group(group_id, member.join())
                self._begin(positions)
                fetcher.assign(positions)
                if self._read_generation(member, fetcher.poll):
                    return
                member.subscribe(self._subscription.topics)

    def _fetcher(self, positions: dict[Partition, int], reset_to_earliest: bool | None) -> Fetcher:
        from kafkapy.client.fetcher import Fetcher

        return Fetcher(
            self._cluster, positions, read_committed=self._read_committed, reset_to_earliest=reset_to_earliest
        )

    def _poll(self, poll: Callable[[float], list[Chunk]]) -> bool:
        """Print what has come. Whether other topics than before match the pattern."""
        try:
            self._print(poll(POLL_SECONDS))
        except TryAgain:
            # A topic is gone, which for a pattern is no reason to end.
            if not self._subscription.has_changed(look_now=True):
                raise
            return True
        return not self._arguments.exit_at_end and self._subscription.has_changed()

    def _read_generation(self, member: GroupMember | ConsumerMember, poll: Callable[[float], list[Chunk]]) -> bool:
        """Read until it is enough (True) or the group must rebalance (False)."""
        committed = dict(self.consumed)
        next_commit = time.monotonic() + COMMIT_SECONDS
        try:
            while not self._is_enough():
                has_other_topics = self._poll(poll)
                if time.monotonic() >= next_commit and committed != self.consumed:
                    if not member.commit(self._to_commit()):
                        return False
                    committed = dict(self.consumed)
                    next_commit = time.monotonic() + COMMIT_SECONDS
                if not member.heartbeat() or has_other_topics:
                    # Before others take them over: what was printed here need not be printed again there.
                    member.commit(self._to_commit())
                    return False
            if committed != self.consumed:
                member.commit(self._to_commit())
        except (KeyboardInterrupt, OSError):  # what is wrong with standard output, too, ends the command
            self._commit_at_the_end(member, committed)
            raise
        return True

    def _to_commit(self) -> dict[Partition, int]:
        """Without the partitions of topics that are gone since they were read."""
        return {
            partition: self.consumed[partition]
            for partition in self._subscription.partitions
            if partition in self.consumed
        }

    def _commit_at_the_end(self, member: GroupMember | ConsumerMember, committed: dict[Partition, int]) -> None:
        if committed == self.consumed:
            return
        self._cluster.hurry(LAST_COMMIT_SECONDS)
        try:
            member.commit(self._to_commit())
        except ClientError as error:
            complain("consume", f"what was printed last is not committed, the group will read it again: {error}")

    def _begin(self, positions: dict[Partition, int]) -> None:
        from kafkapy.client.offsets import LATEST, list_offsets

        self.consumed = dict(positions)
        self._last_record_at = time.monotonic()
        if self._arguments.exit_at_end:
            self._ends = list_offsets(
                self._cluster, dict.fromkeys(positions, LATEST), read_committed=self._read_committed
            )

    def _is_enough(self) -> bool:
        arguments = self._arguments
        if arguments.max_messages is not None and self.count >= arguments.max_messages:
            return True
        if arguments.exit_at_end and all(self.consumed[partition] >= end for partition, end in self._ends.items()):
            return True
        idle_timeout = arguments.idle_timeout
        return idle_timeout is not None and time.monotonic() - self._last_record_at >= idle_timeout

    def _print(self, chunks: list[Chunk]) -> None:
        """Print, then count, then note how far it went: Ctrl-C in between may show a record twice, never lose one."""
        from kafkapy.client.streams import write_output

        for chunk in chunks:
            records = chunk.records
            next_offset = chunk.next_offset
            if self._arguments.max_messages is not None:
                left = self._arguments.max_messages - self.count
                if left < len(records):
                    next_offset = records[left][0].offset
                    records = records[:left]
            if records:
                lines = [self._format(chunk.partition, record, timestamp_type) for record, timestamp_type in records]
                write_output(self._line_end.join(lines) + self._line_end)
                self._last_record_at = time.monotonic()
            self.count += len(records)
            self.consumed[chunk.partition] = next_offset

    def _read_other_topics(self, fetcher: Fetcher) -> None:
        """Topics have come that match, or have gone. All records of a new one are new: it is read from its start."""
        from kafkapy.client.offsets import EARLIEST, list_offsets

        partitions = self._subscription.partitions
        positions = {partition: self.consumed[partition] for partition in partitions if partition in self.consumed}
        new = [partition for partition in partitions if partition not in positions]
        positions |= list_offsets(self._cluster, dict.fromkeys(new, EARLIEST))
        self.consumed = dict(positions)
        fetcher.assign(positions)

    def _start_positions(self) -> dict[Partition, int]:
        """Where to begin without a group. Raises ClientError: no such partition, or not an offset."""
        from kafkapy.client.offsets import both_ends

        partitions = self._subscription.partitions
        if self._arguments.partition is not None:
            name, indexes = self._arguments.topics[0], [index for _, index in partitions]
            for index in self._arguments.partition:
                if index not in indexes:
                    raise ClientError(f"topic {name!r} has no partition {index}: they are numbered 0 to {indexes[-1]}")
            partitions = [(name, index) for index in self._arguments.partition]
        ends = both_ends(self._cluster, dict.fromkeys(partitions))
        if self._from_ms is not None:
            return self._positions_from_time(ends)
        return {partition: self._start_position(partition, *ends[partition]) for partition in ends}

    def _positions_from_time(self, ends: dict[Partition, tuple[int, int]]) -> dict[Partition, int]:
        """The first record of each partition at or after `--from-datetime`; the end where there is none."""
        from kafkapy.client.offsets import list_offsets

        assert self._from_ms is not None, "only asked where a time is given"
        found = list_offsets(self._cluster, dict.fromkeys(ends, self._from_ms), read_committed=self._read_committed)
        return {partition: found[partition] if found[partition] >= 0 else end for partition, (_, end) in ends.items()}

    def _start_position(self, partition: Partition, start: int, end: int) -> int:
        offset = self._arguments.offset
        if offset is None:
            return start if self._arguments.from_beginning else end
        if offset in ("earliest", "latest"):
            return start if offset == "earliest" else end
        number = parse_integer(offset)
        if number is None:
            raise ClientError(f"--offset {offset!r} is not a number, `earliest` or `latest`")
        if offset.startswith("-"):
            return max(start, end + number)
        if not start <= number <= end:
            raise ClientError(f"partition {partition[0]}-{partition[1]} has the offsets {start} to {end}, not {number}")
        return number

    def _positions_in_group(self, group_id: str, partitions: list[Partition]) -> dict[Partition, int]:
        """What the group has committed, elsewhere the start, the end, or the wanted time."""
        from kafkapy.client.groups import committed_offsets
        from kafkapy.client.offsets import both_ends

        if not partitions:
            return {}
        committed = committed_offsets(self._cluster, group_id, partitions, read_committed=self._read_committed)
        ends = both_ends(self._cluster, {key: None for key in partitions if key not in committed})
        if self._from_ms is not None:
            return committed | self._positions_from_time(ends)
        for partition, (start, end) in ends.items():
            committed[partition] = start if self._arguments.from_beginning else end
        return committed
