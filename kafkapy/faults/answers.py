"""What faults do to whole answers: corrupt checksums, answers from old metadata, answers that are cut."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from struct import Struct as Format
from typing import TYPE_CHECKING, Any, Final

from kafkapy.context import RequestContext
from kafkapy.faults.layout import id_of
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy_wire.api_keys import ApiKey, response_class, response_header_version
from kafkapy_wire.codec import decode, encode, encoder
from kafkapy_wire.message import Message, parse_versions

if TYPE_CHECKING:
    from kafkapy.apis.served import Api
    from kafkapy.context import NodeContext
    from kafkapy.faults.layout import Layout, Path
    from kafkapy.faults.matching import Selected
    from kafkapy_controller.image import MetadataImage

BATCH_LENGTH_AT: Final = 8
BATCH_OVERHEAD: Final = 12  # what stands before the bytes that the length counts
CRC_AT: Final = 17
CRC_END: Final = 21

_SIZE: Final = Format(">i")
_HEADER: Final = Format(">ii")


def plain(response: Message, key: ApiKey, version: int) -> Message:
    """The answer with all its fields, if parts of it are encoded already."""
    if type(response) is response_class(key):
        return response
    return decode(response_class(key), encode(response, version), version)


def with_corrupt_checksums(response: Message, selected: Selected) -> Message:
    """A copy whose record batches, in the selected entries, have a wrong CRC."""
    return _corrupted(response, 0, (), selected)  # type: ignore[no-any-return]


def _corrupted(struct: Any, depth: int, path: Path, selected: Selected) -> Any:
    changed = copy(struct)
    levels = selected.layout.levels
    answered = levels[depth].answered if depth < len(levels) else None
    for field in struct.__fields__:
        value = getattr(struct, field.name)
        if field.kind == "records":
            if value:
                setattr(changed, field.name, _with_wrong_crcs(_bytes_of(value)))
        elif answered is not None and field is answered:
            entries = []
            for entry in value:
                inner = (*path, id_of(entry, levels[depth].kind))
                entries.append(_corrupted(entry, depth + 1, inner, selected) if selected.selects(inner) else entry)
            setattr(changed, field.name, entries)
    return changed


def _bytes_of(records: Any) -> bytearray:
    """Of a file range, what is in the file."""
    if isinstance(records, bytes | bytearray | memoryview):
        return bytearray(records)
    data = bytearray(records.read())
    records.release()
    return data


def _with_wrong_crcs(records: bytearray) -> bytes:
    position = 0
    while position + CRC_END <= len(records):
        for index in range(position + CRC_AT, position + CRC_END):
            records[index] ^= 0xFF
        length: int = _SIZE.unpack_from(records, position + BATCH_LENGTH_AT)[0]
        if length <= 0:
            break
        position += BATCH_OVERHEAD + length
    return bytes(records)


def first_half(response: Message, context: NodeContext, key: ApiKey) -> bytes:
    """The frame of the answer, with its size and header, up to the middle."""
    out = bytearray(_HEADER.pack(0, context.correlation_id))
    if response_header_version(key, context.api_version) == 1:
        out.append(0)  # no tagged fields
    ranges: list[tuple[int, Any]] = []
    start = len(out)
    body = bytearray()
    encoder(type(response), context.api_version)(response, body, ranges)
    position = 0
    for before, piece in ranges:
        out += body[position:before]
        out += _bytes_of(piece)
        position = before
    out += body[position:]
    _SIZE.pack_into(out, 0, len(out) - _SIZE.size)
    assert len(out) >= start, "the header is there"
    return bytes(out[: max(len(out) // 2, _SIZE.size + 1)])


def from_image(api: Api, request: Message, context: NodeContext, image: MetadataImage) -> Any:
    """What the handler returns if the newest metadata were that image. Nothing is created."""
    assert isinstance(context, RequestContext), "answers about metadata are a broker's"
    publisher = MetadataPublisher()
    publisher.image = image
    stale = RequestContext(replace(context.broker, metadata=publisher), context.client)
    stale.api_version, stale.client_id = context.api_version, context.client_id
    stale.correlation_id = context.correlation_id
    asked: Any = copy(request)
    if hasattr(asked, "allow_auto_topic_creation"):
        asked.allow_auto_topic_creation = False
    return api.handle(asked, stale)


def with_top_error(layout: Layout, code: int, message: str | None) -> Message:
    """An answer with nothing but an error."""
    assert layout.top_error is not None, "the rule was checked"
    response: Any = response_class(layout.key)()
    setattr(response, layout.top_error, code)
    if message is not None and any(
        each.name == "error_message" and layout.version in parse_versions(each.versions) for each in response.__fields__
    ):
        response.error_message = message
    return response  # type: ignore[no-any-return]
