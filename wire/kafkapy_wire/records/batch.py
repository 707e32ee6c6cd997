"""The header of a record batch, which the broker reads and writes without decoding records."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, TypeAlias

from google_crc32c import extend as crc32c_extend
from google_crc32c import value as crc32c

from kafkapy_wire.compression import Compression
from kafkapy_wire.errors import MalformedMessage

BATCH_HEADER = struct.Struct(">qiibIhiqqqhii")
BATCH_HEADER_BYTES: Final = 61
assert BATCH_HEADER.size == BATCH_HEADER_BYTES

BATCH_OVERHEAD_BYTES: Final = 12
"""Base offset and batch length: `batch_length` counts what follows them."""

CRC_COVERS_FROM: Final = 21
CRC_POSITION: Final = 17
CRC_PIECE_BYTES: Final = 64 * 1024
MAGIC: Final = 2

COMPRESSION_MASK: Final = 0x07
TIMESTAMP_TYPE_BIT: Final = 0x08
TRANSACTIONAL_BIT: Final = 0x10
CONTROL_BIT: Final = 0x20
DELETE_HORIZON_BIT: Final = 0x40

_BASE_OFFSET = struct.Struct(">q")
_INT32 = struct.Struct(">i")
CRC = struct.Struct(">I")
_SEQUENCE_MASK = 0x7FFFFFFF


class TimestampType(IntEnum):
    """Whose clock a batch's timestamps come from (KIP-32)."""

    CREATE_TIME = 0
    LOG_APPEND_TIME = 1


HeaderFields: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]


class BatchHeader:
    """The 61 bytes before the records, one attribute a field."""

    __slots__ = (
        "attributes",
        "base_offset",
        "base_sequence",
        "base_timestamp",
        "batch_length",
        "crc",
        "last_offset_delta",
        "magic",
        "max_timestamp",
        "partition_leader_epoch",
        "producer_epoch",
        "producer_id",
        "record_count",
    )

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    def __init__(self, fields: HeaderFields) -> None:
        """`fields` in the order of the wire."""
        (
            self.base_offset,
            self.batch_length,
            self.partition_leader_epoch,
            self.magic,
            self.crc,
            self.attributes,
            self.last_offset_delta,
            self.base_timestamp,
            self.max_timestamp,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            self.record_count,
        ) = fields

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)}" for name in BatchHeader.__annotations__)
        return f"BatchHeader({fields})"

    @property
    def size_bytes(self) -> int:
        """The whole batch, header included."""
        return BATCH_OVERHEAD_BYTES + self.batch_length

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> Compression:
        """Raises MalformedMessage: ids 5 to 7 name no codec."""
        try:
            return Compression(self.attributes & COMPRESSION_MASK)
        except ValueError:
            raise MalformedMessage(f"unknown compression type id {self.attributes & COMPRESSION_MASK}") from None

    @property
    def timestamp_type(self) -> TimestampType:
        return TimestampType.LOG_APPEND_TIME if self.attributes & TIMESTAMP_TYPE_BIT else TimestampType.CREATE_TIME

    @property
    def is_transactional(self) -> bool:
        return self.attributes & TRANSACTIONAL_BIT != 0

    @property
    def is_control(self) -> bool:
        return self.attributes & CONTROL_BIT != 0

    @property
    def has_delete_horizon(self) -> bool:
        """Set by compaction (KIP-534): `base_timestamp` is then the time when tombstones and markers may go."""
        return self.attributes & DELETE_HORIZON_BIT != 0

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id >= 0

    @property
    def last_sequence(self) -> int:
        """Sequence of the last record; after 2**31 - 1 comes 0. -1 without a producer id."""
        if self.base_sequence < 0:
            return -1
        return (self.base_sequence + self.last_offset_delta) & _SEQUENCE_MASK


def read_batch_header(buffer: bytes | bytearray | memoryview, position: int = 0) -> BatchHeader:
    """The header at `position`. The batch itself may go on beyond the end of the buffer.

    Raises MalformedMessage: too few bytes, another magic than 2, a length that cannot hold a header, or an offset
    range that is none.
    """
    try:
        header = BatchHeader(BATCH_HEADER.unpack_from(buffer, position))
    except struct.error:
        raise MalformedMessage(
            f"a batch header takes {BATCH_HEADER_BYTES} bytes, {len(buffer) - position} are left"
        ) from None
    if header.magic != MAGIC:
        raise MalformedMessage(f"magic {header.magic} is not {MAGIC}: no other message format is kept since Kafka 4.0")
    if header.batch_length < BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES:
        raise MalformedMessage(f"batch length {header.batch_length} cannot hold a header")
    if header.last_offset_delta < 0:
        raise MalformedMessage(f"last offset delta {header.last_offset_delta} is negative")
    return header


def split_batches(buffer: bytes | bytearray | memoryview) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Each whole batch with its header; the views pin `buffer`.

    Raises MalformedMessage: a batch has an invalid header, or is longer than the buffer.
    """
    view = memoryview(buffer)
    position = 0
    while position < len(view):
        header = read_batch_header(view, position)
        end = position + header.size_bytes
        if end > len(view):
            raise MalformedMessage(f"batch of {header.size_bytes} bytes, {len(view) - position} are left")
        yield header, view[position:end]
        position = end


def whole_batches_bytes(buffer: bytes | bytearray | memoryview) -> int:
    """How many bytes of `buffer` are whole batches: the last one of a Fetch's answer may be cut off.

    Raises MalformedMessage: a batch has an invalid header.
    """
    view = memoryview(buffer)
    position = 0
    while len(view) - position >= BATCH_HEADER_BYTES:
        end = position + read_batch_header(view, position).size_bytes
        if end > len(view):
            break
        position = end
    return position


def crc_matches(batch: bytes | bytearray | memoryview) -> bool:
    """Whether the CRC-32C of one whole batch is what its header says. The caller has read the header before."""
    return CRC.pack(batch_crc(batch)) == memoryview(batch)[CRC_POSITION:CRC_COVERS_FROM]


def batch_crc(batch: bytes | bytearray | memoryview) -> int:
    """CRC-32C of the bytes from `attributes` to the end of `batch`."""
    # google_crc32c takes only bytes. A copy of a whole megabyte needs new memory from the kernel each time, which
    # costs more than the checksum; small pieces reuse memory.
    view = memoryview(batch)[CRC_COVERS_FROM:]
    crc = crc32c(bytes(view[:CRC_PIECE_BYTES]))
    for position in range(CRC_PIECE_BYTES, len(view), CRC_PIECE_BYTES):
        crc = crc32c_extend(crc, bytes(view[position : position + CRC_PIECE_BYTES]))
    return int(crc)


def stamp(batch: bytearray | memoryview, position: int, base_offset: int, partition_leader_epoch: int) -> None:
    """Write base offset and leader epoch into the batch at `position`; the CRC covers neither."""
    _BASE_OFFSET.pack_into(batch, position, base_offset)
    _INT32.pack_into(batch, position + BATCH_OVERHEAD_BYTES, partition_leader_epoch)
