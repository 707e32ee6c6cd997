"""An exchange as plain JSON values: for JSON lines, and for whoever asks a running node."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kafkapy.recording.records import batches_as_json
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.json_format import JsonValue, to_json
from kafkapy_wire.message import Message, Struct
from kafkapy_wire.uuid import uuid_text

if TYPE_CHECKING:
    from kafkapy.recording.exchange import Exchange


def exchange_as_json(exchange: Exchange, *, frames: bool = False) -> dict[str, JsonValue]:
    """The exchange, its messages with Kafka's names of their fields, and record batches as lists of records.

    `frames`: with the bytes of request and answer, as base64, from which the exchange can be made again.
    """
    json: dict[str, JsonValue] = {
        "number": exchange.number,
        "timeMs": exchange.time_ms,
        "durationMs": exchange.duration_ms,
        "node": exchange.node_id,
        "api": exchange.api,
        "apiKey": exchange.api_key,
        "apiVersion": exchange.api_version,
        "correlationId": exchange.correlation_id,
        "clientId": exchange.client_id,
        "connection": exchange.connection,
        "peer": exchange.peer,
        "localHost": exchange.local_host,
        "listener": exchange.listener,
        "principal": exchange.principal,
        "software": exchange.software,
        "outcome": exchange.outcome.value,
        "reason": exchange.reason,
        "requestSizeBytes": exchange.request_size_bytes,
        "responseSizeBytes": exchange.response_size_bytes,
        "topics": [*sorted(exchange.topics)],
        "topicIds": {uuid_text(topic_id): name for topic_id, name in exchange.topic_ids.items()},
        "groups": [*sorted(exchange.groups)],
        "transactionalIds": [*sorted(exchange.transactional_ids)],
        "errors": [*exchange.errors],
        "request": message_as_json(exchange.request, exchange.api_version),
        "response": message_as_json(exchange.response, exchange.response_version),
    }
    if frames:
        json["requestFrame"] = base64.b64encode(exchange.request_frame).decode()
        json["responseFrame"] = base64.b64encode(exchange.response_frame).decode()
    return json


def message_as_json(message: Message | None, version: int) -> JsonValue:
    """With Kafka's names of the fields; None for a message that was not decoded."""
    if message is None:
        return None
    json = to_json(message, version)
    _open_records(message, json)
    return json


def _open_records(struct: Struct, json: JsonValue) -> None:
    """Write lists of records in the place of encoded batches, wherever these can be read."""
    assert isinstance(json, dict), f"{type(struct).__name__} is no object"
    for field in struct.__fields__:
        if field.json_name not in json:
            continue
        value, below = getattr(struct, field.name), json[field.json_name]
        if field.kind == "records" and isinstance(value, bytes | bytearray | memoryview):
            try:
                json[field.json_name] = batches_as_json(value)
            except MalformedMessage:
                continue  # they stay encoded
        elif isinstance(value, Struct):
            _open_records(value, below)
        elif isinstance(value, list) and isinstance(below, list):
            for element, one in zip(value, below, strict=True):
                if isinstance(element, Struct):
                    _open_records(element, one)
