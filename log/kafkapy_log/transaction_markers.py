"""Markers: control batches of one record that end a producer's transaction in a partition (KIP-98)."""

from typing import NamedTuple

from kafkapy_wire.records import (
    BatchHeader,
    ControlRecordType,
    NewRecord,
    control_record_key,
    decode_records,
    end_transaction_marker_value,
    read_control_record_type,
    read_coordinator_epoch,
)
from kafkapy_wire.records.building import BuiltBatch, build_batch_and_header


class EndTransactionMarker(NamedTuple):
    """The one record of a control batch that ends a transaction."""

    control_type: ControlRecordType
    coordinator_epoch: int
    timestamp: int


class BuiltMarker(BuiltBatch):
    """A control batch that this process has built, with the `marker` in it."""

    __slots__ = ("marker",)

    def __init__(self, data: bytes, header: BatchHeader, marker: EndTransactionMarker) -> None:
        super().__init__(data, header)
        self.marker = marker


def build_marker(
    control_type: ControlRecordType,
    *,
    timestamp: int,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
) -> BuiltMarker:
    """For `PartitionLog.append_built`: the batch takes one offset and has no sequence."""
    assert control_type in (ControlRecordType.ABORT, ControlRecordType.COMMIT), control_type
    built = build_batch_and_header(
        [NewRecord(timestamp, control_record_key(control_type), end_transaction_marker_value(coordinator_epoch))],
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        is_transactional=True,
        is_control=True,
    )
    return BuiltMarker(built.data, built.header, EndTransactionMarker(control_type, coordinator_epoch, timestamp))


def read_marker(batch: bytes | bytearray | memoryview) -> EndTransactionMarker | None:
    """The marker in a control batch with a producer id; None if compaction has emptied it. Raises MalformedMessage."""
    for record in decode_records(batch):
        return EndTransactionMarker(
            read_control_record_type(record.key), read_coordinator_epoch(record.value), record.timestamp
        )
    return None
