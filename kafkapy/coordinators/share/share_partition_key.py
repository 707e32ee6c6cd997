"""`SharePartitionKey`: one partition as one share group consumes it."""

from __future__ import annotations

from typing import NamedTuple, Self

from kafkapy_wire.integer_text import INT32_MAX, parse_integer
from kafkapy_wire.uuid import Uuid, parse_uuid, uuid_text


class SharePartitionKey(NamedTuple):
    """A group and a partition."""

    group_id: str
    topic_id: Uuid
    partition: int

    @property
    def text(self) -> str:
        """As FindCoordinator names it; its hash chooses the partition of `__share_group_state`."""
        return f"{self.group_id}:{uuid_text(self.topic_id)}:{self.partition}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `text`; colons at the end are ignored, as Apache Kafka does. Raises ValueError."""
        group_id, topic_id, partition = [*text.rstrip(":").rsplit(":", 2), "", ""][:3]
        index = parse_integer(partition, -INT32_MAX - 1, INT32_MAX)
        if not group_id.strip() or index is None:
            raise ValueError(f"not GROUP:TOPIC_ID:PARTITION: {text!r}")
        return cls(group_id, parse_uuid(topic_id), index)
