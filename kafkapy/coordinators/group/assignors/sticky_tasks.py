"""The assignor `sticky` of streams groups: tasks stay where their state is, and are spread evenly.

Active tasks go to whoever had them, else to a member that has a standby of them or says that it has state of them, else
to the process with the least load. Standby tasks go to other processes than the active task, by the same rules.

As in Apache Kafka 4.4, racks, client tags and end offsets play no part, and there are no warm-up tasks.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import computed_order, member_order, string_key
from kafkapy.coordinators.group.assignors.java_queue import JavaPriorityQueue
from kafkapy.coordinators.group.streams.tasks import TaskSets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kafkapy.coordinators.group.streams.tasks import Tasks

logger = logging.getLogger("kafkapy.groups")

Task = tuple[str, int]
"""subtopology id and partition."""


class TaskMemberSpec(NamedTuple):
    """One member: the process that it is a thread of, and the tasks that it has."""

    process_id: str
    active: Tasks
    standby: Tasks
    task_offsets: Mapping[str, Mapping[int, int]]
    """subtopology id -> partition -> how far the member's state of that task is: the sum of its offsets."""


class SubtopologySpec(NamedTuple):
    task_count: int
    is_stateful: bool
    """Whether it has changelog topics, so that standby tasks make sense."""


class TaskGroupSpec(NamedTuple):
    """What the assignor is given. `members` are in the order in which it is to consider them."""

    members: Mapping[str, TaskMemberSpec]
    subtopologies: Mapping[str, SubtopologySpec]
    standby_count: int
    """How many standby tasks there are to be of each stateful task."""


class TaskAssignorError(Exception):
    """Tasks cannot be assigned; the message says why."""


def sticky_tasks(spec: TaskGroupSpec) -> dict[str, TaskSets]:
    """What each member is to have. Raises TaskAssignorError: there is no member."""
    assignment = _Assignment(spec)
    assignment.assign_active(_tasks(spec.subtopologies))
    if spec.standby_count > 0:
        stateful = {name: each for name, each in spec.subtopologies.items() if each.is_stateful}
        assignment.assign_standby(_tasks(stateful), spec.standby_count)
    return assignment.result()


def _tasks(subtopologies: Mapping[str, SubtopologySpec]) -> list[Task]:
    """Ordered by partition, then by subtopology."""
    names = sorted(subtopologies, key=string_key)
    most = max((each.task_count for each in subtopologies.values()), default=0)
    return [
        (name, partition) for partition in range(most) for name in names if partition < subtopologies[name].task_count
    ]


def _by_subtopology(task: Task) -> tuple[bytes, int]:
    return string_key(task[0]), task[1]


class _Member:
    __slots__ = ("active", "member_id", "process", "standby", "task_count")

    def __init__(self, member_id: str, process: _Process) -> None:
        self.member_id = member_id
        self.process = process
        self.task_count = 0
        self.active: defaultdict[str, set[int]] = defaultdict(set)
        self.standby: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, task: Task, *, is_active: bool) -> int:
        """How many tasks the member has now."""
        process = self.process
        process.tasks.add(task)
        process.task_count += 1
        process.load = process.task_count / len(process.members)
        (self.active if is_active else self.standby)[task[0]].add(task[1])
        self.task_count += 1
        return self.task_count


class _Process:
    """One instance of the application; its members are its threads."""

    def __init__(self) -> None:
        self.members: dict[str, _Member] = {}
        self.tasks: set[Task] = set()
        self.task_count = 0
        self.load = 0.0
        """Tasks for each member."""
        self._by_load: JavaPriorityQueue[_Member] | None = None

    def add_to_member(self, member: _Member, task: Task, *, is_active: bool) -> int:
        self._by_load = None
        return member.add(task, is_active=is_active)

    def add_to_least_loaded_member(self, task: Task, *, is_active: bool) -> int:
        if self._by_load is None:
            self._by_load = JavaPriorityQueue()
            for member_id in member_order(self.members):
                member = self.members[member_id]
                self._by_load.add(member.task_count, member)
        member = self._by_load.poll()
        count = member.add(task, is_active=is_active)
        self._by_load.add(count, member)
        return count


