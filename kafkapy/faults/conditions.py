"""Conditions on a decoded request: `acks == -1`, `topics.partitions.fetchOffset >= 100`, `transactionalId != null`.

    path operator value

`path` is a field by Kafka's names (`message_fields`), `value` is JSON. A condition on a path through arrays holds if it
holds for any of the values; several conditions of a rule must all hold. The operators:

    ==  !=  <  <=  >  >=
    in          a JSON list has the value
    matches     the whole of a string is like a pattern with * and ?

This is a grammar of three words and not an expression of Python: rules come by HTTP and from files, so nothing in
them may be evaluated, and every name and value can be checked against the message's schema when the rule is made. What
would need "or" is written as two rules.
"""

from __future__ import annotations

import json
import re
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafkapy.faults.field_values import typed_value
from kafkapy.faults.invalid_rule import InvalidRule, unknown
from kafkapy.faults.message_fields import FieldPath, element_kind, find_field
from kafkapy.faults.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy_wire.message import Message

_CONDITION: Final = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S.*?)\s*", re.DOTALL)
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
_ORDERED: Final = ("<", "<=", ">", ">=")
OPERATORS: Final = (*_COMPARISONS, "in", "matches")


class Condition(NamedTuple):
    """One condition, checked against the request's schema."""

    text: str
    path: FieldPath
    holds_for: Callable[[object], bool]

    def holds(self, request: Message, version: int) -> bool:
        if not self.path.present(version):
            return False
        return any(self.holds_for(value) for value in self.path.values(request))


def parse_condition(rule_field: str, text: str, message: type[Message]) -> Condition:
    """Raises InvalidRule."""
    parts = _CONDITION.fullmatch(text)
    if parts is None:
        raise InvalidRule(rule_field, f'{text!r} is no condition: write "path operator value", as in "acks == -1"')
    path_text, operator, value_text = parts.groups()
    if operator not in OPERATORS:
        refused = unknown(rule_field, "operator", operator, OPERATORS)
        raise InvalidRule(rule_field, refused.reason, "==" if operator == "=" else refused.nearest)
    path = find_field(rule_field, path_text, message)
    kind = element_kind(path.last)
    if isinstance(kind, type):
        raise InvalidRule(rule_field, f"{path_text} has fields of its own: name one of them")
    assert isinstance(kind, str)
    if kind in ("bytes", "records"):
        raise InvalidRule(rule_field, f"{path_text} is of type {kind}, which a condition cannot look into")
    try:
        value = json.loads(value_text)
    except (ValueError, RecursionError):  # the latter: thousands of brackets
        raise InvalidRule(
            rule_field, f'{value_text!r} is no JSON value: texts are in double quotes, as in transactionalId == "a"'
        ) from None
    if operator == "in":
        if not isinstance(value, list) or not value:
            raise InvalidRule(rule_field, f"what follows `in` is a list with a value in it, not {value_text}")
        values = [typed_value(rule_field, path, kind, each) for each in value]
        return Condition(text, path, lambda given: given in values)
    if operator == "matches":
        if kind != "string" or not isinstance(value, str):
            raise InvalidRule(rule_field, f"`matches` compares texts, and {path_text} is of type {kind}")
        pattern = Pattern(value)
        return Condition(text, path, lambda given: isinstance(given, str) and pattern.matches(given))
    typed = typed_value(rule_field, path, kind, value)
    compare = _COMPARISONS[operator]
    if operator not in _ORDERED:
        return Condition(text, path, lambda given: compare(given, typed))
    if typed is None or kind in ("bool", "uuid"):
        raise InvalidRule(rule_field, f"{value_text} is neither less nor more than another value: use == or !=")
    return Condition(text, path, lambda given: given is not None and compare(given, typed))
