"""Records of one share partition that are in flight: batches of them, each cut into runs in the same state.

Apache Kafka keeps one state for a batch, or one for each record once a part of it was treated by itself. Here a batch
is cut into *runs*: neighbours in the same state. `is_split` says that Apache Kafka would keep each record by itself, as
clients can tell by what they are given together.

A change that is not stored yet is a `Transition`: its runs are in their new state already, and nobody else may change
them until it is committed or rolled back.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_MEMBER: Final = ""


class RecordState(IntEnum):
    """As `__share_group_state` stores it; ACQUIRED is in memory only."""

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    ARCHIVING = 3
    """On its way to the dead letter queue."""
    ARCHIVED = 4

    @property
    def is_terminal(self) -> bool:
        return self in (RecordState.ACKNOWLEDGED, RecordState.ARCHIVED)


class Run:
    """Neighbouring records in the same state, `[first_offset, last_offset]`."""

    __slots__ = (
        "before",
        "delivery_count",
        "first_offset",
        "is_rejected",
        "last_offset",
        "lock_until_ms",
        "member_id",
        "state",
        "transition",
    )

    def __init__(
        self,
        first_offset: int,
        last_offset: int,
        state: RecordState,
        delivery_count: int,
        member_id: str = NO_MEMBER,
        lock_until_ms: float | None = None,
    ) -> None:
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.state = state
        self.delivery_count = delivery_count
        self.member_id = member_id
        self.lock_until_ms = lock_until_ms
        """When the acquisition lock expires."""
        self.transition: Transition | None = None
        """The change that it is part of."""
        self.before = (state, member_id)
        """State and member before that change."""
        self.is_rejected = False
        """Whether it is archiving because its member has rejected it."""

    def __len__(self) -> int:
        return self.last_offset - self.first_offset + 1

    def __repr__(self) -> str:
        return f"{self.first_offset}-{self.last_offset} {self.state.name} {self.delivery_count} {self.member_id!r}"

    @property
    def is_available(self) -> bool:
        return self.state is RecordState.AVAILABLE and self.transition is None

    def count_from(self, start_offset: int) -> int:
        """How many of its records are at or above the start offset."""
        return max(0, self.last_offset - max(self.first_offset, start_offset) + 1)

    def acquire(self, member_id: str, lock_until_ms: float) -> None:
        assert self.is_available, self
        self.state = RecordState.ACQUIRED
        self.delivery_count += 1
        self.member_id = member_id
        self.lock_until_ms = lock_until_ms

    def release(self, state: RecordState) -> None:
        """The lock is over, without a transition."""
        self.state = state
        self.is_rejected = False
        self.member_id = NO_MEMBER
        self.lock_until_ms = None

    def archive(self) -> None:
        """Whatever becomes of a transition that it is part of."""
        self.release(RecordState.ARCHIVED)
        self.before = (RecordState.ARCHIVED, NO_MEMBER)

    def _cut(self, offset: int) -> Run:
        """Keep what is below `offset`, and return the rest as another run."""
        rest = Run(offset, self.last_offset, self.state, self.delivery_count, self.member_id, self.lock_until_ms)
        rest.before = self.before
        rest.is_rejected = self.is_rejected
        self.last_offset = offset - 1
        if self.transition is not None:
            self.transition.add(rest)
        return rest

    def _is_like(self, other: Run) -> bool:
        return (
            self.transition is None
            and other.transition is None
            and self.state is not RecordState.ARCHIVING  # each is on its way to the dead letter queue by itself
            and self.state is other.state
            and self.delivery_count == other.delivery_count
            and self.member_id == other.member_id
            and self.lock_until_ms == other.lock_until_ms
        )


class Transition:
    """Runs whose new state is being stored."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def begin(self, run: Run, state: RecordState, *, is_rejected: bool = False) -> None:
        run.before = (run.state, run.member_id)
        run.state = state
        run.is_rejected = is_rejected
        run.member_id = NO_MEMBER
        self.add(run)

    def add(self, run: Run) -> None:
        run.transition = self
        self.runs.append(run)

    def commit(self) -> None:
        for run in self.runs:
            run.transition = None
            run.lock_until_ms = None

    def roll_back(self, now_ms: float, max_delivery_count: int) -> None:
        """Back to the state before; a lock that has expired meanwhile is over."""
        for run in self.runs:
            run.transition = None
            state, member_id = run.before
            if state is RecordState.ACQUIRED and run.lock_until_ms is not None and run.lock_until_ms <= now_ms:
                is_last = run.delivery_count >= max_delivery_count
                run.release(RecordState.ARCHIVED if is_last else RecordState.AVAILABLE)
            else:
                run.state, run.member_id = state, member_id


class Batch:
    """Records that were acquired together for the first time."""

    __slots__ = ("first_offset", "is_split", "last_offset", "runs")

    def __init__(self, run: Run) -> None:
        self.first_offset = run.first_offset
        self.last_offset = run.last_offset
        self.runs = [run]
        self.is_split = False

    def __len__(self) -> int:
        return self.last_offset - self.first_offset + 1

    def __repr__(self) -> str:
        return f"Batch({self.runs})"

    @property
    def whole(self) -> Run:
        """The state of all its records, while it is not split."""
        assert not self.is_split, self
        return self.runs[0]

    def run_at(self, offset: int) -> Run:
        """The run that has this offset; the last one, above them all."""
        index = bisect_right(self.runs, offset, key=_first_offset) - 1
        return self.runs[max(0, index)]

    def overlapping(self, first_offset: int, last_offset: int) -> Iterator[Run]:
        """The runs with records in that range, as they are when each is asked for."""
        index = max(0, bisect_right(self.runs, first_offset, key=_first_offset) - 1)
        while index < len(self.runs):
            run = self.runs[index]
            if run.first_offset > last_offset:
                return
            if run.last_offset >= first_offset:
                yield run
            index += 1

    def within(self, first_offset: int, last_offset: int) -> list[Run]:
        """The runs of that range; those that reach beyond it are cut."""
        for run in list(self.overlapping(first_offset, last_offset)):
            self.part(run, first_offset, last_offset)
        return list(self.overlapping(first_offset, last_offset))

    def part(self, run: Run, first_offset: int, last_offset: int) -> Run:
        """The part of a run in that range, cut off from the rest, which stays as it is."""
        if run.first_offset < first_offset <= run.last_offset:
            run = self._insert_behind(run, run._cut(first_offset))
        if run.first_offset <= last_offset < run.last_offset:
            self._insert_behind(run, run._cut(last_offset + 1))
        return run

    def _insert_behind(self, run: Run, rest: Run) -> Run:
        index = bisect_right(self.runs, run.first_offset, key=_first_offset)
        self.runs.insert(index, rest)
        return rest

    def merge(self) -> None:
        """Make neighbours in the same state one."""
        if len(self.runs) < 2:
            return
        merged = [self.runs[0]]
        for run in self.runs[1:]:
            if merged[-1]._is_like(run):
                merged[-1].last_offset = run.last_offset
            else:
                merged.append(run)
        self.runs = merged


def _first_offset(run: Run) -> int:
    return run.first_offset
