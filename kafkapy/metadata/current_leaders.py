"""Who leads a partition now, for answers to clients that have asked another broker (KIP-951)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkapy_controller.image import BrokerImage, Endpoint, MetadataImage
    from kafkapy_wire.uuid import Uuid


class CurrentLeader(NamedTuple):
    """`broker` and `endpoint` are None if the leader is not running, or has no listener of that name."""

    leader_id: int
    leader_epoch: int
    broker: BrokerImage | None
    endpoint: Endpoint | None


NOBODY = CurrentLeader(-1, -1, None, None)


def current_leader(image: MetadataImage, topic: str | Uuid, index: int, listener_name: str) -> CurrentLeader:
    """The leader of a partition whose topic is given by name or id, and where it serves listeners of this name."""
    found = image.topics.get(topic) if isinstance(topic, str) else image.topics_by_id.get(topic)
    if found is None or not 0 <= index < len(found.partitions):
        return NOBODY
    partition = found.partitions[index]
    broker = image.brokers.get(partition.leader)
    if broker is None or broker.fenced or (endpoint := broker.endpoints.get(listener_name)) is None:
        return CurrentLeader(partition.leader, partition.leader_epoch, None, None)
    return CurrentLeader(partition.leader, partition.leader_epoch, broker, endpoint)
