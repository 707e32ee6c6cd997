"""Files that are read whole: producer snapshots, checkpoints, and the small files of a data directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from kafkapy.dump.rows import entry, note, problem
from kafkapy_log.checkpoint_files import (
    CorruptFileError,
    parse_leader_epoch_checkpoint,
    parse_offset_checkpoint,
    parse_partition_metadata,
    parse_properties,
)
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats.storage import ProducerSnapshot
from kafkapy_wire.uuid import uuid_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.dump.rows import Row

_SNAPSHOT_VERSION: Final = 1
_CRC_FROM: Final = 6
NO_SEQUENCE: Final = -1


def dump_producer_snapshot(data: bytes) -> Iterator[Row]:
    """Two bytes of version, CRC-32C of what follows it, the producers."""
    version = int.from_bytes(data[:2], "big")
    if len(data) < _CRC_FROM or version != _SNAPSHOT_VERSION:
        yield problem(f"{len(data)} bytes with version {version} are no producer snapshot")
        return
    try:
        snapshot = decode(ProducerSnapshot, memoryview(data)[2:], version)
    except MalformedMessage as error:
        yield problem(str(error))
        return
    if crc32c(data[_CRC_FROM:]) != snapshot.crc:
        yield problem("the CRC does not match what is in the file")
    for producer in snapshot.producer_entries:
        has_batch = producer.last_sequence != NO_SEQUENCE
        yield entry(
            producerId=producer.producer_id,
            producerEpoch=producer.epoch,
            coordinatorEpoch=producer.coordinator_epoch,
            currentTxnFirstOffset=producer.current_txn_first_offset if producer.current_txn_first_offset >= 0 else None,
            lastTimestamp=producer.timestamp,
            firstSequence=(producer.last_sequence - producer.offset_delta) & 0x7FFFFFFF if has_batch else NO_SEQUENCE,
            lastSequence=producer.last_sequence,
            lastOffset=producer.last_offset,
            offsetDelta=producer.offset_delta,
        )
    if not snapshot.producer_entries:
        yield note("no producers")


def dump_offset_checkpoint(data: bytes) -> Iterator[Row]:
    try:
        offsets = parse_offset_checkpoint(data)
    except CorruptFileError as error:
        yield problem(str(error))
        return
    for (topic, partition), offset in offsets.items():
        yield entry(topic=topic, partition=partition, offset=offset)
    if not offsets:
        yield note("no entries")


def dump_leader_epochs(data: bytes) -> Iterator[Row]:
    try:
        entries = parse_leader_epoch_checkpoint(data)
    except CorruptFileError as error:
        yield problem(str(error))
        return
    for epoch, start_offset in entries:
        yield entry(leaderEpoch=epoch, startOffset=start_offset)
    if not entries:
        yield note("no entries")


def dump_partition_metadata(data: bytes) -> Iterator[Row]:
    try:
        yield entry(topicId=uuid_text(parse_partition_metadata(data)))
    except CorruptFileError as error:
        yield problem(str(error))


def dump_properties(data: bytes) -> Iterator[Row]:
    try:
        yield entry(**parse_properties(data))
    except CorruptFileError as error:
        yield problem(str(error))


def dump_json(data: bytes) -> Iterator[Row]:
    """quorum-state and .kafka_cleanshutdown."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        yield problem(f"it is no JSON: {error}")
        return
    if not isinstance(document, dict):
        yield problem("it is no JSON object")
        return
    yield entry(**document)
