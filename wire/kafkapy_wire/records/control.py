"""Control records: written by coordinators and by the quorum into batches with the control bit, never by clients.

The key is `version int16, type int16` (ControlRecordTypeSchema), the value of a transaction marker `version int16,
coordinator_epoch int32` (EndTxnMarker), both with version 0 only. The values of the quorum's control records are
messages of their own (LeaderChangeMessage, SnapshotHeaderRecord, ...), written without a version in front.
"""

import struct
from enum import IntEnum
from typing import Final

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records.building import build_batch
from kafkapy_wire.records.record import NewRecord

_KEY = struct.Struct(">hh")
_END_TRANSACTION_MARKER = struct.Struct(">hi")

CONTROL_RECORD_KEY_VERSION: Final = 0
END_TRANSACTION_MARKER_VERSION: Final = 0


class ControlRecordType(IntEnum):
    """The type of a control record. `UNKNOWN` is never written: it is a type of a later Kafka, to be skipped."""

    UNKNOWN = -1
    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


def control_record_key(control_type: ControlRecordType) -> bytes:
    """The key of a control record with this type."""
    return _KEY.pack(CONTROL_RECORD_KEY_VERSION, control_type)


def read_control_record_type(key: bytes | None) -> ControlRecordType:
    """The type in the key of a control record. A later version of the key may have more fields.

    Raises MalformedMessage: no key, one that is too short, or a negative version.
    """
    if key is None or len(key) < _KEY.size:
        raise MalformedMessage(f"control record key {key!r} is shorter than {_KEY.size} bytes")
    version, number = _KEY.unpack_from(key)
    if version < 0:
        raise MalformedMessage(f"control record key version {version} is negative")
    try:
        return ControlRecordType(number)
    except ValueError:
        return ControlRecordType.UNKNOWN


def end_transaction_marker_value(coordinator_epoch: int) -> bytes:
    """The value of an ABORT or COMMIT record."""
    return _END_TRANSACTION_MARKER.pack(END_TRANSACTION_MARKER_VERSION, coordinator_epoch)


def read_coordinator_epoch(value: bytes | None) -> int:
    """`coordinator_epoch` in the value of an ABORT or COMMIT record.

    Raises MalformedMessage: no value, one that is too short, or a negative version.
    """
    if value is None or len(value) < _END_TRANSACTION_MARKER.size:
        raise MalformedMessage(f"transaction marker {value!r} is shorter than {_END_TRANSACTION_MARKER.size} bytes")
    version, coordinator_epoch = _END_TRANSACTION_MARKER.unpack_from(value)
    if version < 0:
        raise MalformedMessage(f"transaction marker version {version} is negative")
    return int(coordinator_epoch)


def build_end_transaction_marker(
    control_type: ControlRecordType,
    *,
    timestamp: int,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    base_offset: int = 0,
    partition_leader_epoch: int = -1,
) -> bytes:
    """The batch of one record that ends a transaction in a partition: it takes one offset and has no sequence."""
    assert control_type in (ControlRecordType.ABORT, ControlRecordType.COMMIT), control_type
    marker = NewRecord(timestamp, control_record_key(control_type), end_transaction_marker_value(coordinator_epoch))
    return build_batch(
        [marker],
        base_offset=base_offset,
        partition_leader_epoch=partition_leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        is_transactional=True,
        is_control=True,
    )
