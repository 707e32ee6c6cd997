"""A leader with a second replica commits, shrinks, truncates and changes roles as Kafka's does.

The other replica is played by hand. KIP-101 (leader epochs), KIP-966 (a high watermark needs min.insync.replicas).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.high_watermark import HighWatermark
from kafkapy.partitions.replica import Role
from kafkapy.producing.acks import AckWait
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.produce import PartitionProduceResponse, ProduceResponse
from kafkapy_wire.records import NewRecord
from kafkapy_wire.records.building import build_batch_and_header
from tests.partitions.partition_lab import HERE, LAG_MS, OTHER, PartitionLab, batch


def test_records_are_committed_once_the_whole_isr_has_them(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path)
    lab.produce(b"a", b"b")
    lab.expect("both", 2)
    assert (lab.partition.high_watermark, lab.partition.stored.offset) == (0, 2)
    lab.fetch(0)
    assert lab.partition.high_watermark == 0
    lab.fetch(1)
    assert (lab.partition.high_watermark, lab.released) == (1, [])
    lab.fetch(2)
    assert (lab.partition.high_watermark, lab.released) == (2, ["both"])


def test_what_waits_is_released_in_the_order_of_offsets(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path)
    lab.produce(b"a", b"b", b"c")
    for name, end_offset in (("third", 3), ("first", 1), ("second", 2), ("also second", 2)):
        lab.expect(name, end_offset)
    lab.fetch(2)
    assert lab.released == ["first", "second", "also second"]
    lab.expect("known already", 1)
    assert lab.released[-1] == "known already"


def test_what_refuses_the_rest_within_a_release_refuses_it_once() -> None:
    mark = HighWatermark(0)
    heard: list[tuple[str, KafkaError | None]] = []
    failed = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)
    mark.release_at(1, lambda _: mark.refuse(failed))
    mark.release_at(2, lambda error: heard.append(("second", error)))
    mark.advance(2)
    assert heard == [("second", failed)]


def test_a_produce_is_not_answered_before_all_its_appends(tmp_path: Path) -> None:
    """One of very many partitions is appended in turns of the event loop, and the first ones may be safe before."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = PartitionLab(tmp_path / "one"), PartitionLab(tmp_path / "two")
    wait = AckWait(ProduceResponse(), -1)
    one.produce(b"a")
    wait.add(one.partition, PartitionProduceResponse(), 1)
    one.fetch(1)
    two.produce(b"b")
    wait.add(two.partition, PartitionProduceResponse(), 1)
    pending = wait.begin(1_000, one.clock)
    assert not pending.settled
    two.fetch(1)
    assert pending.settled

    wait = AckWait(ProduceResponse(), -1)
    one.produce(b"c")
    wait.add(one.partition, PartitionProduceResponse(), 2)
    one.fetch(2)
    assert wait.begin(1_000, one.clock).settled, "nothing waits any more when all are appended"


def test_the_isr_shrinks_by_a_follower_that_was_not_caught_up_for_too_long(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path)
    lab.fetch(0)
    lab.produce(b"a")
    lab.now_ms += LAG_MS
    assert lab.partition.out_of_sync(now_ms=lab.now_ms) == []
    lab.now_ms += 1
    assert lab.partition.out_of_sync(now_ms=lab.now_ms) == [OTHER]
    lab.expect("alone", 1)
    lab.become(isr=(HERE,))
    assert (lab.partition.high_watermark, lab.released) == (1, ["alone"])


def test_a_follower_that_keeps_up_with_a_busy_leader_stays_in_sync(tmp_path: Path) -> None:
    """It never reaches the end, but at each fetch what the end was at the fetch before (KAFKA-1647)."""
    lab = PartitionLab(tmp_path)
    for fetched in range(10):
        lab.produce(b"a")
        lab.fetch(fetched)
        lab.now_ms += LAG_MS // 2
        assert lab.partition.out_of_sync(now_ms=lab.now_ms) == []


