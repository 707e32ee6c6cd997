"""Which process has which task of a streams group now, as its members have told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.streams.tasks import each

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import HeldTasks

Task = tuple[str, int]
"""subtopology id and partition."""

NOBODY: frozenset[str] = frozenset()


class TaskOwners:
    """A task that a member is to give up counts until it has done so."""

    def __init__(self) -> None:
        self.active: dict[Task, str] = {}
        """The process that has the active task."""
        self._standby: dict[Task, set[str]] = {}
        self._warmup: dict[Task, set[str]] = {}

    def standby(self, task: Task) -> frozenset[str] | set[str]:
        """The processes that have it as a standby task."""
        return self._standby.get(task, NOBODY)

    def warmup(self, task: Task) -> frozenset[str] | set[str]:
        return self._warmup.get(task, NOBODY)

    def add(self, member: StreamsMember) -> None:
        for held in (member.assigned, member.pending_revocation):
            for task in each(held.active):
                self.active[task] = member.process_id
            _add(self._standby, held.standby, member.process_id)
            _add(self._warmup, held.warmup, member.process_id)

    def remove(self, member: StreamsMember) -> None:
        """A compacted log may name another owner already, before it tells that this one has given it up."""
        for held in (member.assigned, member.pending_revocation):
            self._remove_active(held, member.process_id)
            _remove(self._standby, held.standby, member.process_id)
            _remove(self._warmup, held.warmup, member.process_id)

    def _remove_active(self, held: HeldTasks, process_id: str) -> None:
        for task in each(held.active):
            if self.active.get(task) == process_id:
                del self.active[task]


def _add(owners: dict[Task, set[str]], tasks: Mapping[str, Iterable[int]], process_id: str) -> None:
    for task in each(tasks):
        owners.setdefault(task, set()).add(process_id)


def _remove(owners: dict[Task, set[str]], tasks: Mapping[str, Iterable[int]], process_id: str) -> None:
    for task in each(tasks):
        processes = owners.get(task)
        if processes is not None:
            processes.discard(process_id)
            if not processes:
                del owners[task]
