"""One share partition with a log of a few batches and a coordinator in memory; time is a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.share.share_state import ShareState, ShareStateUpdate
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy.sharing import acknowledging, acquiring
from kafkapy.sharing.acknowledging import AcknowledgementBatch, Change
from kafkapy.sharing.acquiring import Acquired, AcquireRequest
from kafkapy.sharing.in_flight import InFlight, Limits
from kafkapy.sharing.runs import RecordState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkapy.sharing.runs import Run

LIMITS = Limits(max_delivery_count=5, max_record_locks=200, lock_duration_ms=100)
MANY = 10_000


class Fetched:
    """Batches of the log, by their (base offset, last offset)."""

    def __init__(self, batches: Sequence[tuple[int, int]]) -> None:
        self.batches = batches

    @property
    def base_offset(self) -> int:
        return self.batches[0][0]

    @property
    def last_offset(self) -> int:
        return self.batches[-1][1]

    def bounds(self) -> Iterator[tuple[int, int]]:
        return iter(self.batches)


class WindowLab:
    def __init__(self, batches: Sequence[tuple[int, int]], limits: Limits = LIMITS, start_offset: int = 0) -> None:
        self.log = list(batches)
        self.limits = limits
        self.now_ms = 0.0
        self.stored = ShareState(0, 0, 0, start_offset, 0, ())
        self.window = InFlight(start_offset)
        self.log_start_offset = 0
        self.letters: list[tuple[int, int, int]] = []
        """(first offset, last offset, delivery count) of what is on its way to the dead letter queue."""

    # -- the coordinator

    def store(self, batches: Iterable[StateBatch]) -> None:
        update = ShareStateUpdate(self.window.start_offset, self.window.delivery_complete_count, tuple(batches))
        self.stored = self.stored.updated(self.stored.resolved(update), 0)

    def restart(self) -> None:
        """Another leader begins with what is stored."""
        self.window = InFlight.of_stored(self.stored.start_offset, self.stored.batches)
        self.window.log_start_moved(self.log_start_offset)
        self.letters.clear()
        self._give_up(run for run in self.window.runs() if run.state is RecordState.ARCHIVING)

    def delete_below(self, offset: int) -> None:
        """DeleteRecords, or retention; the last batch stays."""
        self.log_start_offset = max(self.log_start_offset, min(offset, self.log[-1][0]))
        self.log = [batch for batch in self.log if batch[1] >= self.log_start_offset]
        self.window.log_start_moved(self.log_start_offset)

    def _give_up(self, dead: Iterable[Run]) -> None:
        self.letters += [(run.first_offset, run.last_offset, run.delivery_count) for run in dead]

    def bury(self) -> None:
        """The oldest letter is written into the dead letter queue."""
        first_offset, last_offset, count = self.letters.pop(0)
        acknowledging.archived(self.window, first_offset, last_offset)
        self.store([StateBatch(first_offset, last_offset, RecordState.ARCHIVED, count)])
        self.window.move_start()

    # -- members

    def fetched(self, fetch_offset: int, count: int = MANY) -> Fetched | None:
        found = [batch for batch in self.log if batch[1] >= fetch_offset][:count]
        return Fetched(found) if found else None

    def acquire(
        self,
        member_id: str = "a",
        max_records: int = MANY,
        batch_size: int = MANY,
        *,
        strict: bool = False,
        read_batches: int = MANY,
    ) -> list[Acquired]:
        """What a share fetch does that waits for nothing."""
        if not self.window.can_acquire(self.limits):
            return []
        fetch_offset = self.window.next_fetch_offset()
        fetched = self.fetched(fetch_offset, read_batches)
        if fetched is None:
            return []
        request = AcquireRequest(member_id, max_records, batch_size, strict, fetch_offset)
        return acquiring.acquire(self.window, request, fetched, self.limits, self.now_ms)

    def begin(self, member_id: str, *batches: tuple[int, int, int | list[int]]) -> Change:
        """Raises KafkaError."""
        acknowledged = [
            AcknowledgementBatch(first, last, [types] if isinstance(types, int) else types)
            for first, last, types in batches
        ]
        return acknowledging.acknowledge(self.window, member_id, acknowledged, self.limits, self.now_ms)

    def acknowledge(self, member_id: str, *batches: tuple[int, int, int | list[int]]) -> None:
        """Raises KafkaError."""
        self.finish(self.begin(member_id, *batches))

    def finish(self, change: Change) -> None:
        self.store(change.batches)
        _, dead = acknowledging.commit(self.window, change)
        self._give_up(dead)

    def fail(self, change: Change) -> None:
        acknowledging.roll_back(self.window, change, self.limits, self.now_ms)

    def leave(self, member_id: str) -> None:
        self.finish(acknowledging.release_member(self.window, member_id, self.limits))

    def advance(self, milliseconds: float) -> None:
        self.now_ms += milliseconds
        batches, dead = acknowledging.expire(self.window, self.limits, self.now_ms)
        if batches:
            self.store(batches)
            self.window.move_start()
            self._give_up(dead)
