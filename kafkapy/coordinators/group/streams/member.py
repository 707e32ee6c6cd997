"""One member of a streams group, a thread of a Kafka Streams process: a value. A step makes the next one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from kafkapy.coordinators.group.streams.tasks import NOTHING_HELD, HeldTasks

JOINING_EPOCH = 0
LEAVING_EPOCH = -1
LEAVING_STATIC_EPOCH = -2
"""A static member that leaves for a while: its tasks wait for it until its session ends."""


class MemberState(IntEnum):
    """How far a member is with its target; the numbers are those of the records.

    STABLE           it has what it is to have in its epoch
    UNREVOKED_TASKS  it must give up tasks before it gets the next epoch
    UNRELEASED_TASKS it waits for tasks that others have not given up
    UNKNOWN          a later Kafka has stored another state
    """

    STABLE = 1
    UNREVOKED_TASKS = 2
    UNRELEASED_TASKS = 3
    UNKNOWN = 127


class UserEndpoint(NamedTuple):
    """Where other members of the application ask this one for its state (`application.server`)."""

    host: str
    port: int


class StreamsMember(NamedTuple):
    """`assigned` and `pending_revocation` are what it has now."""

    member_id: str
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    topology_epoch: int = -1
    process_id: str = ""
    """Threads of one process share state directories: no two of them may have the same task."""
    user_endpoint: UserEndpoint | None = None
    client_tags: Mapping[str, str] = {}
    assigned: HeldTasks = NOTHING_HELD
    pending_revocation: HeldTasks = NOTHING_HELD

    @property
    def must_revoke(self) -> bool:
        """It was asked to give up tasks, and has not yet said that it has."""
        return self.state is MemberState.UNREVOKED_TASKS

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        return self.state is MemberState.STABLE and self.epoch == assignment_epoch

    def with_epoch(self, epoch: int) -> StreamsMember:
        """In `epoch` now, having been in the present one."""
        return self._replace(epoch=epoch, previous_epoch=self.epoch)

    def is_assigned_like(self, other: StreamsMember) -> bool:
        """Whether the assignor would see the same: what else has changed needs no new assignment."""
        return (self.topology_epoch, self.rack_id, self.client_tags, self.process_id) == (
            other.topology_epoch,
            other.rack_id,
            other.client_tags,
            other.process_id,
        )
