"""What a request is about, and where its answer has errors: read off the message schemas, for every API alike.

Most requests are about *entries*: topics, their partitions, groups, members. Produce v12, for example:

    request     topicData (topic) > partitionData (partition)
    response    responses (topic) > partitionResponses (partition), which have an error code

`layout_of(ApiKey.PRODUCE, 12)` is this chain of levels. An entry is named by its *path*, the ids on the way to it:
`((TopicId("orders", ZERO_UUID), 3)`. A level that only the response has (the partitions of Metadata) cannot be taken
out of a request, but can be found in its answer.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, response_class
from kafkapy_wire.message import Struct, parse_versions
from kafkapy_wire.uuid import ZERO_UUID, Uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy_wire.message import Field, Message

TOPIC: Final = "topic"
PARTITION: Final = "partition"
GROUP: Final = "group"
MEMBER: Final = "member"
TRANSACTION: Final = "transactional_id"
KEY: Final = "key"
"""What FindCoordinator looks for: a group or a transactional id."""
TOP: Final = "top"
"""The answer itself, as a place for an error."""

_BY_ENTITY: Final = {"topicName": TOPIC, "groupId": GROUP, "transactionalId": TRANSACTION, "producerId": "producer"}
_BY_NAME: Final = {
    "topic_id": TOPIC,
    "index": PARTITION,
    "partition": PARTITION,
    "partition_index": PARTITION,
    "partition_id": PARTITION,
    "partitions": PARTITION,
    "partition_indexes": PARTITION,
    "member_id": MEMBER,
    "key": KEY,
    "coordinator_keys": KEY,
    "resource_name": "resource",
    "resource_type": "resource",
    "feature": "feature",
    "id": "directory",
    "log_dir": "directory",
}
_KINDS: Final = (TRANSACTION, GROUP, TOPIC, PARTITION, "producer", MEMBER, KEY, "resource", "feature", "directory")
"""In this order: an entry with a group id and a member id is a group."""

_INSTANCE_IDS: Final = ("group_instance_id", "instance_id")
_EMPTY_MEANS_ALL: Final = {ApiKey.METADATA: range(1), ApiKey.DESCRIBE_TOPIC_PARTITIONS: range(100)}
"""Where an empty list asks for everything, as null does elsewhere."""


class TopicId(NamedTuple):
    """How a request names a topic: by name, by id (then the name is empty), or by both."""

    name: str
    topic_id: Uuid


EntryId: TypeAlias = "TopicId | int | str | tuple[object, ...]"
Path: TypeAlias = tuple[EntryId, ...]


class Level(NamedTuple):
    """One level of entries: the lists of request and response that have them."""

    kind: str
    requested: Field | None
    """The request's list; None: only the answer has these entries."""
    answered: Field | None
    """The response's list; None: the answer has no entries of this kind."""
    error: str | None
    """The attribute of an answered entry with the error code."""

    @property
    def list_name(self) -> str:
        """The attribute of the answer's list."""
        assert self.answered is not None, f"the answer has no {self.kind}"
        return self.answered.name

    @property
    def entry(self) -> type[Struct]:
        """The class of an answered entry."""
        assert self.answered is not None, f"the answer has no {self.kind}"
        return self.answered.kind[0]  # type: ignore[return-value, index]  # a list with a struct's class

    def new_entry(self, version: int) -> Struct:
        """An entry with the defaults of its fields; without records where that version has no null for them."""
        entry = self.entry()
        for field in entry.__fields__:
            if field.kind == "records" and (field.nullable is None or version not in parse_versions(field.nullable)):
                setattr(entry, field.name, b"")
        return entry


