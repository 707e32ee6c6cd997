"""Records as lines of text, in the words of Kafka's console consumer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.offsets import Partition
    from kafkapy_wire.records import Record, TimestampType

    Format = Callable[[Partition, Record, TimestampType], bytes]


def text_format(arguments: argparse.Namespace) -> Format:
    """As Kafka's console consumer prints: timestamp, partition, offset, headers, key, value; the topic in front."""
    separator = os.fsencode(arguments.separator)
    null = os.fsencode(arguments.null_marker)

    def format_record(partition: Partition, record: Record, timestamp_type: TimestampType) -> bytes:
        parts = []
        if arguments.print_topic:
            parts.append(b"Topic:" + partition[0].encode())
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


def json_format(partition: Partition, record: Record, timestamp_type: TimestampType) -> bytes:
    from kafkapy.cli.record_json import record_line

    return record_line(*partition, record, timestamp_type)


def _timestamp_text(timestamp: int, timestamp_type: TimestampType) -> bytes:
    if timestamp < 0:
        return b"NO_TIMESTAMP"
    return b"%s:%d" % (b"LogAppendTime" if timestamp_type else b"CreateTime", timestamp)
