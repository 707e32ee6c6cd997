"""What of one share partition is in flight: `InFlight`. Pure: it is told the time, and stores and sends nothing.

The window is `[start_offset, end_offset]`. Below it everything is acknowledged or archived, above it nobody has fetched
yet. Records of the window are in batches, in the order of their offsets; what is in none (`_gap`) was fetched by an
earlier leader that has stored nothing of it, and is fetched again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple, Self

from kafkapy.sharing.runs import Batch, RecordState, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkapy.coordinators.share.state_batches import StateBatch


class Limits(NamedTuple):
    """What a group's settings say at this moment."""

    max_delivery_count: int
    """share.delivery.count.limit"""
    max_record_locks: int
    """share.partition.max.record.locks"""
    lock_duration_ms: int
    """share.record.lock.duration.ms"""
    renews: bool = True
    """share.renew.acknowledge.enable"""
    has_dead_letter_queue: bool = False
    """Records that are rejected, or delivered too often, go to errors.deadletterqueue.topic.name."""

    @property
    def given_up(self) -> RecordState:
        """What becomes of a record that is not delivered again."""
        return RecordState.ARCHIVING if self.has_dead_letter_queue else RecordState.ARCHIVED

    def released(self, run: Run) -> RecordState:
        """What becomes of a record whose delivery has failed."""
        return self.given_up if run.delivery_count >= self.max_delivery_count else RecordState.AVAILABLE


class InvalidState(ValueError):
    """The stored state cannot be: share groups cannot consume the partition."""


class _Gap:
    """While the window ends where the stored state has ended, offsets from `start_offset` on may be in no batch."""

    __slots__ = ("end_offset", "start_offset")

    def __init__(self, end_offset: int, start_offset: int) -> None:
        self.end_offset = end_offset
        self.start_offset = start_offset


