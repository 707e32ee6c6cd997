"""What members of classic consumer groups and their leader say to one another, through the broker that passes it on.

ConsumerProtocolSubscription and ConsumerProtocolAssignment have their version in front, as int16.
"""

import struct
from collections.abc import Iterable, Sequence

from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.consumer_protocol_assignment import ConsumerProtocolAssignment, TopicPartition
from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription

_VERSION = struct.Struct(">h")
_VERSION_WRITTEN = 0
_VERSION_MAX = 3


def encode_subscription(topics: Sequence[str]) -> bytes:
    return _VERSION.pack(_VERSION_WRITTEN) + encode(ConsumerProtocolSubscription(topics=list(topics)), _VERSION_WRITTEN)


def decode_subscription(data: bytes) -> list[str]:
    """The topics a member wants. Raises MalformedMessage."""
    return decode(ConsumerProtocolSubscription, *_split(data)).topics


def encode_assignment(partitions: Iterable[tuple[str, int]]) -> bytes:
    topics: dict[str, list[int]] = {}
    for topic, index in partitions:
        topics.setdefault(topic, []).append(index)
    assignment = ConsumerProtocolAssignment(
        assigned_partitions=[TopicPartition(topic=topic, partitions=indexes) for topic, indexes in topics.items()]
    )
    return _VERSION.pack(_VERSION_WRITTEN) + encode(assignment, _VERSION_WRITTEN)


def decode_assignment(data: bytes) -> list[tuple[str, int]]:
    """The partitions a member was given. Raises MalformedMessage."""
    assignment = decode(ConsumerProtocolAssignment, *_split(data))
    return [(topic.topic, index) for topic in assignment.assigned_partitions for index in topic.partitions]


def _split(data: bytes) -> tuple[bytes, int]:
    """(message, its version); a later version is read as the last we know, which begins with the same fields."""
    if len(data) < _VERSION.size:
        raise MalformedMessage("no version in front")
    (version,) = _VERSION.unpack_from(data)
    return data[_VERSION.size :], max(0, min(version, _VERSION_MAX))
