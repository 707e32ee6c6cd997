"""Reads the records of very large batches in a worker thread, one batch at a time, while the event loop goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from kafkapy.turns import short_turns
from kafkapy.workers import Workers
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy_log import PartitionLog
    from kafkapy_log.append_validation import CheckedBatch
    from kafkapy_wire.message import RecordBytes

T = TypeVar("T")

# More at a time would not be faster, as they share one interpreter, and would take as many times the memory.
_worker: Final = Workers("who looks into batches", 1)


async def look_beside(look: Callable[[], T]) -> T:
    """Call `look` in the worker thread; it must not use state that the event loop changes."""
    with short_turns:
        return await _worker.run(look)


async def check_beside(
    log: PartitionLog, batches: RecordBytes, *, now_ms: int, request_version: int
) -> CheckedBatch | KafkaError:
    """Validate a client's batch in the worker thread: the checked batch, or the error that it is refused with."""
    try:
        return await look_beside(partial(log.check_produced, batches, now_ms=now_ms, api_version=request_version))
    except KafkaError as error:
        return error
