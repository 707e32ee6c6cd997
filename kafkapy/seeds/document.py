"""Entries in one object: what a YAML file has, and what Python and the control API give.

topics:
  orders: 3
records:
  orders:
    - {key: alice, value: 1 tea}
groups:
  shop: {orders: {0: 1}}
acls:
  - {principal: "User:alice", operation: read, resource_type: topic, resource_name: orders}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafkapy.seeds.entries import read_acl, read_group, read_record, read_topic
from kafkapy.seeds.invalid_seed import Place, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.seeds.entries import Entry, SeedAcl, SeedGroup, SeedRecord, SeedTopic

NAMES: Final = ("topics", "records", "groups", "acls")


class PlacedDict(dict[str, Any]):
    """An object that knows the lines of its text."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}


class PlacedList(list[Any]):
    """A list that knows the lines of its text."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[int] = []


def entries_of(document: object, file: str | None = None) -> Iterator[Entry]:
    """Raises InvalidSeed."""
    top = Place(None, file)
    if document is None:
        return
    if not isinstance(document, dict):
        raise top.refusal("", f"an object with {', '.join(NAMES)} is expected, not {shown(document)}")
    for name in document:
        if name not in NAMES:
            raise _place(document, name, top).unknown(str(name), "a seed has no such part", str(name), NAMES)
    for part, read in (("topics", _topics), ("records", _records), ("groups", _groups)):
        within = document.get(part)
        if within is not None:
            if not isinstance(within, dict):
                raise _place(document, part, top).refusal(part, f"an object is expected, not {shown(within)}")
            yield from read(within, top)
    yield from _acls(document, top)


def _topics(topics: dict[str, Any], top: Place) -> Iterator[SeedTopic]:
    for name, wanted in topics.items():
        left_out = ("topic",) if isinstance(wanted, dict) else ("topic", "partitions")
        place = _place(topics, name, top, f"topics.{name}.", wanted, left_out)
        given = wanted if isinstance(wanted, dict) else {} if wanted is None else {"partitions": wanted}
        yield read_topic(name, given, place)


def _records(records: dict[str, Any], top: Place) -> Iterator[SeedRecord]:
    for topic, listed in records.items():
        if not isinstance(listed, list | tuple):
            raise _place(records, topic, top).refusal(f"records.{topic}", f"a list is expected, not {shown(listed)}")
        for number, each in enumerate(listed):
            is_record = isinstance(each, dict) and not _is_bytes(each)
            left_out = ("topic",) if is_record else ("topic", "value")
            place = _place(listed, number, top, f"records.{topic}[{number}].", each, left_out)
            given = each if is_record else {"value": each}
            if "topic" in given:
                raise place.refusal("", "it names a topic: the records are those of the topic whose list they stand in")
            yield read_record(topic, given, place)


def _groups(groups: dict[str, Any], top: Place) -> Iterator[SeedGroup]:
    for group_id, offsets in groups.items():
        place = _place(groups, group_id, top, f"groups.{group_id}.", offsets, ("group", "offsets"))
        yield read_group(group_id if not isinstance(group_id, int) else str(group_id), offsets, place)


def _acls(document: dict[str, Any], top: Place) -> Iterator[SeedAcl]:
    listed = document.get("acls")
    if listed is None:
        return
    if not isinstance(listed, list | tuple):
        raise _place(document, "acls", top).refusal("acls", f"a list is expected, not {shown(listed)}")
    for number, each in enumerate(listed):
        place = _place(listed, number, top, f"acls[{number}].", each)
        if not isinstance(each, dict):
            raise place.refusal("", f"an object is expected, not {shown(each)}")
        yield read_acl(each, place)


def _is_bytes(value: dict[str, Any]) -> bool:
    """Whether it stands for the value of a record, and is no record."""
    return len(value) == 1 and next(iter(value)) in ("base64", "json")


def _place(
    container: Any, name: Any, top: Place, prefix: str = "", value: object = None, left_out: tuple[str, ...] = ()
) -> Place:
    line = container.lines[name] if isinstance(container, PlacedDict | PlacedList) else None
    return Place(line, top.file, prefix, value.lines if isinstance(value, PlacedDict) else {}, left_out)
