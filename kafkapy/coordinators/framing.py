"""How coordinators' topics store messages: two bytes of type before a key, of version before a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from kafkapy_wire.message import Message


def framed_record(record_type: int, key: Message, value: Message | None, value_version: int = 0) -> CoordinatorRecord:
    """A record of that type, whose key is of version 0; a tombstone without `value`."""
    return CoordinatorRecord(framed(record_type, key, 0), None if value is None else framed(value_version, value))


def framed(number: int, message: Message, version: int | None = None) -> bytes:
    """`number` is the type of a key, which has a `version` of its own, or the version of a value."""
    return number.to_bytes(2, "big") + encode(message, number if version is None else version)


def unframed(stored: bytes) -> tuple[int, memoryview]:
    """The number and what follows it. Raises MalformedMessage."""
    if len(stored) < 2:
        raise MalformedMessage(f"{len(stored)} bytes are no key or value of a coordinator")
    return int.from_bytes(stored[:2], "big"), memoryview(stored)[2:]
