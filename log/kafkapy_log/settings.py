"""The topic settings that a partition log uses. Names and defaults are Kafka's."""

from dataclasses import dataclass
from typing import Final

from kafkapy_wire.records import Compression, TimestampType
from kafkapy_wire.records.runs import RECORD_BYTES_MAX

INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Topic settings after the broker's defaults have been merged in; the comment is the topic setting's name.

    `compression_type` None is "producer": batches keep the codec they came with.
    `producer_id_expiration_ms` is a broker setting (producer.id.expiration.ms) that the log needs when it loads.
    `retention_from_last_write` is kafkapy's own (kafkapy.retention.from.last.write): see `retention.py`.
    """

    segment_bytes: int = 1_073_741_824  # segment.bytes
    segment_ms: int = 604_800_000  # segment.ms
    segment_jitter_ms: int = 0  # segment.jitter.ms
    segment_index_bytes: int = 10_485_760  # segment.index.bytes
    index_interval_bytes: int = 4096  # index.interval.bytes
    flush_messages: int = INT64_MAX  # flush.messages
    flush_ms: int = INT64_MAX  # flush.ms
    retention_bytes: int = -1  # retention.bytes
    retention_ms: int = 604_800_000  # retention.ms
    file_delete_delay_ms: int = 60_000  # file.delete.delay.ms
    delete: bool = True  # cleanup.policy has "delete"
    compact: bool = False  # cleanup.policy has "compact"
    min_cleanable_dirty_ratio: float = 0.5  # min.cleanable.dirty.ratio
    min_compaction_lag_ms: int = 0  # min.compaction.lag.ms
    max_compaction_lag_ms: int = INT64_MAX  # max.compaction.lag.ms
    delete_retention_ms: int = 86_400_000  # delete.retention.ms
    max_message_bytes: int = 1_048_588  # max.message.bytes
    max_decompressed_message_bytes: int = RECORD_BYTES_MAX  # max.decompressed.message.bytes
    compression_type: Compression | None = None  # compression.type
    compression_level: int | None = None  # compression.gzip.level, .lz4.level, .zstd.level: that of compression_type
    message_timestamp_type: TimestampType = TimestampType.CREATE_TIME  # message.timestamp.type
    message_timestamp_before_max_ms: int = INT64_MAX  # message.timestamp.before.max.ms
    message_timestamp_after_max_ms: int = 3_600_000  # message.timestamp.after.max.ms
    producer_id_expiration_ms: int = 86_400_000
    retention_from_last_write: bool = False


DEFAULT_SETTINGS: Final = LogSettings()
