"""A group as its coordinator describes it."""

from __future__ import annotations

from dataclasses import dataclass

from kafkapy.client.offsets import Partition


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member and the partitions it has been given."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    host: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """`group_type` and `state` are Kafka's words. Classic groups have no epochs."""

    group_id: str
    group_type: str
    state: str
    assignor: str
    coordinator_id: int
    members: tuple[GroupMember, ...]
    group_epoch: int | None = None
    assignment_epoch: int | None = None
