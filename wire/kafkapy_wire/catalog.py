"""Message classes by the name of their schema: `messages/FetchRequest`, `records/metadata/TopicRecord`."""

from __future__ import annotations

from importlib import import_module

from kafkapy_wire.message import Message
from kafkapy_wire.schema_index import SCHEMA_CLASSES


class UnknownSchema(LookupError):
    """No message has this name; `nearest` is the known name most like it, or None."""

    def __init__(self, name: str, nearest: str | None) -> None:
        super().__init__(name, nearest)
        self.name = name
        self.nearest = nearest

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"unknown message {self.name}{hint}"


def schema_name(name: str) -> str:
    """The full name for a full or short one (`FetchRequest`, `TopicRecord`). Raises UnknownSchema."""
    if name in SCHEMA_CLASSES:
        return name
    full_names = _full_names()
    if name in full_names:
        return full_names[name]
    raise UnknownSchema(name, _nearest(name, full_names))


def message_class(name: str) -> type[Message]:
    """The class for a full or short schema name; its module is imported on first use. Raises UnknownSchema."""
    module, _, class_name = SCHEMA_CLASSES[schema_name(name)].partition(":")
    found: type[Message] = getattr(import_module(f"kafkapy_wire.{module}"), class_name)
    return found


def _full_names() -> dict[str, str]:
    """Short names, those of schema files and those of classes, with the full names they stand for."""
    by_class = {place.partition(":")[2]: full for full, place in SCHEMA_CLASSES.items()}
    return by_class | {full.rpartition("/")[2]: full for full in SCHEMA_CLASSES}


def _nearest(name: str, full_names: dict[str, str]) -> str | None:
    from difflib import get_close_matches

    short = {known.lower(): known for known in full_names}
    found = get_close_matches(name.rpartition("/")[2].lower(), short, n=1, cutoff=0.5)
    return short[found[0]] if found else None
