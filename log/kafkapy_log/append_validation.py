"""Checks of batches before they are appended, and the changes that a topic's settings make to them.

A batch from a client is checked against the topic's settings; a batch that this process has built is not.
Batches that a follower fetches from its leader are checked in `replicated_batches`.

The checks are `kafkapy_wire.records.validation`'s, in Apache Kafka's order: the request (one batch, magic 2, codec),
the batch (base offset, max.message.bytes, CRC, offset range, control bit, sequence), then the records. Usually only the
lengths and timestamps of records are checked, so that consumers can read every stored record and find it by its
timestamp; a header with a wrong highest timestamp is corrected. Records are decoded if the topic is compacted (every
record needs a key), if a timestamp is out of bounds or message.timestamp.before.max.ms is set, and if the topic's codec
differs from the producer's.

A batch with very many records, or one that decompresses to megabytes, is validated in a worker thread:
`validate_produced` raises `TakesLong`, and is called again there.

Differs: a batch is refused if it has more than a million records, or more than 64 MiB decompressed (or more than
max.message.bytes, if that is larger).
"""

from typing import Final, NamedTuple

from kafkapy_log.settings import LogSettings
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import BatchHeader, TimestampType, read_batch_header
from kafkapy_wire.records.batch import COMPRESSION_MASK, TIMESTAMP_TYPE_BIT
from kafkapy_wire.records.building import BuiltBatch
from kafkapy_wire.records.rewrite import recompress, renumber, stamp_timestamps
from kafkapy_wire.records.validation import (
    RecordFacts,
    RecordRules,
    RecordsRejected,
    good_plain_batch,
    must_look_inside,
    only_batch,
    validate_produced_batch,
    validate_records,
    walk_records,
)

Buffer = bytes | bytearray | memoryview


AT_ONCE_BYTES_MAX: Final = 64 * 1024
"""Of a compressed batch, or one to be compressed anew."""
AT_ONCE_DECOMPRESSED_BYTES_MAX: Final = 512 * 1024
AT_ONCE_RECORDS_MAX: Final = 4_096
AT_ONCE_WALKED_RECORDS_MAX: Final = 20_000
"""Of a batch that is not compressed and of which the lengths are walked."""
PRODUCED_BYTES_MAX: Final = 64 * 1024 * 1024


class TakesLong(Exception):
    """Validating the batch may take more than a few milliseconds, so do it in a worker thread."""


class CheckedBatch(NamedTuple):
    """A valid batch, with the bytes that are to be stored."""

    header: BatchHeader
    data: Buffer


def record_rules(settings: LogSettings) -> RecordRules:
    """The rules of `settings` for each record."""
    return RecordRules(
        timestamp_type=settings.message_timestamp_type,
        timestamp_before_max_ms=settings.message_timestamp_before_max_ms,
        timestamp_after_max_ms=settings.message_timestamp_after_max_ms,
        is_compacted=settings.compact,
    )


def validate_produced(
    data: Buffer,
    settings: LogSettings,
    rules: RecordRules,
    *,
    topic_partition: str,
    api_version: int,
    now_ms: int,
    at_once: bool = False,
) -> tuple[BatchHeader, Buffer]:
    """The one batch in `data` as it is to be stored, with its header; base offset and leader epoch are still to be set.

    Usually the client's bytes, unchanged. With `at_once` it raises TakesLong if validation may take long.
    Raises KafkaError: INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE; RecordsRejected
    (a KafkaError: INVALID_TIMESTAMP or INVALID_RECORD), whose message and `record_errors` go into the response.
    """
    header = good_plain_batch(data, settings.max_message_bytes)
    batch = data
    if header is None:
        header, batch = only_batch(data, api_version)
        validate_produced_batch(
            header, batch, topic_partition=topic_partition, max_message_bytes=settings.max_message_bytes
        )
    create_time = settings.message_timestamp_type is TimestampType.CREATE_TIME
    looks_inside = must_look_inside(header, rules, now_ms)
    is_compressed = header.attributes & COMPRESSION_MASK
    max_bytes = max(PRODUCED_BYTES_MAX, settings.max_message_bytes) if is_compressed else len(batch)
    if at_once:
        if is_compressed:
            max_bytes = AT_ONCE_DECOMPRESSED_BYTES_MAX
        if header.record_count > AT_ONCE_RECORDS_MAX or len(batch) > AT_ONCE_BYTES_MAX:
            many = looks_inside or is_compressed or header.record_count > AT_ONCE_WALKED_RECORDS_MAX
            if many or settings.compression_type is not None:
                raise TakesLong
    facts = None
    try:
        if not looks_inside:
            max_timestamp = walk_records(
                header, batch, max_bytes=max_bytes, record_bytes_max=settings.max_decompressed_message_bytes
            )
            if not create_time or max_timestamp == header.max_timestamp:
                if create_time and settings.compression_type is None:
                    return header, batch  # `conform` would change nothing
            elif max_timestamp - now_ms <= rules.timestamp_after_max_ms:
                facts = RecordFacts(max_timestamp, -1, offsets_are_consecutive=True)
            else:  # the header had another timestamp
                looks_inside = True
        if looks_inside:
            facts = validate_records(
                header,
                batch,
                rules,
                now_ms=now_ms,
                topic_partition=topic_partition,
                max_bytes=max_bytes,
                record_bytes_max=settings.max_decompressed_message_bytes,
            )
    except RecordsRejected as rejected:
        # A compressed batch may only be too large to be decompressed on the event loop.
        if at_once and is_compressed and not rejected.record_errors:
            raise TakesLong from rejected
        raise
    return conform(header, batch, settings, facts, topic_partition=topic_partition, now_ms=now_ms)


