"""A topic's settings as `kafkapy_log` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_log.settings import LogSettings
from kafkapy_wire.records import Compression, TimestampType

if TYPE_CHECKING:
    from kafkapy.settings.topic import TopicSettings

_COMPRESSION = {
    "uncompressed": Compression.NONE,
    "gzip": Compression.GZIP,
    "snappy": Compression.SNAPPY,
    "lz4": Compression.LZ4,
    "zstd": Compression.ZSTD,
}


def log_settings(
    topic: TopicSettings, *, producer_id_expiration_ms: int, retention_from_last_write: bool = False
) -> LogSettings:
    """The settings for the logs of a topic. The keyword arguments come from the broker's settings."""
    levels = {
        "gzip": topic.compression_gzip_level,
        "lz4": topic.compression_lz4_level,
        "zstd": topic.compression_zstd_level,
    }
    # internal.segment.bytes is how Kafka's own tests get segments below the bound of segment.bytes (KIP-1161).
    segment_bytes = topic.segment_bytes if topic.internal_segment_bytes is None else topic.internal_segment_bytes
    by_append = topic.message_timestamp_type == "LogAppendTime"
    return LogSettings(
        segment_bytes=segment_bytes,
        segment_ms=_segment_ms(topic),
        segment_jitter_ms=topic.segment_jitter_ms,
        segment_index_bytes=topic.segment_index_bytes,
        index_interval_bytes=topic.index_interval_bytes,
        flush_messages=topic.flush_messages,
        flush_ms=topic.flush_ms,
        retention_bytes=topic.retention_bytes,
        retention_ms=topic.retention_ms,
        file_delete_delay_ms=topic.file_delete_delay_ms,
        delete=topic.deletes,
        compact=topic.compacts,
        min_cleanable_dirty_ratio=topic.min_cleanable_dirty_ratio,
        min_compaction_lag_ms=topic.min_compaction_lag_ms,
        max_compaction_lag_ms=topic.max_compaction_lag_ms,
        delete_retention_ms=topic.delete_retention_ms,
        max_message_bytes=topic.max_message_bytes,
        max_decompressed_message_bytes=topic.max_decompressed_message_bytes,
        compression_type=_COMPRESSION.get(topic.compression_type),
        compression_level=levels.get(topic.compression_type),
        message_timestamp_type=TimestampType.LOG_APPEND_TIME if by_append else TimestampType.CREATE_TIME,
        message_timestamp_before_max_ms=topic.message_timestamp_before_max_ms,
        message_timestamp_after_max_ms=topic.message_timestamp_after_max_ms,
        producer_id_expiration_ms=producer_id_expiration_ms,
        retention_from_last_write=retention_from_last_write,
    )


def _segment_ms(topic: TopicSettings) -> int:
    """A record can be compacted once its segment is rolled, so max.compaction.lag.ms rolls it, too (KIP-354)."""
    if topic.compacts and topic.max_compaction_lag_ms > 0:
        return min(topic.segment_ms, topic.max_compaction_lag_ms)
    return topic.segment_ms
