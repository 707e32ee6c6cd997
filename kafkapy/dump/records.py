"""Keys and values of records: as text, and in the formats of Kafka's internal topics.

`__consumer_offsets`, `__transaction_state` and `__share_group_state` have two bytes of type before a key and two of
version before a value. `__cluster_metadata` has three varints before a value: version of the frame, type, version.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kafkapy_wire.codec import decode, decode_from
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.json_format import to_json
from kafkapy_wire.message import Message
from kafkapy_wire.records import ControlRecordType, read_control_record_type, read_coordinator_epoch
from kafkapy_wire.records.record_text import json_bytes
from kafkapy_wire.records.varint import decode_unsigned_varint

if TYPE_CHECKING:
    from kafkapy_wire.json_format import JsonValue
    from kafkapy_wire.records import Record

    RecordDecoder = Callable[[Record], dict[str, JsonValue]]

_QUORUM_MESSAGES: Final[dict[ControlRecordType, tuple[str, str]]] = {
    ControlRecordType.LEADER_CHANGE: ("LeaderChange", "leader_change_message:LeaderChangeMessage"),
    ControlRecordType.SNAPSHOT_HEADER: ("SnapshotHeader", "snapshot_header_record:SnapshotHeaderRecord"),
    ControlRecordType.SNAPSHOT_FOOTER: ("SnapshotFooter", "snapshot_footer_record:SnapshotFooterRecord"),
    ControlRecordType.KRAFT_VERSION: ("KRaftVersion", "k_raft_version_record:KRaftVersionRecord"),
    ControlRecordType.KRAFT_VOTERS: ("KRaftVoters", "voters_record:VotersRecord"),
}
_CONSUMER_PROTOCOL: Final = {
    "subscription": "consumer_protocol_subscription:ConsumerProtocolSubscription",
    "assignment": "consumer_protocol_assignment:ConsumerProtocolAssignment",
}
_TRANSACTION_STATES: Final = (
    *("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead"),
    "PrepareEpochFence",
)
_FRAME_VERSIONS: Final = (0, 1)


def plain_fields(record: Record) -> dict[str, JsonValue]:
    return {"key": json_bytes(record.key), "payload": json_bytes(record.value)}


def control_fields(record: Record) -> dict[str, JsonValue]:
    """What a control record says. Raises MalformedMessage."""
    control_type = read_control_record_type(record.key)
    if control_type in (ControlRecordType.COMMIT, ControlRecordType.ABORT):
        return {"endTxnMarker": control_type.name, "coordinatorEpoch": read_coordinator_epoch(record.value)}
    if control_type not in _QUORUM_MESSAGES:
        return {"controlType": control_type.name} | plain_fields(record)
    name, place = _QUORUM_MESSAGES[control_type]
    module, _, class_name = place.partition(":")
    message_class: type[Message] = getattr(import_module(f"kafkapy_wire.messages.{module}"), class_name)
    value = record.value or b""
    version = int.from_bytes(value[:2], "big", signed=True)  # the first field of each of them
    return {name: _decoded(message_class, value, version)}


def decode_metadata(record: Record) -> dict[str, JsonValue]:
    """Of `__cluster_metadata`. Raises MalformedMessage."""
    value = record.value or b""
    try:
        frame_version, position = decode_unsigned_varint(value, 0)
        record_type, position = decode_unsigned_varint(value, position)
        version, position = decode_unsigned_varint(value, position)
    except IndexError:
        raise MalformedMessage(f"{len(value)} bytes are no record of the metadata") from None
    if frame_version not in _FRAME_VERSIONS:
        raise MalformedMessage(f"frame version {frame_version}")
    message_class = _classes("metadata", "metadata").get(record_type)
    if message_class is None:
        raise MalformedMessage(f"there is no metadata record of type {record_type}")
    data = _decoded(message_class, value[position:], version)
    return {"payload": {"type": constant_name(message_class), "version": version, "data": data}}


def _coordinator_decoder(module: str) -> RecordDecoder:
    def decode_record(record: Record) -> dict[str, JsonValue]:
        if record.key is None or len(record.key) < 2:
            raise MalformedMessage("it has no key with a type")
        record_type = int.from_bytes(record.key[:2], "big")
        key_class = _classes(module, "coordinator-key").get(record_type)
        if key_class is None:
            raise MalformedMessage(f"there is no key of type {record_type}")
        key: dict[str, JsonValue] = {"type": record_type, "data": _decoded(key_class, record.key[2:], 0)}
        if record.value is None:
            return {"key": key, "payload": None}
        if len(record.value) < 2:
            raise MalformedMessage("its value has no version")
        value_class = _classes(module, "coordinator-value")[record_type]
        version = int.from_bytes(record.value[:2], "big")
        data = _decoded(value_class, record.value[2:], version)
        return {"key": key, "payload": {"version": version, "data": _in_words(data)}}

    return decode_record


def _in_words(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """As Kafka's tools show it: the state of a transaction by its name, subscription and assignment of the members of a
    classic consumer group decoded, where they are of Kafka's format.
    """
    status = data.get("transactionStatus")
    if isinstance(status, int) and 0 <= status < len(_TRANSACTION_STATES):
        data["transactionStatus"] = _TRANSACTION_STATES[status]
    members = data.get("members")
    if data.get("protocolType") != "consumer" or not isinstance(members, list):
        return data
    for member in members:
        if isinstance(member, dict):
            for name, module in _CONSUMER_PROTOCOL.items():
                member[name] = _protocol_message(member.get(name), module)
    return data


def _protocol_message(encoded: JsonValue, module: str) -> JsonValue:
    if not isinstance(encoded, str):
        return encoded
    content = b64decode(encoded)
    name, _, class_name = module.partition(":")
    message_class: type[Message] = getattr(import_module(f"kafkapy_wire.messages.{name}"), class_name)
    # Each has its version in front; a later one begins with the fields of the last that we know.
    version = min(int.from_bytes(content[:2], "big"), message_class.__schema__.valid_versions[-1])
    try:
        return to_json(decode_from(message_class, content, 2, version)[0], version) if content else encoded
    except MalformedMessage:
        return encoded


DECODERS: Final[dict[str, RecordDecoder | None]] = {
    "offsets": _coordinator_decoder("group_coordinator"),
    "transactions": _coordinator_decoder("transaction_coordinator"),
    "share": _coordinator_decoder("share_coordinator"),
    "metadata": decode_metadata,
    "none": None,
}
DECODER_OF_TOPIC: Final[dict[str, str]] = {
    "__consumer_offsets": "offsets",
    "__transaction_state": "transactions",
    "__share_group_state": "share",
    "__cluster_metadata": "metadata",
}


def _decoded(message_class: type[Message], data: bytes, version: int) -> dict[str, JsonValue]:
    """Raises MalformedMessage."""
    if version not in message_class.__schema__.valid_versions:
        raise MalformedMessage(f"{message_class.__name__} has no version {version}")
    return to_json(decode(message_class, data, version), version)


@cache
def _classes(module_name: str, kind: str) -> dict[int, type[Message]]:
    """Record type -> class, of those of one kind in a module of record formats."""
    module = import_module(f"kafkapy_wire.record_formats.{module_name}")
    found: dict[int, type[Message]] = {}
    for value in vars(module).values():
        candidate: Any = value
        is_message = isinstance(candidate, type) and issubclass(candidate, Message) and candidate is not Message
        if is_message and candidate.__schema__.kind == kind:
            found[candidate.__schema__.api_key] = candidate
    return found


def constant_name(message_class: type[Message]) -> str:
    """`TOPIC_RECORD` for TopicRecord, as Kafka's tools name the types of metadata records."""
    name = message_class.__name__
    return "".join(f"_{letter}" if letter.isupper() and place else letter for place, letter in enumerate(name)).upper()
