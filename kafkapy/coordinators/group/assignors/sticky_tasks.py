"""The assignor `sticky` of streams groups: tasks stay where their state is, and are spread evenly.

Active tasks go to whoever had them, else to a member that has a standby of them or says that it has state of them, else
to the process with the least load. Standby tasks go to other processes than the active task, by the same rules.

As in Apache Kafka 4.4, racks, client tags and end offsets play no part, and there are no warm-up tasks.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import computed_order, member_order, string_key
from kafkapy.coordinators.group.assignors.java_queue import JavaPriorityQueue
from kafkapy.coordinators.group.streams.tasks import TaskSets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kafkapy.coordinators.group.streams.tasks import Tasks

logger = logging.getLogger("kafkapy.groups")


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
    assignment.assign_active()
    if spec.standby_count > 0:
        assignment.assign_standby()
    return assignment.result()


class _Numbers:
    """Tasks are numbered, ascending by subtopology, then by partition: numbers are compared and looked up fast."""

    def __init__(self, subtopologies: Mapping[str, SubtopologySpec]) -> None:
        self.of: dict[str, range] = {}
        """Those of each subtopology."""
        self.count = 0
        for name in sorted(subtopologies, key=string_key):
            first, self.count = self.count, self.count + subtopologies[name].task_count
            self.of[name] = range(first, self.count)

    def tasks(self, numbers: list[int]) -> dict[str, frozenset[int]]:
        numbers.sort()
        tasks = {}
        begin = 0
        for name, mine in self.of.items():
            if begin == len(numbers):
                break
            end = bisect_left(numbers, mine.stop, begin)
            if end > begin:
                tasks[name] = frozenset([number - mine.start for number in numbers[begin:end]])
                begin = end
        return tasks

    def name(self, number: int) -> str:
        name, mine = next((name, mine) for name, mine in self.of.items() if number in mine)
        return f"{name}_{number - mine.start}"


def _by_partition(ranges: Collection[range]) -> list[int]:
    """The tasks of subtopologies, ordered by partition, then by subtopology."""
    most = max(map(len, ranges), default=0)
    return [mine[partition] for partition in range(most) for mine in ranges if partition < len(mine)]


class _Member:
    __slots__ = ("active", "process", "standby", "task_count")

    def __init__(self, process: _Process) -> None:
        self.process = process
        self.task_count = 0
        self.active: list[int] = []
        self.standby: list[int] = []


class _Process:
    """One instance of the application; its members are its threads."""

    __slots__ = ("_by_load", "load", "members", "tasks")

    def __init__(self) -> None:
        self.members: dict[str, _Member] = {}
        self.tasks: set[int] = set()
        self.load = 0.0
        """Tasks for each member."""
        self._by_load: JavaPriorityQueue[_Member] | None = None

    def give(self, member: _Member, task: int, to: list[int]) -> int:
        """`to`: the member's active or standby tasks. How many tasks the member has now."""
        self._by_load = None
        to.append(task)
        return self._count(member, task)

    def give_to_least_loaded_member(self, task: int, *, is_active: bool) -> int:
        if self._by_load is None:
            self._by_load = JavaPriorityQueue()
            for member_id in member_order(self.members):
                member = self.members[member_id]
                self._by_load.add(member.task_count, member)
        member = self._by_load.poll()
        (member.active if is_active else member.standby).append(task)
        count = self._count(member, task)
        self._by_load.add(count, member)
        return count

    def _count(self, member: _Member, task: int) -> int:
        self.tasks.add(task)
        self.load = len(self.tasks) / len(self.members)
        member.task_count += 1
        return member.task_count


