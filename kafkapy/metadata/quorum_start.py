"""What a node's quorum must know of its metadata log and snapshots when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.metadata.broken import log_file, unreadable
from kafkapy_controller.metadata_batches import SnapshotId, control_records_in
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.voters import MembershipHistory
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from kafkapy.metadata.snapshots import SnapshotFiles
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import PartitionLog

SCAN_BYTES = 1 << 20


class QuorumStart(NamedTuple):
    """Arguments of `Quorum`, and the two attributes to set on it while nothing has happened yet."""

    epochs: EpochHistory
    members: MembershipHistory
    snapshot: SnapshotId | None
    """The newest one."""
    log_start_offset: int
    log_start_epoch: int


def align_log(log: PartitionLog, snapshots: SnapshotFiles, now_ms: int) -> None:
    """Make the log begin where the oldest snapshot that is kept ends, or at 0, as the quorum expects it.

    To be called when the newest snapshot has been read. A crash may have left it otherwise: between the name of a
    snapshot from the leader and the truncation of the log that it replaces, or when the log start was not noted. As in
    Apache Kafka a log that the newest snapshot goes beyond is given up. Raises StorageError, OSError.
    """
    newest = snapshots.newest
    if newest is None:
        return
    if _is_beyond(newest, log):
        log.truncate_fully_and_start_at(newest.end_offset, now_ms=now_ms)
    start = log.log_start_offset
    if start:
        covering = next(snapshot for snapshot in snapshots.known if snapshot.end_offset >= start)
        log.delete_records_before(covering.end_offset, now_ms=now_ms)
        for path in snapshots.forget_before(covering):
            path.unlink(missing_ok=True)


def _is_beyond(snapshot: SnapshotId, log: PartitionLog) -> bool:
    """Whether the log lacks records that the snapshot stands for, or has others in their place."""
    end_offset = log.log_end_offset
    if log.log_start_offset == end_offset == snapshot.end_offset:
        return False  # nothing came after the snapshot so far
    return (snapshot.epoch, snapshot.end_offset) > (max(log.leader_epochs.latest_epoch, 0), end_offset)


def quorum_start(log: PartitionLog, snapshots: SnapshotFiles, membership: QuorumMembership) -> QuorumStart:
    """What to begin a quorum with. `membership` is that of the newest snapshot, or of the settings.

    The log was aligned. It is read for control records, which cost the others no decoding: who votes must be known of
    the whole log, and only what is committed of it may be loaded. Raises BrokenMetadata; StorageError.
    """
    newest, start_offset = snapshots.newest, log.log_start_offset
    oldest = snapshots.known[0] if start_offset else SnapshotId(0, 0)
    assert oldest.end_offset == start_offset, (oldest, start_offset)
    epochs = [(oldest.epoch, start_offset - 1)] if start_offset else []
    epochs += [(epoch, offset) for epoch, offset in log.leader_epochs.entries if not epochs or epoch > oldest.epoch]
    return QuorumStart(
        EpochHistory(epochs, end_offset=log.log_end_offset),
        _members(log, membership, newest.end_offset if newest is not None else 0),
        newest,
        start_offset,
        oldest.epoch,
    )


def _members(log: PartitionLog, membership: QuorumMembership, offset: int) -> MembershipHistory:
    """`membership` holds for the log below `offset`, and the control records from there on change it."""
    members = MembershipHistory(membership, offset - 1)
    while offset < log.log_end_offset:
        piece = log.read(offset, SCAN_BYTES)
        data = piece.read()
        piece.release()
        try:
            for record in control_records_in(data):
                changed = members.latest.replay(record)
                if changed != members.latest and record.offset > members.latest_offset:
                    members.add(record.offset, changed)
        except (MalformedMessage, ValueError) as error:
            raise unreadable(log_file(log.directory, offset), error) from error
        offset = piece.next_offset
    return members
