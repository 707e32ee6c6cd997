"""`Rule`: which requests a fault meets, what it does to them, and how often.

A rule is a flat object of JSON values:

    Rule.parse({"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2})

Fields that say which requests must all hold. A field with a list holds if one of its values does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kafkapy.faults import values as read
from kafkapy.faults.checks import check
from kafkapy.faults.invalid_rule import InvalidRule, shown, unknown
from kafkapy.faults.rule_fields import FIELDS, RuleFields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.faults.values import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rule(RuleFields):
    """A rule that was checked: made by `Rule.parse`."""

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Rule:
        """The rule of these JSON values. Raises InvalidRule: it is wrong, or could never match or do anything."""
        if not isinstance(given, dict):
            raise InvalidRule("rule", f"it is an object of fields, not {shown(given)}")
        parsed: dict[str, object] = {}
        for name, value in given.items():
            known = FIELDS.get(name)
            if known is None:
                raise _unknown_field(name)
            if value is None:
                continue
            parsed[name] = read.read_list(name, value, known.read) if known.many else known.read(name, value)
        rule = cls(**parsed)  # type: ignore[arg-type]  # each was read by its own field's reader
        check(rule)
        return rule

    def described(self) -> dict[str, JsonValue]:
        """JSON values from which `parse` makes an equal rule: the fields that are given."""
        described: dict[str, JsonValue] = {}
        for name, known in FIELDS.items():
            value = getattr(self, name)
            if value == known.default:
                continue
            if name == "edit":
                described[name] = {path: json.loads(new) for path, new in value}
            else:
                described[name] = read.to_json(value)
        return described

    def __repr__(self) -> str:
        return f"Rule({self})"

    def __str__(self) -> str:
        return ", ".join(f"{name}={json.dumps(value)}" for name, value in self.described().items())


NAME_SHOWN_MAX: Final = 80
_ELSEWHERE: Final = {
    "apis": "api",
    "key": "api",
    "node": "broker",
    "node_id": "broker",
    "software": "client_software",
    "group_id": "group",
    "member_id": "member",
    "group_instance_id": "member",
    "error_code": "error",
    "count": "times",
    "latency": "latency_ms",
    "jitter": "jitter_ms",
    "bandwidth": "bandwidth_bytes_per_second",
    "upload": "upload_bytes_per_second",
    "upload_bandwidth": "upload_bytes_per_second",
    "slow_close": "slow_close_ms",
    "timeout": "timeout_ms",
    "slicer": "slicer_bytes",
    "limit_data": "limit_data_bytes",
    "delay": "delay_ms",
    "throttle": "throttle_time_ms",
    "drop": "black_hole",
}
"""What others call it."""


def _unknown_field(name: object) -> InvalidRule:
    if isinstance(name, str) and name in _ELSEWHERE:
        return InvalidRule(name, "a rule has no such field", _ELSEWHERE[name])
    if not isinstance(name, str):
        return InvalidRule("rule", f"names of fields are texts, not {shown(name)}")
    refused = unknown(name, "field of a rule", name, FIELDS)
    return InvalidRule(name[:NAME_SHOWN_MAX] or "rule", "a rule has no such field", refused.nearest)
