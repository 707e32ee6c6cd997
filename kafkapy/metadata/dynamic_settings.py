"""Dynamic broker settings: what AlterConfigs has stored in the metadata, laid over what the user gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.image import ConfigResourceType

if TYPE_CHECKING:
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage


class DynamicSettings:
    """Keeps a node's settings up to date with the metadata."""

    def __init__(self, settings: CurrentSettings) -> None:
        self._settings = settings

    def load(self, image: MetadataImage) -> None:
        """Take over what the image has for all brokers and for this one."""
        now = self._settings.now
        self._settings.change(
            now.with_dynamic(
                image.resource_configs(ConfigResourceType.BROKER, ""),
                image.resource_configs(ConfigResourceType.BROKER, str(now.node.node_id)),
            )
        )

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        if any(resource_type == ConfigResourceType.BROKER for resource_type, _ in delta.changed_configs):
            self.load(image)
