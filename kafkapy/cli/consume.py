"""`kafkapy consume`: print the records of a topic, alone or as a member of a group."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    partition_number,
    positive_count,
    positive_seconds,
    run_command,
    wants_json,
)
from kafkapy.client.errors import ClientError
from kafkapy_wire.integer_text import parse_integer

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.fetcher import Chunk
    from kafkapy.client.group_member import GroupMember
    from kafkapy.client.offsets import Partition
    from kafkapy_wire.records import Record, TimestampType

POLL_SECONDS = 0.5
COMMIT_SECONDS = 1.0

Format = Callable[["Partition", "Record", "TimestampType"], bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy consume`."""
    parser.add_argument("topic", metavar="TOPIC")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--from-beginning",
        action="store_true",
        help="start at the first record (default: only new ones); a group starts at its committed offsets",
    )
    where.add_argument(
        "--offset", "-o", metavar="N", help="from offset N, `earliest`, `latest`, or -N: N records before the end"
    )
    parser.add_argument(
        "--partition", "-p", type=partition_number, action="append", metavar="N", help="only this one; may be repeated"
    )
    parser.add_argument("--max-messages", "-n", type=positive_count, metavar="N", help="stop after N records")
    parser.add_argument(
        "--exit-at-end",
        "-e",
        action="store_true",
        help="stop at the last record (default: wait for new ones until Ctrl-C)",
    )
    parser.add_argument(
        "--idle-timeout", type=positive_seconds, metavar="SECONDS", help="stop when no record has come for this long"
    )
    parser.add_argument("--group", "-g", metavar="G", help="read as a member of this group, and commit")
    parser.add_argument(
        "--isolation-level",
        choices=("read_uncommitted", "read_committed"),
        default="read_uncommitted",
        help="read_committed leaves out records of aborted transactions (default: read_uncommitted)",
    )
    parser.add_argument("--print-timestamp", action="store_true")
    parser.add_argument("--print-partition", action="store_true")
    parser.add_argument("--print-offset", action="store_true")
    parser.add_argument("--print-headers", action="store_true")
    parser.add_argument("--print-key", action="store_true")
    parser.add_argument(
        "--separator", default="\t", metavar="SEP", help="between the printed parts of a record (default: a tab)"
    )
    parser.add_argument(
        "--null-marker", default="null", metavar="TEXT", help="printed for a null key or value (default: null)"
    )
    add_json_argument(parser, "print a JSON object for each record, with all its fields")
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    return run_command("consume", arguments, _consume)


def _consume(arguments: argparse.Namespace, cluster: Cluster) -> int:
    if arguments.group is not None:
        for option in ("offset", "partition"):
            if getattr(arguments, option) is not None:
                raise ClientError(f"--{option} and --group exclude each other: the group decides who reads what")
    consumption = Consumption(arguments, cluster)
    if arguments.group is None:
        consumption.read_alone()
    else:
        consumption.read_in_group(arguments.group)
    wanted = arguments.max_messages
    if wanted is not None and consumption.count < wanted and not arguments.exit_at_end:
        raise ClientError(f"only {consumption.count} of {wanted} records came")
    return 0


