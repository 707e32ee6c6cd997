"""An entry a line, in JSON. A line without `kind` is a record, as `kafkapy consume --json` prints it.

{"kind": "topic", "topic": "orders", "partitions": 3, "settings": {"cleanup.policy": "compact"}}
{"topic": "orders", "key": "alice", "value": "1 tea"}
{"kind": "group", "group": "shop", "offsets": {"orders": {"0": 1}}}
{"kind": "acl", "principal": "User:alice", "operation": "read", "resource_type": "topic", "resource_name": "orders"}
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from kafkapy.seeds.entries import (
    GROUP_FIELDS,
    SeedAcl,
    SeedGroup,
    SeedRecord,
    SeedTopic,
    acl_fields,
    check_fields,
    read_acl,
    read_group,
    read_record,
    read_topic,
)
from kafkapy.seeds.invalid_seed import REASON_CHARACTERS_MAX, Place, shown
from kafkapy_wire.records.record_text import json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from kafkapy.seeds.entries import Entry
    from kafkapy_controller.acl import Acl

END_BYTES: Final = 8_192
"""More than the line of an export that has broken off has."""
LINE_BYTES_MAX: Final = 192 * 1024 * 1024
"""More than a record of Kafka's largest request has as base64."""
KINDS: Final = ("topic", "record", "group", "acl")
BOM: Final = b"\xef\xbb\xbf"


def read_lines(lines: BinaryIO, file: str | None) -> Iterator[Entry]:
    """Raises InvalidSeed; OSError."""
    number = 0
    while line := lines.readline(LINE_BYTES_MAX + 1):
        number += 1
        place = Place(number, file)
        if len(line) > LINE_BYTES_MAX:
            raise place.refusal("", f"it is longer than {LINE_BYTES_MAX} bytes")
        if number == 1:
            line = line.removeprefix(BOM)
        if not line.isspace():
            yield read_line(line, place)


def read_line(line: bytes, place: Place) -> Entry:
    """Raises InvalidSeed."""
    try:
        given = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        raise place.refusal("", f"that is not JSON: {reason}") from None
    if not isinstance(given, dict):
        raise place.refusal(
            "", f'a JSON object is expected, such as {{"topic": "orders", "value": "1 tea"}}, not {shown(given)}'
        )
    kind = given.pop("kind", "record")
    match kind:
        case "error":
            raise place.refusal("", f"the export that wrote this has broken off: {given.get('reason')}")
        case "record":
            return read_record(given.get("topic"), given, place)
        case "topic":
            return read_topic(given.get("topic"), given, place)
        case "group":
            check_fields(given, GROUP_FIELDS, "a group", place)
            return read_group(given.get("group"), given.get("offsets"), place)
        case "acl":
            return read_acl(given, place)
    raise place.unknown("kind", f"there is no kind {shown(kind)}", str(kind), KINDS)


def line_of(entry: Entry) -> bytes:
    """With the end of the line, as the others."""
    if isinstance(entry, SeedRecord):
        return record_line(entry)
    if isinstance(entry, SeedAcl):
        return acl_line(entry.acl)
    return topic_line(entry) if isinstance(entry, SeedTopic) else group_line(entry)


def topic_line(topic: SeedTopic) -> bytes:
    given = {
        "kind": "topic",
        "topic": topic.name,
        "partitions": topic.partitions,
        "replicas": topic.replicas,
        "settings": topic.settings,
        "offsets": {str(index): pair for index, pair in topic.offsets.items()},
    }
    return _line({name: each for name, each in given.items() if each not in (None, {})})


def record_line(record: SeedRecord) -> bytes:
    numbers = {"partition": record.partition, "offset": record.offset, "timestamp": record.timestamp_ms}
    given: dict[str, Any] = {
        "topic": record.topic,
        **{name: number for name, number in numbers.items() if number is not None},
        "key": json_bytes(record.key),
        "value": json_bytes(record.value),
    }
    if record.headers:
        given["headers"] = [[_header_name(name), json_bytes(value)] for name, value in record.headers]
    return _line(given)


def group_line(group: SeedGroup) -> bytes:
    by_topic: dict[str, dict[str, Any]] = {}
    for (topic, index), (offset, metadata) in sorted(group.offsets.items()):
        committed = {"offset": offset, "metadata": metadata} if metadata else offset
        by_topic.setdefault(topic, {})[str(index)] = committed
    return _line({"kind": "group", "group": group.group_id, "offsets": by_topic})


def acl_line(acl: Acl) -> bytes:
    return _line({"kind": "acl", **acl_fields(acl)})


def broken_off_line(reason: str) -> bytes:
    """The last line of an export that cannot go on: it makes what was written no seed."""
    return _line({"kind": "error", "reason": reason[:REASON_CHARACTERS_MAX]})


def broken_off_by(end: bytes) -> str | None:
    """Why an export has broken off whose last bytes these are; None: it is whole."""
    last = end.rstrip(b"\n").rpartition(b"\n")[2]
    if not last.startswith(b'{"kind": "error"'):
        return None
    return str(json.loads(last)["reason"])


def _line(given: Mapping[str, Any]) -> bytes:
    return json.dumps(given, ensure_ascii=False).encode() + b"\n"


def _header_name(name: str) -> object:
    data = name.encode(errors="surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{shown(next(name for name in names if names.count(name) > 1))} is there twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
