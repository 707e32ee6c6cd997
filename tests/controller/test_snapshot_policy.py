"""When a snapshot is due, and which snapshots go: Apache Kafka's rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.snapshot_policy import (
    SnapshotRetention,
    StoredSegment,
    StoredSnapshot,
    expired_count,
)
from kafkapy_controller.snapshot_schedule import SnapshotSchedule

WITHOUT_LIMITS = SnapshotRetention(-1, -1)


def test_a_snapshot_is_due_after_so_many_bytes() -> None:
    schedule = SnapshotSchedule(1000, 0, now_ms=0)
    schedule.appended(999)
    assert not schedule.is_due(10**15)
    assert schedule.deadline_ms is None
    schedule.appended(1)
    assert schedule.is_due(0)
    schedule.restart(5)
    assert not schedule.is_due(10**15)


def test_a_snapshot_is_due_after_so_long() -> None:
    schedule = SnapshotSchedule(1000, 60, now_ms=7)
    assert schedule.deadline_ms == 67
    assert not schedule.is_due(66)
    assert schedule.is_due(67)
    schedule.restart(70)
    assert schedule.deadline_ms == 130
    assert not schedule.is_due(70)


def snapshots(*each: tuple[int, int, int]) -> list[StoredSnapshot]:
    """(end offset, size, time) of each."""
    return [StoredSnapshot(SnapshotId(end, 1), size, time_ms) for end, size, time_ms in each]


def segments(*each: tuple[int, int]) -> list[StoredSegment]:
    """(next offset, size) of each."""
    return [StoredSegment(next_offset, size) for next_offset, size in each]


def test_the_last_snapshot_stays_whatever_its_size_and_age() -> None:
    assert expired_count([], [], SnapshotRetention(0, 0), 99) == 0
    assert expired_count(snapshots((10, 100, 1)), segments((20, 999)), SnapshotRetention(0, 0), 10**9) == 0
    assert expired_count(snapshots((10, 1, 1), (20, 1, 2)), segments((30, 9)), SnapshotRetention(0, -1), 3) == 1
    assert expired_count(snapshots((10, 1, 1), (20, 1, 2)), segments((30, 9)), WITHOUT_LIMITS, 10**9) == 0


def test_the_size_is_that_of_snapshots_and_log_together() -> None:
    three = snapshots((10, 100, 0), (20, 100, 0), (30, 100, 0))
    log = segments((15, 50), (25, 50), (40, 50))
    assert expired_count(three, log, SnapshotRetention(450, -1), 0) == 0
    assert expired_count(three, log, SnapshotRetention(449, -1), 0) == 1  # 300 are left: the first segment goes, too
    assert expired_count(three, log, SnapshotRetention(300, -1), 0) == 1
    assert expired_count(three, log, SnapshotRetention(299, -1), 0) == 2


def test_the_segment_that_is_written_to_counts_and_stays() -> None:
    two = snapshots((10, 5, 0), (20, 5, 0))
    assert expired_count(two, segments((20, 1000)), SnapshotRetention(1000, -1), 0) == 1


def test_the_age_is_that_of_the_last_record_in_the_snapshot() -> None:
    three = snapshots((10, 1, 100), (20, 1, 200), (30, 1, 300))
    for now_ms, count in ((150, 0), (151, 1), (250, 1), (251, 2), (10**9, 2)):
        assert expired_count(three, [], SnapshotRetention(-1, 50), now_ms) == count


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 50), st.integers(0, 100)), max_size=6),
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 50)), min_size=1, max_size=6),
    st.integers(-1, 300),
    st.integers(-1, 100),
)
def test_it_is_what_apache_kafkas_loop_would_delete(
    ends: list[tuple[int, int, int]], pieces: list[tuple[int, int]], max_bytes: int, max_ms: int
) -> None:
    """One snapshot after the other, with what is left of the log looked at each time."""
    end, stored = 0, []
    for step, size, time_ms in ends:
        end += step
        stored.append(StoredSnapshot(SnapshotId(end, 1), size, time_ms))
    next_offset, log = 0, []
    for step, size in pieces:
        next_offset += step
        log.append(StoredSegment(next_offset, size))

    left, kept_log = list(stored), list(log)

    def delete_first() -> None:
        del left[0]
        while len(kept_log) > 1 and kept_log[0].next_offset <= left[0].snapshot.end_offset:
            del kept_log[0]

    while len(left) > 1 and max_bytes >= 0:
        if sum(s.size_bytes for s in left) + sum(s.size_bytes for s in kept_log) <= max_bytes:
            break
        delete_first()
    while len(left) > 1 and max_ms >= 0 and 120 - left[0].last_contained_ms > max_ms:
        delete_first()
    assert expired_count(stored, log, SnapshotRetention(max_bytes, max_ms), 120) == len(stored) - len(left)
