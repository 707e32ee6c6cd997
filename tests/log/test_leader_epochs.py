"""Which epoch ends where (KIP-101, KIP-279), and how truncation moves that."""

import hypothesis.strategies as st
from hypothesis import given, settings

from kafkapy_log.leader_epochs import LeaderEpochCache


def cache(*entries: tuple[int, int]) -> LeaderEpochCache:
    return LeaderEpochCache(list(entries))


def test_an_epoch_ends_where_the_next_begins() -> None:
    epochs = cache((2, 10), (4, 20), (7, 30))
    assert epochs.end_offset_for(2, 40) == (2, 20)
    assert epochs.end_offset_for(3, 40) == (2, 20), "the highest that is not above"
    assert epochs.end_offset_for(5, 40) == (4, 30)
    assert epochs.end_offset_for(7, 40) == (7, 40), "the latest ends with the log"
    assert epochs.end_offset_for(1, 40) == (1, 10), "before all that are known: where the first begins"
    assert epochs.end_offset_for(8, 40) == (-1, -1), "never heard of"
    assert epochs.end_offset_for(-1, 40) == (-1, -1)
    assert cache().end_offset_for(0, 40) == (-1, -1)


def test_assigning_forgets_what_contradicts() -> None:
    epochs = cache((2, 10), (4, 20))
    epochs.assign(4, 25)
    assert epochs.entries == [(2, 10), (4, 20)]
    assert not epochs.changed
    epochs.assign(5, 20)
    assert epochs.entries == [(2, 10), (5, 20)], "epoch 4 had no record"
    epochs.assign(3, 30)
    assert epochs.entries == [(2, 10), (3, 30)], "epoch 5 is not to be believed"
    assert epochs.changed


def test_truncation() -> None:
    epochs = cache((2, 10), (4, 20), (7, 30))
    epochs.truncate_from_end(30)
    assert epochs.entries == [(2, 10), (4, 20)]
    epochs.truncate_from_start(25)
    assert epochs.entries == [(4, 25)]
    epochs.truncate_from_start(5)
    assert epochs.entries == [(4, 25)]
    epochs.truncate_from_end(0)
    assert epochs.entries == []


steps = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 30)), max_size=12)


@settings(deadline=None, derandomize=True)
@given(steps, st.integers(-1, 10), st.integers(0, 31))
def test_entries_ascend_and_lookups_agree_with_a_scan(assigned: list[tuple[int, int]], epoch: int, offset: int) -> None:
    epochs = LeaderEpochCache([])
    for step in assigned:
        epochs.assign(*step)
    entries = epochs.entries
    assert entries == sorted(entries)
    assert len({number for number, _ in entries}) == len({start for _, start in entries}) == len(entries)
    assert epochs.epoch_for_offset(offset) == max((e for e, start in entries if start <= offset), default=-1)
    found, end = epochs.end_offset_for(epoch, 100)
    if entries and 0 <= epoch <= entries[-1][0]:
        assert end == min((start for e, start in entries if e > epoch), default=100)
        assert found == max((e for e, _ in entries if e <= epoch), default=epoch)
    else:
        assert (found, end) == (-1, -1)