class _Quota:
    """How many tasks a member may have: the fair share of what is left, each time that members have theirs."""

    __slots__ = ("_members_left", "_tasks_left", "per_member")

    def __init__(self, task_count: int, member_count: int) -> None:
        self._tasks_left = task_count
        self._members_left = member_count
        self.per_member = self._share()

    def member_has_its_share(self) -> None:
        self._members_left -= 1
        self._tasks_left -= self.per_member
        self.per_member = self._share()

    def _share(self) -> int:
        return -(-self._tasks_left // self._members_left) if self._members_left else 0


_NO_OFFSETS: Mapping[int, int] = {}
_NO_PARTITIONS: frozenset[int] = frozenset()


class _Assignment:
    """Tasks as they are given, one after the other."""

    def __init__(self, spec: TaskGroupSpec) -> None:
        self._numbers = numbers = _Numbers(spec.subtopologies)
        self._stateful = [mine for name, mine in numbers.of.items() if spec.subtopologies[name].is_stateful]
        self._standby_count = spec.standby_count
        all_count = numbers.count + sum(map(len, self._stateful)) * spec.standby_count
        self._active_quota = _Quota(numbers.count, len(spec.members))
        self._quota = _Quota(all_count, len(spec.members))
        self._members: dict[str, _Member] = {}
        processes: dict[str, _Process] = {}
        for member_id, given in spec.members.items():
            process = processes.get(given.process_id)
            if process is None:
                process = processes[given.process_id] = _Process()
            self._members[member_id] = process.members[member_id] = _Member(process)
        process_ids = [given.process_id for given in spec.members.values()]
        self._processes = [processes[process_id] for process_id in computed_order(process_ids)]
        self._had_active: list[_Member | None] = [None] * numbers.count
        self._have_state: list[list[_Member] | None] = [None] * numbers.count
        """Standbys first, then whoever is furthest."""
        self._look_at(spec.members)

    def _look_at(self, members: Mapping[str, TaskMemberSpec]) -> None:
        """See which tasks the members have, and what state."""
        numbers, had_active = self._numbers.of, self._had_active
        have_state: defaultdict[int, list[tuple[bool, int, int, _Member]]] = defaultdict(list)
        for position, (member_id, given) in enumerate(members.items()):
            member = self._members[member_id]
            for name, mine in numbers.items():
                first, count = mine.start, len(mine)
                for partition in given.active.get(name, ()):
                    if 0 <= partition < count:
                        had_active[first + partition] = member
                standby = given.standby.get(name, _NO_PARTITIONS)
                offsets = given.task_offsets.get(name, _NO_OFFSETS)
                for partition in standby:
                    if 0 <= partition < count:
                        candidate = (False, -offsets.get(partition, 0), position, member)
                        have_state[first + partition].append(candidate)
                for partition, offset in offsets.items():
                    if 0 <= partition < count and partition not in standby:
                        have_state[first + partition].append((True, -offset, position, member))
        for task, candidates in have_state.items():
            if len(candidates) > 1:
                candidates.sort()
            self._have_state[task] = [candidate[3] for candidate in candidates]

    def result(self) -> dict[str, TaskSets]:
        tasks = self._numbers.tasks
        return {
            member_id: TaskSets(tasks(member.active), tasks(member.standby))
            for member_id, member in self._members.items()
        }

    def assign_active(self) -> None:
        left = []
        for task in _by_partition(self._numbers.of.values()):
            member = self._had_active[task]
            if member is not None and member.task_count < self._active_quota.per_member:
                self._count_active(member.process.give(member, task, member.active))
            else:
                left.append(task)
        tasks, left = left, []
        for task in tasks:
            member = _least_loaded(self._have_state[task] or ())
            if member is not None and member.task_count < self._active_quota.per_member:
                self._count_active(member.process.give(member, task, member.active))
            else:
                left.append(task)
        left.sort()
        queue = self._queue()
        for task in left:
            if not queue:
                raise TaskAssignorError(f"No process available to assign active task {self._numbers.name(task)}.")
            process = queue.poll()
            self._count_active(process.give_to_least_loaded_member(task, is_active=True))
            queue.add(process.load, process)

    def assign_standby(self) -> None:
        left: list[tuple[int, int]] = []
        for task in reversed(_by_partition(self._stateful)):
            for given in range(self._standby_count):
                member = self._standby_keeper(task)
                if member is None:
                    left.append((task, self._standby_count - given))
                    break
                self._count(member.process.give(member, task, member.standby))
        left.sort(reverse=True)
        queue = self._queue()
        for task, lacking in left:
            for given in range(lacking):
                if not self._give_standby(queue, task):
                    logger.debug(
                        "%d of %d standby tasks of %s have no process: start more instances, or have fewer standbys",
                        *(self._standby_count - given, self._standby_count, self._numbers.name(task)),
                    )
                    break

    def _standby_keeper(self, task: int) -> _Member | None:
        """Who has the task's state, and may have one more task."""
        member = self._had_active[task]
        if member is not None and member.task_count < self._quota.per_member and task not in member.process.tasks:
            return member
        candidates = self._have_state[task]
        if candidates is None:
            return None
        member = _least_loaded([each for each in candidates if task not in each.process.tasks])
        return member if member is not None and member.task_count < self._quota.per_member else None

    def _give_standby(self, queue: JavaPriorityQueue[_Process], task: int) -> bool:
        """To the process with the least load that does not have the task yet; whether there is one."""
        taken = []
        found = False
        while queue and not found:
            process = queue.poll()
            taken.append(process)
            if task not in process.tasks:
                self._count(process.give_to_least_loaded_member(task, is_active=False))
                found = True
        for process in reversed(taken):
            queue.add(process.load, process)
        return found

    def _count_active(self, task_count: int) -> None:
        """A member has so many tasks now that it has one more, an active one."""
        if task_count == self._active_quota.per_member:
            self._active_quota.member_has_its_share()
        if task_count == self._quota.per_member:
            self._quota.member_has_its_share()

    def _count(self, task_count: int) -> None:
        if task_count == self._quota.per_member:
            self._quota.member_has_its_share()

    def _queue(self) -> JavaPriorityQueue[_Process]:
        queue: JavaPriorityQueue[_Process] = JavaPriorityQueue()
        for process in self._processes:
            queue.add(process.load, process)
        return queue


def _least_loaded(members: Iterable[_Member]) -> _Member | None:
    """The first one, unless a later one has both a process with less load and fewer tasks."""
    least = None
    for member in members:
        if least is None or (member.process.load < least.process.load and member.task_count < least.task_count):
            least = member
    return least
