"""What a seed says of a topic, a record, a group and an ACL: read from plain values, whatever text they come from.

Keys, values and the values of headers are texts, null, `{"base64": ...}` for bytes and `{"json": ...}` for data that is
stored as JSON.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from kafkapy.seeds.invalid_seed import shown
from kafkapy_controller.acl import (
    CLUSTER_NAME,
    WILDCARD,
    Acl,
    AclOperation,
    PatternType,
    PermissionType,
    ResourceType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import IntEnum

    from kafkapy.seeds.invalid_seed import Place

TOPIC_FIELDS: Final = ("topic", "partitions", "replicas", "settings", "offsets")
RECORD_FIELDS: Final = ("topic", "partition", "offset", "timestamp", "key", "value", "headers", "timestamp_type")
GROUP_FIELDS: Final = ("group", "offsets")
COMMITTED_FIELDS: Final = ("offset", "metadata")
ACL_FIELDS: Final = ("principal", "host", "operation", "permission", "resource_type", "resource_name", "pattern")
TIMESTAMP_TYPES: Final = ("CREATE_TIME", "LOG_APPEND_TIME")
PARTITIONS_MAX: Final = 2**31 - 1
REPLICAS_MAX: Final = 2**15 - 1
OFFSETS: Final = range(2**63)
TIMESTAMPS: Final = range(-1, 2**63)
DIGITS_MAX: Final = len(str(PARTITIONS_MAX))
METADATA_BYTES_MAX: Final = 2**15 - 1


class SeedTopic(NamedTuple):
    """A topic that is to be there."""

    place: Place
    name: str
    partitions: int | None = None
    """None: the broker's default."""
    replicas: int | None = None
    settings: Mapping[str, str] = {}
    offsets: Mapping[int, tuple[int, int]] = {}
    """By partition: the first offset that can be read, and the offset that the next record gets."""


class SeedRecord(NamedTuple):
    """A record that is to be stored."""

    place: Place
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None
    partition: int | None
    """None: its key chooses one, as in Kafka's own producer."""
    offset: int | None
    """None: the next one."""


class SeedGroup(NamedTuple):
    """A group with what it is to have committed."""

    place: Place
    group_id: str
    offsets: Mapping[tuple[str, int], tuple[int, str]]
    """By topic and partition: the offset, and the text that was committed with it."""


class SeedAcl(NamedTuple):
    """An ACL that is to be there."""

    place: Place
    acl: Acl


Entry: TypeAlias = SeedTopic | SeedRecord | SeedGroup | SeedAcl


def read_topic(name: object, given: Mapping[str, Any], place: Place) -> SeedTopic:
    """Raises InvalidSeed."""
    check_fields(given, TOPIC_FIELDS, "a topic", place)
    settings = given.get("settings")
    return SeedTopic(
        place,
        _name(name, "topic", place),
        _whole(given.get("partitions"), "partitions", range(1, PARTITIONS_MAX + 1), place),
        _whole(given.get("replicas"), "replicas", range(1, REPLICAS_MAX + 1), place),
        {} if settings is None else _settings(settings, place),
        _log_offsets(given.get("offsets"), place),
    )


def read_record(topic: object, given: Mapping[str, Any], place: Place) -> SeedRecord:
    """Raises InvalidSeed."""
    for name in given:
        if name not in RECORD_FIELDS:
            check_fields(given, RECORD_FIELDS, "a record", place)
    kind = given.get("timestamp_type")
    if kind is not None and kind not in TIMESTAMP_TYPES:
        raise place.unknown("timestamp_type", "there is no such type", str(kind), TIMESTAMP_TYPES)
    partition = _whole(given.get("partition"), "partition", range(PARTITIONS_MAX + 1), place)
    offset = _whole(given.get("offset"), "offset", OFFSETS, place)
    if offset is not None and partition is None:
        raise place.refusal("offset", "a record with an offset needs its partition, too")
    return SeedRecord(
        place,
        _name(topic, "topic", place),
        read_bytes(given.get("key"), "key", place),
        read_bytes(given.get("value"), "value", place),
        _headers(given.get("headers"), place),
        _timestamp(given.get("timestamp"), place),
        partition,
        offset,
    )


