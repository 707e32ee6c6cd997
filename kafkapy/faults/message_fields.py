"""Fields of messages by Kafka's names: `topicData.partitionData.index`.

A path goes through structs and arrays alike. Through an array it means every element.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.faults.invalid_rule import InvalidRule, nearest_of
from kafkapy_wire.message import Struct, parse_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy_wire.message import Field, Message

_PATH: Final = re.compile(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*", re.ASCII)

INTEGERS: Final = {"int8": 7, "int16": 15, "int32": 31, "int64": 63}
"""Bits of the largest value of the signed kinds."""
UNSIGNED: Final = {"uint16": 16, "uint32": 32}


class FieldPath(NamedTuple):
    """A field of a message class, and the fields on the way to it."""

    text: str
    fields: tuple[Field, ...]

    @property
    def last(self) -> Field:
        return self.fields[-1]

    def present(self, version: int) -> bool:
        """Whether messages of that version have the field."""
        return all(version in parse_versions(each.versions) for each in self.fields)

    def values(self, message: Message) -> Iterator[object]:
        """The values of the field: several if the path goes through arrays, none if an array is empty or null."""
        return _values(message, self.fields)


def _values(struct: Struct, fields: tuple[Field, ...]) -> Iterator[object]:
    value = getattr(struct, fields[0].name)
    if len(fields) == 1:
        if isinstance(value, list):
            yield from value
        else:
            yield value
    elif isinstance(value, list):
        for element in value:
            yield from _values(element, fields[1:])
    elif value is not None:
        yield from _values(value, fields[1:])


def find_field(rule_field: str, text: str, message: type[Message]) -> FieldPath:
    """Raises InvalidRule: the message has no such field."""
    if not _PATH.fullmatch(text):
        raise InvalidRule(
            rule_field, f"{text!r} is no path of fields: write Kafka's names with dots, as in topics.partitions"
        )
    cls: type[Struct] = message
    fields: list[Field] = []
    for name in text.split("."):
        known = {each.json_name: each for each in cls.__fields__}
        if name not in known:
            where = ".".join(each.json_name for each in fields)
            nearest = nearest_of(name, known)
            raise InvalidRule(
                rule_field,
                f"{message.__name__}{'.' + where if where else ''} has no field {name!r}; "
                f"its fields are {', '.join(known) or 'none'}",
                ".".join([where, nearest] if where else [nearest]) if nearest is not None else None,
            )
        fields.append(known[name])
        kind = element_kind(known[name])
        cls = kind if isinstance(kind, type) else Struct
    return FieldPath(text, tuple(fields))


def element_kind(field: Field) -> object:
    """The kind of the field; if it is an array, that of its elements."""
    return field.kind[0] if isinstance(field.kind, list) else field.kind


def has_records(struct: type[Struct]) -> bool:
    """Whether a field of the struct, or of one inside, has record batches."""
    for field in struct.__fields__:
        kind = element_kind(field)
        if kind == "records" or (isinstance(kind, type) and has_records(kind)):
            return True
    return False
