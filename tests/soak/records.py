"""Batches for the soak: few are built, many are sent."""

from __future__ import annotations

import time
from random import Random

from kafkapy_wire.records import Compression, NewRecord, build_batch

RECORDS_MAX = 40
VALUE_BYTES = 120
KEYS = 500


def some_batch(
    random: Random,
    *,
    count: int | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    is_transactional: bool = False,
) -> tuple[bytes, int]:
    """(batch, its number of records)"""
    now_ms = time.time_ns() // 1_000_000
    count = random.randint(1, RECORDS_MAX) if count is None else count
    value = random.randbytes(VALUE_BYTES)
    records = [NewRecord(now_ms, b"key-%d" % random.randrange(KEYS), value) for _ in range(count)]
    batch = build_batch(
        records,
        compression=random.choice((Compression.NONE, Compression.NONE, Compression.LZ4, Compression.ZSTD)),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        is_transactional=is_transactional,
    )
    return batch, count
