"""What is told of a file, a piece at a time."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkapy_wire.json_format import JsonValue


class Kind(Enum):
    FILE = "file"
    BATCH = "batch"
    RECORD = "record"
    ENTRY = "entry"
    """Of an index, a checkpoint, or another small file."""
    NOTE = "note"
    PROBLEM = "problem"


class Row(NamedTuple):
    """`fields` by the names of `kafka-dump-log`, where it prints them too."""

    kind: Kind
    fields: dict[str, JsonValue]


def problem(text: str) -> Row:
    return Row(Kind.PROBLEM, {"text": text})


def note(text: str) -> Row:
    return Row(Kind.NOTE, {"text": text})


def entry(**fields: JsonValue) -> Row:
    return Row(Kind.ENTRY, dict(fields))
