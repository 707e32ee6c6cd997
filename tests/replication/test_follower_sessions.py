"""A fetch of a follower reads the partitions with news only, and all the same it learns of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.fetching.fetch_key import FetchKey
from kafkapy.fetching.follower_progress import FollowerProgress
from kafkapy.fetching.replica_reading import ReplicaReading
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, ReplicaState
from tests.replication.replication_lab import LAG_MS, TOPIC, TOPIC_ID, ReplicationLab, code_of


def test_one_record_costs_the_reading_of_one_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = ReplicationLab(tmp_path, 2, partition_count=200)
    lab.run(steps=1_000)
    lab.pass_time(500)
    read: list[int] = []
    fill = ReplicaReading._fill

    def counting(self: ReplicaReading, data: object, partition: object, wanted: object, room: int) -> None:
        read.append(partition.index)  # type: ignore[attr-defined]
        fill(self, data, partition, wanted, room)  # type: ignore[arg-type]

    monkeypatch.setattr(ReplicaReading, "_fill", counting)
    answer = lab.produce(1, b"a", index=77)
    lab.run()
    assert code_of(answer) is ErrorCode.NONE
    assert set(read) == {77}
    read.clear()
    lab.pass_time(500)
    lab.pass_time(500)
    assert set(read) == {77}, "its high watermark has moved since"
    read.clear()
    lab.pass_time(500)
    assert read == []
    assert lab[2].partition(77).high_watermark == 1
    lab.close()


def test_a_follower_that_waits_without_news_stays_in_sync(lab: ReplicationLab) -> None:
    """What it waits at is read with the next append only, and then it was caught up until just now."""
    lab.pass_time(3 * LAG_MS)
    lab.cut = {(2, 1), (3, 1)}
    lab.forget_requests_to(lab[1])
    lab.produce(1, b"a", acks=1)
    partition = lab[1].partition()
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == []
    lab.clock.advance(LAG_MS - 500)
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == []
    lab.clock.advance(1_001)
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == [2, 3]


def test_a_follower_that_has_not_fetched_for_long_is_out_of_sync_with_the_first_append(lab: ReplicationLab) -> None:
    lab.cut = {(2, 1), (1, 2)}
    lab.pass_time(3 * LAG_MS)
    partition = lab[1].partition()
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == [], "it has all that there is"
    lab.produce(1, b"a", acks=1)
    lab.run()
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == [2]


def test_a_follower_that_may_join_later_is_asked_about_with_each_fetch(lab: ReplicationLab) -> None:
    """It has caught up while it is fenced: without any news of the partition it joins when it is unfenced."""
    lab.register(2, fenced=True)
    lab.change(isr=(1, 3))
    lab.pass_time(2_000)
    assert lab.state().isr == (1, 3)
    lab.register(2, fenced=False)
    lab.publish()
    lab.pass_time(600)
    assert lab.state().isr == (1, 2, 3)


def test_the_log_start_reaches_followers_without_records(lab: ReplicationLab) -> None:
    lab.produce(1, b"a", b"b")
    lab.run()
    lab.pass_time(500)
    lab[1].partition().delete_records_before(2, now_ms=0)
    lab.pass_time(1_000)
    assert [lab[broker_id].partition().log.log_start_offset for broker_id in (2, 3)] == [2, 2]
    assert lab[1].partition().low_watermark == 2


def test_replica_fetch_min_bytes_is_waited_for(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, 2, partition_count=2, given={"replica.fetch.min.bytes": "1000"})
    lab.pass_time(1_000)
    first = lab.produce(1, b"x" * 600, index=0)
    lab.run()
    assert code_of(first) is None
    second = lab.produce(1, b"x" * 600, index=1)
    lab.run()
    assert [code_of(answer) for answer in (first, second)] == [ErrorCode.NONE, ErrorCode.NONE]
    lab.close()


def test_what_a_session_watches_ends_with_it(lab: ReplicationLab) -> None:
    sessions = lab[1].broker.fetch_sessions
    partition = lab[1].partition()
    assert partition.is_watched
    for broker_id in (2, 3):
        lab[broker_id].crash()
    for session_id in list(sessions._sessions):
        sessions._drop(session_id)
    assert not partition.is_watched


def test_a_session_that_was_given_up_watches_nothing(lab: ReplicationLab) -> None:
    """Each lost answer ends one. Its watchers would be called with each append, until the cache is full."""
    partition = lab[1].partition()
    watched = len(partition._append_watchers)
    for _ in range(5):
        lab.forget_requests_to(lab[1])
        lab.pass_time(2_000)
    lab.produce(1, b"a")
    lab.run()
    assert lab[2].values() == [b"a"]
    assert len(partition._append_watchers) == watched


def test_a_fetch_that_outlives_its_session_watches_nothing(lab: ReplicationLab) -> None:
    for broker_id in (2, 3):
        lab[broker_id].crash()
    partition = lab[1].partition()
    progress = FollowerProgress()
    key = FetchKey((TOPIC_ID, 0))
    progress.begin_fetch(2, [key], 0)
    progress.close()
    watched = len(partition._append_watchers)
    progress.found(key, partition)
    assert len(partition._append_watchers) == watched


@pytest.mark.parametrize("version", [12, 14, 17])
def test_who_pretends_to_be_a_follower_gets_nothing_and_leaves_nothing(version: int, lab: ReplicationLab) -> None:
    asked = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1_000)
    topic = FetchTopic(topic=TOPIC, topic_id=TOPIC_ID, partitions=[asked])
    request = FetchRequest(topics=[topic], max_bytes=1_000, max_wait_ms=60_000, min_bytes=1, session_epoch=0)
    if version < 15:
        request.replica_id = 99
    else:
        request.replica_state = ReplicaState(replica_id=99, replica_epoch=5)
    watched = len(lab[1].partition()._append_watchers)
    answer = lab[1].handle(request, version)
    assert isinstance(answer, FetchResponse)
    assert answer.responses[0].partitions[0].error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert len(lab[1].partition()._append_watchers) == watched
    assert lab[1].awaited._waiting.keys() <= {2, 3}


@pytest.mark.parametrize(("fetch_offset", "last_fetched_epoch"), [(7, -1), (1, 0), (1, 3)])
def test_a_broker_without_a_replica_is_not_told_to_truncate(
    fetch_offset: int, last_fetched_epoch: int, lab: ReplicationLab
) -> None:
    """This leader has yet to hear that the broker has one, or will hear that it leads no more."""
    lab.change(leader=1)
    asked = FetchPartition(
        partition=0, current_leader_epoch=1, fetch_offset=fetch_offset, last_fetched_epoch=last_fetched_epoch
    )
    request = FetchRequest(
        topics=[FetchTopic(topic_id=TOPIC_ID, partitions=[asked])], replica_state=ReplicaState(replica_id=9)
    )
    answer = lab[1].handle(request, 17)
    assert isinstance(answer, FetchResponse)
    data = answer.responses[0].partitions[0]
    assert (data.error_code, data.diverging_epoch.epoch) == (ErrorCode.UNKNOWN_LEADER_EPOCH, -1)


def test_the_fetch_of_an_earlier_run_of_a_broker_is_refused(lab: ReplicationLab) -> None:
    lab.register(2, epoch=9)
    lab.publish()
    asked = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1_000)
    request = FetchRequest(
        topics=[FetchTopic(topic_id=TOPIC_ID, partitions=[asked])],
        replica_state=ReplicaState(replica_id=2, replica_epoch=8),
    )
    answer = lab[1].handle(request, 17)
    assert isinstance(answer, FetchResponse)
    (data,) = answer.responses[0].partitions
    assert data.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert (data.current_leader.leader_id, data.current_leader.leader_epoch) == (1, 0)
