"""Checks of a leader's batches before a follower appends them: they are bytes of a peer, and may be invalid.

A fetch may end within a batch, and a leader that has just lost its leadership may answer with records of a later epoch
(KAFKA-18723): both are left out, and the next fetch asks for them again.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kafkapy_log.append_validation import Buffer
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX
from kafkapy_log.settings import INT64_MAX
from kafkapy_log.transaction_markers import EndTransactionMarker, read_marker
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, BatchHeader, crc_matches, read_batch_header


class UnexpectedAppendOffset(Exception):
    """A leader's batches begin below the log end of the follower, or are not in the order of their offsets.

    A follower whose log is empty may begin anew at `first_offset`: the leader's log start may lie within a batch, after
    DeleteRecords. Offsets `[first_offset, last_offset]` were given.
    """

    def __init__(self, message: str, first_offset: int, last_offset: int) -> None:
        super().__init__(message)
        self.first_offset = first_offset
        self.last_offset = last_offset


class ReplicatedBatch(NamedTuple):
    """One whole batch, at `position` of the leader's bytes; `marker` is that of a control batch, if any."""

    header: BatchHeader
    position: int
    marker: EndTransactionMarker | None


def validate_replicated(
    data: Buffer, log_end_offset: int, leader_epoch: int | None, topic_partition: str
) -> list[ReplicatedBatch]:
    """The whole batches in `data`, up to the first of a later epoch than `leader_epoch`.

    Raises UnexpectedAppendOffset: below the log's end or going back; KafkaError CORRUPT_MESSAGE.
    """
    view = memoryview(data)
    batches: list[ReplicatedBatch] = []
    next_offset, position = log_end_offset, 0
    try:
        while len(view) - position >= BATCH_HEADER_BYTES:
            header = read_batch_header(view, position)
            end = position + header.size_bytes
            if end > len(view) or (leader_epoch is not None and header.partition_leader_epoch > leader_epoch):
                break
            batch = view[position:end]
            if not crc_matches(batch):
                raise MalformedMessage(f"Record is corrupt (stored crc = {header.crc})")
            if header.base_offset < next_offset:
                first_offset = batches[0].header.base_offset if batches else header.base_offset
                raise UnexpectedAppendOffset(
                    f"offset {header.base_offset} in an append to {topic_partition} at {next_offset}",
                    first_offset,
                    header.last_offset,
                )
            if header.next_offset > INT64_MAX:
                raise MalformedMessage(f"a batch ends with offset {header.last_offset}")
            marker = read_marker(batch) if header.is_control and header.producer_id >= 0 else None
            batches.append(ReplicatedBatch(header, position, marker))
            next_offset, position = header.next_offset, end
    except MalformedMessage as malformed:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"{malformed} in topic partition {topic_partition}.") from malformed
    return batches


def in_runs(batches: Sequence[ReplicatedBatch], segment_bytes: int) -> Iterator[Sequence[ReplicatedBatch]]:
    """Groups of adjacent batches that fit into one segment: by segment.bytes, and by the 32 bits of a relative offset.

    A batch that is larger than a segment comes alone: the leader has stored it (KAFKA-17375).
    """
    first = 0
    for number, (header, position, _) in enumerate(batches):
        begin = batches[first]
        if number > first and (
            position + header.size_bytes - begin.position > segment_bytes
            or header.last_offset - begin.header.base_offset > RELATIVE_OFFSET_MAX
        ):
            yield batches[first:number]
            first = number
    if batches:
        yield batches[first:]
