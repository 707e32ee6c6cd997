"""Topics that a client has just created and no client has seen: a strict broker does not know them at first.

Apache Kafka's controller answers CreateTopics, and its brokers hear of the topic some milliseconds later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kafkapy_wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
    from kafkapy_wire.messages.metadata import MetadataRequest

NEW_TOPICS_MAX: Final = 1_000
"""Beyond that the oldest are known."""


class NewTopics:
    """Their names, in the order of their creation."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def clear(self) -> None:
        """From now on all are known."""
        self._names.clear()

    def note(self, request: CreateTopicsRequest, answer: CreateTopicsResponse) -> None:
        """A client has created topics."""
        if request.validate_only:
            return
        for topic in answer.topics:
            if not topic.error_code:
                self._names[topic.name] = None
                if len(self._names) > NEW_TOPICS_MAX:
                    del self._names[next(iter(self._names))]

    def take(self, request: MetadataRequest) -> frozenset[str]:
        """The names that a request would be the first to be told of, and is not. From then on they are known."""
        if not self._names:
            return frozenset()
        if request.topics is None:
            taken = frozenset(self._names)
        else:
            taken = frozenset([topic.name for topic in request.topics if topic.name in self._names])
        for name in taken:
            del self._names[name]
        return taken
