"""Decoded answers as comparable values: what has to differ between two brokers gets a name, all else stays."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from kafkapy_wire.message import Struct
from kafkapy_wire.records import decode_records, split_batches
from kafkapy_wire.uuid import ZERO_UUID, Uuid, uuid_text

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

LENGTH_END = 12  # a batch begins with its base offset, eight bytes, and the length of what follows, four
NOW_TOLERANCE_MS = 10 * 60 * 1000
UUID_IN_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

MILLISECONDS_IN_TEXT = re.compile(r"-?\b\d{13,19}\b")
ADDRESS_IN_TEXT = re.compile(r"(?:localhost|127\.0\.0\.1):\d+")

# Two brokers may list these in any order: clients look them up by name. Sorted by what names an element.
SORT_FIELDS = (
    *("name", "topic", "topic_name", "group_id", "resource_name", "partition_index", "partition", "index", "api_key"),
    *("member_id", "producer_id", "node_id", "broker_id", "replica_id", "key", "log_dir", "resource_type"),
    *("topic_id", "user", "mechanism", "entity", "entity_type", "resources", "acls"),
    *("pattern_type", "principal", "host", "operation", "permission_type", "token_id"),
    "user_endpoint",
)

# Apache Kafka answers these in an order that means something: by name, page by page.
ORDERED = {"DescribeTopicPartitionsResponse.topics", "DescribeTopicPartitionsResponseTopic.partitions"}

# Sets of numbers on the other side; elsewhere the order of numbers counts (the first replica is the preferred leader).
NUMBER_SETS = {"TopicData.partitions"}
TEXT_SETS = {"Member.subscribed_topic_names"}


class Normaliser:
    """Turns one broker's answers into plain values. It remembers names: the same id gets the same name again."""

    def __init__(self, host: str, ports: Mapping[int, str], data_dirs: Mapping[Path, str]) -> None:
        """`ports` and `data_dirs` with the names that they get."""
        self._ports = dict(ports)
        self._hosts = {host, "localhost", "127.0.0.1"}
        self._data_dirs = {str(path): name for path, name in data_dirs.items()}
        self._uuids: dict[bytes, str] = {}
        self._texts: dict[str, str] = {}
        self._producer_ids: dict[int, str] = {}

    def name_uuid(self, value: bytes, name: str) -> None:
        self._uuids[bytes(value)] = f"<id of {name}>"

    def name_port(self, port: int, name: str) -> None:
        self._ports[port] = name

    def name_text(self, value: str, name: str) -> None:
        """`value` reads `name` wherever it occurs in a string from now on."""
        self._texts[value] = name

    def plain(self, value: object, version: int) -> Plain:
        """A message, or any value in one, of the given version."""
        if isinstance(value, Struct):
            return self._struct(value, version)
        if isinstance(value, list):
            return [self.plain(element, version) for element in value]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._text(bytes(value).decode("latin-1"))
        if isinstance(value, int) and not isinstance(value, bool):
            return self._number(int(value))
        assert value is None or isinstance(value, float | bool), value
        return value

    def _struct(self, struct: Struct, version: int) -> Plain:
        name = getattr(struct, "name", None) or getattr(struct, "topic", None)
        topic_id = getattr(struct, "topic_id", None)
        if name and isinstance(name, str) and isinstance(topic_id, bytes) and topic_id != ZERO_UUID:
            self.name_uuid(topic_id, name)
        plain: dict[str, Plain] = {}
        for field in struct.__fields__:
            value = getattr(struct, field.name)
            if field.kind == "uuid":
                plain[field.name] = self._uuid(value)
            elif field.kind == "records":
                plain[field.name] = self._records(value)
            elif field.name in {"cluster_id", "session_id", "controller_epoch"}:
                plain[field.name] = f"<{field.name}>" if value else value
            elif field.name in {"producer_id", "previous_producer_id", "next_producer_id"}:
                plain[field.name] = self._producer_id(value)
            elif field.name in {"total_bytes", "usable_bytes"}:
                plain[field.name] = "<bytes>" if value > 0 else value
            elif field.name == "controller_id" and _names_a_broker(struct, value):
                plain[field.name] = "<one of the brokers>"
            elif field.name == "finalized_features_epoch":
                plain[field.name] = "<epoch>" if value > 0 else value
            else:
                plain[field.name] = self.plain(value, version)
            qualified = f"{type(struct).__name__}.{field.name}"
            if qualified in NUMBER_SETS:
                plain[field.name] = [self.plain(number, version) for number in sorted(value)]
            elif qualified in TEXT_SETS:
                plain[field.name] = [self.plain(text, version) for text in sorted(value)]
            elif isinstance(value, list) and qualified not in ORDERED:
                plain[field.name] = _sorted(plain[field.name])
        if struct.unknown_tagged_fields:
            plain["unknown_tagged_fields"] = [[tag, content.hex()] for tag, content in struct.unknown_tagged_fields]
        return plain

    def _uuid(self, value: Uuid) -> Plain:
        if value == ZERO_UUID:
            return "<no id>"
        return self._uuids.setdefault(bytes(value), f"<id {len(self._uuids)}>")

    def _producer_id(self, value: int) -> Plain:
        if value < 0:
            return value
        return self._producer_ids.setdefault(value, f"<producer {len(self._producer_ids)}>")

    def _text(self, value: str) -> str:
        for text, name in self._texts.items():
            value = value.replace(text, name)
        for path, name in self._data_dirs.items():
            value = value.replace(path, name)
        if value in self._hosts:
            return "<host>"
        for topic_id, name in self._uuids.items():
            value = value.replace(uuid_text(Uuid(topic_id)), name)
        for found in UUID_IN_TEXT.findall(value):
            value = value.replace(found, self._texts.setdefault(found, f"<uuid {len(self._texts)}>"))
        value = MILLISECONDS_IN_TEXT.sub(_nearly_now, value)
        return ADDRESS_IN_TEXT.sub("<address>", value)

    def _number(self, value: int) -> Plain:
        if value in self._ports:
            return self._ports[value]
        if abs(value - time.time() * 1000) < NOW_TOLERANCE_MS:
            return "<now>"
        return value

    def _records(self, value: object) -> Plain:
        """Every batch with its header and its records: bytes that differ show as the field that differs."""
        if value is None:
            return None
        assert isinstance(value, bytes | bytearray | memoryview)
        batches: list[Plain] = []
        whole_bytes = _whole_batches_bytes(value)
        for header, batch in split_batches(memoryview(value)[:whole_bytes]):
            records: list[Plain] = [
                {
                    "offset": record.offset,
                    "timestamp": self._number(record.timestamp),
                    "key": self.plain(record.key, 0),
                    "value": self.plain(record.value, 0),
                    "headers": [[key, self.plain(content, 0)] for key, content in record.headers],
                }
                for record in decode_records(batch)
            ]
            batches.append(
                {
                    "base_offset": header.base_offset,
                    "size_bytes": header.size_bytes,
                    "partition_leader_epoch": header.partition_leader_epoch,
                    "attributes": header.attributes,
                    "last_offset_delta": header.last_offset_delta,
                    "base_timestamp": self._number(header.base_timestamp),
                    "max_timestamp": self._number(header.max_timestamp),
                    "producer_id": self._producer_id(header.producer_id),
                    "producer_epoch": header.producer_epoch,
                    "base_sequence": header.base_sequence,
                    "records": records,
                }
            )
        if whole_bytes < len(value):
            batches.append(f"part of a batch, {len(value) - whole_bytes} bytes")
        return batches


