"""What a broker has stored in the topics of its coordinators, and of a group's offsets in `__consumer_offsets`."""

from __future__ import annotations

from collections.abc import Iterator

from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Plain
from kafkapy_wire.codec import decode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.record_formats.group_coordinator import OffsetCommitKey, OffsetCommitValue
from kafkapy_wire.records import BatchHeader, Record, decode_records, split_batches

OFFSETS_TOPIC = "__consumer_offsets"
PARTITION_COUNT = 4  # of each coordinator's topic, in the brokers that are compared
LAST_VERSION_WITH_TOPIC_NAMES = 12
VERSION_BYTES = 2  # keys begin with their type, values with the version of their schema
OFFSET_COMMIT = 1


def stored_records(peer: Peer, topic: str) -> Iterator[tuple[BatchHeader, Record]]:
    """Every record of the coordinator's topic with the header of its batch, markers too."""
    partitions = [
        FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=10_000_000)
        for index in range(PARTITION_COUNT)
    ]
    request = FetchRequest(max_wait_ms=0, topics=[FetchTopic(topic=topic, partitions=partitions)])
    (answer,) = peer.quietly(request, LAST_VERSION_WITH_TOPIC_NAMES).responses
    for partition in answer.partitions:
        for header, batch in split_batches(partition.records or b""):
            for record in decode_records(batch):
                yield header, record


def partition_of(group: str) -> int:
    """The partition of `__consumer_offsets` that holds the group: by `String.hashCode`."""
    code = 0
    for character in group:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    return (code & 0x7FFFFFFF) % PARTITION_COUNT


def note_stored_offsets(peer: Peer, group: str) -> None:
    """Write down every offset that is stored of the group, in their order."""
    peer.note(f"stored of {group}", list(_offsets(peer, group)))


def _offsets(peer: Peer, group: str) -> Iterator[Plain]:
    for header, record in stored_records(peer, OFFSETS_TOPIC):
        assert record.key is not None
        if header.is_control or int.from_bytes(record.key[:VERSION_BYTES]) != OFFSET_COMMIT:
            continue
        key = decode(OffsetCommitKey, record.key[VERSION_BYTES:], 0)
        if key.group == group:
            yield {
                "transactional": header.is_transactional,
                "partition": [key.topic, key.partition],
                "value": _offset_value(peer, record.value),
            }


def _offset_value(peer: Peer, value: bytes | None) -> Plain:
    if value is None:
        return None
    version = int.from_bytes(value[:VERSION_BYTES])
    committed = decode(OffsetCommitValue, value[VERSION_BYTES:], version)
    return {"version": version, "offset": peer.normaliser.plain(committed, version)}
