"""One member of a consumer group: a value. A step of the protocol makes the next one."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_wire.uuid import Uuid

JOINING_EPOCH = 0
LEAVING_EPOCH = -1
LEAVING_STATIC_EPOCH = -2
"""A static member that leaves for a while: its partitions wait for it until its session ends."""

Partitions = dict["Uuid", "Mapping[int, int]"]
"""topic id -> partition -> the member epoch in which it was assigned (KIP-1251). Never changed in place."""


class MemberState(IntEnum):
    """How far a member is with what it is to own; the numbers are those of the records.

    STABLE                it owns what it is to own in its epoch
    UNREVOKED_PARTITIONS  it must give up partitions before it gets the next epoch
    UNRELEASED_PARTITIONS it waits for partitions that other members have not given up
    UNKNOWN               a later Kafka has stored another state
    """

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    UNRELEASED_PARTITIONS = 2
    UNKNOWN = 127


class ClassicMembership(NamedTuple):
    """Of a member that speaks the classic protocol: what it has said in its JoinGroup."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]
    """(name, metadata), the one it likes best first."""


class ConsumerMember(NamedTuple):
    """`assigned` and `pending_revocation` are what it owns now; no other member does."""

    member_id: str
    epoch: int = 0
    previous_epoch: int = -1
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int = -1
    client_id: str = ""
    client_host: str = ""
    topics: frozenset[str] = frozenset()
    """Those that it has named; its pattern may match others."""
    pattern: str = ""
    server_assignor: str | None = None
    classic: ClassicMembership | None = None
    assigned: Partitions = {}
    pending_revocation: Partitions = {}

    @property
    def uses_classic_protocol(self) -> bool:
        return self.classic is not None

    @property
    def must_revoke(self) -> bool:
        """It was asked to give up partitions by a heartbeat's answer, and has not yet said that it has."""
        return self.state is MemberState.UNREVOKED_PARTITIONS and not self.uses_classic_protocol

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        return self.state is MemberState.STABLE and self.epoch == assignment_epoch

    def with_epoch(self, epoch: int) -> ConsumerMember:
        """In `epoch` now, having been in the present one."""
        return self._replace(epoch=epoch, previous_epoch=self.epoch)

    def says_the_same(self, other: ConsumerMember) -> bool:
        """Whether what its MemberMetadata record holds is the same."""
        return self[4:13] == other[4:13]

    def is_assigned_the_same(self, other: ConsumerMember) -> bool:
        """Whether what it is told to own is the same, whatever the epochs."""
        mine, others = self.assigned, other.assigned
        return mine.keys() == others.keys() and all(mine[topic].keys() == others[topic].keys() for topic in mine)


assert ConsumerMember._fields[4:13] == (
    "instance_id",
    "rack_id",
    "rebalance_timeout_ms",
    "client_id",
    "client_host",
    "topics",
    "pattern",
    "server_assignor",
    "classic",
)