def _names_a_broker(struct: Struct, node_id: int) -> bool:
    """With KRaft clients are told of any broker as the controller, since each knows the way to the active one."""
    brokers = getattr(struct, "brokers", [])
    return node_id in {getattr(each, "node_id", None) or getattr(each, "broker_id", None) for each in brokers}


def _whole_batches_bytes(value: bytes | bytearray | memoryview) -> int:
    """How much of it is whole batches: a fetch may end within one (KIP-74), and clients drop that part."""
    position = 0
    while position + LENGTH_END <= len(value):
        length = int.from_bytes(value[position + LENGTH_END - 4 : position + LENGTH_END], "big", signed=True)
        if length < 0 or position + LENGTH_END + length > len(value):
            break
        position += LENGTH_END + length
    return position


def _nearly_now(found: re.Match[str]) -> str:
    """Bounds that the broker reckons from its clock show in error texts."""
    now_ms = time.time() * 1000
    # The second distance is `now - Long.MAX_VALUE`, where Apache Kafka's reckoning has no bound.
    distance_ms = min(abs(int(found[0]) - now_ms), abs(int(found[0]) + 2**63 - now_ms))
    return "<about now>" if distance_ms < 12 * NOW_TOLERANCE_MS else found[0]


def _sorted(values: Plain) -> Plain:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        return values

    def names(value: Plain) -> list[str]:
        assert isinstance(value, dict)
        return [f"{value.get(name)!s:>12}" for name in SORT_FIELDS]

    return sorted(values, key=names)
