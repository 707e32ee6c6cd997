"""What tests measure of memory is theirs: nothing else runs in their process."""

from __future__ import annotations

import threading

import pytest

from tests.memory import alone, traced


@alone
def _has_one_thread(expected: int) -> None:
    assert threading.active_count() == expected, "threads"
    with traced() as kept:
        ours = [bytes(100) for _ in range(10_000)]
        assert kept() > 100 * len(ours)


def test_a_test_that_is_alone_has_no_other_threads() -> None:
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    try:
        _has_one_thread(1)
        with pytest.raises(AssertionError, match="threads"):
            _has_one_thread(2)
    finally:
        ended.set()
        other.join()
