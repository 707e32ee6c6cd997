"""Settings that AlterConfigs has stored in the metadata: they override the user's file; some have no effect here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.settings.broker import STATIC_HERE
from kafkapy_controller.image import ConfigResourceType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage

logger = logging.getLogger("kafkapy.settings")

BOUND_ONCE = "sockets are bound when the node starts; give it where the node is started"
_KINDS = {
    ConfigResourceType.TOPIC: "topic",
    ConfigResourceType.BROKER: "broker",
    ConfigResourceType.GROUP: "group",
}


class DynamicSettings:
    """Keeps a node's settings up to date with the metadata.

    A setting that has an effect in Apache Kafka and none here is logged once, even if many topics or groups have it.
    """

    def __init__(self, settings: CurrentSettings) -> None:
        self._settings = settings
        self._told: set[tuple[int, str]] = set()

    def load(self, image: MetadataImage) -> None:
        """Use the image's dynamic settings of the default broker and of this broker."""
        for name in ("", str(self._settings.now.node.node_id)):
            self._tell(ConfigResourceType.BROKER, name, image)
        self._follow_broker(image)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        for resource_type, name in delta.changed_configs:
            self._tell(resource_type, name, image)
        if any(resource_type == ConfigResourceType.BROKER for resource_type, _ in delta.changed_configs):
            self._follow_broker(image)

    def _follow_broker(self, image: MetadataImage) -> None:
        now = self._settings.now
        self._settings.change(
            now.with_dynamic(
                image.resource_configs(ConfigResourceType.BROKER, ""),
                image.resource_configs(ConfigResourceType.BROKER, str(now.node.node_id)),
            )
        )

    def _tell(self, resource_type: int, resource: str, image: MetadataImage) -> None:
        values = image.resource_configs(resource_type, resource)
        if not values or resource_type not in _KINDS:
            return
        listener_names = self._settings.now.settable_listener_names
        for name, why in _unserved(resource_type, values, listener_names):
            if (resource_type, name) not in self._told:
                self._told.add((resource_type, name))
                kind = _KINDS[ConfigResourceType(resource_type)]
                logger.warning("%s of %s %s has no effect: %s", name, kind, resource or "(all)", why)


def _unserved(
    resource_type: int, values: Mapping[str, str], listener_names: Iterable[str]
) -> Iterable[tuple[str, str]]:
    from kafkapy.settings.support import unserved_by_brokers, unserved_by_groups, unserved_by_topics

    match resource_type:
        case ConfigResourceType.TOPIC:
            return unserved_by_topics(values)
        case ConfigResourceType.BROKER:
            bound = [(name, BOUND_ONCE) for name in values if name in STATIC_HERE]
            return [*bound, *unserved_by_brokers(values, listener_names)]
        case _:
            return unserved_by_groups(values)