def conform_built(
    built: BuiltBatch, settings: LogSettings, *, topic_partition: str, now_ms: int
) -> tuple[BatchHeader, Buffer]:
    """A batch that this process has built, as it is to be stored, without checks. Control batches stay unchanged.

    Raises KafkaError MESSAGE_TOO_LARGE.
    """
    header, batch = built.header, built.data
    if len(batch) > settings.max_message_bytes:
        raise _too_large(len(batch), settings, topic_partition)
    if settings.compression_type is None and settings.message_timestamp_type is TimestampType.CREATE_TIME:
        return header, batch
    if header.is_control:
        return header, batch
    return conform(header, batch, settings, None, topic_partition=topic_partition, now_ms=now_ms)


def conform(
    header: BatchHeader,
    batch: Buffer,
    settings: LogSettings,
    facts: RecordFacts | None,
    *,
    topic_partition: str,
    now_ms: int,
) -> tuple[BatchHeader, Buffer]:
    """The batch with the topic's codec and timestamp type. `facts` about its records; None: the header is right.

    Raises KafkaError: INVALID_RECORD, MESSAGE_TOO_LARGE.
    """
    attributes = header.attributes
    target = settings.compression_type
    append_time = settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME
    max_timestamp = now_ms if append_time else header.max_timestamp
    rewritten: Buffer = batch
    try:
        if facts is not None:
            if not append_time:
                max_timestamp = facts.max_timestamp
            if not facts.offsets_are_consecutive:
                codec = header.compression if target is None else target
                rewritten = renumber(header, batch, codec, settings.compression_level)
        if rewritten is batch and target is not None and target != attributes & COMPRESSION_MASK:
            rewritten = recompress(header, batch, target, settings.compression_level)
    except MalformedMessage as malformed:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"{malformed} in topic partition {topic_partition}") from malformed
    if append_time or attributes & TIMESTAMP_TYPE_BIT or max_timestamp != header.max_timestamp:
        rewritten = bytearray(rewritten)
        stamp_timestamps(rewritten, settings.message_timestamp_type, max_timestamp)
    if rewritten is batch:
        return header, batch
    if len(rewritten) > settings.max_message_bytes:
        raise _too_large(len(rewritten), settings, topic_partition)
    return read_batch_header(rewritten), rewritten


def _too_large(size: int, settings: LogSettings, topic_partition: str) -> KafkaError:
    return KafkaError(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"Message batch size is {size} bytes in append to partition {topic_partition} which exceeds the maximum "
        f"configured size of {settings.max_message_bytes}.",
    )


def larger_than_segment(size: int, settings: LogSettings, topic_partition: str) -> KafkaError:
    """RECORD_LIST_TOO_LARGE: a batch would fill more than segment.bytes."""
    return KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        f"Message batch size is {size} bytes in append to partition {topic_partition}, which exceeds the maximum "
        f"configured segment size of {settings.segment_bytes}.",
    )