def read_group(group_id: object, given: object, place: Place) -> SeedGroup:
    """`given`: by topic and partition, `{"orders": {"0": 5}}`. Raises InvalidSeed."""
    if not isinstance(group_id, str) or not group_id:
        raise place.refusal("group", f"the id of a group is a text, not {shown(group_id)}")
    found: dict[tuple[str, int], tuple[int, str]] = {}
    for topic, within in _object(given, "offsets", '{"orders": {"0": 5}}', place).items():
        for index, committed in _object(within, f"offsets.{topic}", '{"0": 5}', place).items():
            field = f"offsets.{topic}.{index}"
            found[_name(topic, "offsets", place), _index(index, field, place)] = _committed(committed, field, place)
    return SeedGroup(place, group_id, found)


def read_acl(given: Mapping[str, Any], place: Place) -> SeedAcl:
    """As `kafkapy acls list --json` prints it. Raises InvalidSeed."""
    check_fields(given, ACL_FIELDS, "an ACL", place)
    resource_type = _word(given.get("resource_type"), "resource_type", _RESOURCE_TYPES, place)
    name = given.get("resource_name")
    if name is None and resource_type == ResourceType.CLUSTER:
        name = CLUSTER_NAME
    return SeedAcl(
        place,
        Acl(
            resource_type,
            _name(name, "resource_name", place),
            _word(given.get("pattern", "literal"), "pattern", _PATTERNS, place),
            _name(given.get("principal"), "principal", place),
            _name(given.get("host", WILDCARD), "host", place),
            _word(given.get("operation"), "operation", _OPERATIONS, place),
            _word(given.get("permission", "allow"), "permission", _PERMISSIONS, place),
        ),
    )


def acl_fields(acl: Acl) -> dict[str, str]:
    """What `read_acl` reads."""
    return {
        "principal": acl.principal,
        "host": acl.host,
        "operation": words_of(AclOperation(acl.operation)),
        "permission": words_of(PermissionType(acl.permission_type)),
        "resource_type": words_of(ResourceType(acl.resource_type)),
        "resource_name": acl.resource_name,
        "pattern": words_of(PatternType(acl.pattern_type)),
    }


def words_of(value: IntEnum) -> str:
    """`TRANSACTIONAL_ID` -> `transactional-id`."""
    return value.name.lower().replace("_", "-")


_RESOURCE_TYPES, _OPERATIONS, _PERMISSIONS = (
    {words_of(each): int(each) for each in kind if each.name != "ANY"}
    for kind in (ResourceType, AclOperation, PermissionType)
)
_PATTERNS: Final = {words_of(each): int(each) for each in (PatternType.LITERAL, PatternType.PREFIXED)}


def check_fields(given: Mapping[str, Any], known: Iterable[str], of: str, place: Place) -> None:
    """Raises InvalidSeed: there is a field that is not known."""
    known = tuple(known)
    for name in given:
        if name not in known:
            raise place.unknown(shown(name)[1:-1], f"{of} has no such field", str(name), known)


def read_bytes(value: object, field: str, place: Place) -> bytes | None:
    """Raises InvalidSeed."""
    match value:
        case None:
            return None
        case str():
            return encoded(value, field, place)
        case bytes():
            return value
        case {"base64": str(text), **others} if not others:
            try:
                return b64decode(text, validate=True)
            except (Base64Error, ValueError):
                raise place.refusal(field, "that is no base64") from None
        case {"json": data, **others} if not others:
            return _as_json(data, field, place)
    hint = f'; as text it is written "{value}"' if isinstance(value, int | float) else ""
    raise place.refusal(
        field, f'a text, null, {{"base64": ...}} or {{"json": ...}} is expected, not {shown(value)}{hint}'
    )


def encoded(text: str, field: str, place: Place) -> bytes:
    """A text as UTF-8. Raises InvalidSeed."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise place.refusal(field, "half of a surrogate pair is no character") from None


def _as_json(data: object, field: str, place: Place) -> bytes:
    try:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise place.refusal(field, f"that has no form in JSON: {error}") from None
    return encoded(text, field, place)


def _name(value: object, field: str, place: Place) -> str:
    if not isinstance(value, str) or not value:
        raise place.refusal(field, "it is missing" if value is None else f"a name is expected, not {shown(value)}")
    return value


def _word(value: object, field: str, known: Mapping[str, int], place: Place) -> int:
    """The number of one of a few words; Kafka's own capitals and underscores will do, too."""
    if value is None:
        raise place.refusal(field, f"it is missing: write one of {', '.join(known)}")
    word = value.lower().replace("_", "-") if isinstance(value, str) else shown(value)
    if word not in known:
        raise place.unknown(field, f"{shown(value)} is none", word, known)
    return known[word]


