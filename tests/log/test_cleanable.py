"""What the files of a closed log tell of its dirty ratio, against what the open log says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from kafkapy_log import DEFAULT_SETTINGS, PartitionLog
from kafkapy_log.cleanable import may_be_due
from kafkapy_wire.records import NewRecord, build_batch


@pytest.mark.parametrize("seed", range(60))
def test_a_closed_log_that_is_due_may_be_due(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    settings = replace(
        DEFAULT_SETTINGS,
        compact=True,
        segment_bytes=random.choice((200, 400)),
        min_cleanable_dirty_ratio=random.choice((0.0, 0.3, 0.5, 0.9)),
        min_compaction_lag_ms=random.choice((0, 50)),
        max_compaction_lag_ms=random.choice((100, 2**63 - 1)),
    )
    log = PartitionLog.open(tmp_path, settings, now_ms=0, clean=True)
    for now_ms in range(random.randrange(30)):
        records = [NewRecord(now_ms, b"key", b"v" * random.randrange(120))]
        log.append_as_leader(build_batch(records), leader_epoch=0, now_ms=now_ms)
    log.delete_records_before(random.randrange(log.log_end_offset // 2 + 1))
    checkpoint = random.choice((None, random.randrange(log.log_end_offset + 1)))
    log.close(fsync=False)
    found = may_be_due(tmp_path, settings, checkpoint)
    opened = PartitionLog.open(tmp_path, settings, now_ms=0, clean=True)
    cleanable = opened.compaction.find_cleanable(
        checkpoint, high_watermark=opened.log_end_offset, now_ms=random.choice((40, 1_000))
    )
    opened.close(fsync=False)
    if cleanable.is_due(settings.min_cleanable_dirty_ratio):
        assert found


def test_what_is_clean_is_not_due(tmp_path: Path) -> None:
    settings = replace(DEFAULT_SETTINGS, compact=True, segment_bytes=200)
    log = PartitionLog.open(tmp_path, settings, now_ms=0, clean=True)
    for _ in range(10):
        log.append_as_leader(build_batch([NewRecord(1, b"key", b"v" * 100)]), leader_epoch=0, now_ms=1)
    active = log.active_base_offset
    log.close(fsync=False)
    assert not may_be_due(tmp_path, settings, active)
    assert may_be_due(tmp_path, settings, active // 2 - 1)
    assert may_be_due(tmp_path, settings, None)
