"""The settings of replication have the effects that Kafka's documentation gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.fetching.replication_quota import ReplicationQuota, Side
from kafkapy.replication.fetcher import Fetcher, Replica
from kafkapy.replication.following import Following
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_wire.messages.fetch import FetchRequest
from tests.partitions.partition_lab import OTHER, PartitionLab
from tests.replication.replication_lab import LabClock, ReplicationLab


@pytest.fixture
def labs(tmp_path: Path) -> Iterator[list[ReplicationLab]]:
    labs: list[ReplicationLab] = []
    yield labs
    for lab in labs:
        lab.close()


def request_with(tmp_path: Path, **given: str) -> FetchRequest:
    """The first request of a follower with these settings."""
    lab = PartitionLab(tmp_path, leader=OTHER)
    settings = CurrentSettings(Settings({name.replace("_", "."): value for name, value in given.items()}))
    quota = ReplicationQuota(Side.FOLLOWER, 1, settings, lab.clock)
    fetcher = Fetcher(OTHER, settings, quota, lambda: Replica(1, 7))
    fetcher.add(lab.partition, now_ms=0.0, wall_ms=0)
    request = fetcher.next_request(0.0)
    assert isinstance(request, FetchRequest)
    return request


def test_the_sizes_and_the_wait_of_a_followers_fetch(tmp_path: Path) -> None:
    request = request_with(
        tmp_path,
        replica_fetch_min_bytes="2",
        replica_fetch_max_bytes="3000",
        replica_fetch_response_max_bytes="40000",
        replica_fetch_wait_max_ms="123",
    )
    assert (request.min_bytes, request.max_bytes, request.max_wait_ms) == (2, 40_000, 123)
    assert request.topics[0].partitions[0].partition_max_bytes == 3_000
    assert (request.replica_state.replica_id, request.replica_state.replica_epoch) == (1, 7)


@pytest.mark.parametrize("replica_fetch_backoff_ms", [200, 3_000])
def test_an_error_is_followed_by_the_backoff(replica_fetch_backoff_ms: int, tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, leader=OTHER)
    settings = CurrentSettings(Settings({"replica.fetch.backoff.ms": str(replica_fetch_backoff_ms)}))
    quota = ReplicationQuota(Side.FOLLOWER, 1, settings, lab.clock)
    fetcher = Fetcher(OTHER, settings, quota, lambda: Replica(1, 7))
    fetcher.add(lab.partition, now_ms=0.0, wall_ms=0)
    now_ms, waits = 0.0, []
    for _ in range(12):
        assert fetcher.next_request(now_ms) is not None
        fetcher.lost(now_ms)
        assert fetcher.next_request(now_ms) is None
        due_ms = fetcher.next_due_ms(now_ms)
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
    assert waits == sorted(waits), "at first it is shorter"
    assert waits[-1] == replica_fetch_backoff_ms


@pytest.mark.parametrize("replica_lag_time_max_ms", [1_000, 60_000])
def test_the_isr_shrinks_by_who_was_not_caught_up_for_the_lag_time(
    replica_lag_time_max_ms: int, labs: list[ReplicationLab], tmp_path: Path
) -> None:
    lab = ReplicationLab(tmp_path, 2, given={"replica.lag.time.max.ms": str(replica_lag_time_max_ms)})
    labs.append(lab)
    lab.run()
    lab.cut = {(2, 1), (1, 2)}
    partition = lab[1].partition()
    lab.produce(1, b"a", acks=1)
    lab.clock.advance(replica_lag_time_max_ms)
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == []
    lab.clock.advance(1)
    assert partition.out_of_sync(now_ms=lab.clock.now_ms()) == [2]


@pytest.mark.parametrize("count", [1, 4])
def test_so_many_fetchers_for_each_source(count: int, tmp_path: Path) -> None:
    settings = CurrentSettings(Settings({"num.replica.fetchers": str(count)}))
    quota = ReplicationQuota(Side.FOLLOWER, 1, settings, LabClock())
    following = Following(1, settings, quota, lambda: Replica(1, 7))
    for index in range(30):
        directory = tmp_path / str(index)
        directory.mkdir()
        partition = PartitionLab(directory, leader=OTHER).partition
        partition.index = index
        following.note_role(partition, now_ms=0.0, wall_ms=0)
    assert sorted(lane.number for lane in following.fetchers) == list(range(count))
    assert sum(map(len, following.fetchers.values())) == 30


@pytest.mark.parametrize(("num", "size_seconds"), [(2, 1), (11, 1), (3, 10)])
def test_the_rate_of_replication_is_that_of_the_last_windows(num: int, size_seconds: int) -> None:
    """replication.quota.window.num times replication.quota.window.size.seconds."""
    given = {
        "replication.quota.window.num": str(num),
        "replication.quota.window.size.seconds": str(size_seconds),
        "leader.replication.throttled.rate": "1000",
    }
    clock = LabClock()
    quota = ReplicationQuota(Side.LEADER, 1, CurrentSettings(Settings(given)), clock)
    assert quota.is_bounded
    quota.record(1_000 * size_seconds)
    assert not quota.is_exceeded()
    quota.record(1)
    assert quota.is_exceeded()
    clock.advance(num * size_seconds * 1_000 - 1)
    assert quota.bytes_per_second > 0
    clock.advance(1)
    assert quota.bytes_per_second == 0
