"""The range assignor of classic consumer groups, and the bytes in which members and assignments travel.

Both messages have their version in front, as int16 (ConsumerProtocolSubscription, ConsumerProtocolAssignment).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from kafkapy.client.offsets import Partition
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.consumer_protocol_assignment import ConsumerProtocolAssignment, TopicPartition
from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription

RANGE = "range"
"""The assignor's name: Java's RangeAssignor, so that its consumers may be members of the same group."""

_VERSION = struct.Struct(">h")
_VERSION_WRITTEN = 0
_VERSION_MAX = 3


def encode_subscription(topics: Sequence[str]) -> bytes:
    return _VERSION.pack(_VERSION_WRITTEN) + encode(ConsumerProtocolSubscription(topics=list(topics)), _VERSION_WRITTEN)


def decode_subscription(data: bytes) -> list[str]:
    """The topics a member wants. Raises MalformedMessage."""
    return decode(ConsumerProtocolSubscription, *_split(data)).topics


def encode_assignment(partitions: Iterable[Partition]) -> bytes:
    topics: dict[str, list[int]] = {}
    for topic, index in partitions:
        topics.setdefault(topic, []).append(index)
    assignment = ConsumerProtocolAssignment(
        assigned_partitions=[TopicPartition(topic=topic, partitions=indexes) for topic, indexes in topics.items()]
    )
    return _VERSION.pack(_VERSION_WRITTEN) + encode(assignment, _VERSION_WRITTEN)


def decode_assignment(data: bytes) -> list[Partition]:
    """The partitions a member was given. Raises MalformedMessage."""
    assignment = decode(ConsumerProtocolAssignment, *_split(data))
    return [(topic.topic, index) for topic in assignment.assigned_partitions for index in topic.partitions]


def _split(data: bytes) -> tuple[bytes, int]:
    """(message, its version); a later version is read as the last we know, which begins with the same fields."""
    if len(data) < _VERSION.size:
        raise MalformedMessage("no version in front")
    (version,) = _VERSION.unpack_from(data)
    return data[_VERSION.size :], max(0, min(version, _VERSION_MAX))


def assign_ranges(
    subscriptions: Mapping[str, Sequence[str]], partition_counts: Mapping[str, int]
) -> dict[str, list[Partition]]:
    """Member id -> its partitions: each topic is cut into as many ranges as members want it, the longer ones first.

    Members take them in the order of their ids. A topic that is not in `partition_counts` does not exist (yet).
    """
    assignment: dict[str, list[Partition]] = {member: [] for member in subscriptions}
    for topic in sorted({topic for topics in subscriptions.values() for topic in topics}):
        members = sorted(member for member, topics in subscriptions.items() if topic in topics)
        size, longer = divmod(partition_counts.get(topic, 0), len(members))
        start = 0
        for position, member in enumerate(members):
            end = start + size + (position < longer)
            assignment[member] += [(topic, index) for index in range(start, end)]
            start = end
    return assignment
