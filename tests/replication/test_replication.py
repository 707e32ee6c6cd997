"""Followers have what their leader has, and the leader commits what its ISR has."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_controller.image import PartitionImage, TopicImage
from kafkapy_wire.errors import ErrorCode
from tests.replication.replication_lab import LAG_MS, TOPIC, TOPIC_ID, ReplicationLab, code_of


def test_a_produce_with_acks_all_is_answered_when_all_replicas_have_it(lab: ReplicationLab) -> None:
    answer = lab.produce(1, b"a", b"b")
    assert code_of(answer) is None
    lab.run()
    assert code_of(answer) is ErrorCode.NONE
    assert [lab[broker_id].values() for broker_id in (1, 2, 3)] == [[b"a", b"b"]] * 3
    assert lab[1].partition().high_watermark == 2


def test_the_high_watermark_reaches_followers_with_the_next_answer(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    assert [lab[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [1, 0, 0]
    lab.produce(1, b"b")
    lab.run()
    assert [lab[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [2, 1, 1]
    lab.pass_time(500)
    assert [lab[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [2, 2, 2]


def test_a_follower_that_is_cut_off_leaves_the_isr_and_comes_back(lab: ReplicationLab) -> None:
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
    assert lab.state().isr == (1, 2, 3)
    assert lab[2].values() == [b"a"]


def test_below_min_insync_replicas_acks_all_is_refused_before_and_after_the_append(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, topic_settings={"min.insync.replicas": "2"})
    lab.run()
    lab.cut = {(2, 1), (3, 1)}
    lab.forget_requests_to(lab[1])
    appended = lab.produce(1, b"a")
    lab.pass_time(LAG_MS + 1)
    lab[1].partition().shrink_isr(now_ms=lab.clock.now_ms())
    lab.run()
    assert lab.state().isr == (1,)
    assert code_of(lab.produce(1, b"b")) is ErrorCode.NOT_ENOUGH_REPLICAS
    assert code_of(appended) is None, "it is not committed by one replica alone (KIP-966)"
    assert code_of(lab.produce(1, b"c", acks=1)) is ErrorCode.NONE
    lab.clock.advance(60_000)
    assert code_of(appended) is ErrorCode.REQUEST_TIMED_OUT
    lab.cut = set()
    lab.pass_time(2_000)
    answer = lab.produce(1, b"d")
    lab.run()
    assert code_of(answer) is ErrorCode.NONE
    assert lab[3].values() == [b"a", b"c", b"d"]
    lab.close()


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)], ids=["leader first", "follower first"])
def test_a_new_partition_is_fetched_at_once_although_the_followers_fetch_waits(
    first: int, second: int, tmp_path: Path
) -> None:
    """Whoever hears of it first: not only after replica.fetch.wait.max.ms."""
    lab = ReplicationLab(tmp_path, 2)
    lab.run()
    assert lab[2].in_flight, "it waits at its leader"
    topic = lab.image.topics[TOPIC]
    topic = topic._replace(partitions=(*topic.partitions, PartitionImage((1, 2), (1, 2), leader=1)))
    lab.image = lab.image._replace(topics={TOPIC: topic}, topics_by_id={TOPIC_ID: topic})
    lab.publish([first])
    lab.publish([second])
    answer = lab.produce(1, b"a", index=1)
    for _ in range(3):
        lab.clock.advance(5)
        lab.run()
    assert code_of(answer) is ErrorCode.NONE
    assert lab[2].values(1) == [b"a"]
    lab.close()


def test_a_follower_that_never_names_a_partition_is_not_answered_early_for_ever(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, 2)
    lab.run()
    awaited = lab[1].awaited
    lab.change(leader=1, to=[1])
    assert awaited.max_wait_ms(2, [], 500) < 500
    lab.clock.advance(3_000)
    assert awaited.max_wait_ms(2, [], 500) == 500
    lab.close()


def test_thousands_of_partitions_change_roles_in_turns(tmp_path: Path) -> None:
    """When a broker fails, and when one starts that follows them: meanwhile they keep the role that they have."""
    count = 300
    lab = ReplicationLab(tmp_path, 2, partition_count=count)
    lab.run(steps=2_000)
    assert len(lab[2].partitions.opened()) == count
    state = lab.state()._replace(leader=2, leader_epoch=1, partition_epoch=1)
    topic = TopicImage(TOPIC, TOPIC_ID, (state,) * count)
    lab.image = lab.image._replace(topics={TOPIC: topic}, topics_by_id={TOPIC_ID: topic})
    lab.publish()
    assert not any(partition.leads for partition in lab[2].partitions.opened())
    lab.clock.drain()
    assert all(partition.leads for partition in lab[2].partitions.opened())
    lab.close()