class Layout:
    """Of one version of an API: its levels from the outside to the inside."""

    __slots__ = (
        "asked",
        "errors_at",
        "given_once",
        "has_throttle_time",
        "key",
        "levels",
        "requested_depth",
        "top_error",
        "version",
    )

    def __init__(self, key: ApiKey, version: int) -> None:
        request, response = request_class(key), response_class(key)
        self.key = key
        self.version = version
        self.given_once = _given_once(request, version)
        """The kinds that the request has one of, by the name of the field: a JoinGroup has one group."""
        self.top_error = _error_of(response, version)
        self.has_throttle_time = any(
            each.name == "throttle_time_ms" and _in(each, version) for each in response.__fields__
        )
        asked = _requested(request, version, self.given_once)
        self.asked = tuple(asked)
        """The levels of the request, and its lists."""
        answered = _answered(response, version)
        self.levels = _paired(asked, answered)
        self.requested_depth = sum(level.requested is not None for level in self.levels)
        """How many of the levels a request has."""
        levels_with_errors = [each.kind for each in self.levels if each.error is not None]
        self.errors_at = (*([TOP] if self.top_error is not None else []), *levels_with_errors)
        """Where the answer has error codes."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of what a request is about."""
        return frozenset(self.given_once) | {kind for kind, _ in self.asked} | {each.kind for each in self.levels}

    def given_once_as(self, kind: str) -> list[str]:
        """The fields of the request that name the one of that kind: a member by its id, and by that of its instance."""
        instance = [each.name for each in request_class(self.key).__fields__ if each.name in _INSTANCE_IDS]
        return [self.given_once[kind], *(instance if kind == MEMBER else [])]

    def depth_of(self, kind: str) -> int:
        """Of a path to an entry of that kind; 0 for the answer itself."""
        for depth, level in enumerate(self.levels, 1):
            if level.kind == kind:
                return depth
        return 0

    @property
    def is_answered_as_asked(self) -> bool:
        """Whether the answer has the levels of the request, or more, or fewer: a path then means the same in both."""
        answered = [level.kind for level in self.levels]
        return all(kind == other for (kind, _), other in zip(self.asked, answered, strict=False))

    def paths(self, request: Message) -> Iterator[Path]:
        """The paths of what the request names. A path ends early where a list is null: that means all."""
        if self.version in _EMPTY_MEANS_ALL.get(self.key, ()) and not getattr(request, self.asked[0][1].name):
            return iter([()])
        return _paths(request, self.asked, ())

    def part(self, request: Message, keep: Callable[[Path], bool]) -> Message:
        """A copy of the request with those entries only, which may be none."""
        return _part(request, self.levels[: self.requested_depth], (), keep)  # type: ignore[return-value]


@cache
def layout_of(key: ApiKey, version: int) -> Layout:
    return Layout(key, version)


def layouts_of(key: ApiKey) -> list[Layout]:
    """Of all versions."""
    known = API_VERSIONS[key]
    return [layout_of(key, version) for version in range(known.min_version, known.max_version + 1)]


def id_of(entry: object, kind: str) -> EntryId:
    """Of an entry of a request or an answer. Fields that its version does not have are at their defaults."""
    if not isinstance(entry, Struct):
        return TopicId(str(entry), ZERO_UUID) if kind == TOPIC else entry  # type: ignore[return-value]  # int or str
    fields = _id_fields(type(entry), kind)
    if kind != TOPIC:
        values = tuple(getattr(entry, field.name) for field in fields)
        return values[0] if len(values) == 1 else values
    name, topic_id = "", ZERO_UUID
    for field in fields:
        value = getattr(entry, field.name)
        if field.kind == "uuid":
            topic_id = value
        else:
            name = value or ""
    return TopicId(name, topic_id)


def set_id(entry: Struct, kind: str, entry_id: EntryId) -> None:
    """Write an id of `id_of` into an entry of an answer."""
    fields = _id_fields(type(entry), kind)
    if isinstance(entry_id, TopicId):
        for field in fields:
            setattr(entry, field.name, entry_id.topic_id if field.kind == "uuid" else entry_id.name)
        return
    for field, value in zip(fields, entry_id if isinstance(entry_id, tuple) else (entry_id,), strict=True):
        setattr(entry, field.name, value)


@cache
def _id_fields(entry: type[Struct], kind: str) -> tuple[Field, ...]:
    """The fields that say which entry it is. Members are known by their ids and by those of their instance."""
    return tuple(
        each
        for each in entry.__fields__
        if not isinstance(each.kind, list)
        and (_kind_of_field(each) == kind or (kind == MEMBER and each.name == "group_instance_id"))
    )


