"""Requests with very many entries in one of their arrays, made from the schema: one for each array of each API."""

from __future__ import annotations

from collections.abc import Iterator

from kafkapy.apis import API_MODULES
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class
from kafkapy_wire.message import Field, Message, Struct, parse_versions
from kafkapy_wire.uuid import Uuid

PLAIN_VALUES: dict[str, object] = {"records": None, "bytes": b"", "float64": 0.0, "bool": False}
GIVEN = {
    "timeout_ms": 60_000,
    "acks": -1,
    "session_timeout_ms": 10_000,
    "max_bytes": 1_000,
    "num_partitions": 1,
    "resource_type": 2,
    "resource_type_filter": 2,
    "resource_pattern_type": 3,
    "pattern_type_filter": 3,
    "operation": 3,
    "permission_type": 3,
}
"""What a request must have so that it is not refused at once."""
NUMBERED = ("partition_index", "index", "partition", "producer_id")


def array_paths(key: ApiKey) -> Iterator[tuple[str, ...]]:
    """The names that lead to each array in the newest version of the API's request: `topics`, `topics.partitions`."""
    yield from _paths(request_class(key), API_VERSIONS[key].max_version, ())


def _paths(struct: type[Struct], version: int, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for field in struct.__fields__:
        if version in parse_versions(field.versions) and isinstance(field.kind, list):
            path = (*above, field.name)
            yield path
            if isinstance(field.kind[0], type):
                yield from _paths(field.kind[0], version, path)


def request_with(key: ApiKey, path: tuple[str, ...], count: int, topic: str) -> Message:
    """`count` different entries in the array, one in each that leads to it. Topics are called `topic` where one is."""
    cls = request_class(key)
    request = cls()
    _fill(request, API_VERSIONS[key].max_version, path, count, topic, 0)
    return request


def _fill(struct: Struct, version: int, path: tuple[str, ...], count: int, topic: str, number: int) -> None:
    for field in struct.__fields__:
        if version not in parse_versions(field.versions):
            continue
        if field.name in GIVEN:
            setattr(struct, field.name, GIVEN[field.name])
        elif path and field.name == path[0]:
            is_last = len(path) == 1
            indexes = range(count if is_last else 1)
            setattr(
                struct,
                field.name,
                [_entry(field, version, path[1:], count, topic, index, many=is_last) for index in indexes],
            )
        elif field.kind == "string" and version not in parse_versions(field.nullable):
            setattr(struct, field.name, _text(field, topic, number))
        elif field.kind in ("int32", "int64") and field.name in (
            "partition_index",
            "index",
            "partition",
            "producer_id",
        ):
            setattr(struct, field.name, number)
        elif isinstance(field.kind, list) and getattr(struct, field.name) is None and not _may_be_null(field, version):
            setattr(struct, field.name, [])


def _entry(
    field: Field, version: int, path: tuple[str, ...], count: int, topic: str, index: int, *, many: bool
) -> object:
    assert isinstance(field.kind, list)
    kind = field.kind[0]
    if isinstance(kind, type):
        entry = kind()
        _fill(entry, version, path, count, f"{topic}-{index}" if many else topic, index)
        return entry
    if kind == "string":
        return f"{topic}-{index}"
    if kind == "uuid":
        return Uuid(index.to_bytes(16, "big"))
    return PLAIN_VALUES.get(kind, index % 100 if kind == "int8" else index)


def _text(field: Field, topic: str, number: int) -> str:
    return topic if field.name in ("name", "topic", "topic_name", "resource_name") else f"name-{number}"


def _may_be_null(field: Field, version: int) -> bool:
    return version in parse_versions(field.nullable)


ALL_PATHS = [(key, path) for key in API_MODULES for path in array_paths(key)]
