"""The settings of one streams group: those of the resource GROUP, else those of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.image import ConfigResourceType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings import Settings
    from kafkapy_controller.image import MetadataImage

STANDBY_REPLICAS = "num.standby.replicas"
RACK_AWARE_TAGS = "rack.aware.assignment.tags"


class StreamsGroupSettings(NamedTuple):
    session_timeout_ms: int
    heartbeat_interval_ms: int
    assignment_interval_ms: int
    initial_rebalance_delay_ms: int
    standby_count: int
    rack_aware_tags: tuple[str, ...]
    acceptable_recovery_lag: int
    task_offset_interval_ms: int

    @property
    def assignment_configs(self) -> Mapping[str, str]:
        """What is stored with the group, as Apache Kafka does: an assignment depends on it."""
        configs = {STANDBY_REPLICAS: str(self.standby_count)}
        if self.rack_aware_tags:
            configs[RACK_AWARE_TAGS] = ",".join(self.rack_aware_tags)
        return configs


def group_settings(group_id: str, settings: Settings, image: MetadataImage) -> StreamsGroupSettings:
    """What is stored was checked; but the broker's bounds may be others by now, and they hold."""
    overrides = image.resource_configs(ConfigResourceType.GROUP, group_id)
    broker = settings.groups
    own = settings.group_settings(overrides) if overrides else None

    def number(name: str, low: str | None = None, high: str | None = None) -> int:
        if own is None or f"streams.{name}" not in overrides:
            return broker.setting(f"group.streams.{name}")
        value = own.setting(f"streams.{name}")
        if high is not None:
            value = min(value, broker.setting(f"group.streams.{high}"))
        return value if low is None else max(value, broker.setting(f"group.streams.{low}"))

    def bounded(name: str) -> int:
        return number(name, f"min.{name}", f"max.{name}")

    has_own_tags = own is not None and f"streams.{RACK_AWARE_TAGS}" in overrides
    return StreamsGroupSettings(
        session_timeout_ms=bounded("session.timeout.ms"),
        heartbeat_interval_ms=bounded("heartbeat.interval.ms"),
        assignment_interval_ms=bounded("assignment.interval.ms"),
        initial_rebalance_delay_ms=number("initial.rebalance.delay.ms"),
        standby_count=number(STANDBY_REPLICAS, high="max.standby.replicas"),
        rack_aware_tags=own.streams_rack_aware_assignment_tags
        if own is not None and has_own_tags
        else broker.group_streams_rack_aware_assignment_tags,
        acceptable_recovery_lag=number("acceptable.recovery.lag"),
        task_offset_interval_ms=number("task.offset.interval.ms", low="min.task.offset.interval.ms"),
    )
