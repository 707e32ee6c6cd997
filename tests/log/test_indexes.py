"""The sparse indexes: lookups against a scan of all entries, and files that cannot be right."""

import struct

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from kafkapy_log.indexes import CorruptIndexError, OffsetIndex, TimeIndex

ascending = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=20).map(
    lambda pairs: list(zip(sorted({a for a, _ in pairs}), sorted({b for _, b in pairs}), strict=False))
)


@settings(deadline=None, derandomize=True)
@given(ascending, st.integers(-1, 1001))
def test_offset_lookups_agree_with_a_scan(entries: list[tuple[int, int]], wanted: int) -> None:
    index = OffsetIndex()
    for offset, position in entries:
        index.append(offset, position)
    assert index.entry_before(wanted).position == max((p for o, p in entries if o <= wanted), default=0)
    assert index.entry_up_to(wanted).position == max((p for _, p in entries if p <= wanted), default=0)
    data = b"".join(struct.pack(">ii", *entry) for entry in entries)
    assert index.to_bytes() == data
    assert OffsetIndex.from_bytes(data, 1001).to_bytes() == data
    index.truncate(wanted)
    assert list(zip(index.offsets, index.positions, strict=True)) == [entry for entry in entries if entry[0] < wanted]


@settings(deadline=None, derandomize=True)
@given(ascending, st.integers(-1, 1001))
def test_time_lookups_agree_with_a_scan(entries: list[tuple[int, int]], wanted: int) -> None:
    index = TimeIndex()
    for timestamp, offset in entries:
        index.maybe_append(timestamp, offset)
        index.maybe_append(timestamp, offset + 1)  # not later: no entry
    assert index.entry_before(wanted) == max(((t, o) for t, o in entries if t <= wanted), default=(-1, -1))
    data = b"".join(struct.pack(">qi", *entry) for entry in entries)
    assert index.to_bytes() == data
    assert TimeIndex.from_bytes(data).to_bytes() == data
    index.truncate(wanted)
    assert list(zip(index.timestamps, index.offsets, strict=True)) == [entry for entry in entries if entry[1] < wanted]


@pytest.mark.parametrize(
    "entries",
    [
        [(-1, 0)],
        [(5, 10), (5, 20)],
        [(5, 10), (6, 10)],
        [(5, 10), (4, 20)],
        [(5, 10), (6, 1000)],
    ],
    ids=["negative", "offset twice", "position twice", "backwards", "beyond the log"],
)
def test_an_impossible_offset_index_is_corrupt(entries: list[tuple[int, int]]) -> None:
    with pytest.raises(CorruptIndexError):
        OffsetIndex.from_bytes(b"".join(struct.pack(">ii", *entry) for entry in entries), 1000)


@pytest.mark.parametrize("entries", [[(1, -1)], [(5, 1), (5, 2)], [(5, 2), (6, 1)]])
def test_an_impossible_time_index_is_corrupt(entries: list[tuple[int, int]]) -> None:
    with pytest.raises(CorruptIndexError):
        TimeIndex.from_bytes(b"".join(struct.pack(">qi", *entry) for entry in entries))


def test_a_torn_index_is_corrupt() -> None:
    with pytest.raises(CorruptIndexError):
        OffsetIndex.from_bytes(bytes(9), 1000)
    with pytest.raises(CorruptIndexError):
        TimeIndex.from_bytes(bytes(13))


def test_a_record_without_timestamp_makes_no_entry() -> None:
    index = TimeIndex()
    index.maybe_append(-1, 0)
    assert len(index) == 0
