"""Large groups are assigned anew by a worker thread, as Apache Kafka does (consumer.assignor.offload.enable and its
like): members hear of it with the heartbeat that follows.

What each member is to have is written in pieces, the epoch last: until then the group has the assignment of before, and
a coordinator that finds only some of them stored computes them again.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from kafkapy.coordinators.group.typed_groups import GroupOfMembers
from kafkapy.coordinators.runtime import Decision
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.typed_groups import TypedGroups
    from kafkapy.coordinators.ports import CoordinatorRecord

logger = logging.getLogger("kafkapy.groups")

ASSIGNED_AT_ONCE_MAX: Final = 3_000
"""Members, and partitions or tasks: ten milliseconds."""
RECORDS_AT_ONCE_MAX: Final = 100

T = TypeVar("T")
"""What a member is to have."""


class AssignedGroup(GroupOfMembers, Protocol):
    """A group whose members are assigned by the coordinator."""

    @property
    def epoch(self) -> int: ...

    @property
    def assignment_epoch(self) -> int: ...

    def present_id(self, member_id: str, instance_id: str | None) -> str | None:
        """The member's id by now: a static member may be back under another one. None: it is gone."""


G = TypeVar("G", bound=AssignedGroup)


class Targets(NamedTuple, Generic[T]):
    """What each member is to have; and the members for which that has changed."""

    all: Mapping[str, T]
    changed: list[str]

    @classmethod
    def of(cls, targets: Mapping[str, T], known: Mapping[str, T]) -> Targets[T]:
        """`known`: what they were to have so far."""
        return cls(targets, [member_id for member_id, target in targets.items() if known.get(member_id) != target])


class NextTarget(Protocol[T]):
    """What an assignor needs: the group's members as they will be, and the topics."""

    @property
    def group_id(self) -> str: ...

    @property
    def epoch(self) -> int:
        """Of the group, and so of the assignment."""

    @property
    def is_large(self) -> bool:
        """Whether to compute it takes too long for the event loop."""

    def frozen(self) -> NextTarget[T]:
        """A copy that does not change with the group."""

    def compute(self) -> Targets[T]:
        """Raises KafkaError(UNKNOWN_SERVER_ERROR): the assignor has failed."""

    def instance_id(self, member_id: str) -> str | None: ...

    def target_record(self, member_id: str, target: T) -> CoordinatorRecord: ...

    def epoch_record(self, now_ms: int) -> CoordinatorRecord:
        """All members have their targets of this epoch."""

    def log(self) -> None: ...


def target_records(next_target: NextTarget[T], targets: Targets[T], now_ms: int) -> list[CoordinatorRecord]:
    written = [next_target.target_record(member_id, targets.all[member_id]) for member_id in targets.changed]
    written.append(next_target.epoch_record(now_ms))
    return written


class LargeGroups(Generic[G]):
    """Those of one type in one shard."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[G]) -> None:
        self._parts = parts
        self._groups = groups
        self._being_assigned: set[str] = set()

    def is_being_assigned(self, group_id: str) -> bool:
        return group_id in self._being_assigned

    def begin(self, next_target: NextTarget[T]) -> None:
        self._being_assigned.add(next_target.group_id)
        frozen = next_target.frozen()
        self._parts.in_background(partial(_computed, frozen), partial(self._take, frozen))

    def _take(self, next_target: NextTarget[T], targets: Targets[T] | KafkaError) -> None:
        if isinstance(targets, KafkaError):
            logger.error("group %s: %s", next_target.group_id, targets)
            self._being_assigned.discard(next_target.group_id)
        else:
            self._write(next_target, targets, 0)

    def _write(self, next_target: NextTarget[T], targets: Targets[T], start: int) -> None:
        """Write the next piece, if the group still waits for it."""
        group_id, end = next_target.group_id, start + RECORDS_AT_ONCE_MAX
        is_last = end >= len(targets.changed)
        group = self._groups.get(group_id)
        if group is not None and group.assignment_epoch < next_target.epoch <= group.epoch:
            written = [
                next_target.target_record(present_id, targets.all[member_id])
                for member_id in targets.changed[start:end]
                if (present_id := group.present_id(member_id, next_target.instance_id(member_id))) is not None
            ]
            if is_last:
                written.append(next_target.epoch_record(self._parts.clock.now_ms()))
            if self._parts.execute(Decision(written, None)) and not is_last:
                self._parts.clock.call_in_turn(partial(self._write, next_target, targets, end))
                return
            if group.assignment_epoch == next_target.epoch:
                next_target.log()
        self._being_assigned.discard(group_id)


def _computed(next_target: NextTarget[T]) -> Targets[T] | KafkaError:
    try:
        return next_target.compute()
    except KafkaError as error:
        return error
