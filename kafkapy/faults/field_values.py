"""JSON values as fields of a message have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.faults.invalid_rule import InvalidRule, shown
from kafkapy.faults.message_fields import INTEGERS, UNSIGNED
from kafkapy.faults.values import check_text
from kafkapy_wire.uuid import parse_uuid

if TYPE_CHECKING:
    from kafkapy.faults.message_fields import FieldPath


def typed_value(rule_field: str, path: FieldPath, kind: str, value: object) -> object:
    """The value as a field of that kind has it. Raises InvalidRule."""
    name = path.text
    if value is None:
        if path.last.nullable == "none":
            raise InvalidRule(rule_field, f"{name} is never null")
        return None
    if kind == "bool":
        if not isinstance(value, bool):
            raise InvalidRule(rule_field, f"{name} is true or false, not {shown(value)}")
        return value
    if kind in INTEGERS or kind in UNSIGNED:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidRule(rule_field, f"{name} is an integer, not {shown(value)}")
        least = -(1 << INTEGERS[kind]) if kind in INTEGERS else 0
        most = (1 << (INTEGERS[kind] if kind in INTEGERS else UNSIGNED[kind])) - 1
        if not least <= value <= most:
            raise InvalidRule(rule_field, f"{name} is of type {kind}, and never {shown(value)}")
        return value
    if kind == "float64":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidRule(rule_field, f"{name} is a number, not {shown(value)}")
        try:
            return float(value)
        except OverflowError:
            raise InvalidRule(rule_field, f"{name} is of type {kind}, and never so large") from None
    if not isinstance(value, str):
        raise InvalidRule(rule_field, f"{name} is a text, not {shown(value)}")
    if kind == "string":
        check_text(rule_field, value)
    if kind == "uuid":
        try:
            return parse_uuid(value)
        except ValueError:
            raise InvalidRule(rule_field, f"{name} is an id as Kafka prints it, not {shown(value)}") from None
    return value
