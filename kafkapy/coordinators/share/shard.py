"""The share partitions of one partition of `__share_group_state`: what each request decides, and the replay.

Errors are raised as KafkaError with Kafka's messages, in the order in which Apache Kafka 4.4.0 finds them.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy.coordinators.share.records import (
    SnapshotRecord,
    read_record,
    record_type,
    snapshot_record,
    tombstone,
    update_record,
)
from kafkapy.coordinators.share.share_state import ShareState, ShareStateUpdate
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.coordinators.share.share_partition_key import SharePartitionKey
    from kafkapy_wire.uuid import Uuid

NO_PARTITION_TEXT: Final = "This server does not host this topic-partition."
FENCED_LEADER_TEXT: Final = "The leader epoch in the request is older than the epoch on the broker."
FENCED_STATE_TEXT: Final = "The coordinator rejected the request because the state epoch did not match."
DECISION_BYTES_MAX: Final = 256_000
"""Of records that are made by the clock, in one batch."""


class ShareShard:
    """`partition_exists` says whether the metadata has a partition of a topic id; `updates_per_snapshot` is
    share.coordinator.snapshot.update.records.per.snapshot.
    """

    def __init__(
        self,
        partition_exists: Callable[[Uuid, int], bool],
        updates_per_snapshot: Callable[[], int],
        now_ms: Callable[[], int],
    ) -> None:
        self._partition_exists = partition_exists
        self._updates_per_snapshot = updates_per_snapshot
        self._now_ms = now_ms
        self.states: dict[SharePartitionKey, ShareState] = {}
        self.unknown_records: dict[int, int] = {}
        # The highest epochs that any record of the share partition had. Initializing it anew does not lower them.
        self._leader_epochs: dict[SharePartitionKey, int] = {}
        self._state_epochs: dict[SharePartitionKey, int] = {}
        self._update_counts: dict[SharePartitionKey, int] = {}
        self._snapshots = _Snapshots()

    @property
    def first_needed_offset(self) -> int:
        """Where the oldest of the latest snapshots is: no record before it is needed."""
        return self._snapshots.first_needed_offset

    # -- decisions

    def initialize(self, key: SharePartitionKey, state_epoch: int, start_offset: int) -> Decision[None]:
        """Begin anew. Raises KafkaError: INVALID_REQUEST, FENCED_STATE_EPOCH, UNKNOWN_TOPIC_OR_PARTITION."""
        _check_partition(key)
        _check_state_epoch(state_epoch)
        if state_epoch < self._state_epochs.get(key, 0):
            raise KafkaError(ErrorCode.FENCED_STATE_EPOCH, FENCED_STATE_TEXT)
        self._check_exists(key)
        before = self.states.get(key)
        snapshot_epoch = 0 if before is None else before.snapshot_epoch + 1
        state = ShareState.initial(snapshot_epoch, state_epoch, start_offset, self._now_ms())
        return Decision((snapshot_record(key, state),), None)

    def read(self, key: SharePartitionKey, leader_epoch: int) -> Decision[ShareState]:
        """The state, for the leader of the partition; from now on leaders of earlier epochs are fenced.

        Raises KafkaError: INVALID_REQUEST, FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
        """
        _check_partition(key)
        _check_leader_epoch(leader_epoch)
        state = self._initialized(key, "Read operation on uninitialized share partition not allowed.")
        self._check_not_fenced(key, leader_epoch)
        self._check_exists(key)
        if self._leader_epochs.get(key) == leader_epoch:
            return Decision((), state)
        unchanged = ShareStateUpdate(state.start_offset, state.delivery_complete_count, ())
        return Decision((self._record_of(key, state, unchanged, leader_epoch),), state)

    def write(
        self, key: SharePartitionKey, update: ShareStateUpdate, *, state_epoch: int, leader_epoch: int
    ) -> Decision[None]:
        """Store what a leader reports. Raises KafkaError: INVALID_REQUEST, FENCED_LEADER_EPOCH, FENCED_STATE_EPOCH,
        UNKNOWN_TOPIC_OR_PARTITION.
        """
        _check_partition(key)
        _check_leader_epoch(leader_epoch)
        _check_state_epoch(state_epoch)
        state = self._initialized(key, "Write operation on uninitialized share partition not allowed.")
        self._check_not_fenced(key, leader_epoch)
        if state_epoch < self._state_epochs.get(key, 0):
            raise KafkaError(ErrorCode.FENCED_STATE_EPOCH, FENCED_STATE_TEXT)
        self._check_exists(key)
        for batch in update.batches:
            if not 0 <= batch.first_offset <= batch.last_offset:
                raise KafkaError(
                    ErrorCode.INVALID_REQUEST,
                    f"A state batch begins at offset {batch.first_offset} and ends at offset {batch.last_offset}.",
                )
        return Decision((self._record_of(key, state, update, state.leader_epoch),), None)

    def read_summary(self, key: SharePartitionKey) -> ShareState | None:
        """The state; None: there is none. Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION."""
        _check_partition(key)
        self._check_exists(key)
        return self.states.get(key)

    def delete(self, key: SharePartitionKey) -> Decision[None]:
        """Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION."""
        _check_partition(key)
        self._check_exists(key)
        return Decision((tombstone(key),), None) if key in self.states else NOTHING

    def delete_topics(self, topic_ids: Collection[Uuid]) -> Decision[None]:
        """Forget the share partitions of deleted topics."""
        return Decision([tombstone(key) for key in self.states if key.topic_id in topic_ids], None)

    def snapshots_again(self, interval_ms: int) -> Iterator[Decision[None]]:
        """New snapshots of states whose last one is older than the interval, so that older records can be deleted.

        To be executed one after another, without anything between. As in Apache Kafka none is made if no state has
        changed since its last snapshot of this kind.
        """
        if all(state.created_ms != state.written_ms for state in self.states.values()):
            return
        now_ms = self._now_ms()
        records: list[CoordinatorRecord] = []
        size = 0
        for key, state in list(self.states.items()):
            if now_ms - state.written_ms >= interval_ms:
                record = snapshot_record(key, state.snapshot_again(now_ms))
                records.append(record)
                size += len(record.key) + len(record.value or b"")
                if size > DECISION_BYTES_MAX:
                    yield Decision(records, None)
                    records, size = [], 0
        if records:
            yield Decision(records, None)

    def _record_of(
        self, key: SharePartitionKey, state: ShareState, update: ShareStateUpdate, leader_epoch: int
    ) -> CoordinatorRecord:
        """An update, or a snapshot when there were enough updates."""
        resolved = state.resolved(update)
        if self._update_counts.get(key, 0) >= self._updates_per_snapshot():
            return snapshot_record(key, state.snapshot_with(resolved, leader_epoch, self._now_ms()))
        return update_record(key, resolved, snapshot_epoch=state.snapshot_epoch, leader_epoch=leader_epoch)

    def _initialized(self, key: SharePartitionKey, otherwise: str) -> ShareState:
        state = self.states.get(key)
        if state is None:
            raise KafkaError(ErrorCode.INVALID_REQUEST, otherwise)
        return state

    def _check_not_fenced(self, key: SharePartitionKey, leader_epoch: int) -> None:
        if leader_epoch < self._leader_epochs.get(key, 0):
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH, FENCED_LEADER_TEXT)

    def _check_exists(self, key: SharePartitionKey) -> None:
        if not self._partition_exists(key.topic_id, key.partition):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, NO_PARTITION_TEXT)

    # -- replay

    def replay(self, record: CoordinatorRecord, producer_id: int, offset: int) -> None:  # noqa: ARG002 - of transactions
        read = read_record(record)
        if read is None:
            unknown = record_type(record)
            self.unknown_records[unknown] = self.unknown_records.get(unknown, 0) + 1
        elif isinstance(read, SnapshotRecord):
            self._replay_snapshot(read.key, read.state, offset)
        else:
            key = read.key
            self._note_leader_epoch(key, read.leader_epoch)
            before = self.states.get(key) or ShareState(read.snapshot_epoch, 0, read.leader_epoch, -1, -1, ())
            self.states[key] = before.updated(read.update, read.leader_epoch)
            self._update_counts[key] = self._update_counts.get(key, 0) + 1

    def _replay_snapshot(self, key: SharePartitionKey, state: ShareState | None, offset: int) -> None:
        self._snapshots.note(key, offset, deleted=state is None)
        if state is None:
            for kept in (self.states, self._leader_epochs, self._state_epochs, self._update_counts):
                kept.pop(key, None)
            return
        self._note_leader_epoch(key, state.leader_epoch)
        self._state_epochs[key] = max(state.state_epoch, self._state_epochs.get(key, 0))
        self.states[key] = state
        if self._update_counts.get(key, 0) >= self._updates_per_snapshot():
            self._update_counts[key] = 0

    def _note_leader_epoch(self, key: SharePartitionKey, leader_epoch: int) -> None:
        self._leader_epochs[key] = max(leader_epoch, self._leader_epochs.get(key, 0))

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        """Nothing in this topic is written in a transaction."""

    def loaded(self) -> None:
        """Nothing to do: no state has a timer."""

    def resign(self) -> None:
        """Nothing to do: no request is parked here."""


class _Snapshots:
    """The offset of each share partition's latest snapshot."""

    def __init__(self) -> None:
        self._offsets: dict[SharePartitionKey, int] = {}
        self._ordered: list[tuple[int, SharePartitionKey]] = []  # a heap, with entries of older snapshots in it
        self._last_deleted = 0

    def note(self, key: SharePartitionKey, offset: int, *, deleted: bool) -> None:
        if deleted:
            self._offsets.pop(key, None)
            self._last_deleted = offset
            return
        self._offsets[key] = offset
        heappush(self._ordered, (offset, key))
        if len(self._ordered) > 2 * len(self._offsets) + 100:
            self._ordered = [(offset, key) for key, offset in self._offsets.items()]
            heapify(self._ordered)

    @property
    def first_needed_offset(self) -> int:
        """The lowest of them; if there is none, the offset of the last tombstone, as in Apache Kafka."""
        ordered = self._ordered
        while ordered and self._offsets.get(ordered[0][1]) != ordered[0][0]:
            heappop(ordered)
        return ordered[0][0] if ordered else self._last_deleted


def _check_partition(key: SharePartitionKey) -> None:
    if key.partition < 0:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "The partition id cannot be a negative number.")


def _check_leader_epoch(leader_epoch: int) -> None:
    if leader_epoch < 0:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "The leader epoch cannot be a negative number.")


def _check_state_epoch(state_epoch: int) -> None:
    if state_epoch < 0:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "The state epoch cannot be a negative number.")
