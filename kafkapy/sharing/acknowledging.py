"""What a member says of records that it has got, and what becomes of those of which it says nothing in time.

`acknowledge` and `release_member` begin a transition: the records are in their new state, and nobody gets them until
that is stored (`commit`), or not (`roll_back`). A lock that expires is over at once. All three return the state batches
to store.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy.sharing.runs import NO_MEMBER, RecordState, Run, Transition
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkapy.sharing.in_flight import InFlight, Limits
    from kafkapy.sharing.runs import Batch


class AcknowledgeType(IntEnum):
    """As clients say it."""

    GAP = 0
    """There is no record at this offset: the log was compacted."""
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4
    """The consumer needs more time."""


class AcknowledgementBatch(NamedTuple):
    """One type for all records of `[first_offset, last_offset]`, or one for each."""

    first_offset: int
    last_offset: int
    types: Sequence[int]


class Change(NamedTuple):
    """A transition, and what of it is to be stored."""

    transition: Transition
    batches: list[StateBatch]


INVALID_STATE = "The record state is invalid. The acknowledgement of delivery could not be completed."


def acknowledge(
    window: InFlight, member_id: str, acknowledged: Iterable[AcknowledgementBatch], limits: Limits, now_ms: float
) -> Change:
    """Begin to acknowledge all, or nothing: after an error what was begun is rolled back, but locks stay renewed.

    Raises KafkaError: INVALID_REQUEST, an unknown type, or offsets above the window; INVALID_RECORD_STATE, the member
    has not acquired the records, or not any more.
    """
    acknowledging = _Acknowledging(window, member_id, limits, now_ms)
    try:
        for batch in acknowledged:
            acknowledging.take(batch)
    except KafkaError:
        roll_back(window, acknowledging.change, limits, now_ms)
        raise
    return acknowledging.change


def release_member(window: InFlight, member_id: str, limits: Limits) -> Change:
    """Begin to release what the member has acquired: its session is over."""
    change = Change(Transition(), [])
    for batch in window.batches:
        for run in batch.runs:
            if run.state is RecordState.ACQUIRED and run.member_id == member_id:
                _split_at_start(window, batch)
                break
    for batch in window.batches:
        for run in list(batch.runs):
            if run.state is RecordState.ACQUIRED and run.member_id == member_id and run.transition is None:
                is_below = run.last_offset < window.start_offset
                _begin(window, change, run, RecordState.ARCHIVED if is_below else limits.released(run))
    return change


def expire(window: InFlight, limits: Limits, now_ms: float) -> tuple[list[StateBatch], list[Run]]:
    """Release what was acquired and neither acknowledged nor renewed in time. Returns what is to be stored, and the
    runs that go to the dead letter queue.
    """
    batches: list[StateBatch] = []
    dead: list[Run] = []
    for batch in window.batches:
        if not any(_has_expired(run, now_ms) for run in batch.runs):
            continue
        _split_at_start(window, batch)
        for run in batch.runs:
            if not _has_expired(run, now_ms):
                continue
            is_below = run.last_offset < window.start_offset
            state = RecordState.ARCHIVED if is_below else limits.released(run)
            run.release(state)
            batches.append(_stored(run))
            if state is RecordState.ARCHIVING:
                dead.append(run)
            elif state is RecordState.AVAILABLE:
                window.looks_for_available = True
            if state.is_terminal:
                window.delivery_complete_count += run.count_from(window.start_offset)
        batch.merge()
    return batches, dead


def commit(window: InFlight, change: Change) -> tuple[bool, list[Run]]:
    """The change is stored. Returns whether more may be acquired now, and the runs for the dead letter queue."""
    change.transition.commit()
    dead = []
    for run in change.transition.runs:
        if run.state is RecordState.AVAILABLE:
            window.looks_for_available = True
        elif run.state is RecordState.ARCHIVING:
            dead.append(run)
    moved = window.move_start()
    _merge(window, change)
    return moved, dead


def roll_back(window: InFlight, change: Change, limits: Limits, now_ms: float) -> None:
    """The change could not be stored, or is refused."""
    states = [(run, run.state) for run in change.transition.runs]
    change.transition.roll_back(now_ms, limits.max_delivery_count)
    for run, state in states:
        if run.state is RecordState.AVAILABLE:
            window.looks_for_available = True
        if state.is_terminal and not run.state.is_terminal:
            window.delivery_complete_count -= run.count_from(window.start_offset)
        elif run.state.is_terminal and not state.is_terminal:  # its lock has expired, and it was the last delivery
            window.delivery_complete_count += run.count_from(window.start_offset)
    window.move_start()  # a lock that has expired meanwhile may have been the last delivery
    _merge(window, change)


def archived(window: InFlight, first_offset: int, last_offset: int) -> None:
    """Records are in the dead letter queue, or cannot be put there: those of the range that are archiving are archived.

    By offsets: a run may have been cut since, by an acknowledgement of a part of it that was refused.
    """
    for batch in window.batches[max(0, window.index_at(first_offset)) :]:
        if batch.first_offset > last_offset:
            return
        for run in batch.overlapping(first_offset, last_offset):
            if run.state is RecordState.ARCHIVING:
                buried = batch.part(run, first_offset, last_offset)
                buried.archive()
                window.delivery_complete_count += buried.count_from(window.start_offset)
        batch.merge()


def _merge(window: InFlight, change: Change) -> None:
    runs = change.transition.runs
    if not runs:
        return
    first_offset = min([run.first_offset for run in runs])
    last_offset = max([run.last_offset for run in runs])
    for batch in window.batches[max(0, window.index_at(first_offset)) :]:
        if batch.first_offset > last_offset:
            return
        batch.merge()


def _has_expired(run: Run, now_ms: float) -> bool:
    return (
        run.state is RecordState.ACQUIRED
        and run.lock_until_ms is not None
        and run.lock_until_ms <= now_ms
        and run.transition is None
    )


def _split_at_start(window: InFlight, batch: Batch) -> None:
    """Treat records below the start of the window apart from those above."""
    if window.begins_inside(batch.first_offset, batch.last_offset):
        batch.is_split = True
        batch.part(batch.run_at(window.start_offset), window.start_offset, batch.last_offset)


def _stored(run: Run) -> StateBatch:
    return StateBatch(run.first_offset, run.last_offset, run.state, run.delivery_count)


def _begin(window: InFlight, change: Change, run: Run, state: RecordState, *, is_rejected: bool = False) -> None:
    change.transition.begin(run, state, is_rejected=is_rejected)
    change.batches.append(_stored(run))
    if state.is_terminal:
        window.delivery_complete_count += run.count_from(window.start_offset)


class _Acknowledging:
    def __init__(self, window: InFlight, member_id: str, limits: Limits, now_ms: float) -> None:
        self._window = window
        self._member_id = member_id
        self._limits = limits
        self._until_ms = now_ms + limits.lock_duration_ms
        self.change = Change(Transition(), [])

    def take(self, acknowledged: AcknowledgementBatch) -> None:
        """Raises KafkaError."""
        for number in acknowledged.types:
            if not AcknowledgeType.GAP <= number <= AcknowledgeType.RENEW:
                types = ", ".join(map(str, acknowledged.types))
                raise KafkaError(ErrorCode.INVALID_REQUEST, f"Invalid acknowledge type: [{types}]")
        window = self._window
        if acknowledged.last_offset < window.start_offset:
            return  # archived, or acknowledged, by now
        for batch in self._batches_of(acknowledged):
            if batch.last_offset >= window.start_offset:
                self._acknowledge(batch, acknowledged)

    def _batches_of(self, acknowledged: AcknowledgementBatch) -> list[Batch]:
        """Raises KafkaError."""
        window = self._window
        index = window.index_at(acknowledged.first_offset)
        if index < 0 and window.begins_inside(acknowledged.first_offset, acknowledged.last_offset):
            index = window.index_at(window.start_offset)
        if index < 0:
            raise _invalid_state("Batch record not found. The request batch offsets are not found in the cache.")
        found = window.between(window.batches[index].first_offset, acknowledged.last_offset)
        if found[-1].last_offset < acknowledged.first_offset:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                "Batch record not found. The first offset in request is past acquired records.",
            )
        if found[-1].last_offset < acknowledged.last_offset:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                "Batch record not found. The last offset in request is past acquired records.",
            )
        return found

    def _acknowledge(self, batch: Batch, acknowledged: AcknowledgementBatch) -> None:
        is_whole = (
            acknowledged.first_offset <= batch.first_offset
            and batch.last_offset <= acknowledged.last_offset
            and len(acknowledged.types) == 1
            and not self._window.begins_inside(batch.first_offset, batch.last_offset)
        )
        if not batch.is_split:
            run = batch.whole
            if run.member_id == NO_MEMBER:
                raise _invalid_state("The batch cannot be acknowledged. The batch is not in the acquired state.")
            if run.member_id != self._member_id:
                raise _invalid_state("Member is not the owner of batch record")
            if run.transition is not None:
                raise _invalid_state(INVALID_STATE)
            if run.state is not RecordState.ACQUIRED:
                which = "batch" if is_whole else "subset batch"
                raise _invalid_state(f"The batch cannot be acknowledged. The {which} is not in the acquired state.")
            if is_whole:
                self._take_run(run, AcknowledgeType(acknowledged.types[0]))
                return
            batch.is_split = True
        for first_offset, last_offset, kind in self._ranges(batch, acknowledged):
            for run in batch.within(first_offset, last_offset):
                self._check(run)
                self._take_run(run, kind)

    def _ranges(self, batch: Batch, acknowledged: AcknowledgementBatch) -> Iterator[tuple[int, int, AcknowledgeType]]:
        """Ranges of the batch's offsets that are acknowledged alike."""
        first_offset = max(acknowledged.first_offset, batch.first_offset, self._window.start_offset)
        end_offset = min(acknowledged.last_offset, batch.last_offset) + 1
        types = acknowledged.types
        if len(types) == 1:
            if first_offset < end_offset:
                yield first_offset, end_offset - 1, AcknowledgeType(types[0])
            return
        base_offset = acknowledged.first_offset
        while first_offset < end_offset:
            kind = types[first_offset - base_offset]
            next_offset = first_offset + 1
            while next_offset < end_offset and types[next_offset - base_offset] == kind:
                next_offset += 1
            yield first_offset, next_offset - 1, AcknowledgeType(kind)
            first_offset = next_offset

    def _check(self, run: Run) -> None:
        """Raises KafkaError(INVALID_RECORD_STATE)."""
        if run.state is not RecordState.ACQUIRED:
            raise _invalid_state("The offset cannot be acknowledged. The offset is not acquired.")
        if run.transition is not None:
            raise _invalid_state(INVALID_STATE)
        if run.member_id != self._member_id:
            raise _invalid_state("Member is not the owner of offset")

    def _take_run(self, run: Run, kind: AcknowledgeType) -> None:
        """Raises KafkaError(INVALID_RECORD_STATE)."""
        match kind:
            case AcknowledgeType.RENEW:
                if not self._limits.renews:
                    raise _invalid_state("Renewing acquisition locks is not enabled for the group.")
                run.lock_until_ms = self._until_ms
                return
            case AcknowledgeType.ACCEPT:
                state = RecordState.ACKNOWLEDGED
            case AcknowledgeType.RELEASE:
                state = self._limits.released(run)
            case AcknowledgeType.REJECT:
                state = self._limits.given_up
            case _:
                state = RecordState.ARCHIVED
        _begin(self._window, self.change, run, state, is_rejected=kind is AcknowledgeType.REJECT)


def _invalid_state(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD_STATE, message)
