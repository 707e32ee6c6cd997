"""`GroupSettings`: the settings of one consumer, share or streams group (KIP-848, KIP-932, KIP-1071)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from kafkapy.settings.area import Area

if TYPE_CHECKING:
    from kafkapy.settings.parse import Value


class GroupSettings(Area):
    """Every setting of a group, typed."""

    consumer_assignment_interval_ms: int = 1_000
    consumer_assignor_offload_enable: bool = True
    consumer_heartbeat_interval_ms: int = 5_000
    consumer_session_timeout_ms: int = 45_000
    errors_deadletterqueue_copy_record_enable: bool = False
    errors_deadletterqueue_topic_name: str = ""
    share_assignment_interval_ms: int = 1_000
    share_assignor_offload_enable: bool = True
    share_auto_offset_reset: str = "latest"
    share_delivery_count_limit: int = 5
    share_heartbeat_interval_ms: int = 5_000
    share_isolation_level: str = "read_uncommitted"
    share_partition_max_record_locks: int = 2_000
    share_record_lock_duration_ms: int = 30_000
    share_renew_acknowledge_enable: bool = True
    share_session_timeout_ms: int = 45_000
    streams_acceptable_recovery_lag: int = 10_000
    streams_assignment_interval_ms: int = 1_000
    streams_assignor_name: str | None = None
    streams_assignor_offload_enable: bool = True
    streams_heartbeat_interval_ms: int = 5_000
    streams_initial_rebalance_delay_ms: int = 3_000
    streams_num_standby_replicas: int = 0
    streams_num_warmup_replicas: int = 2
    streams_rack_aware_assignment_tags: tuple[str, ...] = ()
    streams_session_timeout_ms: int = 45_000
    streams_task_offset_interval_ms: int = 60_000

    def resolve(self, overrides: Mapping[str, str]) -> Self:
        """A copy with a group's own `overrides`; unknown names are ignored."""
        if not overrides:
            return self
        from kafkapy.settings.catalog import group_definitions
        from kafkapy.settings.parse import parse_values

        return self.with_settings(parse_values(group_definitions(), overrides))


def group_defaults(broker: Mapping[str, Value]) -> GroupSettings:
    """The settings, by Kafka's names, of a group without values of its own on a broker with these typed settings."""
    return GroupSettings().with_settings(
        {name.removeprefix("group."): value for name, value in broker.items() if name.startswith("group.")}
    )
