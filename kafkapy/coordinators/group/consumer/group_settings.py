"""The settings of one consumer group: those of the resource GROUP, else those of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.image import ConfigResourceType

if TYPE_CHECKING:
    from kafkapy.settings.broker import GroupCoordinatorSettings
    from kafkapy_controller.image import MetadataImage


def group_setting(group_id: str, name: str, settings: GroupCoordinatorSettings, image: MetadataImage) -> int:
    """`name` is what follows `consumer.` in the setting's name. The controller has checked what is stored."""
    own = image.resource_configs(ConfigResourceType.GROUP, group_id).get(f"consumer.{name}")
    return settings.setting(f"group.consumer.{name}") if own is None else int(own)
