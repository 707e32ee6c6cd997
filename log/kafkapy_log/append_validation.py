"""What Kafka checks in a batch before the leader stores it, and what it changes in it.

Checked on the header alone, so that a produce costs the same for one record and for a thousand:

CORRUPT_MESSAGE                the CRC is wrong, or the bytes cannot be a batch
MESSAGE_TOO_LARGE              larger than max.message.bytes
INVALID_RECORD                 magic below 2, several batches, base offset not 0, offset range and record count apart,
                               control batch or missing sequence from a client
INVALID_TIMESTAMP              max timestamp too far ahead (message.timestamp.after.max.ms), LogAppendTime set by the client

Records are decoded only where Kafka's answer depends on each of them: in a compacted topic (INVALID_RECORD for a null
key), when the header says that a timestamp is out of bounds (to name the records), with a finite
message.timestamp.before.max.ms, and when the codec of the topic is another than the producer's.

Differs: Apache Kafka also decodes every other batch, so it refuses records that are broken under a valid CRC and
corrects a max timestamp that is not the records' maximum; here both are stored as they came.
"""

from typing import Final, NamedTuple

from kafkapy_log.producer_state import AppendOrigin
from kafkapy_log.settings import INT64_MAX, LogSettings
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
    BatchHeader,
    Compression,
    NewRecord,
    Record,
    TimestampType,
    build_batch,
    crc_matches,
    decode_records,
    read_batch_header,
)
from kafkapy_wire.records.batch import (
    BATCH_HEADER,
    BATCH_OVERHEAD_BYTES,
    COMPRESSION_MASK,
    CONTROL_BIT,
    TIMESTAMP_TYPE_BIT,
    batch_crc,
)

NO_TIMESTAMP: Final = -1
_MAGIC_POSITION: Final = 16
_SHOWN_ERRORS_MAX: Final = 3

Buffer = bytes | bytearray | memoryview


class RecordError(NamedTuple):
    """One record that was refused: `ProduceResponse.BatchIndexAndErrorMessage`."""

    batch_index: int
    message: str


class RecordValidationError(KafkaError):
    """The batch is refused because of some of its records; its message and `record_errors` go into the response.

    Apache Kafka puts an error message into ProduceResponse for this error only.
    """

    def __init__(self, code: ErrorCode, message: str, record_errors: list[RecordError]) -> None:
        super().__init__(code, message)
        self.record_errors = record_errors


def validate_produced(
    data: Buffer, settings: LogSettings, now_ms: int, origin: AppendOrigin
) -> tuple[BatchHeader, Buffer]:
    """The one batch in `data` as it is to be stored, with its header; base offset and leader epoch are still to be set.

    Usually the very bytes that came. What follows the first batch without being a whole batch is left out, as in
    Apache Kafka. Raises KafkaError as the module says.
    """
    header, batch = _first_batch(data)
    size = len(batch)
    if origin is AppendOrigin.CLIENT:
        if header.base_offset != 0:
            raise KafkaError(
                ErrorCode.INVALID_RECORD,
                f"The baseOffset of the record batch in the append should be 0, but it is {header.base_offset}",
            )
        if size > settings.max_message_bytes:
            raise _too_large(size, settings)
    if not crc_matches(batch):
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"Record is corrupt (stored crc = {header.crc})")
    attributes = header.attributes
    if origin is AppendOrigin.CLIENT:
        if header.record_count != header.last_offset_delta + 1:
            raise _inconsistent(header)
        if attributes & CONTROL_BIT:
            raise KafkaError(ErrorCode.INVALID_RECORD, "Clients are not allowed to write control records")
        if header.producer_id >= 0 and header.base_sequence < 0:
            raise KafkaError(
                ErrorCode.INVALID_RECORD,
                f"Invalid sequence number {header.base_sequence} in record batch with producerId {header.producer_id}",
            )
    if attributes & CONTROL_BIT:
        return header, batch
    # One comparison each for what almost every batch is: right codec, plain topic, timestamps within bounds.
    if (
        attributes & TIMESTAMP_TYPE_BIT
        or settings.compact
        or settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME
        or header.max_timestamp - now_ms > settings.message_timestamp_after_max_ms
        or settings.message_timestamp_before_max_ms != INT64_MAX
    ):
        _check_records(header, batch, settings, now_ms)
    target = settings.compression_type
    if target is not None and target != attributes & COMPRESSION_MASK:
        return _recompressed(header, batch, target, settings, now_ms, origin)
    if settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME or attributes & TIMESTAMP_TYPE_BIT:
        return _restamped(header, batch, settings, now_ms)
    return header, batch


def _first_batch(data: Buffer) -> tuple[BatchHeader, Buffer]:
    """The only whole batch in `data`."""
    if len(data) < BATCH_HEADER_BYTES:
        raise _not_one_batch(data)
    try:
        header = read_batch_header(data)
    except MalformedMessage as malformed:
        if data[_MAGIC_POSITION] < 2:
            raise KafkaError(
                ErrorCode.INVALID_RECORD,
                "Produce requests are only allowed to contain record batches with magic version 2",
            ) from malformed
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, str(malformed)) from malformed
    size = header.batch_length + BATCH_OVERHEAD_BYTES
    if size == len(data):
        return header, data
    if size > len(data):
        raise _not_one_batch(data)
    rest = memoryview(data)[size:]
    if len(rest) >= BATCH_OVERHEAD_BYTES:
        second_length = int.from_bytes(rest[8:BATCH_OVERHEAD_BYTES], "big", signed=True)
        if second_length < BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"Record batch of length {second_length}")
        if second_length + BATCH_OVERHEAD_BYTES <= len(rest):
            raise KafkaError(ErrorCode.INVALID_RECORD, "Produce requests must contain exactly one record batch")
    return header, memoryview(data)[:size]