def _whole(value: object, field: str, allowed: range, place: Place) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise place.refusal(
            field, f"a whole number from {allowed.start} to {allowed.stop - 1} is expected, not {shown(value)}"
        )
    return value


def _settings(value: object, place: Place) -> dict[str, str]:
    found = {}
    for name, each in _object(value, "settings", '{"cleanup.policy": "compact"}', place).items():
        found[name] = _setting(each, f"settings.{name}", place)
    return found


def _setting(value: object, field: str, place: Place) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case list():
            return ",".join(_setting(each, field, place) for each in value)
    raise place.refusal(field, f"a text, a number, true or false is expected, not {shown(value)}")


def _log_offsets(value: object, place: Place) -> dict[int, tuple[int, int]]:
    if value is None:
        return {}
    found = {}
    for index, pair in _object(value, "offsets", '{"0": [5, 12]}', place).items():
        field = f"offsets.{index}"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise place.refusal(field, "the first offset and the next one are expected, such as [5, 12]")
        start, end = (_whole(each, field, OFFSETS, place) or 0 for each in pair)
        if start > end:
            raise place.refusal(field, f"it begins at {start}, which is after its end at {end}")
        found[_index(index, field, place)] = start, end
    return found


def _committed(value: object, field: str, place: Place) -> tuple[int, str]:
    metadata: object = ""
    if isinstance(value, dict):
        given: Mapping[str, Any] = value
        for name in given:
            if name not in COMMITTED_FIELDS:
                raise place.unknown(f"{field}.{name}", "there is no such field", str(name), COMMITTED_FIELDS)
        value, metadata = given.get("offset"), given.get("metadata", "")
    offset = _whole(value, field, OFFSETS, place)
    if offset is None:
        raise place.refusal(field, "an offset is expected")
    if not isinstance(metadata, str) or len(encoded(metadata, field, place)) > METADATA_BYTES_MAX:
        raise place.refusal(f"{field}.metadata", f"a text of up to {METADATA_BYTES_MAX} bytes is expected")
    return offset, metadata


def _headers(value: object, place: Place) -> tuple[tuple[str, bytes | None], ...]:
    if value is None:
        return ()
    if isinstance(value, dict):
        return tuple((_header_name(name, "headers", place), _header(name, each, place)) for name, each in value.items())
    if not isinstance(value, list | tuple):
        raise place.refusal("headers", f'{{"name": "value"}} or [["name", "value"]] is expected, not {shown(value)}')
    found = []
    for number, pair in enumerate(value):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise place.refusal(f"headers[{number}]", 'a pair is expected, such as ["name", "value"]')
        found.append((_header_name(pair[0], f"headers[{number}]", place), _header(pair[0], pair[1], place)))
    return tuple(found)


def _header_name(name: object, field: str, place: Place) -> str:
    match name:
        case str():
            encoded(name, field, place)
            return name
        case {"base64": str()}:  # bytes that are not UTF-8: Kafka stores them, too
            return (read_bytes(name, field, place) or b"").decode(errors="surrogateescape")
    raise place.refusal(field, f"the name of a header is a text, not {shown(name)}")


def _header(name: object, value: object, place: Place) -> bytes | None:
    return read_bytes(value, f"headers.{name}", place)


def _timestamp(value: object, place: Place) -> int | None:
    if not isinstance(value, str):
        return _whole(value, "timestamp", TIMESTAMPS, place)
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(value)
    if moment is None or moment.tzinfo is None:
        raise place.refusal(
            "timestamp",
            f"milliseconds since 1970, or a time with its zone such as 2026-01-31T12:00:00Z, is expected, not "
            f"{shown(value)}",
        )
    milliseconds = round(moment.timestamp() * 1_000)
    if milliseconds not in TIMESTAMPS:
        raise place.refusal("timestamp", "times before 1970 cannot be stored")
    return milliseconds


def _object(value: object, field: str, example: str, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise place.refusal(field, f"{example} is expected, not {shown(value)}")
    for name in value:
        if not isinstance(name, str | int):
            raise place.refusal(field, f"a name is expected, not {shown(name)}")
    return {str(name): each for name, each in value.items()}


def _index(text: str, field: str, place: Place) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX and int(text) <= PARTITIONS_MAX):
        raise place.refusal(field, f"{shown(text)} is no number of a partition")
    return int(text)
