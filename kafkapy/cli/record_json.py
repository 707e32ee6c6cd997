"""A record as a line of JSON: what `consume --json` prints and `produce --json` reads.

    {"topic": "orders", "partition": 0, "offset": 7, "timestamp": 1700000000000, "timestamp_type": "CREATE_TIME",
     "key": "alice", "value": {"base64": "/w=="}, "headers": [["trace", "1"], ["none", null]]}

A key, a value or a header's value is a string, null, or `{"base64": ...}` for bytes that are not UTF-8.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, NamedTuple

from kafkapy_wire.records.record_text import header_name, json_bytes

if TYPE_CHECKING:
    from kafkapy_wire.records import Record, TimestampType

_PLACE = ("topic", "offset", "timestamp_type")
_FIELDS = ("partition", "timestamp", "key", "value", "headers", *_PLACE)
_INT64 = range(-(2**63), 2**63)
_INT32 = range(2**31)


class NotARecord(ValueError):
    """A line is not a record; the text says what is wrong with it."""


class RecordLine(NamedTuple):
    """What a line says. `timestamp` in ms and `partition` are None where it has none."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int | None
    partition: int | None


def record_line(topic: str, partition: int, record: Record, timestamp_type: TimestampType) -> bytes:
    """The line of a record, without its end."""
    document = {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestamp_type": timestamp_type.name,
        "key": json_bytes(record.key),
        "value": json_bytes(record.value),
        "headers": [[header_name(name), json_bytes(value)] for name, value in record.headers],
    }
    return json.dumps(document, ensure_ascii=False).encode()


def parse_record_line(line: bytes) -> RecordLine:
    """Raises NotARecord. What says where the record came from (topic, offset) is passed over."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotARecord(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise NotARecord('not a JSON object like {"key": "k", "value": "v"}')
    for name in document:
        if name not in _FIELDS:
            from kafkapy.nearest import did_you_mean

            raise NotARecord(f"there is no field {name!r}{did_you_mean(name, _FIELDS)}")
    return RecordLine(
        _bytes(document.get("key"), "key"),
        _bytes(document.get("value"), "value"),
        _headers(document.get("headers")),
        _number(document.get("timestamp"), "timestamp", _INT64),
        _number(document.get("partition"), "partition", _INT32),
    )


def _bytes(value: object, name: str) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise NotARecord(f"{name} has half of a surrogate pair") from None
    if isinstance(value, dict) and list(value) == ["base64"] and isinstance(value["base64"], str):
        try:
            return b64decode(value["base64"], validate=True)
        except (Base64Error, ValueError):
            raise NotARecord(f"{name} is not base64") from None
    raise NotARecord(f'{name} is not a string, null or {{"base64": "..."}}')


def _headers(value: object) -> list[tuple[str, bytes | None]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise NotARecord('headers are not a list like [["name", "value"]]')
    headers = []
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
            raise NotARecord('a header is not a pair like ["name", "value"]')
        _bytes(entry[0], "the name of a header")
        headers.append((entry[0], _bytes(entry[1], f"header {entry[0]!r}")))
    return headers


def _number(value: object, name: str, allowed: range) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise NotARecord(f"{name} is not a number from {allowed.start} to {allowed.stop - 1}")
    return value
