"""New values of fields in an answer: `{"topics.partitions.leaderId": 7}`."""

from __future__ import annotations

import json
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkapy.faults.field_values import typed_value
from kafkapy.faults.invalid_rule import InvalidRule
from kafkapy.faults.layout import id_of
from kafkapy.faults.message_fields import FieldPath, element_kind, find_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.faults.layout import Layout, Path
    from kafkapy_wire.message import Message, Struct


class Edit(NamedTuple):
    """One field and its new value, checked against the answer's schema."""

    path: FieldPath
    value: object


def parse_edit(path_text: str, value_text: str, message: type[Message]) -> Edit:
    """Raises InvalidRule."""
    path = find_field("edit", path_text, message)
    field = path.last
    kind = element_kind(field)
    value = json.loads(value_text)
    if isinstance(field.kind, list):
        if value is None and field.nullable != "none":
            return Edit(path, None)
        if not isinstance(value, list):
            raise InvalidRule("edit", f"{path_text} is an array: its new value is a list, not {value_text}")
        if isinstance(kind, type):
            if value:
                raise InvalidRule("edit", f"{path_text} has fields of its own: name one of them, or empty it with []")
            return Edit(path, [])
        assert isinstance(kind, str)
        return Edit(path, [typed_value("edit", path, kind, each) for each in value])
    if isinstance(kind, type):
        raise InvalidRule("edit", f"{path_text} has fields of its own: name one of them")
    assert isinstance(kind, str)
    if kind in ("records", "bytes"):
        raise InvalidRule("edit", f"{path_text} is of type {kind}, which JSON has no value for")
    return Edit(path, typed_value("edit", path, kind, value))


def edited(response: Message, edit: Edit, layout: Layout, selects: Callable[[Path], bool]) -> Message:
    """A copy of the answer with the new value, in the entries that are selected."""
    kinds = {id(level.answered): level.kind for level in layout.levels if level.answered is not None}
    new: Message = _edited(response, edit, 0, kinds, (), selects)
    return new


def _edited(
    struct: Any, edit: Edit, depth: int, kinds: dict[int, str], above: Path, selects: Callable[[Path], bool]
) -> Any:
    field = edit.path.fields[depth]
    new: Struct = copy(struct)
    if depth == len(edit.path.fields) - 1:
        value = edit.value
        setattr(new, field.name, list(value) if isinstance(value, list) else value)
        return new
    inner = getattr(struct, field.name)
    if not isinstance(inner, list):
        if inner is not None:
            setattr(new, field.name, _edited(inner, edit, depth + 1, kinds, above, selects))
        return new
    kind = kinds.get(id(field))
    entries = []
    for entry in inner:
        path = above if kind is None else (*above, id_of(entry, kind))
        entries.append(
            _edited(entry, edit, depth + 1, kinds, path, selects) if kind is None or selects(path) else entry
        )
    setattr(new, field.name, entries)
    return new
