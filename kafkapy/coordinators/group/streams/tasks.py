"""Tasks of a streams group: which partitions of a subtopology, and as what a member has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Tasks = Mapping[str, frozenset[int]]
"""subtopology id -> partitions. Subtopologies without a partition are left out. Never changed in place."""

TasksSince = Mapping[str, Mapping[int, int]]
"""subtopology id -> partition -> the epoch in which the task was assigned. Never changed in place."""

NO_TASKS: Tasks = {}


class TaskSets(NamedTuple):
    """The tasks that one member is to have, or says that it has."""

    active: Tasks = NO_TASKS
    standby: Tasks = NO_TASKS
    warmup: Tasks = NO_TASKS

    @property
    def is_empty(self) -> bool:
        return not (self.active or self.standby or self.warmup)

    def has_any_of(self, held: HeldTasks) -> bool:
        """Whether a task is in both, as the same."""
        return (
            _overlap(self.active, held.active)
            or _overlap(self.standby, held.standby)
            or _overlap(self.warmup, held.warmup)
        )


class HeldTasks(NamedTuple):
    """The tasks that one member has now; of the active ones it is known since when."""

    active: TasksSince = {}
    standby: Tasks = NO_TASKS
    warmup: Tasks = NO_TASKS

    @property
    def is_empty(self) -> bool:
        return not (self.active or self.standby or self.warmup)

    def active_tasks(self) -> Tasks:
        return {subtopology: frozenset(since) for subtopology, since in self.active.items()}

    def with_epoch_zero(self) -> HeldTasks:
        return self._replace(active={name: dict.fromkeys(since, 0) for name, since in self.active.items()})

    def are_the_same(self, other: HeldTasks) -> bool:
        """Whatever the epochs."""
        return (
            self.active_tasks() == other.active_tasks()
            and self.standby == other.standby
            and self.warmup == other.warmup
        )


NO_TASK_SETS = TaskSets()
NOTHING_HELD = HeldTasks()


def contains(tasks: Mapping[str, Iterable[int]], subtopology: str, partition: int) -> bool:
    return partition in tasks.get(subtopology, ())


def united(first: Tasks, second: Tasks) -> dict[str, frozenset[int]]:
    both = dict(first)
    for subtopology, partitions in second.items():
        both[subtopology] = both.get(subtopology, frozenset()) | partitions
    return both


def each(tasks: Mapping[str, Iterable[int]]) -> Iterator[tuple[str, int]]:
    return ((subtopology, partition) for subtopology, partitions in tasks.items() for partition in partitions)


def _overlap(first: Tasks, second: Mapping[str, Iterable[int]]) -> bool:
    return any(not first.get(name, frozenset()).isdisjoint(partitions) for name, partitions in second.items())