def test_a_follower_joins_the_isr_at_the_high_watermark(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, isr=(HERE,))
    lab.produce(b"a", b"b")
    assert lab.partition.high_watermark == 2
    lab.fetch(1)
    assert not lab.partition.may_join_isr(OTHER)
    lab.fetch(2)
    assert lab.partition.may_join_isr(OTHER)
    lab.produce(b"c")
    assert lab.partition.high_watermark == 2, "it is about to join: what it does not have is not committed"
    lab.become(isr=(HERE, OTHER))
    assert not lab.partition.may_join_isr(OTHER)
    lab.fetch(3)
    assert lab.partition.high_watermark == 3


def test_a_new_leaders_follower_joins_only_with_the_new_leader_epoch(tmp_path: Path) -> None:
    """One that is at the high watermark may have records of the epoch before that this leader has not."""
    lab = PartitionLab(tmp_path)
    lab.produce(b"a", b"b", b"c")
    lab.fetch(1)
    lab.become(epoch=1, isr=(HERE,))
    lab.fetch(1)
    assert not lab.partition.may_join_isr(OTHER)
    lab.fetch(3)
    assert lab.partition.may_join_isr(OTHER)


def test_below_min_insync_replicas_nothing_is_committed(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, min_insync_replicas=2)
    lab.produce(b"a")
    lab.become(isr=(HERE,))
    assert (lab.partition.is_under_min_isr, lab.partition.high_watermark) == (True, 0)
    with pytest.raises(KafkaError) as refused:
        lab.partition.append_internal(build_batch_and_header([NewRecord(0, b"k", b"x")]), now_ms=lab.now_ms)
    assert refused.value.code is ErrorCode.NOT_ENOUGH_REPLICAS
    lab.become(isr=(HERE, OTHER))
    lab.fetch(1)
    assert lab.partition.high_watermark == 1


def test_min_insync_replicas_above_the_number_of_replicas(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, replicas=(HERE,), isr=(HERE,), min_insync_replicas=2)
    lab.produce(b"a")
    assert (lab.partition.is_under_min_isr, lab.partition.high_watermark) == (False, 1)


def test_who_is_no_replica_does_not_move_the_high_watermark(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path)
    with pytest.raises(KafkaError) as refused:
        lab.partition.follower_fetched(3, 0, now_ms=lab.now_ms)
    assert refused.value.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
    with pytest.raises(KafkaError) as refused:
        lab.partition.follower_fetched(3, 0, now_ms=lab.now_ms, current_leader_epoch=lab.partition.leader_epoch)
    assert refused.value.code is ErrorCode.UNKNOWN_LEADER_EPOCH


def test_leader_follower_leader_with_truncation_between(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path)
    partition = lab.partition
    lab.produce(b"a")
    lab.fetch(1)
    lab.produce(b"lost 1", b"lost 2")
    lab.expect("never", 3)
    # The other one is elected. It has one record of epoch 0, and writes its own.
    lab.become(leader=OTHER, epoch=1, isr=(OTHER,))
    assert partition.role is Role.FOLLOWER
    assert lab.released == ["never: NOT_LEADER_OR_FOLLOWER"]
    assert (partition.log.log_end_offset, partition.high_watermark) == (3, 1)
    partition.truncate_to_divergence(0, 1, now_ms=lab.now_ms)
    assert (partition.log.log_end_offset, partition.high_watermark, partition.stored.offset) == (1, 1, 1)
    partition.append_from_leader(
        batch(b"b", b"c", base_offset=1, leader_epoch=1), leader_high_watermark=2, leader_log_start_offset=0, now_ms=0
    )
    assert (lab.values, partition.high_watermark) == ([b"a", b"b", b"c"], 2)
    # A follower knows no more than what it was sent.
    partition.append_from_leader(b"", leader_high_watermark=9, leader_log_start_offset=0, now_ms=0)
    assert partition.high_watermark == 3
    # And back. The high watermark stays; what is above it waits for the follower of the new epoch.
    lab.become(leader=HERE, epoch=2, isr=(HERE, OTHER))
    assert (partition.role, partition.leader_epoch) == (Role.LEADER, 2)
    lab.produce(b"d")
    assert partition.high_watermark == 3
    lab.fetch(4)
    assert partition.high_watermark == 4
    assert [record.offset for record in lab.records] == [0, 1, 2, 3]
    assert partition.log.end_offset_for_epoch(1) == (1, 3)
    assert partition.log.leader_epochs.latest_epoch == 2


