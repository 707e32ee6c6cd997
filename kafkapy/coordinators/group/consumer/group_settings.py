"""The settings of one consumer group: those of the resource GROUP, else those of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_controller.image import ConfigResourceType

if TYPE_CHECKING:
    from kafkapy.settings.broker import GroupCoordinatorSettings
    from kafkapy_controller.image import MetadataImage


DEFAULTS: Final = {
    "assignment.interval.ms": "group_consumer_assignment_interval_ms",
    "heartbeat.interval.ms": "group_consumer_heartbeat_interval_ms",
    "session.timeout.ms": "group_consumer_session_timeout_ms",
}


def group_setting(group_id: str, name: str, settings: GroupCoordinatorSettings, image: MetadataImage) -> int:
    """`name` is what follows `consumer.` in the setting's name.

    What is stored was checked; but the broker's bounds may be others by now, and they hold.
    """
    configs = image.resource_configs(ConfigResourceType.GROUP, group_id)
    own = configs.get(f"consumer.{name}") if configs else None
    if own is None:
        value: int = getattr(settings, DEFAULTS[name])
        return value
    low, high = settings.setting(f"group.consumer.min.{name}"), settings.setting(f"group.consumer.max.{name}")
    return max(low, min(int(own), high))
