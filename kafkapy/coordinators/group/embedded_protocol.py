"""What consumers say in the messages of the classic protocol: subscriptions and assignments, versions 0-3.

Two bytes of version, then the message. Later versions only add fields: of those the first three are read and written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.consumer_protocol_assignment import ConsumerProtocolAssignment, TopicPartition
from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION_MAX = 3


class Subscription(NamedTuple):
    version: int
    topics: list[str]
    owned: dict[str, list[int]]
    rack_id: str | None


class EmbeddedAssignment(NamedTuple):
    partitions: dict[str, list[int]]
    has_user_data: bool
    """An assignor of the client's own has put something in."""


def read_subscription(metadata: bytes) -> Subscription:
    """Raises MalformedMessage."""
    version = _version(metadata)
    message, _ = decode_from(ConsumerProtocolSubscription, memoryview(metadata), 2, min(version, VERSION_MAX))
    owned = {topic.topic: topic.partitions for topic in message.owned_partitions}
    return Subscription(version, message.topics, owned, message.rack_id or None)


def read_assignment(assignment: bytes) -> EmbeddedAssignment:
    """Raises MalformedMessage. A member that was given nothing has no bytes."""
    if not assignment:
        return EmbeddedAssignment({}, has_user_data=False)
    version = min(_version(assignment), VERSION_MAX)
    message, _ = decode_from(ConsumerProtocolAssignment, memoryview(assignment), 2, version)
    partitions = {topic.topic: topic.partitions for topic in message.assigned_partitions}
    return EmbeddedAssignment(partitions, has_user_data=bool(message.user_data))


def write_assignment(version: int, partitions: Mapping[str, Iterable[int]]) -> bytes:
    """In the version that the member speaks."""
    version = min(version, VERSION_MAX)
    message = ConsumerProtocolAssignment(
        assigned_partitions=[
            TopicPartition(topic=topic, partitions=sorted(indexes)) for topic, indexes in partitions.items()
        ]
    )
    return version.to_bytes(2, "big") + encode(message, version)


def _version(data: bytes) -> int:
    if len(data) < 2:
        raise MalformedMessage(f"{len(data)} bytes have no version")
    version = int.from_bytes(data[:2], "big", signed=True)
    if version < 0:
        raise MalformedMessage(f"version {version}")
    return version
