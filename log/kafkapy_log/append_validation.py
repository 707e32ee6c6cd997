"""A produced batch on its way into the leader's log: what the topic's settings refuse in it and what they change.

The checks are `kafkapy_wire.records.validation`'s, in Apache Kafka's order: the request (one batch, magic 2, codec),
the batch (base offset, max.message.bytes, CRC, offset range, control bit, sequence), then the records. Of those only
the lengths are walked, so that nothing is stored which no consumer could read. They are decoded where the header cannot
answer: in a compacted topic (every record needs a key), with a timestamp out of bounds or a finite
message.timestamp.before.max.ms, and when the codec of the topic is another than the producer's.

Differs: Apache Kafka decodes every batch, so it also corrects a max timestamp that is not the records' maximum.
"""

from kafkapy_log.settings import LogSettings
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import BatchHeader, TimestampType, crc_matches, read_batch_header
from kafkapy_wire.records.batch import COMPRESSION_MASK, TIMESTAMP_TYPE_BIT
from kafkapy_wire.records.rewrite import recompress, renumber, stamp_timestamps
from kafkapy_wire.records.validation import (
    RecordRules,
    check_record_lengths,
    must_look_inside,
    only_batch,
    validate_produced_batch,
    validate_records,
)

Buffer = bytes | bytearray | memoryview


def record_rules(settings: LogSettings) -> RecordRules:
    """What `settings` ask of each record."""
    return RecordRules(
        timestamp_type=settings.message_timestamp_type,
        timestamp_before_max_ms=settings.message_timestamp_before_max_ms,
        timestamp_after_max_ms=settings.message_timestamp_after_max_ms,
        is_compacted=settings.compact,
    )


def validate_from_client(
    data: Buffer, settings: LogSettings, rules: RecordRules, *, topic_partition: str, api_version: int, now_ms: int
) -> tuple[BatchHeader, Buffer]:
    """The one batch in `data` as it is to be stored, with its header; base offset and leader epoch are still to be set.

    Usually the very bytes that came.
    Raises KafkaError: INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE; RecordsRejected
    (a KafkaError: INVALID_TIMESTAMP or INVALID_RECORD), whose message and `record_errors` go into the response.
    """
    header, batch = only_batch(data, api_version)
    validate_produced_batch(
        header, batch, topic_partition=topic_partition, max_message_bytes=settings.max_message_bytes
    )
    if not must_look_inside(header, rules, now_ms):
        check_record_lengths(header, batch)
    return conform(header, batch, settings, rules, topic_partition=topic_partition, now_ms=now_ms)


def validate_from_coordinator(
    data: Buffer, settings: LogSettings, rules: RecordRules, *, topic_partition: str, now_ms: int
) -> tuple[BatchHeader, Buffer]:
    """As `validate_from_client`, for a batch that this process has built: it may be a control batch.

    Raises KafkaError: CORRUPT_MESSAGE, MESSAGE_TOO_LARGE.
    """
    try:
        header = read_batch_header(data)
    except MalformedMessage as malformed:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, str(malformed)) from malformed
    if header.size_bytes != len(data) or not crc_matches(data):
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"{header!r} in {len(data)} bytes for {topic_partition}")
    _check_size(len(data), settings, topic_partition)
    if header.is_control:
        return header, data
    return conform(header, data, settings, rules, topic_partition=topic_partition, now_ms=now_ms)


def conform(
    header: BatchHeader,
    batch: Buffer,
    settings: LogSettings,
    rules: RecordRules,
    *,
    topic_partition: str,
    now_ms: int,
) -> tuple[BatchHeader, Buffer]:
    """The batch with the topic's codec and timestamp type; its records are checked where the header cannot vouch."""
    attributes = header.attributes
    target = settings.compression_type
    append_time = settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME
    max_timestamp = now_ms if append_time else header.max_timestamp
    rewritten: Buffer = batch
    try:
        if must_look_inside(header, rules, now_ms):
            facts = validate_records(header, batch, rules, now_ms=now_ms, topic_partition=topic_partition)
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
    _check_size(len(rewritten), settings, topic_partition)
    return read_batch_header(rewritten), rewritten


def _check_size(size: int, settings: LogSettings, topic_partition: str) -> None:
    if size > settings.max_message_bytes:
        raise KafkaError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {topic_partition} which exceeds the maximum "
            f"configured size of {settings.max_message_bytes}.",
        )
