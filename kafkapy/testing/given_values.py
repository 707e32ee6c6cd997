"""What callers of the test kit may write in place of the values that operations take."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING

from kafkapy.control.arguments import InvalidArgument, check, shown
from kafkapy.control.values import NewRecord

if TYPE_CHECKING:
    from kafkapy.testing.options import Topics


SECONDS_MAX = 1e12


def setting_text(value: object) -> str:
    """A setting as it stands in a properties file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def setting_texts(settings: Mapping[str, object] | None) -> dict[str, str]:
    """Raises InvalidArgument."""
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise InvalidArgument("settings", f'a dictionary {{"retention.ms": 1000}} is expected, not {shown(settings)}')
    for name in settings:
        check(str, name, "settings: a name")
    return {name: setting_text(value) for name, value in settings.items()}


def topics_with_texts(topics: Topics) -> Topics:
    """Topics whose settings are texts; what is no topic stays what it is, and is refused where all are checked."""
    if not isinstance(topics, Mapping):
        return topics
    return {name: _with_texts(wanted) if isinstance(wanted, Mapping) else wanted for name, wanted in topics.items()}


def _with_texts(wanted: Mapping[str, object]) -> Mapping[str, object]:
    settings = wanted.get("settings")
    return {**wanted, "settings": setting_texts(settings)} if isinstance(settings, Mapping) else wanted


def new_record(value: bytes | str | NewRecord, field: str) -> NewRecord:
    """Raises InvalidArgument."""
    if isinstance(value, NewRecord):
        return value
    if not isinstance(value, str | bytes):
        raise InvalidArgument(
            field,
            f"the value of a record is text, bytes or a NewRecord, not {shown(value)}: json.dumps(...) makes a text of "
            "data",
        )
    if isinstance(value, str):
        check(str, value, field)
        return NewRecord(value=value.encode())
    return NewRecord(value=value)


def milliseconds(seconds: float) -> int:
    """Raises InvalidArgument."""
    check(float, seconds, "seconds")
    if isnan(seconds):
        raise InvalidArgument("seconds", "nan is no time")
    if seconds > SECONDS_MAX:  # later than the clock could say by itself
        raise InvalidArgument("seconds", f"{seconds} is beyond the year 9999")
    return round(max(seconds, -1) * 1_000)
