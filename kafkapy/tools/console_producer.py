"""Send each line of standard input to a topic."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.client.streams import say
from kafkapy.tools.tool_parser import add_connection_arguments, add_ignored, named_values, run_tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from kafkapy.client.cluster import Cluster
    from kafkapy_wire.records import NewRecord

_ACKS = {"0": 0, "1": 1, "all": -1, "-1": -1}
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
_READER = "--reader-property"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser, "--broker-list", required=False)
    parser.add_argument("--topic", required=True, metavar="TOPIC")
    for option in ("--property", _READER):
        parser.add_argument(
            option,
            dest="reader_properties",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, "
            "headers.key.separator, null.marker, ignore.error",
        )
    for option in ("--producer-property", "--command-property"):
        parser.add_argument(option, dest="client_properties", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--producer.config", "--reader-config", dest="producer_config", metavar="FILE")
    parser.add_argument("--compression-codec", nargs="?", const="gzip", choices=_COMPRESSIONS, metavar="CODEC")
    parser.add_argument("--request-required-acks", choices=_ACKS, metavar="{0,1,all}")
    add_ignored(parser, "--sync")
    add_ignored(
        parser,
        *("--batch-size", "--line-reader", "--max-block-ms", "--max-memory-bytes", "--max-partition-memory-bytes"),
        *("--message-send-max-retries", "--metadata-expiry-ms", "--request-timeout-ms", "--retry-backoff-ms"),
        *("--socket-buffer-size", "--timeout"),
        takes_value=True,
    )


def run(arguments: argparse.Namespace) -> int:
    arguments.command_config = arguments.command_config or arguments.producer_config
    try:
        properties = named_values(arguments.client_properties, "--producer-property")
    except ClientError as error:
        say(f"{error}\n")
        return 1
    return run_tool(
        arguments, lambda given, cluster: _produce(given, cluster, properties), properties=properties, failed="Error: "
    )


def _produce(arguments: argparse.Namespace, cluster: Cluster, properties: Mapping[str, str]) -> int:
    from kafkapy.cli.produce import Progress, lines_of_standard_input, send_lines, send_the_rest
    from kafkapy.client.producer import Producer
    from kafkapy.client.streams import is_terminal
    from kafkapy_wire.compression import Compression

    acks = arguments.request_required_acks or properties.get("acks", "all")
    compression = arguments.compression_codec or properties.get("compression.type", "none")
    if acks not in _ACKS or compression not in _COMPRESSIONS:
        raise ClientError(f"acks={acks}, compression.type={compression}: one of them is not a value of a producer's")
    maker = LineReader(named_values(arguments.reader_properties, _READER))
    producer = Producer(
        cluster, arguments.topic, acks=_ACKS[acks], compression=Compression[compression.upper()], partition=None
    )
    if is_terminal(sys.stdin):
        sys.stdout.write(">")
        sys.stdout.flush()
    try:
        send_lines(producer, maker, lines_of_standard_input(is_quiet=True), Progress(is_on=False))
    except KeyboardInterrupt:
        send_the_rest(producer, cluster)
        raise
    return 0


class LineReader:
    """Lines to records: [headers TAB] [key TAB] value, as the properties say."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        def given(name: str, default: str) -> bytes:
            return properties.get(name, default).encode("utf-8", "surrogateescape")

        def is_on(name: str) -> bool:
            return properties.get(name, "false").strip().lower() == "true"

        self._parses_key, self._parses_headers = is_on("parse.key"), is_on("parse.headers")
        self._ignores_errors = is_on("ignore.error")
        self._key_separator = given("key.separator", "\t")
        self._headers_delimiter = given("headers.delimiter", "\t")
        self._headers_separator = given("headers.separator", ",")
        self._header_separator = given("headers.key.separator", ":")
        self._null = given("null.marker", "") if "null.marker" in properties else None
        if not all((self._key_separator, self._headers_delimiter, self._headers_separator, self._header_separator)):
            raise ClientError("a separator is empty")

    def make(self, line: bytes, number: int) -> tuple[NewRecord, int | None]:
        """Raises ClientError: a separator is missing."""
        from kafkapy_wire.records import NewRecord

        headers: list[tuple[str, bytes | None]] = []
        key, rest = None, line
        if self._parses_headers:
            first, found, rest = line.partition(self._headers_delimiter)
            if not found:
                self._missing("headers delimiter", number, line)
                rest = line
            elif first != self._null:
                headers = [self._header(header, number) for header in first.split(self._headers_separator) if header]
        if self._parses_key:
            key, found, value = rest.partition(self._key_separator)
            if not found:
                self._missing("key separator", number, line)
                key = None
            else:
                rest = value
        return NewRecord(int(time.time() * 1000), self._nullable(key), self._nullable(rest), headers), None

    def _header(self, text: bytes, number: int) -> tuple[str, bytes | None]:
        name, found, value = text.partition(self._header_separator)
        if not found:
            self._missing("header separator", number, text)
            return text.decode(errors="surrogateescape"), None
        return name.decode(errors="surrogateescape"), self._nullable(value)

    def _missing(self, what: str, number: int, line: bytes) -> None:
        """Raises ClientError, unless errors are to be ignored: then all of the line is the value."""
        if not self._ignores_errors:
            shown = line[:100].decode(errors="replace")
            raise ClientError(f"No {what} found on line number {number}: '{shown}'")

    def _nullable(self, text: bytes | None) -> bytes | None:
        return None if text == self._null else text
