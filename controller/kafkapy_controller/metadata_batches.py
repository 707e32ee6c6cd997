"""Metadata records in record batches: the log of `__cluster_metadata-0`, and the snapshots beside it (KIP-630).

A snapshot `OFFSET-EPOCH.checkpoint` replaces all records below OFFSET. It consists of batches, too: a control batch
that begins with SnapshotHeader, batches of records, a control batch with SnapshotFooter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kafkapy_controller.metadata_records import MetadataRecord, decode_metadata_record, encode_metadata_record
from kafkapy_controller.voters import QuorumMembership, membership_records
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    ControlRecordType,
    NewRecord,
    Record,
    build_batch,
    control_record_key,
    crc_matches,
    decode_records,
    read_control_record_type,
    split_batches,
)


class MetadataBatch(NamedTuple):
    """One batch, decoded. Either `records` or `control_records` is empty."""

    base_offset: int
    last_offset: int
    epoch: int
    records: Sequence[MetadataRecord]
    control_records: Sequence[Record]


class SnapshotId(NamedTuple):
    """The end offset and epoch of a snapshot; a later snapshot is greater."""

    end_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        return f"{self.end_offset:020d}-{self.epoch:010d}.checkpoint"

    @classmethod
    def parse(cls, file_name: str) -> SnapshotId | None:
        """The id in a file's name; None if it is another file, such as an unfinished snapshot (`.checkpoint.part`)."""
        name, _, suffix = file_name.partition(".")
        end_offset, _, epoch = name.partition("-")
        if suffix != "checkpoint" or not (end_offset.isdecimal() and epoch.isdecimal()):
            return None
        return cls(int(end_offset), int(epoch))


def read_batches(data: bytes | memoryview, next_offset: int | None = None) -> Iterator[MetadataBatch]:
    """The batches in whole log bytes, which follow each other without a gap; `next_offset` lies in the first.

    Raises MalformedMessage: the next bytes are not a batch.
    """
    is_first = True
    for header, batch in split_batches(data):
        if not crc_matches(batch):
            raise MalformedMessage(f"the batch at offset {header.base_offset} does not match its CRC")
        if next_offset is not None:
            # The CRC does not cover the offset, by which a missing batch is noticed.
            follows = header.base_offset == next_offset or (
                is_first and header.base_offset < next_offset <= header.last_offset
            )
            if not follows:
                raise MalformedMessage(
                    f"a batch begins at offset {header.base_offset}, and the one before it ends at {next_offset}"
                )
            next_offset, is_first = header.next_offset, False
        records: list[MetadataRecord] = []
        control_records: list[Record] = []
        for record in decode_records(batch):
            if header.is_control:
                control_records.append(record)
            elif record.value is None:
                raise MalformedMessage(f"the metadata record at offset {record.offset} is empty")
            else:
                records.append(decode_metadata_record(record.value))
        yield MetadataBatch(
            header.base_offset, header.last_offset, header.partition_leader_epoch, records, control_records
        )


def build_metadata_batch(
    records: Iterable[MetadataRecord], metadata_version: int, *, base_offset: int, epoch: int, now_ms: int
) -> bytes:
    """One batch: records of a batch reach a replica together or not at all."""
    encoded = [encode_metadata_record(record, metadata_version) for record in records]
    return build_encoded_batch(encoded, base_offset=base_offset, epoch=epoch, now_ms=now_ms)


def build_encoded_batch(encoded_records: Iterable[bytes], *, base_offset: int, epoch: int, now_ms: int) -> bytes:
    """As `build_metadata_batch`, from encoded records."""
    return build_batch(
        [NewRecord(now_ms, None, encoded) for encoded in encoded_records],
        base_offset=base_offset,
        partition_leader_epoch=epoch,
    )


def build_control_batch(records: Iterable[NewRecord], *, base_offset: int, epoch: int) -> bytes:
    return build_batch(records, base_offset=base_offset, partition_leader_epoch=epoch, is_control=True)


def build_snapshot(
    records: Sequence[MetadataRecord],
    membership: QuorumMembership | None,
    metadata_version: int,
    *,
    now_ms: int,
    last_contained_ms: int = 0,
) -> bytes:
    """A whole snapshot. Offsets count from 0 and epochs are 0: the file's name has the real ones."""
    from kafkapy_wire.messages.snapshot_footer_record import SnapshotFooterRecord
    from kafkapy_wire.messages.snapshot_header_record import SnapshotHeaderRecord

    header = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_contained_ms)
    first = [NewRecord(now_ms, control_record_key(ControlRecordType.SNAPSHOT_HEADER), encode(header, 0))]
    if membership is not None:
        first += membership_records(membership, now_ms)
    footer = encode(SnapshotFooterRecord(version=0), 0)
    last = [NewRecord(now_ms, control_record_key(ControlRecordType.SNAPSHOT_FOOTER), footer)]
    pieces = [build_control_batch(first, base_offset=0, epoch=0)]
    if records:
        pieces.append(build_metadata_batch(records, metadata_version, base_offset=len(first), epoch=0, now_ms=now_ms))
    pieces.append(build_control_batch(last, base_offset=len(first) + len(records), epoch=0))
    return b"".join(pieces)


def read_snapshot(data: bytes) -> list[MetadataBatch]:
    """All batches of a snapshot. Raises MalformedMessage: torn or damaged; a whole one ends with its footer."""
    batches = list(read_batches(data, 0))
    last = batches[-1].control_records if batches else ()
    if not last or read_control_record_type(last[-1].key) is not ControlRecordType.SNAPSHOT_FOOTER:
        raise MalformedMessage("the snapshot has no footer")
    return batches
