"""The records of a metadata log on disk, and what brokers and partitions have become by them: enough for a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from kafkapy_wire.codec import decode
from kafkapy_wire.message import Message
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import decode_records, split_batches
from kafkapy_wire.uuid import Uuid

RECORD_CLASSES: dict[int, type[Message]] = {
    each.__schema__.api_key: each
    for each in vars(m).values()
    if isinstance(each, type) and issubclass(each, Message) and each is not Message
}
NO_LEADER_CHANGE = -2
CONTROLLER_REGISTRATION = 15
"""The metadata.version of RegisterControllerRecord."""


class LoggedRecord(NamedTuple):
    name: str
    version: int
    record: Any


class LoggedPartition(NamedTuple):
    leader: int
    leader_epoch: int
    partition_epoch: int


def logged_records(log: Path) -> list[LoggedRecord]:
    """Those of the first segment, without control records."""
    found = []
    for header, batch in split_batches(log.read_bytes()):
        if header.is_control:
            continue
        for record in decode_records(batch):
            value = bytes(record.value or b"")
            # A frame: its version, the type and the version of the record, each below 128.
            _, kind, version = value[:3]
            cls = RECORD_CLASSES[kind]
            found.append(LoggedRecord(cls.__name__, version, decode(cls, memoryview(value)[3:], version)))
    return found


class LoggedMetadata:
    """What a broker would know of the cluster: registrations by id, and the epochs of partitions by topic and index."""

    def __init__(self, records: Iterable[LoggedRecord]) -> None:
        self.brokers: dict[int, Any] = {}
        """The RegisterBrokerRecord of each, fenced or not as it is now."""
        self.level = 0
        """Of metadata.version."""
        self.controllers: set[int] = set()
        self.topic_names: dict[Uuid, str] = {}
        self.topics: dict[str, dict[int, LoggedPartition]] = {}
        for each in records:
            self.replay(each.record)

    @property
    def has_controllers(self) -> bool:
        """Whether controllers register at this level."""
        return self.level >= CONTROLLER_REGISTRATION

    def id_of(self, topic: str) -> Uuid:
        return next(topic_id for topic_id, name in self.topic_names.items() if name == topic)

    def replay(self, record: Any) -> bool:
        """Whether the record has changed anything."""
        match record:
            case m.RegisterBrokerRecord():
                self.brokers[record.broker_id] = record
            case m.UnregisterBrokerRecord():
                del self.brokers[record.broker_id]
            case m.BrokerRegistrationChangeRecord():
                return self._change(record)
            case m.RegisterControllerRecord():
                self.controllers.add(record.controller_id)
            case m.FeatureLevelRecord() if record.name == "metadata.version":
                self.level = record.feature_level
            case m.TopicRecord():
                self.topic_names[record.topic_id] = record.name
                self.topics[record.name] = {}
            case m.PartitionRecord():
                self._partitions(record)[record.partition_id] = LoggedPartition(record.leader, 0, 0)
            case m.PartitionChangeRecord():
                partitions, index = self._partitions(record), record.partition_id
                leader, leader_epoch, partition_epoch = partitions[index]
                if record.leader != NO_LEADER_CHANGE:
                    leader, leader_epoch = record.leader, leader_epoch + 1
                partitions[index] = LoggedPartition(leader, leader_epoch, partition_epoch + 1)
        return True

    def _partitions(self, record: Any) -> dict[int, LoggedPartition]:
        return self.topics[self.topic_names[record.topic_id]]

    def _change(self, record: Any) -> bool:
        broker = self.brokers[record.broker_id]
        was_fenced = broker.fenced
        if record.fenced:
            broker.fenced = record.fenced > 0
        others = record.in_controlled_shutdown or record.log_dirs or record.cordoned_log_dirs is not None
        return bool(others) or broker.fenced != was_fenced
