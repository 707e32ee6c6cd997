"""Metadata records in record batches: the log of `__cluster_metadata-0`, and the snapshots beside it (KIP-630).

A snapshot `OFFSET-EPOCH.checkpoint` replaces all records below OFFSET. It consists of batches, too: a control batch
that begins with SnapshotHeader, batches of records, a control batch with SnapshotFooter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from struct import Struct
from typing import Final, NamedTuple

from kafkapy_controller.metadata_records import MetadataRecord, decode_metadata_record, encode_metadata_record
from kafkapy_controller.voters import QuorumMembership, membership_records
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
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
from kafkapy_wire.records.batch import BATCH_OVERHEAD_BYTES, CONTROL_BIT

BATCH_RECORDS_MAX: Final = 200
"""Of a batch in a snapshot: it is encoded in one turn of the event loop."""

_LENGTH_AND_ATTRIBUTES: Final = Struct(">8xi9xh")
assert _LENGTH_AND_ATTRIBUTES.size == 23


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
                records.append(_decoded(record.value, record.offset))
        yield MetadataBatch(
            header.base_offset, header.last_offset, header.partition_leader_epoch, records, control_records
        )


def _decoded(value: bytes, offset: int) -> MetadataRecord:
    """Raises MalformedMessage, with the offset."""
    try:
        return decode_metadata_record(value)
    except MalformedMessage as error:
        raise MalformedMessage(f"the metadata record at offset {offset}: {error}") from error


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


def snapshot_batches(
    records: Iterable[MetadataRecord],
    membership: QuorumMembership | None,
    metadata_version: int,
    *,
    now_ms: int,
    last_contained_ms: int = 0,
    epoch: int = 0,
) -> Iterator[bytes]:
    """The batches of a snapshot, one after the other: records are taken when their batch is.

    Offsets count from 0: the file's name has the real ones. `membership` is None at kraft.version 0, where the log does
    not say who votes. `last_contained_ms` is the time of the last record that the snapshot stands for, `epoch` its
    epoch.
    """
    from kafkapy_wire.messages.snapshot_footer_record import SnapshotFooterRecord
    from kafkapy_wire.messages.snapshot_header_record import SnapshotHeaderRecord

    header = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_contained_ms)
    first = [NewRecord(now_ms, control_record_key(ControlRecordType.SNAPSHOT_HEADER), encode(header, 0))]
    if membership is not None:
        first += membership_records(membership, now_ms)
    yield build_control_batch(first, base_offset=0, epoch=epoch)
    next_offset, rest = len(first), iter(records)
    while encoded := [encode_metadata_record(record, metadata_version) for record in islice(rest, BATCH_RECORDS_MAX)]:
        yield build_encoded_batch(encoded, base_offset=next_offset, epoch=epoch, now_ms=now_ms)
        next_offset += len(encoded)
    footer = encode(SnapshotFooterRecord(version=0), 0)
    last = [NewRecord(now_ms, control_record_key(ControlRecordType.SNAPSHOT_FOOTER), footer)]
    yield build_control_batch(last, base_offset=next_offset, epoch=epoch)


def build_snapshot(
    records: Iterable[MetadataRecord],
    membership: QuorumMembership | None,
    metadata_version: int,
    *,
    now_ms: int,
    last_contained_ms: int = 0,
) -> bytes:
    """A whole small snapshot; see `snapshot_batches`."""
    return b"".join(
        snapshot_batches(records, membership, metadata_version, now_ms=now_ms, last_contained_ms=last_contained_ms)
    )


def read_snapshot(data: bytes) -> list[MetadataBatch]:
    """All batches of a snapshot. Raises MalformedMessage: torn or damaged; a whole one ends with its footer."""
    batches = list(read_batches(data, 0))
    check_footer(batches[-1] if batches else None)
    return batches


def check_footer(last: MetadataBatch | None) -> None:
    """Raises MalformedMessage: the last batch of the file is not that with which a snapshot ends."""
    records = last.control_records if last is not None else ()
    if not records or read_control_record_type(records[-1].key) is not ControlRecordType.SNAPSHOT_FOOTER:
        raise MalformedMessage("the snapshot has no footer")


def check_header(first: MetadataBatch) -> int:
    """The time of the last record that a snapshot stands for, from its first batch.

    Raises MalformedMessage: a snapshot does not begin with that batch.
    """
    from kafkapy_wire.messages.snapshot_header_record import SnapshotHeaderRecord

    records = first.control_records
    if not records or read_control_record_type(records[0].key) is not ControlRecordType.SNAPSHOT_HEADER:
        raise MalformedMessage("the snapshot has no header")
    return decode(SnapshotHeaderRecord, records[0].value or b"", 0).last_contained_log_timestamp


def control_records_in(data: bytes | memoryview) -> Iterator[Record]:
    """The control records of whole log bytes; nothing else of them is decoded.

    Raises MalformedMessage: the bytes are not batches, or a control batch is damaged.
    """
    view, position = memoryview(data), 0
    while position < len(view):
        size, is_control = _size_and_kind(view, position)
        if is_control:
            for header, batch in split_batches(view[position : position + size]):
                if not crc_matches(batch):
                    raise MalformedMessage(f"the batch at offset {header.base_offset} does not match its CRC")
                yield from decode_records(batch)
        position += size


def whole_batches_end(data: bytes) -> tuple[int, int]:
    """(end of the last whole batch in `data`, size of the batch that begins there).

    The size is 0 when `data` ends before the length of that batch is told, or when the length makes no sense.
    """
    position = 0
    while position + BATCH_OVERHEAD_BYTES <= len(data):
        size = int.from_bytes(data[position + 8 : position + 12], "big", signed=True) + BATCH_OVERHEAD_BYTES
        if size < BATCH_HEADER_BYTES:
            return position, 0
        if size > len(data) - position:
            return position, size
        position += size
    return position, 0


def _size_and_kind(view: memoryview, position: int) -> tuple[int, bool]:
    """The size of the batch at `position`, and whether it is a control batch. A fifth of what decoding a header costs:
    a log has thousands of batches with metadata for each with control records.
    """
    if position + BATCH_HEADER_BYTES > len(view):
        raise MalformedMessage(f"a batch header takes {BATCH_HEADER_BYTES} bytes, {len(view) - position} are left")
    batch_length, attributes = _LENGTH_AND_ATTRIBUTES.unpack_from(view, position)
    size: int = batch_length + BATCH_OVERHEAD_BYTES
    if not BATCH_HEADER_BYTES <= size <= len(view) - position:
        raise MalformedMessage(f"batch of {size} bytes, {len(view) - position} are left")
    return size, bool(attributes & CONTROL_BIT)
