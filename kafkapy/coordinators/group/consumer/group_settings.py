"""The settings of one consumer group: those of the resource GROUP, else those of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.image import ConfigResourceType

if TYPE_CHECKING:
    from kafkapy.settings.broker import GroupCoordinatorSettings
    from kafkapy_controller.image import MetadataImage


def group_setting(group_id: str, name: str, settings: GroupCoordinatorSettings, image: MetadataImage) -> int:
    """`name` is what follows `consumer.` in the setting's name.

    What is stored was checked; but the broker's bounds may be others by now, and they hold.
    """
    own = image.resource_configs(ConfigResourceType.GROUP, group_id).get(f"consumer.{name}")
    if own is None:
        return settings.setting(f"group.consumer.{name}")
    low, high = settings.setting(f"group.consumer.min.{name}"), settings.setting(f"group.consumer.max.{name}")
    return max(low, min(int(own), high))