def _in(field: Field, version: int) -> bool:
    return version in parse_versions(field.versions)


def _kind_of_field(field: Field) -> str | None:
    return _BY_ENTITY.get(field.entity) or _BY_NAME.get(field.name)


def _kind_of(field: Field, version: int) -> str | None:
    """The kind of entries that a list has; None: it is no list, or its elements name nothing."""
    if not isinstance(field.kind, list):
        return None
    element: Any = field.kind[0]
    if not isinstance(element, type):
        return _kind_of_field(field)
    struct: type[Struct] = element
    fields = [each for each in struct.__fields__ if _in(each, version) and not isinstance(each.kind, list)]
    kinds = {_kind_of_field(each) for each in fields}
    return next((kind for kind in _KINDS if kind in kinds), None)


def _given_once(request: type[Message], version: int) -> dict[str, str]:
    kinds = {}
    for field in request.__fields__:
        kind = _kind_of_field(field)
        if kind in (GROUP, TRANSACTION, MEMBER, KEY) and _in(field, version) and not isinstance(field.kind, list):
            kinds[kind] = field.name
    return kinds


def _error_of(struct: type[Struct], version: int) -> str | None:
    names = ("error_code", "partition_error_code")
    return next((each.name for each in struct.__fields__ if each.name in names and _in(each, version)), None)


def _requested(struct: type[Struct], version: int, given_once: dict[str, str]) -> list[tuple[str, Field]]:
    for field in struct.__fields__:
        kind = _kind_of(field, version) if _in(field, version) else None
        if kind is None or kind in given_once:
            continue
        element: Any = field.kind[0]  # type: ignore[index]
        below = _requested(element, version, given_once) if isinstance(element, type) else []
        return [(kind, field), *below]
    return []


def _answered(struct: type[Struct], version: int) -> list[tuple[str, Field, str | None]]:
    """The lists that lead to error codes."""
    for field in struct.__fields__:
        kind = _kind_of(field, version) if _in(field, version) else None
        element: Any = field.kind[0] if isinstance(field.kind, list) else None
        if kind is None or not isinstance(element, type):
            continue
        assert issubclass(element, Struct)
        error = _error_of(element, version)
        below = _answered(element, version)
        if error is not None or below:
            return [(kind, field, error), *below]
    return []


def _paired(asked: list[tuple[str, Field]], answered: list[tuple[str, Field, str | None]]) -> tuple[Level, ...]:
    """Levels of both, as far as they agree. Where the answer has none, those of the request."""
    if not answered:
        return tuple(Level(kind, field, None, None) for kind, field in asked)
    levels = []
    agree = True
    for depth, (kind, field, error) in enumerate(answered):
        agree = agree and depth < len(asked) and asked[depth][0] == kind
        levels.append(Level(kind, asked[depth][1] if agree else None, field, error))
    return tuple(levels)


def _paths(struct: object, asked: tuple[tuple[str, Field], ...], above: Path) -> Iterator[Path]:
    entries = getattr(struct, asked[0][1].name) if asked else None
    if entries is None or (above and not entries):
        yield above
        return
    kind = asked[0][0]
    for entry in entries:
        yield from _paths(entry, asked[1:], (*above, id_of(entry, kind)))


def _part(struct: Any, levels: tuple[Level, ...], above: Path, keep: Callable[[Path], bool]) -> object:
    list_field = levels[0].requested if levels else None
    entries = getattr(struct, list_field.name) if list_field is not None else None
    if list_field is None or not entries:
        return struct
    kept = []
    for entry in entries:
        path = (*above, id_of(entry, levels[0].kind))
        if len(levels) > 1 and levels[1].requested is not None and getattr(entry, levels[1].requested.name):
            smaller: Any = _part(entry, levels[1:], path, keep)
            if getattr(smaller, levels[1].requested.name):
                kept.append(smaller)
        elif keep(path):
            kept.append(entry)
    copied = copy(struct)
    setattr(copied, list_field.name, kept)
    return copied