class _Quota:
    """How many tasks a member may have: the fair share of what is left, each time that members have theirs."""

    __slots__ = ("_members_left", "_tasks_left", "per_member")

    def __init__(self, task_count: int, member_count: int) -> None:
        self._tasks_left = task_count
        self._members_left = member_count
        self.per_member = self._share()

    def member_has(self, count: int) -> None:
        if count == self.per_member:
            self._members_left -= 1
            self._tasks_left -= count
            self.per_member = self._share()

    def _share(self) -> int:
        return -(-self._tasks_left // self._members_left) if self._members_left else 0


class _Assignment:
    """Tasks as they are given, one after the other."""

    def __init__(self, spec: TaskGroupSpec) -> None:
        active_count = sum(each.task_count for each in spec.subtopologies.values())
        stateful_count = sum(each.task_count for each in spec.subtopologies.values() if each.is_stateful)
        self._active_quota = _Quota(active_count, len(spec.members))
        self._quota = _Quota(active_count + stateful_count * spec.standby_count, len(spec.members))
        self._members: dict[str, _Member] = {}
        self._had_active: dict[Task, _Member] = {}
        processes: dict[str, _Process] = {}
        has_state: defaultdict[Task, list[tuple[bool, int, _Member]]] = defaultdict(list)
        for member_id, given in spec.members.items():
            process = processes.setdefault(given.process_id, _Process())
            member = self._members[member_id] = process.members[member_id] = _Member(member_id, process)
            for name, partitions in given.active.items():
                for partition in partitions:
                    self._had_active[name, partition] = member
            for task, is_standby, offset in _state_of(given):
                has_state[task].append((not is_standby, -offset, member))
        self._have_state = {task: _ranked(candidates) for task, candidates in has_state.items()}
        """Standbys first, then whoever is furthest."""
        self._processes = [
            processes[name] for name in computed_order([each.process_id for each in spec.members.values()])
        ]

    def result(self) -> dict[str, TaskSets]:
        return {
            member_id: TaskSets(_frozen(member.active), _frozen(member.standby))
            for member_id, member in self._members.items()
        }

    def assign_active(self, tasks: list[Task]) -> None:
        left = []
        for task in tasks:
            member = self._had_active.get(task)
            if member is not None and member.task_count < self._active_quota.per_member:
                self._give(member, task, is_active=True)
            else:
                left.append(task)
        tasks, left = left, []
        for task in tasks:
            member = _least_loaded(self._have_state.get(task, ()))
            if member is not None and member.task_count < self._active_quota.per_member:
                self._give(member, task, is_active=True)
            else:
                left.append(task)
        left.sort(key=_by_subtopology)
        queue = self._queue()
        for task in left:
            if not queue:
                raise TaskAssignorError(f"No process available to assign active task {task[0]}_{task[1]}.")
            process = queue.poll()
            self._count_active(process.add_to_least_loaded_member(task, is_active=True))
            queue.add(process.load, process)

    def assign_standby(self, tasks: list[Task], standby_count: int) -> None:
        left: list[tuple[Task, int]] = []
        for task in reversed(tasks):
            for given in range(standby_count):
                member = self._standby_keeper(task)
                if member is None:
                    left.append((task, standby_count - given))
                    break
                self._give(member, task, is_active=False)
        left.sort(key=lambda lacking: _by_subtopology(lacking[0]), reverse=True)
        queue = self._queue()
        for task, wanted in left:
            for given in range(wanted):
                if not self._give_standby(queue, task):
                    logger.debug(
                        "%d of %d standby tasks of %s_%d have no process: start more instances, or have fewer standbys",
                        standby_count - given, standby_count, task[0], task[1],
                    )  # fmt: skip
                    break

    def _standby_keeper(self, task: Task) -> _Member | None:
        """Who has the task's state, and may have one more task."""
        member = self._had_active.get(task)
        if member is not None and task not in member.process.tasks and member.task_count < self._quota.per_member:
            return member
        candidates = [each for each in self._have_state.get(task, ()) if task not in each.process.tasks]
        member = _least_loaded(candidates)
        return member if member is not None and member.task_count < self._quota.per_member else None

    def _give_standby(self, queue: JavaPriorityQueue[_Process], task: Task) -> bool:
        """To the process with the least load that does not have the task yet; whether there is one."""
        taken = []
        found = False
        while queue and not found:
            process = queue.poll()
            taken.append(process)
            if task not in process.tasks:
                self._quota.member_has(process.add_to_least_loaded_member(task, is_active=False))
                found = True
        for process in reversed(taken):
            queue.add(process.load, process)
        return found

    def _give(self, member: _Member, task: Task, *, is_active: bool) -> None:
        count = member.process.add_to_member(member, task, is_active=is_active)
        if is_active:
            self._count_active(count)
        else:
            self._quota.member_has(count)

    def _count_active(self, count: int) -> None:
        self._active_quota.member_has(count)
        self._quota.member_has(count)

    def _queue(self) -> JavaPriorityQueue[_Process]:
        queue: JavaPriorityQueue[_Process] = JavaPriorityQueue()
        for process in self._processes:
            queue.add(process.load, process)
        return queue


def _state_of(member: TaskMemberSpec) -> Iterator[tuple[Task, bool, int]]:
    """Tasks that the member has state of, whether it is a standby, and how far it is."""
    nowhere: Mapping[int, int] = {}
    for name, partitions in member.standby.items():
        offsets = member.task_offsets.get(name, nowhere)
        for partition in partitions:
            yield (name, partition), True, offsets.get(partition, 0)
    nothing: frozenset[int] = frozenset()
    for name, offsets in member.task_offsets.items():
        standby = member.standby.get(name, nothing)
        for partition, offset in offsets.items():
            if partition not in standby:
                yield (name, partition), False, offset


def _ranked(candidates: list[tuple[bool, int, _Member]]) -> list[_Member]:
    if len(candidates) > 1:
        candidates.sort(key=lambda candidate: candidate[:2])
    return [member for _, _, member in candidates]


def _least_loaded(members: Iterable[_Member]) -> _Member | None:
    """The first one, unless a later one has both a process with less load and fewer tasks."""
    least = None
    for member in members:
        if least is None or (member.process.load < least.process.load and member.task_count < least.task_count):
            least = member
    return least


def _frozen(tasks: Mapping[str, set[int]]) -> dict[str, frozenset[int]]:
    return {name: frozenset(partitions) for name, partitions in tasks.items()}
