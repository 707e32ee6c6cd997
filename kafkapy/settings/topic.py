"""`TopicSettings`: the settings of one topic, from its own values, the cluster's defaults and the broker's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from kafkapy.settings.area import Area

if TYPE_CHECKING:
    from kafkapy.settings.parse import Value

LONG_MAX = 9_223_372_036_854_775_807


class TopicSettings(Area):
    """Every setting of a topic, typed. `-1` of a retention is no bound; `LONG_MAX` of a flush interval is never."""

    cleanup_policy: tuple[str, ...] = ("delete",)
    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_type: str = "producer"
    compression_zstd_level: int = 3
    delete_retention_ms: int = 86_400_000
    errors_deadletterqueue_group_enable: bool = False
    file_delete_delay_ms: int = 60_000
    flush_messages: int = LONG_MAX
    flush_ms: int = LONG_MAX
    follower_replication_throttled_replicas: tuple[str, ...] = ()
    index_interval_bytes: int = 4_096
    internal_segment_bytes: int | None = None
    leader_replication_throttled_replicas: tuple[str, ...] = ()
    local_retention_bytes: int = -2
    local_retention_ms: int = -2
    max_compaction_lag_ms: int = LONG_MAX
    max_decompressed_message_bytes: int = 2_147_483_639
    max_message_bytes: int = 1_048_588
    message_timestamp_after_max_ms: int = 3_600_000
    message_timestamp_before_max_ms: int = LONG_MAX
    message_timestamp_type: str = "CreateTime"
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    min_insync_replicas: int = 1
    preallocate: bool = False
    remote_copy_lag_bytes: int = -1
    remote_copy_lag_ms: int = 0
    remote_log_copy_disable: bool = False
    remote_log_delete_on_disable: bool = False
    remote_storage_enable: bool = False
    retention_bytes: int = -1
    retention_ms: int = 604_800_000
    segment_bytes: int = 1_073_741_824
    segment_index_bytes: int = 10_485_760
    segment_jitter_ms: int = 0
    segment_ms: int = 604_800_000
    unclean_leader_election_enable: bool = False

    def resolve(self, overrides: Mapping[str, str]) -> Self:
        """A copy with a topic's own `overrides`; unknown names are ignored.

        The overrides were validated before they were stored. Callers cache the result.
        """
        if not overrides:
            return self
        from kafkapy.settings.catalog import topic_definitions
        from kafkapy.settings.parse import parse_values

        return self.with_settings(parse_values(topic_definitions(), overrides))

    @property
    def compacts(self) -> bool:
        return "compact" in self.cleanup_policy

    @property
    def deletes(self) -> bool:
        return "delete" in self.cleanup_policy


# A broker's setting in another unit, in milliseconds.
_MILLISECONDS = {".minutes": 60_000, ".hours": 3_600_000}


def topic_defaults(broker: Mapping[str, Value]) -> TopicSettings:
    """The settings, by Kafka's names, of a topic without values of its own on a broker with these typed settings."""
    from kafkapy.settings.catalog import topic_definitions

    defaults: dict[str, Value] = {}
    for name, definition in topic_definitions().items():
        synonym = next((synonym for synonym in definition.synonyms if synonym in broker), None)
        if synonym is None:
            continue
        value = broker[synonym]
        unit = next((factor for suffix, factor in _MILLISECONDS.items() if synonym.endswith(suffix)), None)
        if unit is not None:
            assert isinstance(value, int)
            value = value * unit
        if name == "retention.ms":
            assert isinstance(value, int)
            value = max(value, -1)  # any negative retention of a broker means no bound
        defaults[name] = value
    return TopicSettings().with_settings(defaults)
