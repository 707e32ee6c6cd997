"""Whole requests and responses as they are on the wire, and record batches, as JSON."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from kafkapy_wire.api_keys import (
    API_VERSIONS,
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import decode_from
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.json_format import to_json
from kafkapy_wire.message import Message, Struct
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.records import BatchHeader, crc_matches, read_batch_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy_wire.json_format import JsonValue

RECORDS_MAX: Final = 10_000
"""Of one batch: a few bytes of zstd can be millions of records."""
VERSION_DIGITS_MAX: Final = 5


class NoFrame(ValueError):
    """The bytes are no frame; the text says why."""


def split_frames(data: bytes) -> list[bytes]:
    """The frames without their lengths; all of it is one frame where it has none in front."""
    frames, position = [], 0
    while position + 4 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big", signed=True)
        if size <= 0 or position + 4 + size > len(data):
            break
        frames.append(data[position + 4 : position + 4 + size])
        position += 4 + size
    return frames if frames and position == len(data) else [data]


def decode_request(frame: bytes) -> dict[str, JsonValue]:
    """Raises NoFrame."""
    if len(frame) < 8:
        raise NoFrame(f"{len(frame)} bytes are not a request: a request has at least 8")
    key, version = int.from_bytes(frame[:2], "big", signed=True), int.from_bytes(frame[2:4], "big", signed=True)
    api_key = _api_key(key, frame)
    _check_version(api_key, version, frame)
    header_version = request_header_version(api_key, version)
    return _decode(frame, RequestHeader, header_version, request_class(api_key), version)


def decode_response(frame: bytes, api_key: ApiKey, version: int) -> dict[str, JsonValue]:
    """The answer to a request of this API and version. Raises NoFrame."""
    _check_version(api_key, version)
    header_version = response_header_version(api_key, version)
    return _decode(frame, ResponseHeader, header_version, response_class(api_key), version)


def parse_api(text: str) -> tuple[ApiKey, int]:
    """`Fetch:12` or `1:12`. Raises NoFrame."""
    name, colon, version = text.rpartition(":")
    if not colon or not version.isdecimal() or len(version) > VERSION_DIGITS_MAX:
        raise NoFrame(f"{text!r} is not API:VERSION, such as Fetch:12")
    if name.isdecimal() and len(name) <= VERSION_DIGITS_MAX:
        return _api_key(int(name), b""), int(version)
    short = name.removesuffix("Response").removesuffix("Request")
    by_name = {api.message_name.lower(): key for key, api in API_VERSIONS.items()}
    by_name |= {key.name.lower(): key for key in API_VERSIONS}
    key = by_name.get(short.lower())
    if key is None:
        from kafkapy.nearest import did_you_mean

        raise NoFrame(
            f"there is no API {name!r}{did_you_mean(short, [api.message_name for api in API_VERSIONS.values()])}"
        )
    return key, int(version)


def decode_batches(data: bytes | memoryview) -> list[JsonValue]:
    """Each batch with its records, as `kafkapy log dump` shows them; what is wrong with one stands in its place."""
    return list(_batches(memoryview(data)))


def _api_key(number: int, frame: bytes) -> ApiKey:
    try:
        return ApiKey(number)
    except ValueError:
        raise NoFrame(f"there is no API key {number}{_cut(frame)}") from None


def _check_version(api_key: ApiKey, version: int, frame: bytes = b"") -> None:
    known = request_class(api_key).__schema__.valid_versions
    if version not in known:
        name = API_VERSIONS[api_key].message_name
        raise NoFrame(f"{name} has versions {known.start} to {known.stop - 1}, not {version}{_cut(frame)}")


def _cut(frame: bytes) -> str:
    """What else may be wrong with bytes that do not begin with an API key and a version."""
    missing = int.from_bytes(frame[:4], "big", signed=True) - (len(frame) - 4)
    if 0 < missing < 1 << 24:
        return (
            f" (if the first four bytes are the length, {missing} bytes are missing; and is it a response? see --help)"
        )
    return " (is it a response? then say to what: --response-to API:VERSION)" if frame else ""


def _decode(
    frame: bytes, header_class: type[Message], header_version: int, message_class: type[Message], version: int
) -> dict[str, JsonValue]:
    try:
        header, position = decode_from(header_class, frame, 0, header_version)
        message, end = decode_from(message_class, frame, position, version)
    except MalformedMessage as error:
        raise NoFrame(f"{message_class.__name__} v{version}: {error}") from None
    document: dict[str, JsonValue] = {
        "message": message_class.__name__,
        "version": version,
        "header": to_json(header, header_version),
        "body": _readable(message, to_json(message, version)),
    }
    if end < len(frame):
        document["bytesThatFollow"] = frame[end:].hex()
    return document


def _readable(struct: Struct, document: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The JSON of a struct with batches in the place of base64."""
    for field in struct.__fields__:
        name, value = field.json_name, getattr(struct, field.name)
        inside = document.get(name)
        if inside is None:
            continue
        if field.kind == "records":
            document[name] = decode_batches(value)
        elif isinstance(value, Struct) and isinstance(inside, dict):
            _readable(value, inside)
        elif isinstance(value, list) and isinstance(inside, list):
            for item, item_document in zip(value, inside, strict=True):
                if isinstance(item, Struct) and isinstance(item_document, dict):
                    _readable(item, item_document)
    return document


def _batches(view: memoryview) -> Iterator[JsonValue]:
    from kafkapy.dump.segments import batch_fields

    position = 0
    while position < len(view):
        left = len(view) - position
        try:
            header = read_batch_header(view, position)
        except MalformedMessage as error:
            yield {"problem": f"{left} bytes are left that do not begin with a batch: {error}"}
            return
        if header.size_bytes > left:
            yield {"problem": f"a batch of {header.size_bytes} bytes is cut short after {left}"}
            return
        batch = bytes(view[position : position + header.size_bytes])
        fields = batch_fields(header, is_valid=crc_matches(batch), position=position)
        yield fields | {"records": _records(header, batch)}
        position += header.size_bytes


def _records(header: BatchHeader, batch: bytes) -> list[JsonValue]:
    from kafkapy.dump.rows import Kind
    from kafkapy.dump.segments import record_rows

    rows = list(islice(record_rows(header, batch, None), RECORDS_MAX + 1))
    shown: list[JsonValue] = [
        {"problem": row.fields["text"]} if row.kind is Kind.PROBLEM else dict(row.fields) for row in rows[:RECORDS_MAX]
    ]
    if len(rows) > RECORDS_MAX:
        shown.append({"problem": f"only {RECORDS_MAX} of {header.record_count} records are shown"})
    return shown