def _not_one_batch(data: Buffer) -> KafkaError:
    return KafkaError(
        ErrorCode.INVALID_RECORD,
        f"Produce requests must have at least one record batch per partition, {len(data)} bytes hold none",
    )


def _too_large(size: int, settings: LogSettings) -> KafkaError:
    return KafkaError(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"The record batch size in the append is {size} bytes which exceeds the maximum configured value of "
        f"{settings.max_message_bytes}.",
    )


def _inconsistent(header: BatchHeader) -> KafkaError:
    if header.record_count <= 0:
        return KafkaError(ErrorCode.INVALID_RECORD, f"Invalid reported count for record batch: {header.record_count}")
    return KafkaError(
        ErrorCode.INVALID_RECORD,
        f"Inconsistent batch offset range [{header.base_offset}, {header.last_offset}] and count of records "
        f"{header.record_count}",
    )


def _decoded(batch: Buffer) -> list[Record]:
    try:
        return list(decode_records(batch))
    except MalformedMessage as malformed:
        raise KafkaError(ErrorCode.INVALID_RECORD, str(malformed)) from malformed


def _check_records(header: BatchHeader, batch: Buffer, settings: LogSettings, now_ms: int) -> None:
    """The part that looks at records: those that are refused, by their place in the batch."""
    errors: list[RecordError] = []
    timestamp_error = False
    create_time = settings.message_timestamp_type is TimestampType.CREATE_TIME
    earliest = now_ms - settings.message_timestamp_before_max_ms
    latest = now_ms + settings.message_timestamp_after_max_ms
    stamped_by_client = bool(header.attributes & TIMESTAMP_TYPE_BIT)
    if not settings.compact and not create_time and not stamped_by_client:
        return
    for index, record in enumerate(_decoded(batch)):
        timestamp = record.timestamp
        if settings.compact and record.key is None:
            errors.append(RecordError(index, "Compacted topic cannot accept message without key"))
        elif create_time and timestamp != NO_TIMESTAMP:
            if timestamp < earliest or timestamp > latest:
                timestamp_error = True
                errors.append(
                    RecordError(
                        index,
                        f"Timestamp {timestamp} of message with offset {record.offset} is out of range. The timestamp "
                        f"should be within [{earliest}, {latest}]",
                    )
                )
        elif stamped_by_client:
            timestamp_error = True
            errors.append(
                RecordError(
                    index, "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime."
                )
            )
    if not errors:
        return
    if timestamp_error:
        raise RecordValidationError(
            ErrorCode.INVALID_TIMESTAMP, "One or more records have been rejected due to invalid timestamp", errors
        )
    shown = ", ".join(f"{error.batch_index}: {error.message}" for error in errors[:_SHOWN_ERRORS_MAX])
    raise RecordValidationError(
        ErrorCode.INVALID_RECORD,
        f"One or more records have been rejected due to {len(errors)} record errors in total, and only showing the "
        f"first three errors at most: [{shown}]",
        errors,
    )


def _recompressed(
    header: BatchHeader,
    batch: Buffer,
    target: Compression,
    settings: LogSettings,
    now_ms: int,
    origin: AppendOrigin,
) -> tuple[BatchHeader, Buffer]:
    """The same records with the topic's codec (and, with LogAppendTime, the broker's time)."""
    append_time = settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME
    records = [
        NewRecord(now_ms if append_time else record.timestamp, record.key, record.value, record.headers)
        for record in _decoded(batch)
    ]
    rebuilt = build_batch(
        records,
        compression=target,
        timestamp_type=settings.message_timestamp_type,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        is_transactional=header.is_transactional,
    )
    if origin is AppendOrigin.CLIENT and len(rebuilt) > settings.max_message_bytes:
        raise _too_large(len(rebuilt), settings)
    return read_batch_header(rebuilt), rebuilt


def _restamped(
    header: BatchHeader, batch: Buffer, settings: LogSettings, now_ms: int
) -> tuple[BatchHeader, Buffer]:
    """The batch with the topic's timestamp type. Attributes and max timestamp are under the CRC: it pays for a new one."""
    if settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME:
        header.attributes |= TIMESTAMP_TYPE_BIT
        header.max_timestamp = now_ms
    else:
        header.attributes &= ~TIMESTAMP_TYPE_BIT
    stamped = bytearray(batch)
    _pack_header(stamped, header)
    header.crc = batch_crc(stamped)
    _pack_header(stamped, header)
    return header, stamped


def _pack_header(batch: bytearray, header: BatchHeader) -> None:
    BATCH_HEADER.pack_into(
        batch,
        0,
        header.base_offset,
        header.batch_length,
        header.partition_leader_epoch,
        header.magic,
        header.crc,
        header.attributes,
        header.last_offset_delta,
        header.base_timestamp,
        header.max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        header.record_count,
    )
