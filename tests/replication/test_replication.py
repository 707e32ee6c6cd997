"""Followers have what their leader has, and the leader commits what its ISR has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from tests.replication.replication_lab import LAG_MS, ReplicationLab, code_of


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ReplicationLab]:
    lab = ReplicationLab(tmp_path)
    yield lab
    lab.close()


def test_a_produce_with_acks_all_is_answered_when_all_replicas_have_it(lab: ReplicationLab) -> None:
    lab.run()
    answer = lab.produce(1, b"a", b"b")
    assert code_of(answer) is None
    lab.run()
    assert code_of(answer) is ErrorCode.NONE
    assert [lab[broker_id].values() for broker_id in (1, 2, 3)] == [[b"a", b"b"]] * 3
    assert lab[1].partition().high_watermark == 2


def test_the_high_watermark_reaches_followers_with_the_next_answer(lab: ReplicationLab) -> None:
    lab.run()
    lab.produce(1, b"a")
    lab.run()
    assert [lab[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [1, 0, 0]
    lab.produce(1, b"b")
    lab.run()
    assert [lab[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [2, 1, 1]
    lab.pass_time(500)
    assert [lab[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [2, 2, 2]


def test_a_follower_that_is_cut_off_leaves_the_isr_and_comes_back(lab: ReplicationLab) -> None:
    lab.run()
    lab.cut = {(2, 1), (1, 2)}
    answer = lab.produce(1, b"a")
    lab.run()
    assert code_of(answer) is None
    lab.pass_time(LAG_MS + 1)
    lab[1].partition().shrink_isr(now_ms=lab.clock.now_ms())
    lab.run()
    assert (lab.state().isr, code_of(answer)) == ((1, 3), ErrorCode.NONE)
    lab.cut = set()
    lab.pass_time(2_000)
    assert lab.state().isr == (1, 3, 2)
    assert lab[2].values() == [b"a"]
