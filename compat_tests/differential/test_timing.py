"""When an answer comes is judged by the wait that was asked for, and by what happened before, never by milliseconds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from compat_tests.differential.comparison import differences
from compat_tests.differential.peer import Answer
from compat_tests.differential.timing import AFTER_THE_WAIT, AT_ONCE, NOT_COMPARED, Timing, classified, wait_seconds
from kafkapy_wire.messages.fetch import FetchRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.produce import ProduceRequest


@pytest.mark.parametrize(
    ("seconds", "may_wait_seconds", "event", "expected"),
    [
        (0.001, 2.5, None, AT_ONCE),
        (2.2, 2.5, None, AT_ONCE),  # held up by a busy machine
        (2.499, 2.5, None, AFTER_THE_WAIT),  # a timer may fire within its millisecond
        (9.0, 2.5, None, AFTER_THE_WAIT),
        (0.9, 2.5, "a record is produced", "when a record is produced"),
        (2.5, 2.5, "a record is produced", AFTER_THE_WAIT),
        (0.001, 0.05, None, NOT_COMPARED),
        (0.05, 0.05, "a record is produced", NOT_COMPARED),
        (3.0, 0.0, None, NOT_COMPARED),
    ],
)
def test_an_answer_is_early_or_late_by_the_wait_that_was_asked_for(
    seconds: float, may_wait_seconds: float, event: str | None, expected: str
) -> None:
    assert classified(seconds, may_wait_seconds, event) == expected


def test_a_request_says_how_long_it_may_wait() -> None:
    assert wait_seconds(FetchRequest(max_wait_ms=2_500)) == 2.5
    assert wait_seconds(ProduceRequest(timeout_ms=5_000)) == 5.0
    assert wait_seconds(JoinGroupRequest(rebalance_timeout_ms=-1)) == 0.0
    assert wait_seconds(MetadataRequest()) == 0.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


def test_the_arrival_counts_and_not_when_the_answer_is_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    timing = Timing(FetchRequest(max_wait_ms=3_600_000))
    timing.watch(ours)
    theirs.sendall(b"answer")
    timing.await_arrival(30)
    timing.happens("something else")
    assert ours.recv(6) == b"answer"
    assert timing.answered() == AT_ONCE


def test_what_happened_last_before_the_arrival_is_named(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    timing = Timing(FetchRequest(max_wait_ms=3_600_000))
    timing.watch(ours)
    timing.happens("one")
    timing.happens("another")
    theirs.close()  # a closed connection is an answer, too
    timing.await_arrival(30)
    assert timing.answered() == "when another"


def test_another_time_is_a_difference_of_its_own() -> None:
    (found,) = differences([Answer("Fetch v18", 1, AT_ONCE)], [Answer("Fetch v18", 1, AFTER_THE_WAIT)])
    assert (found.where, found.kafkapy, found.apache) == ("Fetch v18: (when)", AT_ONCE, AFTER_THE_WAIT)
