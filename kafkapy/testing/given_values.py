"""What callers of the test kit may write in place of the values that operations take."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafkapy.control.arguments import InvalidArgument, check, shown
from kafkapy.control.values import NewRecord

if TYPE_CHECKING:
    from kafkapy.testing.options import SeedSource, Topics


SECONDS_MAX = 1e12


def seed_source(seed: SeedSource) -> str | Mapping[str, Any]:
    """The same for another thread or process. Raises InvalidArgument."""
    if isinstance(seed, str | Path):
        return str(Path(seed).absolute())
    if not isinstance(seed, Mapping):
        raise InvalidArgument(
            "seed", f"the path of a file or an object with topics, records and groups is expected, not {shown(seed)}"
        )
    return seed


def directory_path(directory: str | Path | None) -> str | None:
    """Raises InvalidArgument."""
    if directory is None:
        return None
    if not isinstance(directory, str | Path):
        raise InvalidArgument("directory", f"the path of a directory is expected, not {shown(directory)}")
    return str(Path(directory).absolute())


def export_path(path: str | Path) -> str:
    """Raises InvalidArgument: a seed could not be read from a file of this name."""
    from kafkapy.seeds.seed import JSON_LINES

    if not isinstance(path, str | Path) or Path(path).suffix.lower() not in JSON_LINES:
        raise InvalidArgument(
            "path", f"an export is in JSON lines, so that its name ends in {' or '.join(JSON_LINES)}: not {shown(path)}"
        )
    return str(Path(path).absolute())


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
