"""`kafkapy produce`: send records to a topic, from arguments or from lines of standard input."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Protocol

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    complain,
    counted,
    partition_number,
    wants_json,
)
from kafkapy.client.errors import ClientError
from kafkapy.client.streams import is_terminal, read_input, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.producer import Producer
    from kafkapy_wire.records import NewRecord

LAST_FLUSH_SECONDS = 2.0
PROGRESS_AFTER_SECONDS = 2.0
PROGRESS_SECONDS = 1.0
PROGRESS_SECONDS_IN_A_FILE = 10.0

_ACKS = {"0": 0, "1": 1, "all": -1, "-1": -1}
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy produce`."""
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument(
        "records",
        nargs="*",
        metavar="VALUE",
        help="one record for each (default, and with a single -: each line of standard input)",
    )
    add_json_argument(
        parser,
        'each VALUE or line is a record as `kafkapy consume --json` prints it, such as {"key": "k", "value": "v"}: its '
        "key, value, headers and timestamp are sent",
    )
    parser.add_argument(
        "--keep-partition",
        action="store_true",
        help="with --json: send each record to the partition that its line says (default: by the key's hash)",
    )
    parser.add_argument("--key", "-k", metavar="K", help="the key of every record (default: null)")
    parser.add_argument(
        "--key-separator",
        "-K",
        metavar="SEP",
        help="the text between key and value in each record (default: a record is all value)",
    )
    parser.add_argument(
        "--header", "-H", action="append", default=[], metavar="NAME=VALUE", help="on every record; may be repeated"
    )
    parser.add_argument("--null-marker", metavar="TEXT", help="a key or value that is this text is null (a tombstone)")
    parser.add_argument(
        "--partition",
        "-p",
        type=partition_number,
        metavar="N",
        help="the partition of every record (default: by the key's hash, else in turn)",
    )
    parser.add_argument(
        "--acks",
        choices=_ACKS,
        default="all",
        metavar="{0,1,all}",
        help="which replicas must acknowledge: none, the leader, or all in sync (default: all)",
    )
    parser.add_argument(
        "--compression", "-z", choices=_COMPRESSIONS, default="none", help="how batches are compressed (default: none)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="say nothing when all went well")
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    return run_command("produce", arguments, _produce)


def _produce(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.producer import Producer
    from kafkapy_wire.compression import Compression

    if arguments.keep_partition and not wants_json(arguments):
        raise ClientError("--keep-partition is for --json: other records have no partition")
    if arguments.key is not None and arguments.key_separator is not None:
        raise ClientError("--key and --key-separator exclude each other: each says what the key is")
    maker = JsonRecordMaker(arguments) if wants_json(arguments) else RecordMaker(arguments)
    producer = Producer(
        cluster,
        arguments.topic,
        acks=_ACKS[arguments.acks],
        compression=Compression[arguments.compression.upper()],
        partition=arguments.partition,
    )
    progress = Progress(is_on=not arguments.quiet)
    if arguments.records and arguments.records != ["-"]:
        batches: Iterable[list[bytes]] = [[os.fsencode(record) for record in arguments.records]]
    else:
        batches = lines_of_standard_input(is_quiet=arguments.quiet)
    try:
        send_lines(producer, maker, batches, progress)
    except KeyboardInterrupt:
        progress.end()
        send_the_rest(producer, cluster)
        raise
    finally:
        progress.end()
    if not arguments.quiet:
        say(_summary(arguments, producer))
    return 0


def send_the_rest(producer: Producer, cluster: Cluster) -> None:
    """What was read before the command was interrupted."""
    cluster.hurry(LAST_FLUSH_SECONDS)
    try:
        producer.flush()
    except ClientError as error:
        complain(
            "produce", f"{counted(producer.unsent_count, 'record')} of what was read may not have been sent: {error}"
        )


class Maker(Protocol):
    """Lines to records, each with the partition that it must go to, None: any."""

    def make(self, line: bytes, number: int, /) -> tuple[NewRecord, int | None]:
        """Raises ClientError: the line with this number is no record."""


def send_lines(producer: Producer, maker: Maker, batches: Iterable[list[bytes]], progress: Progress) -> None:
    """Send a record for each line, as the lines come. Raises ClientError."""
    number = 0
    try:
        for lines in batches:
            for line in lines:
                number += 1
                record, partition = maker.make(line, number)
                producer.add(record, partition)
            # What has been read is sent before more is waited for: `tail -f | kafkapy produce` is live.
            producer.flush()
            progress.update(producer.sent_count)
    except ClientError as error:
        if producer.sent_count:
            raise ClientError(f"{error}; {counted(producer.sent_count, 'record')} sent before") from None
        raise


def _summary(arguments: argparse.Namespace, producer: Producer) -> str:
    count = producer.sent_count
    text = f"sent {counted(count, 'record')} to {arguments.topic}"
    if count == 1 and producer.last_position is not None:
        partition, offset = producer.last_position
        text += f" (partition {partition}, offset {offset})"
    return text + "\n"


class RecordMaker:
    """Text to records, as the arguments say."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises ClientError: a header is not NAME=VALUE, or a separator is empty."""
        from kafkapy_wire.records import NewRecord

        self._new_record = NewRecord
        self._key = None if arguments.key is None else os.fsencode(arguments.key)
        self._separator = None if arguments.key_separator is None else os.fsencode(arguments.key_separator)
        if self._separator == b"":
            raise ClientError("--key-separator is empty")
        self._null_marker = None if arguments.null_marker is None else os.fsencode(arguments.null_marker)
        self._headers = []
        for header in arguments.header:
            name, equals, value = header.partition("=")
            if not equals:
                raise ClientError(f"--header {header!r} is not NAME=VALUE")
            self._headers.append((name, self._nullable(os.fsencode(value))))

    def make(self, line: bytes, number: int) -> tuple[NewRecord, None]:
        """The record of the line with this number; any partition is right. Raises ClientError: no separator in it."""
        key, value = self._key, line
        if self._separator is not None:
            key, separator, value = line.partition(self._separator)
            if not separator:
                raise ClientError(f"record {number} has no key separator {os.fsdecode(self._separator)!r} in it")
        if key is not None:
            key = self._nullable(key)
        return self._new_record(int(time.time() * 1000), key, self._nullable(value), self._headers), None

    def _nullable(self, text: bytes) -> bytes | None:
        return None if text == self._null_marker else text


class JsonRecordMaker:
    """Lines that `consume --json` prints to records."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises ClientError: an option that says what the lines say."""
        from kafkapy_wire.records import NewRecord

        for option in ("key", "key_separator", "null_marker", "header"):
            if getattr(arguments, option):
                raise ClientError(f"--{option.replace('_', '-')} and --json exclude each other: the lines say it")
        if arguments.keep_partition and arguments.partition is not None:
            raise ClientError("--keep-partition and --partition exclude each other")
        self._new_record = NewRecord
        self._keeps_partition = arguments.keep_partition

    def make(self, line: bytes, number: int) -> tuple[NewRecord, int | None]:
        """The record of the line with this number, and its partition, None: any. Raises ClientError."""
        from kafkapy.cli.record_json import NotARecord, parse_record_line

        try:
            read = parse_record_line(line)
        except NotARecord as error:
            raise ClientError(f"record {number}: {error}") from None
        timestamp = int(time.time() * 1000) if read.timestamp is None else read.timestamp
        record = self._new_record(timestamp, read.key, read.value, read.headers)
        return record, read.partition if self._keeps_partition else None


class Progress:
    """How many records were sent, on standard error, when that takes long enough for somebody to wonder."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_terminal = is_terminal(sys.stderr)
        self._every_seconds = PROGRESS_SECONDS if self._is_terminal else PROGRESS_SECONDS_IN_A_FILE
        # Who types the records knows how many there are.
        self._is_on = is_on and not is_terminal(sys.stdin)
        self._next = time.monotonic() + PROGRESS_AFTER_SECONDS
        self._is_line_open = False

    def update(self, sent_count: int) -> None:
        if self._is_on and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_seconds
            say(f"\r{sent_count} records" if self._is_terminal else f"{sent_count} records\n")
            self._is_line_open = self._is_terminal

    def end(self) -> None:
        if self._is_line_open:
            say("\n")
            self._is_line_open = False


def lines_of_standard_input(*, is_quiet: bool) -> Iterator[list[bytes]]:
    """Whole lines as they come, without their ends; the last one may lack it. Raises ClientError: it cannot be read."""
    if is_terminal(sys.stdin) and not is_quiet:
        say("a record each line, Ctrl-D ends\n")
    pieces: list[bytes] = []  # of the line that has not ended yet: joined once, however long it gets
    while data := _read():
        first, *others = data.split(b"\n")
        pieces.append(first)
        if others:
            *lines, rest = others
            yield [line.removesuffix(b"\r") for line in (b"".join(pieces), *lines)]
            pieces = [rest]
    last = b"".join(pieces)
    if last:
        yield [last]


def _read() -> bytes:
    try:
        return read_input()
    except OSError as error:
        raise ClientError(
            f"standard input cannot be read ({error.strerror}): give it lines, or records as arguments"
        ) from None
