"""ConsumerProtocolSubscription: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class TopicPartition(Struct):
    """A struct of ConsumerProtocolSubscription."""

    topic: str = field("string", "1+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "1+", factory=list)


class ConsumerProtocolSubscription(Message, kind="data", versions="0-3", flexible="none"):
    """Versions 0-3; none flexible."""

    topics: list[str] = field(["string"], "0+", factory=list)
    user_data: bytes | None = field("bytes", "0+", default=None, nullable="0+")
    owned_partitions: list[TopicPartition] = field([TopicPartition], "1+", factory=list, ignorable=True)
    generation_id: int = field("int32", "2+", default=-1, ignorable=True)
    rack_id: str | None = field("string", "3+", default=None, nullable="3+", ignorable=True)