def test_truncation_below_the_high_watermark_takes_it_along(tmp_path: Path) -> None:
    """Only after an unclean election: the leader does not have what was committed."""
    lab = PartitionLab(tmp_path, isr=(HERE,))
    lab.produce(b"a", b"b")
    lab.become(leader=OTHER, epoch=1, isr=(OTHER,))
    lab.partition.truncate_to_divergence(0, 1, now_ms=0)
    assert lab.partition.log.log_end_offset == lab.partition.high_watermark == 0, "a batch goes whole"


def test_a_follower_starts_over_where_the_leaders_log_begins(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, leader=OTHER)
    partition = lab.partition
    partition.start_over_at(100, now_ms=0)
    assert (partition.log.log_start_offset, partition.log.log_end_offset, partition.high_watermark) == (100, 100, 100)
    partition.append_from_leader(
        batch(b"x", base_offset=100), leader_high_watermark=101, leader_log_start_offset=100, now_ms=0
    )
    assert partition.high_watermark == 101


def test_a_follower_follows_the_log_start_of_its_leader(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, leader=OTHER)
    lab.partition.append_from_leader(
        batch(b"a") + batch(b"b", base_offset=1), leader_high_watermark=2, leader_log_start_offset=0, now_ms=0
    )
    lab.partition.append_from_leader(b"", leader_high_watermark=2, leader_log_start_offset=1, now_ms=0)
    assert lab.partition.log.log_start_offset == 1


@pytest.mark.parametrize("code", [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.KAFKA_STORAGE_ERROR])
def test_what_waits_hears_that_the_partition_is_gone(tmp_path: Path, code: ErrorCode) -> None:
    lab = PartitionLab(tmp_path)
    lab.produce(b"a")
    lab.expect("gone", 1)
    lab.partition.retire(code)
    assert lab.released == [f"gone: {code.name}"]


def test_watchers_hear_of_commits_and_roles_until_they_stop(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path)
    heard: list[tuple[int, Role]] = []
    lab.partition.watch("me", lambda partition, _at_once: heard.append((partition.high_watermark, partition.role)))
    lab.produce(b"a")
    lab.fetch(1)
    assert heard[-1] == (1, Role.LEADER)
    lab.become(leader=OTHER, epoch=1)
    assert heard[-1] == (1, Role.FOLLOWER)
    lab.partition.unwatch("me")
    count = len(heard)
    lab.become(leader=HERE, epoch=2)
    assert len(heard) == count


def test_the_high_watermark_waits_for_the_fsync_that_flush_messages_asks_for(tmp_path: Path) -> None:
    lab = PartitionLab(tmp_path, replicas=(HERE,), isr=(HERE,), flush_messages=2)
    lab.produce(b"a")
    assert (lab.partition.stored.offset, lab.partition.high_watermark) == (1, 1)
    lab.produce(b"b")
    lab.produce(b"c")
    lab.expect("all", 3)
    assert (lab.partition.stored.offset, lab.partition.high_watermark, lab.released) == (1, 1, [])
    lab.partition.log.flushing.flush()
    lab.partition._flushed(None)
    assert (lab.partition.stored.offset, lab.partition.high_watermark, lab.released) == (3, 3, ["all"])


def test_the_high_watermark_never_passes_the_logs_end_nor_falls(tmp_path: Path) -> None:
    """Whatever a follower claims to have."""
    lab = PartitionLab(tmp_path)
    lab.produce(b"a")
    lab.fetch(1_000)
    assert lab.partition.high_watermark == 1
    lab.fetch(0)
    assert lab.partition.high_watermark == 1