class InFlight:
    """The window of one share partition. Acquiring is in `acquiring.py`, acknowledging in `acknowledging.py`."""

    def __init__(self, start_offset: int) -> None:
        self.start_offset = start_offset
        self.end_offset = start_offset
        """The last offset that was fetched; the next one to fetch while nothing is in flight."""
        self.batches: list[Batch] = []
        self.delivery_complete_count = 0
        """How many records from the start offset on are acknowledged or archived."""
        self.looks_for_available = False
        """Whether a record of the window may be available."""
        self._gap: _Gap | None = None

    @classmethod
    def of_stored(cls, start_offset: int, stored: Iterable[StateBatch]) -> Self:
        """As `__share_group_state` has it. Raises InvalidState."""
        window = cls(start_offset)
        gap_offset = None
        next_offset = start_offset
        for first_offset, last_offset, delivery_state, delivery_count in stored:
            if first_offset < next_offset or last_offset < first_offset:
                raise InvalidState(f"a batch of the offsets {first_offset} to {last_offset}, at {next_offset}")
            if gap_offset is None and first_offset > next_offset:
                gap_offset = next_offset
            next_offset = last_offset + 1
            try:
                state = RecordState(delivery_state)
            except ValueError:
                raise InvalidState(f"delivery state {delivery_state}") from None
            window.batches.append(Batch(Run(first_offset, last_offset, state, delivery_count)))
            if state.is_terminal:
                window.delivery_complete_count += last_offset - first_offset + 1
        if window.batches:
            window.looks_for_available = True
            window.end_offset = window.batches[-1].last_offset
            if gap_offset is not None:
                window._gap = _Gap(window.end_offset, gap_offset)
            window.move_start()
        return window

    # -- looking

    def runs(self) -> Iterator[Run]:
        for batch in self.batches:
            yield from batch.runs

    @property
    def record_count(self) -> int:
        """How many records hold locks, or are counted as if they did: all of the window."""
        return self.end_offset - self.start_offset + 1 if self.batches else 0

    def index_at(self, offset: int) -> int:
        """The index of the last batch that begins at or below `offset`; -1: none does."""
        return bisect_right(self.batches, offset, key=_first_offset) - 1

    def between(self, first_offset: int, last_offset: int) -> list[Batch]:
        """The batches that begin in `[first_offset, last_offset]`."""
        low = bisect_left(self.batches, first_offset, key=_first_offset)
        return self.batches[low : bisect_right(self.batches, last_offset, key=_first_offset)]

    def add(self, batch: Batch) -> None:
        self.batches.insert(self.index_at(batch.first_offset) + 1, batch)

    def begins_inside(self, first_offset: int, last_offset: int) -> bool:
        """Whether the window begins inside of that range."""
        return first_offset < self.start_offset <= last_offset

    @property
    def has_gap(self) -> bool:
        return self._gap is not None and self._gap.end_offset == self.end_offset

    @property
    def gap_offset(self) -> int:
        """Up to where there is no gap, while `has_gap`."""
        assert self._gap is not None, "no gap"
        return self._gap.start_offset

    def acquired_up_to(self, next_offset: int) -> None:
        """There is no gap below `next_offset` any more."""
        gap = self._gap
        if gap is not None:
            if gap.end_offset == self.end_offset and next_offset <= gap.end_offset:
                gap.start_offset = next_offset
            else:
                self._gap = None

    def next_fetch_offset(self) -> int:
        """The first offset that can be acquired."""
        if not self.batches or self.start_offset > self.batches[-1].last_offset:
            self.looks_for_available = False
            return self.end_offset
        if self.looks_for_available:
            has_gap = self.has_gap
            gap_offset = self.gap_offset if has_gap else -1
            for batch in self.batches:
                if has_gap:
                    if batch.first_offset > gap_offset:
                        return gap_offset
                    gap_offset = max(batch.last_offset + 1, gap_offset)
                for run in batch.runs:
                    if run.is_available:
                        return run.first_offset
            self.looks_for_available = False
            if has_gap:
                # Apache Kafka goes on as if there were a gap, until it reads new records: a window that is full, and in
                # which all is acknowledged, then stays for ever.
                self._gap = None
                if self.move_start():
                    return self.next_fetch_offset()
        return self.end_offset + 1

    def can_acquire(self, limits: Limits) -> bool:
        return self.next_fetch_offset() != self.end_offset + 1 or self.record_count < limits.max_record_locks

    def next_lock_ms(self) -> float | None:
        """When the first lock expires; None: there is none."""
        return min(
            [
                run.lock_until_ms
                for run in self.runs()
                if run.lock_until_ms is not None and run.state is RecordState.ACQUIRED
            ],
            default=None,
        )

    # -- archiving

    def archive(self, first_offset: int, end_offset: int, state: RecordState, *, counts: bool) -> bool:
        """Archive the records of `[first_offset, end_offset)` that are in `state`. Returns whether there were any."""
        found = False
        last_offset = end_offset - 1
        for batch in self._up_to(first_offset, end_offset):
            if not (batch.is_split or (first_offset <= batch.first_offset and batch.last_offset <= last_offset)):
                if batch.whole.state is not state:
                    continue
                batch.is_split = True
            for run in batch.overlapping(first_offset, last_offset):
                if run.state is state:
                    archived = batch.part(run, first_offset, last_offset)
                    archived.archive()
                    found = True
                    if counts:
                        self.delivery_complete_count += len(archived)
            batch.merge()
        return found

    def _up_to(self, first_offset: int, end_offset: int) -> list[Batch]:
        return self.batches[
            max(0, self.index_at(first_offset)) : bisect_left(self.batches, end_offset, key=_first_offset)
        ]

    def archive_missing(self, fetch_offset: int, base_offset: int) -> None:
        """A fetch from `fetch_offset` has found the first batch at `base_offset`: what was in between was compacted."""
        if fetch_offset < base_offset and self.archive(fetch_offset, base_offset, RecordState.AVAILABLE, counts=True):
            self.looks_for_available = True

    def log_start_moved(self, log_start_offset: int) -> None:
        """Records below were deleted."""
        if log_start_offset <= self.start_offset:
            return
        if not self.batches:
            self.start_offset = self.end_offset = log_start_offset
            self.delivery_complete_count = 0
            return
        complete = sum(
            [
                min(run.last_offset, log_start_offset - 1) - max(run.first_offset, self.start_offset) + 1
                for run in self.runs()
                if run.state.is_terminal
                and run.first_offset < log_start_offset
                and run.last_offset >= self.start_offset
            ]
        )
        if self.archive(self.start_offset, log_start_offset, RecordState.AVAILABLE, counts=False):
            self.looks_for_available = True
        self.start_offset = log_start_offset
        if self._gap is not None and self._gap.start_offset < log_start_offset:
            self._gap.start_offset = log_start_offset  # else the start would move back to what is deleted
        self.delivery_complete_count -= complete
        self.end_offset = max(self.end_offset, self.start_offset)

    # -- the start of the window

    def move_start(self) -> bool:
        """Move the start behind what is acknowledged or archived. Returns whether it was looked for: then more may be
        acquired.
        """
        if not self._may_move():
            return False
        last_offset, count = self._complete_from_start()
        if last_offset is None:
            return False
        if last_offset == self.batches[-1].last_offset:
            self.start_offset = self.end_offset = last_offset + 1
            self.batches.clear()
            self.delivery_complete_count = 0
            return True
        index = self.index_at(last_offset)
        if last_offset == self.batches[index].last_offset:
            index += 1
            self.start_offset = max(self.start_offset, self.batches[index].first_offset)
            if self.has_gap:
                self.start_offset = min(self.gap_offset, self.start_offset)
        else:
            self.start_offset = max(self.start_offset, last_offset + 1)
        self.delivery_complete_count -= count
        del self.batches[:index]
        return True

    def _may_move(self) -> bool:
        index = self.index_at(self.start_offset)
        if index < 0:
            return False  # there is nothing in flight, or a gap at the start
        run = self.batches[index].run_at(self.start_offset)
        return run.transition is None and run.state.is_terminal

    def _complete_from_start(self) -> tuple[int | None, int]:
        """The last offset up to which all is acknowledged or archived, and how many of these are in the window."""
        last_offset: int | None = None
        count = 0
        for batch in self.batches:
            if self.has_gap and batch.last_offset >= self.gap_offset:
                break
            for run in batch.runs:
                if run.last_offset < self.start_offset:
                    last_offset = run.last_offset  # deleted: Apache Kafka waits until its lock has expired
                    continue
                if run.transition is not None or not run.state.is_terminal:
                    return last_offset, count
                last_offset = run.last_offset
                count += run.count_from(self.start_offset)
        return last_offset, count


def _first_offset(batch: Batch) -> int:
    return batch.first_offset
