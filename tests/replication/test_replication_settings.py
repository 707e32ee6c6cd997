"""What the settings of replication change in a follower's requests, in the ISR, and in what throttles measure."""

from __future__ import annotations

from pathlib import Path

from kafkapy.clock import ManualClock
from kafkapy.fetching.replication_quota import ReplicationQuota, Side
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_wire.messages.fetch import FetchRequest
from tests.replication.replication_lab import ReplicationLab


def test_a_followers_fetch_asks_for_what_is_set(tmp_path: Path) -> None:
    lab = ReplicationLab(
        tmp_path,
        2,
        given={
            "replica.fetch.wait.max.ms": "123",
            "replica.fetch.min.bytes": "7",
            "replica.fetch.max.bytes": "900",
            "replica.fetch.response.max.bytes": "4000",
        },
    )
    asked: list[tuple[int, int, int, list[int]]] = []
    lab.run()
    for flight in lab[2].in_flight.values():
        request = flight.request
        assert isinstance(request, FetchRequest)
        sizes = [one.partition_max_bytes for topic in request.topics for one in topic.partitions]
        asked.append((request.max_wait_ms, request.min_bytes, request.max_bytes, sizes))
    assert asked == [(123, 7, 4_000, [900])]
    lab.close()


def test_a_follower_that_is_behind_for_so_long_leaves_the_isr(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, 2, given={"replica.lag.time.max.ms": "3000"})
    lab.run()
    lab.cut = {(1, 2), (2, 1)}
    lab.produce(1, b"a")
    for milliseconds, isr in ((2_900, (1, 2)), (200, (1,))):
        lab.pass_time(milliseconds)
        lab[1].partition().shrink_isr(now_ms=lab.clock.now_ms())
        lab.run()
        assert lab.state().isr == isr
    lab.close()


def test_a_throttle_measures_over_its_windows() -> None:
    """replication.quota.window.num of them, replication.quota.window.size.seconds each."""
    clock = ManualClock(frozen=True)
    given = {
        "replication.quota.window.num": "2",
        "replication.quota.window.size.seconds": "5",
        "leader.replication.throttled.rate": "99",
    }
    quota = ReplicationQuota(Side.LEADER, 1, CurrentSettings(Settings(given)), clock)
    quota.record(1_000)
    assert quota.bytes_per_second == 200, "over a window at least"
    assert quota.is_exceeded()
    clock.advance(9_999)
    assert 100 <= quota.bytes_per_second < 101
    clock.advance(1)
    assert quota.bytes_per_second == 0, "both windows are over"
    assert not quota.is_exceeded()
