"""Print the records of topics to standard output."""

from __future__ import annotations

import argparse
import os
import struct
from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.client.streams import say
from kafkapy.tools.tool_parser import add_connection_arguments, add_ignored, named_values, run_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy.cli.record_text import Format
    from kafkapy.client.cluster import Cluster
    from kafkapy.client.offsets import Partition
    from kafkapy_wire.records import Record, TimestampType

    Decode = Callable[[bytes], bytes]

# Of Java's deserializers, those whose values are not text.
_NUMBERS = {"Long": ">q", "Integer": ">i", "Short": ">h", "Double": ">d", "Float": ">f"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser, required=False)
    parser.add_argument("--topic", metavar="TOPIC")
    parser.add_argument("--include", "--whitelist", dest="include", metavar="PATTERN")
    parser.add_argument("--from-beginning", action="store_true")
    parser.add_argument("--partition", type=int, metavar="N")
    parser.add_argument("--offset", metavar="N", help="a number, earliest or latest")
    parser.add_argument("--group", metavar="GROUP")
    parser.add_argument("--max-messages", type=int, default=-1, metavar="N")
    parser.add_argument("--timeout-ms", type=int, default=-1, metavar="MS")
    parser.add_argument("--isolation-level", choices=("read_uncommitted", "read_committed"), default="read_uncommitted")
    for option in ("--property", "--formatter-property"):
        parser.add_argument(
            option,
            dest="formatter_properties",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="print.timestamp, print.partition, print.offset, print.headers, print.key, print.value, "
            "key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer",
        )
    for option in ("--consumer-property", "--command-property"):
        parser.add_argument(option, dest="client_properties", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--consumer.config", "--consumer-config", dest="consumer_config", metavar="FILE")
    parser.add_argument("--key-deserializer", metavar="CLASS")
    parser.add_argument("--value-deserializer", metavar="CLASS")
    parser.add_argument("--formatter", metavar="CLASS")
    add_ignored(parser, "--skip-message-on-error", "--enable-systest-events")
    add_ignored(parser, "--formatter-config", takes_value=True)


def run(arguments: argparse.Namespace) -> int:
    arguments.command_config = arguments.command_config or arguments.consumer_config
    try:
        properties = named_values(arguments.client_properties, "--consumer-property")
    except ClientError as error:
        say(f"{error}\n")
        return 1
    return run_tool(
        arguments, lambda given, cluster: _consume(given, cluster, properties), properties=properties, failed="Error: "
    )


def _consume(arguments: argparse.Namespace, cluster: Cluster, properties: Mapping[str, str]) -> int:
    from kafkapy.cli.consume import Consumption
    from kafkapy.cli.subscription import Subscription

    if (arguments.topic is None) == (arguments.include is None):
        raise ClientError("name a topic with --topic, or several with --include")
    if arguments.formatter is not None and not arguments.formatter.endswith("DefaultMessageFormatter"):
        raise ClientError(f"--formatter {arguments.formatter}: only DefaultMessageFormatter is there")
    if arguments.partition is not None and arguments.topic is None:
        raise ClientError("--partition is for one topic: name it with --topic")
    formatter = named_values(arguments.formatter_properties, "--property")
    if arguments.topic is not None:
        cluster.topic(arguments.topic, create=True)  # as a consumer asks for it: made where the broker does that
    topics = [] if arguments.topic is None else [arguments.topic]
    subscription = Subscription(cluster, topics, arguments.include)
    consumption = Consumption(
        _as_consume(arguments, properties),
        cluster,
        subscription,
        format_record=record_format(formatter, arguments.key_deserializer, arguments.value_deserializer),
        line_end=os.fsencode(formatter.get("line.separator", "\n")),
    )
    group = arguments.group or properties.get("group.id")
    try:
        if arguments.max_messages == 0:
            pass
        elif group is None:
            consumption.read_alone()
        else:
            consumption.read_in_group(group)
    finally:
        say(f"Processed a total of {consumption.count} messages\n")
    return 0


def _as_consume(arguments: argparse.Namespace, properties: Mapping[str, str]) -> argparse.Namespace:
    """The arguments of `kafkapy consume` that mean the same."""
    reset = properties.get("auto.offset.reset", "latest").strip().lower()
    return argparse.Namespace(
        partition=None if arguments.partition is None else [arguments.partition],
        offset=arguments.offset,
        from_beginning=arguments.from_beginning or reset == "earliest",
        from_datetime=None,
        max_messages=arguments.max_messages if arguments.max_messages >= 0 else None,
        exit_at_end=False,
        idle_timeout=arguments.timeout_ms / 1000 if arguments.timeout_ms >= 0 else None,
        isolation_level=properties.get("isolation.level", arguments.isolation_level),
        separator="\t",
        null_marker="null",
    )


def record_format(
    properties: Mapping[str, str], key_deserializer: str | None, value_deserializer: str | None
) -> Format:
    """Kafka's DefaultMessageFormatter. Raises ClientError: a deserializer that is not there."""

    def is_on(name: str, default: str = "false") -> bool:
        return properties.get(f"print.{name}", default).strip().lower() == "true"

    prints_value, prints_key, prints_headers = is_on("value", "true"), is_on("key"), is_on("headers")
    prints_timestamp, prints_partition, prints_offset = is_on("timestamp"), is_on("partition"), is_on("offset")
    separator = os.fsencode(properties.get("key.separator", "\t"))
    headers_separator = os.fsencode(properties.get("headers.separator", ","))
    null = os.fsencode(properties.get("null.literal", "null"))
    decode_key = _decoder(key_deserializer or properties.get("key.deserializer"))
    decode_value = _decoder(value_deserializer or properties.get("value.deserializer"))

    def text(value: bytes | None, decode: Decode) -> bytes:
        return null if value is None else decode(value)

    def format_record(partition: Partition, record: Record, timestamp_type: TimestampType) -> bytes:
        parts = []
        if prints_timestamp:
            kind = b"LogAppendTime" if timestamp_type else b"CreateTime"
            parts.append(b"NO_TIMESTAMP" if record.timestamp < 0 else b"%s:%d" % (kind, record.timestamp))
        if prints_partition:
            parts.append(b"Partition:%d" % partition[1])
        if prints_offset:
            parts.append(b"Offset:%d" % record.offset)
        if prints_headers:
            headers = [name.encode(errors="surrogateescape") + b":" + text(v, bytes) for name, v in record.headers]
            parts.append(headers_separator.join(headers) or b"NO_HEADERS")
        if prints_key:
            parts.append(text(record.key, decode_key))
        if prints_value:
            parts.append(text(record.value, decode_value))
        return separator.join(parts)

    return format_record


def _decoder(class_name: str | None) -> Decode:
    """What prints the bytes of one of Java's deserializers. Raises ClientError."""
    name = "String" if class_name is None else class_name.rpartition(".")[2].removesuffix("Deserializer")
    if name in ("String", "ByteArray", "Bytes", "ByteBuffer"):
        return bytes
    layout = _NUMBERS.get(name)
    if layout is None:
        raise ClientError(f"there is no deserializer {class_name}: String, ByteArray, {', '.join(_NUMBERS)} are there")

    def number(value: bytes) -> bytes:
        try:
            return str(struct.unpack(layout, value)[0]).encode()
        except struct.error:
            raise ClientError(f"a record has {len(value)} bytes where {class_name} reads a number") from None

    return number
