"""Which partitions a member reads, for clients that ask members for their state (interactive queries)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.assignors.java_order import member_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkapy.coordinators.group.streams.tasks import Tasks
    from kafkapy.coordinators.group.streams.topology.configured import ConfiguredSubtopology
    from kafkapy_controller.image import MetadataImage


def task_partitions(
    tasks: Tasks, subtopologies: Mapping[str, ConfiguredSubtopology], image: MetadataImage
) -> Iterator[tuple[str, list[int]]]:
    """The topics that the tasks read, with the partitions of them; deleted topics are left out.

    A task reads the partition of its number; a source topic with fewer partitions than the others does not have it.
    """
    for name in member_order(tasks):
        subtopology = subtopologies.get(name)
        if subtopology is None:
            continue
        for topic in member_order(subtopology.source_topics | subtopology.repartition_source_topics.keys()):
            found = image.topics.get(topic)
            count = len(found.partitions) if found is not None else 0
            partitions = sorted(index for index in tasks[name] if index < count)
            if partitions:
                yield topic, partitions
