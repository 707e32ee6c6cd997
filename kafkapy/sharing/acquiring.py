"""Giving records to a member: `acquire` takes what may be delivered of what was read from the log.

New records are taken in whole record batches of the log, so that a consumer gets no half of a compressed batch; in
record limit mode exactly as many as were asked for. Records that are in flight are taken again when they are available.
What has failed about half as often as it may is given in smaller and smaller pieces, and for its last delivery alone:
one record that no consumer can handle then costs few others their deliveries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy.sharing.runs import Batch, RecordState, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkapy.sharing.in_flight import InFlight, Limits

THROTTLED_COUNT_MIN: Final = 2
"""With fewer deliveries allowed nothing is given in smaller pieces."""


class Acquired(NamedTuple):
    """Records that a member has got: `[first_offset, last_offset]`, with their delivery count."""

    first_offset: int
    last_offset: int
    delivery_count: int

    @property
    def record_count(self) -> int:
        return self.last_offset - self.first_offset + 1


class FetchedRecords(Protocol):
    """What was read from the log: whole record batches, at least one."""

    @property
    def base_offset(self) -> int:
        """Of the first batch."""

    @property
    def last_offset(self) -> int:
        """Of the last batch."""

    def bounds(self) -> Iterator[tuple[int, int]]:
        """(base offset, last offset) of each batch."""


class AcquireRequest(NamedTuple):
    member_id: str
    max_records: int
    batch_size: int
    """About how many records to deliver as one batch."""
    strict: bool
    """Record limit mode: never more than `max_records`."""
    fetch_offset: int


def acquire(
    window: InFlight, request: AcquireRequest, fetched: FetchedRecords, limits: Limits, now_ms: float
) -> list[Acquired]:
    """What the member gets, in order. Empty: nothing of what was fetched may be delivered now."""
    if request.max_records <= 0 or fetched.last_offset < window.start_offset:
        return []
    last_offset, max_records = _room(window, request, fetched.last_offset, limits)
    if max_records <= 0:
        return []
    base_offset = fetched.base_offset
    window.archive_missing(request.fetch_offset, base_offset)
    acquiring = _Acquiring(window, request, fetched, limits, now_ms, max_records, last_offset)
    index = window.index_at(base_offset)
    if index < 0:
        base_offset = max(base_offset, window.start_offset)
    elif window.batches[index].last_offset >= base_offset:
        base_offset = window.batches[index].first_offset
    overlap = window.between(min(fetched.base_offset, base_offset), last_offset)
    if not overlap:
        acquiring.take_new(base_offset, last_offset, max_records)
        return acquiring.acquired
    acquiring.take_again(overlap, base_offset)
    if acquiring.room > 0 and overlap[-1].last_offset < last_offset:
        acquiring.take_new(overlap[-1].last_offset + 1, last_offset, acquiring.room)
    if acquiring.acquired:
        window.acquired_up_to(acquiring.acquired[-1].last_offset + 1)
    return acquiring.acquired


def _room(window: InFlight, request: AcquireRequest, last_offset: int, limits: Limits) -> tuple[int, int]:
    """The last offset that may be acquired, and how many records."""
    max_records = min(request.max_records, limits.max_record_locks - window.record_count)
    if max_records <= 0 and request.fetch_offset <= window.end_offset:
        # There is no room for new records, but for available ones among those in flight.
        max_records = min(request.max_records, window.end_offset - request.fetch_offset + 1)
        last_offset = min(last_offset, window.end_offset)
    return last_offset, max_records


class _Acquiring:
    def __init__(
        self,
        window: InFlight,
        request: AcquireRequest,
        fetched: FetchedRecords,
        limits: Limits,
        now_ms: float,
        max_records: int,
        last_offset: int,
    ) -> None:
        self._window = window
        self._request = request
        self._fetched = fetched
        self._limits = limits
        self._until_ms = now_ms + limits.lock_duration_ms
        self._last_offset = last_offset
        self._throttled_from = max(THROTTLED_COUNT_MIN, -(-limits.max_delivery_count // 2))
        self.room = max_records
        self.acquired: list[Acquired] = []

    # -- records that nobody has got yet

    def take_new(self, first_offset: int, last_offset: int, max_records: int) -> None:
        window, request = self._window, self._request
        if not window.batches and window.end_offset > first_offset:
            first_offset = window.end_offset
        taken_to = last_offset
        if max_records < last_offset - first_offset + 1:
            taken_to = self._end_of_batch(first_offset + max_records - 1)
            if window.has_gap:
                taken_to = min(taken_to, last_offset)
        pieces = self._pieces(first_offset, taken_to)
        if request.strict and taken_to - first_offset + 1 > max_records:
            strictly_to = first_offset + max_records - 1
            pieces = [Acquired(first_offset, strictly_to, 1)]
            batch = Batch(self._new_run(first_offset, strictly_to))
            batch.runs.append(Run(strictly_to + 1, taken_to, RecordState.AVAILABLE, 0))
            batch.last_offset = taken_to
            batch.is_split = True
            window.add(batch)
            window.looks_for_available = True
        else:
            for piece in pieces:
                window.add(Batch(self._new_run(piece.first_offset, piece.last_offset)))
        if window.batches[0].first_offset == first_offset:
            window.start_offset = first_offset
        window.end_offset = max(window.end_offset, taken_to)
        next_offset = pieces[-1].last_offset + 1
        window.acquired_up_to(next_offset)
        self.acquired += pieces
        self.room -= next_offset - first_offset

    def _new_run(self, first_offset: int, last_offset: int) -> Run:
        return Run(first_offset, last_offset, RecordState.ACQUIRED, 1, self._request.member_id, self._until_ms)

    def _pieces(self, first_offset: int, last_offset: int) -> list[Acquired]:
        """The records in pieces of at least `batch_size`, cut where batches of the log begin."""
        size = self._request.batch_size
        pieces = []
        if not self._request.strict and last_offset - first_offset + 1 > size:
            for base_offset, _ in self._fetched.bounds():
                if base_offset > last_offset:
                    break
                if base_offset - first_offset >= size and base_offset > first_offset:
                    pieces.append(Acquired(first_offset, base_offset - 1, 1))
                    first_offset = base_offset
        pieces.append(Acquired(first_offset, last_offset, 1))
        return pieces

    def _end_of_batch(self, offset: int) -> int:
        """The last offset of the batch in the log that has this offset; the offset itself, if none has it."""
        found = None
        for base_offset, last_offset in self._fetched.bounds():
            if offset < base_offset:
                break
            found = last_offset
        return offset if found is None or offset > found else found

    # -- records that are in flight

    def take_again(self, overlap: Sequence[Batch], base_offset: int) -> None:
        window, request = self._window, self._request
        first_offset, last_offset = self._fetched.base_offset, self._last_offset
        gap_offset = base_offset
        for batch in overlap:
            if self.room <= 0:
                return
            if window.has_gap:
                if gap_offset < batch.first_offset:
                    self.take_new(gap_offset, batch.first_offset - 1, self.room)
                gap_offset = batch.last_offset + 1
                if self.room <= 0:
                    return
            throttled = self._is_throttled(batch)
            if throttled and self.acquired:
                self.room = 0
                return
            is_whole = first_offset <= batch.first_offset and batch.last_offset <= last_offset
            if is_whole and not batch.is_split and not throttled and not (request.strict and len(batch) > self.room):
                if batch.whole.is_available:
                    batch.whole.acquire(request.member_id, self._until_ms)
                    self._took(Acquired(batch.first_offset, batch.last_offset, batch.whole.delivery_count))
                continue
            if not batch.is_split:
                if not batch.whole.is_available:
                    continue
                batch.is_split = True
            taken = self._take_runs(batch)
            if throttled and taken:
                self.room = 0
                return

    def _took(self, acquired: Acquired) -> None:
        self.acquired.append(acquired)
        self.room -= acquired.record_count

    def _is_throttled(self, batch: Batch) -> bool:
        runs = batch.overlapping(self._fetched.base_offset, self._last_offset) if batch.is_split else batch.runs
        return max([run.delivery_count for run in runs if run.is_available], default=0) >= self._throttled_from

    def _take_runs(self, batch: Batch) -> int:
        """Take what is available of a batch; returns how many records."""
        max_count = self._limits.max_delivery_count
        throttle: int | None = None
        taken: list[Acquired] = []
        count = 0
        for run in batch.overlapping(self._fetched.base_offset, self._last_offset):
            if not run.is_available:
                continue
            is_last_try = max_count > THROTTLED_COUNT_MIN and run.delivery_count == max_count - 1
            if is_last_try and count:
                break  # it comes alone, in the next fetch
            if throttle is None and run.delivery_count >= self._throttled_from:
                throttle = max(1, len(batch) >> (run.delivery_count - self._throttled_from + 1))
            first_offset = max(run.first_offset, self._fetched.base_offset)
            most = min(run.last_offset, self._last_offset) - first_offset + 1
            if is_last_try:
                most = 1
            ends = is_last_try
            for limit in (self.room if self._request.strict else None, throttle):
                if limit is not None and count < limit <= count + most:
                    most, ends = limit - count, True
            part = batch.part(run, first_offset, first_offset + most - 1)
            part.acquire(self._request.member_id, self._until_ms)
            count += most
            _append(taken, Acquired(part.first_offset, part.last_offset, part.delivery_count))
            if ends:
                break
        self.acquired += taken
        self.room -= count
        batch.merge()
        return count


def without_aborted(
    window: InFlight, acquired: Sequence[Acquired], aborted: Iterable[tuple[int, int]]
) -> list[Acquired]:
    """What is left when batches of aborted transactions, (base offset, last offset) in order, are archived."""
    left = list(acquired)
    for base_offset, last_offset in aborted:
        window.archive(base_offset, last_offset + 1, RecordState.ACQUIRED, counts=True)
        left = [part for each in left for part in _around(each, base_offset, last_offset)]
    return left


def _around(acquired: Acquired, first_offset: int, last_offset: int) -> Iterator[Acquired]:
    if acquired.last_offset < first_offset or last_offset < acquired.first_offset:
        yield acquired
        return
    if acquired.first_offset < first_offset:
        yield acquired._replace(last_offset=first_offset - 1)
    if last_offset < acquired.last_offset:
        yield acquired._replace(first_offset=last_offset + 1)


def _append(acquired: list[Acquired], more: Acquired) -> None:
    """Neighbours with the same delivery count are one."""
    if acquired and acquired[-1].last_offset + 1 == more.first_offset and acquired[-1][2] == more.delivery_count:
        acquired[-1] = acquired[-1]._replace(last_offset=more.last_offset)
    else:
        acquired.append(more)
