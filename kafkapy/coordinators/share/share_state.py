"""What is stored of one share partition: its epochs, its start offset, and the deliveries behind it."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from kafkapy.coordinators.share.state_batches import UNKNOWN_START, StateBatch, combine

UNKNOWN_COUNT: Final = -1


class ShareStateUpdate(NamedTuple):
    """What a leader writes: the new start offset and the deliveries that have changed."""

    start_offset: int
    delivery_complete_count: int
    batches: tuple[StateBatch, ...]


class ShareState(NamedTuple):
    """The state of one share partition; each step returns the next."""

    snapshot_epoch: int
    """Rises with each snapshot."""
    state_epoch: int
    """Rises each time the group's offsets are initialized anew."""
    leader_epoch: int
    """Of the leader that has read the state last."""
    start_offset: int
    """-1: not known yet, so the leader begins where share.auto.offset.reset says."""
    delivery_complete_count: int
    """How many records from the start offset on are acknowledged or archived; -1: not known."""
    batches: tuple[StateBatch, ...]
    created_ms: int = 0
    """When the last snapshot was made because of a change; `written_ms` is later if it was made again, to be pruned."""
    written_ms: int = 0

    @classmethod
    def initial(cls, snapshot_epoch: int, state_epoch: int, start_offset: int, now_ms: int) -> Self:
        """As InitializeShareGroupState makes it."""
        complete_count = UNKNOWN_COUNT if start_offset == UNKNOWN_START else 0
        return cls(snapshot_epoch, state_epoch, 0, start_offset, complete_count, (), now_ms, now_ms)

    def resolved(self, update: ShareStateUpdate) -> ShareStateUpdate:
        """The update as it is stored: the start offset never falls, and with it goes the count of its leader."""
        start_offset, complete_count = update.start_offset, update.delivery_complete_count
        if start_offset < self.start_offset:
            start_offset, complete_count = self.start_offset, self.delivery_complete_count
        elif start_offset == self.start_offset:
            complete_count = max(complete_count, self.delivery_complete_count)
        return ShareStateUpdate(start_offset, complete_count, combine((), update.batches, start_offset))

    def snapshot_with(self, update: ShareStateUpdate, leader_epoch: int, now_ms: int) -> Self:
        """The next snapshot: the state after a resolved update."""
        return self._replace(
            snapshot_epoch=self.snapshot_epoch + 1,
            leader_epoch=leader_epoch,
            start_offset=update.start_offset,
            delivery_complete_count=update.delivery_complete_count,
            batches=combine(self.batches, update.batches, update.start_offset),
            created_ms=now_ms,
            written_ms=now_ms,
        )

    def updated(self, update: ShareStateUpdate, leader_epoch: int) -> Self:
        """The state after an update record was replayed."""
        start_offset = self.start_offset if update.start_offset == UNKNOWN_START else update.start_offset
        return self._replace(
            leader_epoch=self.leader_epoch if leader_epoch == UNKNOWN_COUNT else leader_epoch,
            start_offset=start_offset,
            delivery_complete_count=update.delivery_complete_count,
            batches=combine(self.batches, update.batches, start_offset),
        )

    def snapshot_again(self, now_ms: int) -> Self:
        """The same state in a new snapshot, so that the records before it can be deleted."""
        return self._replace(snapshot_epoch=self.snapshot_epoch + 1, written_ms=now_ms)
