"""ConsumerProtocolAssignment: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class TopicPartition(Struct):
    """A struct of ConsumerProtocolAssignment."""

    topic: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ConsumerProtocolAssignment(Message, kind="data", versions="0-3", flexible="none"):
    """Versions 0-3; none flexible."""

    assigned_partitions: list[TopicPartition] = field([TopicPartition], "0+", factory=list)
    user_data: bytes | None = field("bytes", "0+", default=None, nullable="0+")
