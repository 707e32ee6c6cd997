"""From the topology that a streams group has stored, and the topics that exist, to tasks and missing topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.coordinators.group.streams.topology.configured import ConfiguredTopology
    from kafkapy.coordinators.group.streams.topology.stored import StoredTopology
    from kafkapy_controller.image import MetadataImage


def configure(topology: StoredTopology, image: MetadataImage) -> ConfiguredTopology:
    raise NotImplementedError
