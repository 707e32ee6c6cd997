"""The next step of one member on its way to its target.

A member gives up what it is not to have before it gets the next epoch. It gets an active task only when no process has
it, and any task only when no other thread of its own process has it: threads of one process share its state directory,
which takes one task each. A task that only changes its role within the member (standby to active, say) is not given up
in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.epochs import next_epoch
from kafkapy.coordinators.group.streams.member import MemberState, StreamsMember
from kafkapy.coordinators.group.streams.tasks import NOTHING_HELD, HeldTasks, contains, each
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafkapy.coordinators.group.streams.owners import Task, TaskOwners
    from kafkapy.coordinators.group.streams.tasks import TaskSets

TaskSet = set["Task"]


class Step(NamedTuple):
    """What a step of a member depends on."""

    target_epoch: int
    target: TaskSets
    owned: TaskSets | None
    """The tasks that the member says it has; None: it has not said it in this heartbeat."""
    owners: TaskOwners

    def of(self, member: StreamsMember) -> StreamsMember:
        """The member after the step; the same one if it cannot go on.

        Raises KafkaError(FENCED_MEMBER_EPOCH): its state is unknown, and it must have nothing to begin anew.
        """
        if member.is_reconciled_to(self.target_epoch):
            return member
        match member.state:
            case MemberState.STABLE | MemberState.UNRELEASED_TASKS:
                return _Next(self, member).member(member.epoch)
            case MemberState.UNREVOKED_TASKS:
                if self.still_has(member.pending_revocation):
                    return member
                return _Next(self, member).member(next_epoch(member.epoch))
            case MemberState.UNKNOWN:
                if self.owned is None or not self.owned.is_empty:
                    raise KafkaError(
                        ErrorCode.FENCED_MEMBER_EPOCH,
                        "The streams group member is in a unknown state. "
                        "The member must abandon all its tasks and rejoin.",
                    )
                return _Next(self, member).member(self.target_epoch)

    def still_has(self, revoked: HeldTasks) -> bool:
        """Whether the member has one of these, or has not said what it has."""
        return self.owned is None or self.owned.has_any_of(revoked)


class _Role(NamedTuple):
    """Tasks of one role: what the member keeps, is to give up, and can get now."""

    kept: TaskSet
    revoked: TaskSet
    granted: TaskSet
    is_one_unreleased: bool


class _Next:
    """Computes one step; made for it."""

    def __init__(self, step: Step, member: StreamsMember) -> None:
        self._step = step
        self._member = member
        self._owners = step.owners
        self._process_id = member.process_id
        held, target = member.assigned, step.target
        self._to_be_active = {*each(target.active)}
        self._active = _divided(held.active, self._to_be_active, self._is_active_unreleased)
        self._standby = _divided(held.standby, {*each(target.standby)}, self._is_standby_unreleased)
        self._warmup = _divided(held.warmup, {*each(target.warmup)}, self._is_warmup_unreleased)

    def member(self, epoch_while_revoking: int) -> StreamsMember:
        held = self._member.assigned
        active, standby, warmup = self._active, self._standby, self._warmup
        # Within the member a role is changed at once: it has the task already.
        _grant({*each(held.active)} & standby.granted, standby)
        _convert(each(held.standby), standby, warmup)
        _convert(each(held.warmup), warmup, standby)
        standby.revoked.difference_update(self._to_be_active)
        warmup.revoked.difference_update(self._to_be_active)
        revoked = HeldTasks(_since(active.revoked, held), _tasks(standby.revoked), _tasks(warmup.revoked))
        must_wait = not revoked.is_empty and self._step.still_has(revoked)
        # A task that is to become active stays what it is until that is granted.
        promoted = self._to_be_active if must_wait else self._to_be_active - active.granted
        standby.kept.update({*each(held.standby)} & promoted)
        warmup.kept.update({*each(held.warmup)} & promoted)
        kept = _since(active.kept, held)
        if must_wait:
            return self._member.with_epoch(epoch_while_revoking)._replace(
                state=MemberState.UNREVOKED_TASKS,
                assigned=HeldTasks(kept, _tasks(standby.kept), _tasks(warmup.kept)),
                pending_revocation=revoked,
            )
        for subtopology, partition in sorted(active.granted):
            kept.setdefault(subtopology, {})[partition] = self._step.target_epoch
        waits = active.is_one_unreleased or standby.is_one_unreleased or warmup.is_one_unreleased
        return self._member.with_epoch(self._step.target_epoch)._replace(
            state=MemberState.UNRELEASED_TASKS if waits else MemberState.STABLE,
            assigned=HeldTasks(kept, _tasks(standby.kept | standby.granted), _tasks(warmup.kept | warmup.granted)),
            pending_revocation=NOTHING_HELD,
        )

    # -- who else has the task

    def _is_active_unreleased(self, task: Task) -> bool:
        return (
            task in self._owners.active or self._has_other_thread_standby(task) or self._has_other_thread_warmup(task)
        )

    def _is_standby_unreleased(self, task: Task) -> bool:
        is_active_here = self._owners.active.get(task) == self._process_id
        return (
            (is_active_here and not contains(self._member.assigned.active, *task))
            or self._process_id in self._owners.standby(task)
            or self._has_other_thread_warmup(task)
        )

    def _is_warmup_unreleased(self, task: Task) -> bool:
        return (
            self._owners.active.get(task) == self._process_id
            or self._has_other_thread_standby(task)
            or self._process_id in self._owners.warmup(task)
        )

    def _has_other_thread_standby(self, task: Task) -> bool:
        return self._process_id in self._owners.standby(task) and not contains(self._member.assigned.standby, *task)

    def _has_other_thread_warmup(self, task: Task) -> bool:
        return self._process_id in self._owners.warmup(task) and not contains(self._member.assigned.warmup, *task)


def _divided(held: Mapping[str, Iterable[int]], target: TaskSet, is_unreleased: Callable[[Task], bool]) -> _Role:
    current = {*each(held)}
    kept = current & target
    wanted = target - kept
    granted = {task for task in wanted if not is_unreleased(task)}
    return _Role(kept, current - kept, granted, len(granted) < len(wanted))


def _grant(tasks: TaskSet, role: _Role) -> None:
    role.granted.difference_update(tasks)
    role.kept.update(tasks)


def _convert(held: Iterable[Task], before: _Role, after: _Role) -> None:
    tasks = {*held} & after.granted
    _grant(tasks, after)
    before.revoked.difference_update(tasks)


def _tasks(tasks: TaskSet) -> dict[str, frozenset[int]]:
    partitions: dict[str, set[int]] = {}
    for subtopology, partition in tasks:
        partitions.setdefault(subtopology, set()).add(partition)
    return {subtopology: frozenset(partitions[subtopology]) for subtopology in sorted(partitions)}


def _since(tasks: TaskSet, held: HeldTasks) -> dict[str, dict[int, int]]:
    """With the epochs in which the member got these active tasks."""
    since: dict[str, dict[int, int]] = {}
    for subtopology, partition in sorted(tasks):
        since.setdefault(subtopology, {})[partition] = held.active[subtopology][partition]
    return since
