"""The assignor `sticky` of streams groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.streams.tasks import Tasks, TaskSets


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
    raise NotImplementedError
