"""The values of operations as JSON.

Bytes are texts if they are UTF-8, else `{"base64": ...}`. What goes by topic and partition is `{"orders": {"0": 5}}`.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TypeAlias

from kafkapy.recording import exchange_as_json
from kafkapy.recording.exchanges import Exchanges
from kafkapy_wire.records.record_text import json_bytes

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def as_json(value: object) -> Json:
    """Raises TypeError: no operation returns that."""
    match value:
        case None | bool() | str() | int() | float():
            return value
        case bytes():
            return json_bytes(value)
        case list() | tuple():
            return [as_json(each) for each in value]
        case dict():
            return _object(value)
        case Exchanges():
            return {
                "dropped": value.dropped,
                "exchanges": [exchange_as_json(each) for each in value.everything()],
            }
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _object(value: dict[object, object]) -> Json:
    found: dict[str, Json] = {}
    for key, each in value.items():
        if isinstance(key, tuple):
            topic, index = key
            within = found.setdefault(topic, {})
            assert isinstance(within, dict)
            within[str(index)] = as_json(each)
        else:
            found[str(key)] = as_json(each)
    return found