class Consumption:
    """One run of the command: what was printed so far, and when it is enough."""

    def __init__(self, arguments: argparse.Namespace, cluster: Cluster) -> None:
        self.count = 0
        self.consumed: dict[Partition, int] = {}
        """Partition -> offset of the next record to print: what a group commits."""
        self._arguments = arguments
        self._cluster = cluster
        self._read_committed = arguments.isolation_level == "read_committed"
        self._format = _json_format if wants_json(arguments) else _text_format(arguments)
        self._ends: dict[Partition, int] = {}
        self._last_record_at = time.monotonic()

    def read_alone(self) -> None:
        """Every wanted partition, until it is enough."""
        from kafkapy.client.fetcher import Fetcher

        start = self._start_positions()
        self._begin(start)
        reset = None if self._arguments.offset is not None else self._arguments.from_beginning
        with Fetcher(self._cluster, start, read_committed=self._read_committed, reset_to_earliest=reset) as fetcher:
            while not self._is_enough():
                self._print(fetcher.poll(POLL_SECONDS))

    def read_in_group(self, group_id: str) -> None:
        """The partitions that the group gives us, until it is enough; what was printed is committed."""
        from kafkapy.client.fetcher import Fetcher
        from kafkapy.client.group_member import GroupMember

        self._cluster.topic(self._arguments.topic)
        member = GroupMember(self._cluster, group_id, [self._arguments.topic])
        try:
            with Fetcher(
                self._cluster,
                {},
                read_committed=self._read_committed,
                reset_to_earliest=self._arguments.from_beginning,
            ) as fetcher:
                while True:
                    positions = self._positions_in_group(group_id, member.join())
                    self._begin(positions)
                    fetcher.assign(positions)
                    if self._read_generation(member, fetcher.poll):
                        return
        finally:
            member.leave()

    def _read_generation(self, member: GroupMember, poll: Callable[[float], list[Chunk]]) -> bool:
        """Read until it is enough (True) or the group rebalances (False)."""
        committed = dict(self.consumed)
        next_commit = time.monotonic() + COMMIT_SECONDS
        try:
            while not self._is_enough():
                self._print(poll(POLL_SECONDS))
                if time.monotonic() >= next_commit and committed != self.consumed:
                    if not member.commit(self.consumed):
                        return False
                    committed = dict(self.consumed)
                    next_commit = time.monotonic() + COMMIT_SECONDS
                if not member.heartbeat():
                    # Before others take them over: what was printed here need not be printed again there.
                    member.commit(self.consumed)
                    return False
        except (KeyboardInterrupt, BrokenPipeError):
            member.commit(self.consumed)
            raise
        if committed != self.consumed:
            member.commit(self.consumed)
        return True

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
                _write_all(b"\n".join(lines) + b"\n")
                self._last_record_at = time.monotonic()
            self.count += len(records)
            self.consumed[chunk.partition] = next_offset

    def _start_positions(self) -> dict[Partition, int]:
        """Where to begin without a group. Raises ClientError: no such partition, or not an offset."""
        from kafkapy.client.offsets import both_ends

        name = self._arguments.topic
        indexes = [partition.partition_index for partition in self._cluster.topic(name).partitions]
        wanted = self._arguments.partition or indexes
        for index in wanted:
            if index not in indexes:
                raise ClientError(f"topic {name!r} has no partition {index}: they are numbered 0 to {indexes[-1]}")
        ends = both_ends(self._cluster, {(name, index): None for index in wanted})
        return {partition: self._start_position(partition, *ends[partition]) for partition in ends}

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
        """What the group has committed, elsewhere the start or the end."""
        from kafkapy.client.groups import committed_offsets
        from kafkapy.client.offsets import both_ends

        if not partitions:
            return {}
        committed = committed_offsets(self._cluster, group_id, partitions, read_committed=self._read_committed)
        ends = both_ends(self._cluster, {key: None for key in partitions if key not in committed})
        for partition, (start, end) in ends.items():
            committed[partition] = start if self._arguments.from_beginning else end
        return committed


def _write_all(data: bytes) -> None:
    """To standard output, and out of our buffers. Raises BrokenPipeError."""
    stream = sys.stdout.buffer
    view = memoryview(data)
    while view:  # under PYTHONUNBUFFERED it is the bare file, which may take a part
        view = view[stream.write(view) :]
    stream.flush()


def _text_format(arguments: argparse.Namespace) -> Format:
    """As Kafka's console consumer prints: timestamp, partition, offset, headers, key, value."""
    separator = os.fsencode(arguments.separator)
    null = os.fsencode(arguments.null_marker)

    def format_record(partition: Partition, record: Record, timestamp_type: TimestampType) -> bytes:
        parts = []
        if arguments.print_timestamp:
            parts.append(_timestamp_text(record.timestamp, timestamp_type))
        if arguments.print_partition:
            parts.append(b"Partition:%d" % partition[1])
        if arguments.print_offset:
            parts.append(b"Offset:%d" % record.offset)
        if arguments.print_headers:
            headers = [
                name.encode(errors="surrogateescape") + b":" + (null if value is None else value)
                for name, value in record.headers
            ]
            parts.append(b",".join(headers) or b"NO_HEADERS")
        if arguments.print_key:
            parts.append(null if record.key is None else record.key)
        parts.append(null if record.value is None else record.value)
        return separator.join(parts)

    return format_record


def _timestamp_text(timestamp: int, timestamp_type: TimestampType) -> bytes:
    if timestamp < 0:
        return b"NO_TIMESTAMP"
    return b"%s:%d" % (b"LogAppendTime" if timestamp_type else b"CreateTime", timestamp)


def _json_format(partition: Partition, record: Record, timestamp_type: TimestampType) -> bytes:
    import json

    document = {
        "topic": partition[0],
        "partition": partition[1],
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestamp_type": timestamp_type.name,
        "key": _json_bytes(record.key),
        "value": _json_bytes(record.value),
        "headers": [
            [name.encode(errors="surrogateescape").decode(errors="replace"), _json_bytes(value)]
            for name, value in record.headers
        ],
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _json_bytes(data: bytes | None) -> str | dict[str, str] | None:
    """Text as a string; what is not UTF-8 as `{"base64": ...}`, so that nothing is lost."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        from base64 import b64encode

        return {"base64": b64encode(data).decode()}
