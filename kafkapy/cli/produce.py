"""`kafkapy produce`: send records to a topic, from arguments or from lines of standard input."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from kafkapy.client.command_line import add_connection_arguments, counted, partition_number, run_command
from kafkapy.client.errors import ClientError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.producer import Producer
    from kafkapy_wire.records import NewRecord

READ_BYTES = 256 * 1024
PROGRESS_AFTER_SECONDS = 2.0
PROGRESS_SECONDS = 1.0
PROGRESS_SECONDS_IN_A_FILE = 10.0

_ACKS = {"0": 0, "1": 1, "all": -1, "-1": -1}
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy produce`."""
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument(
        "records", nargs="*", metavar="VALUE", help="one record for each (default: each line of standard input)"
    )
    parser.add_argument("--key", "-k", metavar="K", help="the key of every record")
    parser.add_argument("--key-separator", "-K", metavar="SEP", help="the text between key and value in each record")
    parser.add_argument(
        "--header", "-H", action="append", default=[], metavar="NAME=VALUE", help="on every record; may be repeated"
    )
    parser.add_argument("--null-marker", metavar="TEXT", help="a key or value that is this text is null (a tombstone)")
    parser.add_argument(
        "--partition", "-p", type=partition_number, metavar="N", help="(default: by the key's hash, else in turn)"
    )
    parser.add_argument(
        "--acks",
        choices=_ACKS,
        default="all",
        metavar="{0,1,all}",
        help="which replicas must acknowledge: none, the leader, or all in sync (default: all)",
    )
    parser.add_argument("--compression", "-z", choices=_COMPRESSIONS, default="none", help="(default: none)")
    parser.add_argument("--quiet", "-q", action="store_true", help="say nothing when all went well")
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    return run_command("produce", arguments, _produce)


def _produce(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.producer import Producer
    from kafkapy_wire.compression import Compression

    maker = RecordMaker(arguments)
    producer = Producer(
        cluster,
        arguments.topic,
        acks=_ACKS[arguments.acks],
        compression=Compression[arguments.compression.upper()],
        partition=arguments.partition,
    )
    progress = Progress(is_on=not arguments.quiet)
    if arguments.records:
        batches: Iterable[list[bytes]] = [[os.fsencode(record) for record in arguments.records]]
    else:
        batches = _lines_of_standard_input(is_quiet=arguments.quiet)
    try:
        _send(producer, maker, batches, progress)
    except KeyboardInterrupt:
        producer.flush()
        raise
    finally:
        progress.end()
    if not arguments.quiet:
        sys.stderr.write(_summary(arguments, producer))
    return 0


def _send(producer: Producer, maker: RecordMaker, batches: Iterable[list[bytes]], progress: Progress) -> None:
    number = 0
    try:
        for lines in batches:
            for line in lines:
                number += 1
                producer.add(maker.make(line, number))
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

    def make(self, line: bytes, number: int) -> NewRecord:
        """The record of the line with this number. Raises ClientError: no separator in it."""
        key, value = self._key, line
        if self._separator is not None:
            key, separator, value = line.partition(self._separator)
            if not separator:
                raise ClientError(f"record {number} has no key separator {os.fsdecode(self._separator)!r} in it")
        if key is not None:
            key = self._nullable(key)
        return self._new_record(int(time.time() * 1000), key, self._nullable(value), self._headers)

    def _nullable(self, text: bytes) -> bytes | None:
        return None if text == self._null_marker else text


class Progress:
    """How many records were sent, on standard error, when that takes long enough for somebody to wonder."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._every_seconds = PROGRESS_SECONDS if self._is_terminal else PROGRESS_SECONDS_IN_A_FILE
        # Who types the records knows how many there are.
        self._is_on = is_on and not sys.stdin.isatty()
        self._next = time.monotonic() + PROGRESS_AFTER_SECONDS
        self._is_line_open = False

    def update(self, sent_count: int) -> None:
        if self._is_on and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_seconds
            sys.stderr.write(f"\r{sent_count} records" if self._is_terminal else f"{sent_count} records\n")
            sys.stderr.flush()
            self._is_line_open = self._is_terminal

    def end(self) -> None:
        if self._is_line_open:
            sys.stderr.write("\n")
            self._is_line_open = False


def _lines_of_standard_input(*, is_quiet: bool) -> Iterator[list[bytes]]:
    """Whole lines as they come, without their ends; the last one may lack it."""
    descriptor = sys.stdin.fileno()
    if sys.stdin.isatty() and not is_quiet:
        sys.stderr.write("a record each line, Ctrl-D ends\n")
    pieces: list[bytes] = []  # of the line that has not ended yet: joined once, however long it gets
    while data := os.read(descriptor, READ_BYTES):
        first, *others = data.split(b"\n")
        pieces.append(first)
        if others:
            *lines, rest = others
            yield [line.removesuffix(b"\r") for line in (b"".join(pieces), *lines)]
            pieces = [rest]
    last = b"".join(pieces)
    if last:
        yield [last]
