"""The topology of a streams group as its members have told it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.assignors.java_order import member_order

if TYPE_CHECKING:
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue, Subtopology


class StoredTopology:
    """Never changed once made."""

    def __init__(self, value: StreamsGroupTopologyValue) -> None:
        self.value = value
        self.epoch = value.epoch
        by_id = {subtopology.subtopology_id: subtopology for subtopology in value.subtopologies}
        self.subtopologies: dict[str, Subtopology] = {name: by_id[name] for name in member_order(by_id)}
        """By id, in the order in which Apache Kafka goes through them: partition counts may depend on it."""
        self.source_topics: dict[str, Subtopology] = {}
        """Who reads which topic; repartition topics included."""
        names: list[str] = []
        for subtopology in self.subtopologies.values():
            repartition = [topic.name for topic in subtopology.repartition_source_topics]
            read = [*subtopology.source_topics, *repartition]
            self.source_topics.update(dict.fromkeys(read, subtopology))
            names += [*read, *(topic.name for topic in subtopology.state_changelog_topics)]
        self.required_topics = frozenset(names)
        """Topics that have to exist before tasks are assigned."""
        self.required_topics_in_order = member_order(dict.fromkeys(names))
