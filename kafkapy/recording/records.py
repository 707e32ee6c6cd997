"""Record batches in requests and answers, as JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from kafkapy_wire.records import BatchHeader, decode_records, split_batches

if TYPE_CHECKING:
    from kafkapy_wire.json_format import JsonValue
    from kafkapy_wire.message import RecordBytes
    from kafkapy_wire.records import Record

DECOMPRESSED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of the batches in one field: if they have more, they stay encoded."""


def batches_as_json(records: RecordBytes) -> list[JsonValue]:
    """Each batch with its records. Bytes that are no UTF-8 become `{"base64": ...}`.

    Raises MalformedMessage: one is not valid, or they have more than DECOMPRESSED_BYTES_MAX.
    """
    left = DECOMPRESSED_BYTES_MAX
    batches: list[JsonValue] = []
    for header, batch in split_batches(records):
        decoded = list(decode_records(batch, max_bytes=left))
        left = max(0, left - sum(len(each.key or b"") + len(each.value or b"") for each in decoded))
        batches.append(_batch(header, decoded))
    return batches


def _batch(header: BatchHeader, records: list[Record]) -> JsonValue:
    return {
        "baseOffset": header.base_offset,
        "partitionLeaderEpoch": header.partition_leader_epoch,
        "compression": header.compression.name.lower(),
        "timestampType": header.timestamp_type.name,
        "isTransactional": header.is_transactional,
        "isControl": header.is_control,
        "producerId": header.producer_id,
        "producerEpoch": header.producer_epoch,
        "baseSequence": header.base_sequence,
        "records": [_record(record) for record in records],
    }


def _record(record: Record) -> JsonValue:
    return {
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": bytes_as_json(record.key),
        "value": bytes_as_json(record.value),
        "headers": [
            {"key": key.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), "value": bytes_as_json(value)}
            for key, value in record.headers
        ],
    }


def bytes_as_json(data: bytes | None) -> JsonValue:
    """A text if it is UTF-8, else its base64 in an object."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
