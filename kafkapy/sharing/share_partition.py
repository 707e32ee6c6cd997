"""One share partition on the leader of its partition: its window, stored through the share coordinator.

A change of the window is made, stored, and answered when it is stored. Locks expire by the node's clock. Share fetches
that wait watch it: they are told when records may be available, and when it is given up.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import TYPE_CHECKING, NoReturn

from kafkapy.coordinators.deadline import Deadline
from kafkapy.coordinators.share.share_state import ShareStateUpdate
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy.pending import Pending, detached, refused, settled
from kafkapy.sharing import acknowledging
from kafkapy.sharing.dead_letter import DELIVERED_TOO_OFTEN, REJECTED, DeadLetter
from kafkapy.sharing.in_flight import InFlight, InvalidState
from kafkapy.sharing.runs import RecordState
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kafkapy.clock import Clock
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy.coordinators.share.persister import SharePersister
    from kafkapy.coordinators.share.share_state import ShareState
    from kafkapy.partitions.partition import Partition
    from kafkapy.sharing.acknowledging import AcknowledgementBatch, Change
    from kafkapy.sharing.in_flight import Limits
    from kafkapy.sharing.runs import Run

logger = logging.getLogger("kafkapy.share_groups")


class Status(Enum):
    NEW = auto()
    INITIALIZING = auto()
    ACTIVE = auto()
    FAILED = auto()
    FENCED = auto()
    """It is given up: another leader, or a state that began anew."""


class SharePartition:
    """`find_start` finds the start offset of a group that begins; `bury` puts records into the dead letter queue, and
    calls `buried`.
    """

    def __init__(
        self,
        key: SharePartitionKey,
        partition: Partition,
        persister: SharePersister,
        clock: Clock,
        limits: Callable[[], Limits],
        find_start: Callable[[SharePartition], Pending[int]],
        bury: Callable[[SharePartition, list[DeadLetter]], None] | None = None,
        *,
        tells_of_released: bool = True,
    ) -> None:
        self.key = key
        self.partition = partition
        self.leader_epoch = self._seen_epoch = partition.leader_epoch
        self.status = Status.NEW
        self.window = InFlight(0)
        self._state_epoch = 0
        self._persister = persister
        self._clock = clock
        self._limits = limits
        self._find_start = find_start
        self._bury = bury
        self._tells_of_released = tells_of_released
        self._locks = Deadline(clock, self._expire)
        self._locks_end_ms: float | None = None
        self._watchers: dict[object, Callable[[SharePartition], None]] = {}

    def __str__(self) -> str:
        return f"{self.partition} for share group {self.key.group_id}"

    @property
    def limits(self) -> Limits:
        return self._limits()

    # -- life

    def still_leads(self) -> bool:
        """Whether this broker leads the partition, and nobody else has since the window was read.

        What another leader has changed is not in this window. Each new leader raises the epoch, so that after a rise by
        one, as at the end of a reassignment, there was none in between; after more there may have been one, of which
        a broker that was paused hears when it is over.
        """
        epoch = self.partition.leader_epoch
        if not self.partition.leads or epoch > self._seen_epoch + 1:
            return False
        self._seen_epoch = epoch
        return True

    def initialize(self) -> Pending[None]:
        """Read the state; at once if that was done. Refused with KafkaError: LEADER_NOT_AVAILABLE, it is being read, or
        given up; what the coordinator has said; UNKNOWN_SERVER_ERROR, it could not be read.
        """
        match self.status:
            case Status.ACTIVE:
                return settled(None)
            case Status.INITIALIZING | Status.FENCED:
                return refused(KafkaError(ErrorCode.LEADER_NOT_AVAILABLE))
            case Status.FAILED:
                return refused(KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"Share partition failed to load {self}"))
        self.status = Status.INITIALIZING
        read = self._persister.read(self.key, self.leader_epoch).otherwise(_as_seen_by_clients)
        begun = read.and_then(self._begin)
        initialized: Pending[None] = Pending()

        def done(begun: Pending[None]) -> None:
            try:
                begun.result()
            except KafkaError as error:
                if self.status is Status.INITIALIZING:
                    self.status = Status.FAILED
                initialized.refuse(error)
            else:
                initialized.answer(None)

        begun.when_settled(done)
        return initialized

    def _begin(self, state: ShareState) -> Pending[None]:
        def begin(start_offset: int) -> None:
            if self.status is not Status.INITIALIZING:
                return
            try:
                self.window = InFlight.of_stored(start_offset, state.batches)
            except InvalidState as error:
                logger.error("the stored state of %s is invalid: %s", self, error)
                raise KafkaError(
                    ErrorCode.UNKNOWN_SERVER_ERROR, f"Failed to initialize the share partition {self}"
                ) from error
            self._state_epoch = state.state_epoch
            self.status = Status.ACTIVE
            self._resume_burials()

        if state.start_offset >= 0:
            return settled(state.start_offset).map(begin)
        return self._find_start(self).map(begin)

    def fence(self) -> None:
        """Give it up: nothing is stored any more, and watchers are told."""
        self.status = Status.FENCED
        self._locks.cancel()
        self.tell()

    # -- watching

    def watch(self, watcher: object, tell: Callable[[SharePartition], None]) -> None:
        """Until `unwatch`, call `tell` when more may be acquired, and when it is initialized or given up."""
        self._watchers[watcher] = tell

    def unwatch(self, watcher: object) -> None:
        self._watchers.pop(watcher, None)

    def tell(self) -> None:
        for tell in list(self._watchers.values()):
            tell(self)

    # -- what members do

    def note_acquired(self) -> None:
        """Records were acquired until `limits.lock_duration_ms` from now."""
        self._arm(self._clock.monotonic_ms() + self.limits.lock_duration_ms)

    def acknowledge(self, member_id: str, batches: Sequence[AcknowledgementBatch]) -> Pending[None]:
        """Answered when it is stored. Raises KafkaError, or is refused with it: INVALID_REQUEST, INVALID_RECORD_STATE;
        NOT_LEADER_OR_FOLLOWER, the state has another leader, or began anew; COORDINATOR_NOT_AVAILABLE.
        """
        limits, now_ms = self.limits, self._clock.monotonic_ms()
        change = acknowledging.acknowledge(self.window, member_id, batches, limits, now_ms)
        self._arm_next()
        return self._store_change(change)

    def release_member(self, member_id: str) -> Pending[None]:
        """Make available what the member has: its session is over."""
        return self._store_change(acknowledging.release_member(self.window, member_id, self.limits))

    def _store_change(self, change: Change) -> Pending[None]:
        if not change.batches:
            return settled(None)

        def stored(_: None) -> None:
            moved, dead = acknowledging.commit(self.window, change)
            is_released = any(batch.delivery_state == RecordState.AVAILABLE for batch in change.batches)
            if moved or (is_released and self._tells_of_released):
                self.tell()
            self._bury_runs((run, REJECTED if run.is_rejected else DELIVERED_TOO_OFTEN) for run in dead)

        def failed(error: KafkaError) -> None:
            acknowledging.roll_back(self.window, change, self.limits, self._clock.monotonic_ms())
            self._arm_next()
            self.tell()
            raise error

        return detached(self._store(change.batches).map(stored).otherwise(failed))

    def _store(self, batches: Sequence[StateBatch]) -> Pending[None]:
        window = self.window
        update = ShareStateUpdate(window.start_offset, window.delivery_complete_count, tuple(batches))
        written = self._persister.write(self.key, update, state_epoch=self._state_epoch, leader_epoch=self.leader_epoch)
        return written.otherwise(_as_seen_by_clients)

    # -- locks

    def _arm(self, until_ms: float) -> None:
        if self._locks_end_ms is None or until_ms < self._locks_end_ms:
            self._locks_end_ms = until_ms
            self._locks.set(max(0.0, until_ms - self._clock.monotonic_ms()))

    def _arm_next(self) -> None:
        until_ms = self.window.next_lock_ms()
        if until_ms is not None:
            self._arm(until_ms)

    def _expire(self) -> None:
        self._locks_end_ms = None
        if self.status is not Status.ACTIVE:
            return
        batches, dead = acknowledging.expire(self.window, self.limits, self._clock.monotonic_ms())
        self._arm_next()
        if not batches:
            return

        def stored(written: Pending[None]) -> None:
            try:
                written.result()
            except KafkaError as error:
                logger.info("cannot store that locks of %s have expired: %s", self, error)
            self.window.move_start()
            self._bury_runs((run, DELIVERED_TOO_OFTEN) for run in dead)

        self._store(batches).when_settled(stored)
        self.tell()

    # -- the log

    def log_start_moved(self, log_start_offset: int) -> None:
        self.window.log_start_moved(log_start_offset)

    # -- the dead letter queue

    def _resume_burials(self) -> None:
        """Of the leader before, which has stored that they are given up, and not that they are in the queue."""
        max_count = self.limits.max_delivery_count
        self._bury_runs(
            (run, DELIVERED_TOO_OFTEN if run.delivery_count >= max_count else REJECTED)
            for run in self.window.runs()
            if run.state is RecordState.ARCHIVING
        )

    def _bury_runs(self, dead: Iterable[tuple[Run, str]]) -> None:
        letters = [DeadLetter(run.first_offset, run.last_offset, run.delivery_count, cause) for run, cause in dead]
        if not letters:
            return
        if self._bury is None:
            self.buried(letters)
        else:
            self._bury(self, letters)

    def buried(self, letters: Sequence[DeadLetter]) -> None:
        """These records are in the dead letter queue, or cannot be put there: archive them, and store that."""
        for letter in letters:
            acknowledging.archived(self.window, letter.first_offset, letter.last_offset)
        batches = [
            StateBatch(letter.first_offset, letter.last_offset, RecordState.ARCHIVED, letter.delivery_count)
            for letter in letters
        ]

        def stored(written: Pending[None]) -> None:
            try:
                written.result()
            except KafkaError as error:
                logger.info("cannot store that records of %s are archived: %s", self, error)
            if self.window.move_start() and self.status is Status.ACTIVE:
                self.tell()

        self._store(batches).when_settled(stored)


def _as_seen_by_clients(error: KafkaError) -> NoReturn:
    """Raises KafkaError: what the share coordinator has said, as members hear it."""
    match error.code:
        case ErrorCode.NOT_COORDINATOR | ErrorCode.COORDINATOR_NOT_AVAILABLE | ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        case ErrorCode.GROUP_ID_NOT_FOUND | ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            code = error.code
        case ErrorCode.FENCED_LEADER_EPOCH | ErrorCode.FENCED_STATE_EPOCH:
            code = ErrorCode.NOT_LEADER_OR_FOLLOWER
        case _:
            code = ErrorCode.UNKNOWN_SERVER_ERROR
    raise KafkaError(code, error.message) from error
