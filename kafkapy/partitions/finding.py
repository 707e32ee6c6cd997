"""Looks up records by their timestamps, in turns of the event loop; a worker thread looks into large batches."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from kafkapy.partitions.looking import look_beside
from kafkapy_log.append_validation import AT_ONCE_DECOMPRESSED_BYTES_MAX
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from kafkapy_log.log_times import LogTimes
    from kafkapy_log.segment_list import TimestampAndOffset, TimestampedBatch


async def find_by_time(times: LogTimes, timestamp: int, *, of_max: bool = False) -> TimestampAndOffset | None:
    """The first record at or after the timestamp, or with the highest one. Other tasks get turns while batches are
    read. Raises StorageError, KafkaError INVALID_RECORD.
    """
    batch = times.batch_of_max() if of_max else times.batch_for(timestamp)
    found = None
    while batch is not None:
        found = await _first_record(times, batch)
        batch = times.next_batch(batch, found)
    return found


async def _first_record(times: LogTimes, batch: TimestampedBatch) -> TimestampAndOffset | None:
    if not batch.takes_long:
        with suppress(MalformedMessage):  # as a rule it is larger than that; otherwise what follows says so again
            return batch.first_record(AT_ONCE_DECOMPRESSED_BYTES_MAX)
    return await look_beside(partial(times.look_into, batch))
