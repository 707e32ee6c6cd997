"""Which partitions a member reads, for clients that ask members for their state (interactive queries)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.streams.tasks import Tasks
    from kafkapy.coordinators.group.streams.topology.configured import ConfiguredSubtopology
    from kafkapy_controller.image import MetadataImage


def task_partitions(
    tasks: Tasks, subtopologies: Mapping[str, ConfiguredSubtopology], image: MetadataImage
) -> list[tuple[str, list[int]]]:
    """Topics with the partitions of them that the tasks read."""
    raise NotImplementedError
