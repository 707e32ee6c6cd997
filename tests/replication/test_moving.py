"""Replicas that are added catch up, throttled where that is asked for, and those that are removed are given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode, KafkaError
from tests.replication.replication_lab import LAG_MS, TOPIC, ReplicationLab, code_of

RATE = 1_000  # bytes a second
RECORD = b"x" * 500


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[ReplicationLab]:
    """Three brokers, of which only the first has a replica; its log has ten records."""
    lab = ReplicationLab(tmp_path, replicas=(1,))
    for _ in range(10):
        lab.produce(1, RECORD)
    yield lab
    lab.close()


def test_an_added_replica_catches_up_and_joins_the_isr(growing: ReplicationLab) -> None:
    growing.change(replicas=(1, 2), adding_replicas=(2,))
    growing.pass_time(100)
    assert growing[2].values() == [RECORD] * 10
    assert growing.state().isr == (1, 2)


def test_a_removed_replica_is_given_up_and_its_log_renamed_to_be_deleted(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab.change(replicas=(1, 2), isr=(1, 2), leader=1)
    answer = lab.produce(1, b"b")
    lab.run()
    assert code_of(answer) is ErrorCode.NONE
    with pytest.raises(KafkaError) as refused:
        lab[3].partition()
    assert refused.value.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert next(path.name for path in lab[3].store.take_deleted()).endswith("-delete")
    assert not any(len(fetcher) for fetcher in lab[3].following.fetchers.values())


def test_a_leader_that_is_removed_is_given_up(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    waiting = lab.produce(1, b"b")
    lab.change(replicas=(2, 3), isr=(2, 3), leader=2)
    assert code_of(waiting) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    answer = lab.produce(2, b"c")
    lab.pass_time(100)
    assert code_of(answer) is ErrorCode.NONE
    assert lab[2].values() == lab[3].values() == [b"a", b"c"]


def test_what_was_moved_away_while_the_broker_was_down_is_set_aside(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab[3].crash()
    lab.change(replicas=(1, 2), isr=(1, 2), leader=1)
    lab[3].start()
    assert not (lab[3].directory / f"{TOPIC}-0").exists()
    (stray,) = lab[3].directory.glob(f"{TOPIC}-0.*-stray")
    assert any(stray.iterdir())


def test_a_replica_that_comes_back_begins_with_nothing_of_before(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab.change(replicas=(1, 2), isr=(1, 2), leader=1)
    lab.change(replicas=(1, 2, 3), adding_replicas=(3,))
    lab.pass_time(100)
    assert lab[3].values() == [b"a"]
    assert sorted(lab.state().isr) == [1, 2, 3]


@pytest.mark.parametrize("side", ["leader", "follower"])
@pytest.mark.parametrize("replicas", ["*", "0:1,0:2"])
def test_a_throttle_holds_back_who_is_not_in_sync(side: str, replicas: str, tmp_path: Path) -> None:
    """By leader.replication.throttled.rate, or that of the follower (KIP-73).

    The topic's leader.replication.throttled.replicas and follower.replication.throttled.replicas say for which ones.
    """
    lab = ReplicationLab(
        tmp_path,
        2,
        replicas=(1,),
        given={
            f"{side}.replication.throttled.rate": str(RATE),
            "replica.fetch.max.bytes": "600",
            "replica.fetch.response.max.bytes": "600",
        },
        # leader.replication.throttled.replicas, follower.replication.throttled.replicas
        topic_settings={f"{side}.replication.throttled.replicas": replicas},
    )
    for _ in range(40):
        lab.produce(1, RECORD)
    size = lab[1].partition().log.size_bytes
    lab.change(replicas=(1, 2), adding_replicas=(2,))
    copied = []
    for _ in range(10):
        lab.pass_time(1_000)
        copied.append(lab[2].partition().log.size_bytes)
    assert RATE * 5 <= copied[-1] <= RATE * 14, copied
    assert copied[-1] < size
    assert lab.state().isr == (1,)
    lab.pass_time(20_000)
    assert lab[2].partition().log.size_bytes == size
    assert lab.state().isr == (1, 2)
    answer = lab.produce(1, RECORD, RECORD, RECORD)
    lab.run()
    assert code_of(answer) is ErrorCode.NONE, "members of the ISR are never held back"
    lab.close()


def test_a_topic_without_throttled_replicas_is_not_held_back(tmp_path: Path) -> None:
    rate = {"leader.replication.throttled.rate": "1", "follower.replication.throttled.rate": "1"}
    lab = ReplicationLab(tmp_path, 2, replicas=(1,), given=rate)
    for _ in range(10):
        lab.produce(1, RECORD)
    lab.change(replicas=(1, 2), adding_replicas=(2,))
    lab.run()
    assert lab[2].values() == [RECORD] * 10
    lab.close()


def test_a_leader_without_room_for_sessions_is_fetched_from_all_the_same(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, 2)
    sessions = lab[1].broker.fetch_sessions
    sessions._slots = 0
    lab.pass_time(LAG_MS)
    answer = lab.produce(1, b"a")
    lab.run()
    assert (code_of(answer), len(sessions)) == (ErrorCode.NONE, 0)
    lab.close()


def test_a_session_that_the_leader_has_dropped_is_begun_anew(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    sessions = lab[1].broker.fetch_sessions
    for session_id in list(sessions._sessions):
        sessions._drop(session_id)
    lab.pass_time(500)
    answer = lab.produce(1, b"b")
    lab.run()
    assert (code_of(answer), len(sessions)) == (ErrorCode.NONE, 2)
