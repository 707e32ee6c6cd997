"""A leader of several voters whose disk is full: nobody waits for an answer that does not come."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafkapy.metadata.metadata_log import MetadataLog
from kafkapy_controller.raft.core import Send
from kafkapy_controller.raft.messages import AddVoter, BeginQuorumEpoch
from kafkapy_controller.raft.quorum import Quorum
from kafkapy_controller.raft.roles import Leader
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError
from tests.controller.quorum_lab import fetch, leader, voter


class FullLog:
    """A log that takes nothing more, and loses nothing."""

    has_failed = False
    failure = None

    def __init__(self, end_offset: int) -> None:
        self.log_end_offset = end_offset

    def append_as_follower(self, batch: bytes, *, now_ms: int) -> None:
        raise StorageError("__cluster_metadata-0", OSError(errno.ENOSPC, "No space left on device"))


class Loader:
    next_offset = 10**6

    def load(self, high_watermark: int) -> Iterator[None]:
        return iter(())


class Clock:
    """Shows what the test sets; timers do not fire."""

    def __init__(self, now_ms: int) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def call_later(self, _delay_ms: float, _callback: object) -> Clock:
        return self

    def cancel(self) -> None:
        pass


class Network:
    def __init__(self) -> None:
        self.sent: list[Send] = []

    def send(self, send: Send) -> None:
        self.sent.append(send)


def full(core: Quorum, directory: Path) -> tuple[MetadataLog, Clock, Network]:
    parts: Any = FullLog(core.log_end_offset), core, Loader(), None, Clock(core.now_ms)
    log, network = MetadataLog(directory, *parts, fsync=False), Network()
    log.network = network  # type: ignore[assignment]
    return log, parts[4], network


@pytest.mark.parametrize("waits", [True, False])
def test_a_voter_that_cannot_be_written_is_refused_at_once(tmp_path: Path, waits: bool) -> None:
    core = leader()
    log, _, _ = full(core, tmp_path)
    log.ask(fetch(core, 4))
    answer = log.ask(AddVoter(voter(4), ack_when_committed=waits))
    assert answer.settled
    if waits:
        result = answer.result()
        assert getattr(result, "error", None) is ErrorCode.KAFKA_STORAGE_ERROR
    else:
        with pytest.raises(KafkaError) as refusal:
            answer.result()
        assert refusal.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert log.failure is None
    assert core.membership.voter_ids == [1, 2, 3]


def test_what_else_was_due_with_the_refused_batch_is_tried_again(tmp_path: Path) -> None:
    """The time of a fetch is up, and a voter that does not fetch is to be told who leads."""
    core = leader()
    log, clock, network = full(core, tmp_path)
    assert isinstance(core.role, Leader)
    core.role.beginning.clear()  # those of the election are answered
    log.ask(fetch(core, 4))
    parked = log.ask(fetch(core, 2, max_wait_ms=200))
    assert not parked.settled
    clock.at_ms += 1_100
    refused = log.ask(AddVoter(voter(4)))
    assert refused.settled
    assert parked.settled
    assert network.sent == []
    clock.at_ms += 1_100
    log.ask(fetch(core, 2))
    assert [send.to for send in network.sent if isinstance(send.request, BeginQuorumEpoch)] == [3]
