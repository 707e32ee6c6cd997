"""How a copy of a log follows it within one process, as a follower follows its leader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_log import StorageError, UnexpectedAppendOffset

if TYPE_CHECKING:
    from kafkapy_log import PartitionLog


def copy_piece(log: PartitionLog, copy: PartitionLog, max_bytes: int, *, now_ms: int) -> int:
    """Append the batches of `log` that come next in `copy`, which has a beginning of its records: about `max_bytes`, or
    one batch. Returns how many bytes. Raises StorageError.
    """
    if copy.log_end_offset < log.log_start_offset:
        copy.truncate_fully_and_start_at(log.log_start_offset, now_ms=now_ms)
    data = b""
    if copy.log_end_offset < log.log_end_offset:
        piece = log.read(copy.log_end_offset, max_bytes)
        try:
            data = piece.read()
        except OSError as error:
            raise StorageError(log.topic_partition, error) from error
        finally:
            piece.release()
        try:
            copy.append_as_follower(data, now_ms=now_ms)
        except UnexpectedAppendOffset as error:
            # The log begins within a batch, after DeleteRecords: the batch comes whole.
            copy.truncate_fully_and_start_at(error.first_offset, now_ms=now_ms)
            copy.append_as_follower(data, now_ms=now_ms)
    if copy.log_start_offset < log.log_start_offset:
        copy.delete_records_before(min(log.log_start_offset, copy.log_end_offset), now_ms=now_ms)
    return len(data)


def align(log: PartitionLog, copy: PartitionLog, *, now_ms: int) -> None:
    """Truncate the copy to the records that the replica has, too (KIP-101). Raises StorageError."""
    while copy.log_end_offset > copy.log_start_offset:
        epoch = copy.leader_epochs.latest_epoch
        known, end_offset = log.end_offset_for_epoch(epoch)
        if known == epoch >= 0:
            copy.truncate_to(end_offset, now_ms=now_ms)
            break
        if known >= 0:  # an earlier epoch: where it ends in both
            _, own_end_offset = copy.end_offset_for_epoch(known)
            offset = min(end_offset, own_end_offset) if own_end_offset >= 0 else copy.log_start_offset
        elif copy.leader_epochs.entries:
            offset = copy.leader_epochs.entries[-1][1]
        else:
            offset = copy.log_start_offset
        if offset <= copy.log_start_offset:
            copy.truncate_fully_and_start_at(log.log_start_offset, now_ms=now_ms)
            break
        copy.truncate_to(min(offset, copy.log_end_offset - 1), now_ms=now_ms)
    if copy.log_end_offset > log.log_end_offset or copy.log_start_offset > log.log_start_offset:
        copy.truncate_fully_and_start_at(log.log_start_offset, now_ms=now_ms)  # they have nothing in common
