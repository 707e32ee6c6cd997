"""Where logs of leader and follower differ, the follower takes the leader's (KIP-101, KIP-279, KIP-595)."""

from __future__ import annotations

import shutil
from pathlib import Path

from kafkapy.replication.fetcher import Then
from kafkapy_wire.errors import ErrorCode
from tests.partitions.partition_lab import batch
from tests.replication.replication_lab import LAG_MS, ReplicationLab, code_of


def everywhere(lab: ReplicationLab) -> list[list[bytes | None]]:
    return [broker.values() for broker in lab.brokers.values() if broker.live]


def test_what_the_old_leader_alone_has_goes(lab: ReplicationLab) -> None:
    committed = lab.produce(1, b"a")
    lab.run()
    lab.cut = {(2, 1), (3, 1)}
    lab.forget_requests_to(lab[1])
    lost = lab.produce(1, b"lost", b"lost, too")
    lab.change(leader=2, isr=(2, 3), to=[2, 3])
    answer = lab.produce(2, b"b")
    lab.run()
    assert [code_of(each) for each in (committed, lost, answer)] == [ErrorCode.NONE, None, ErrorCode.NONE]
    lab.cut = set()
    lab.publish()
    assert code_of(lost) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    lab.pass_time(2_000)
    assert everywhere(lab) == [[b"a", b"b"]] * 3
    assert sorted(lab.state().isr) == [1, 2, 3]


def test_epochs_that_follow_each_other_quickly(lab: ReplicationLab) -> None:
    """Each leader has records of its own that no other has, in epochs that the next leader has not."""
    lab.produce(1, b"a")
    lab.run()
    lab.cut = {(one, other) for one in (1, 2, 3) for other in (1, 2, 3)}
    for broker in lab.brokers.values():
        lab.forget_requests_to(broker)
    for leader in (1, 2, 3, 1, 2):
        lab.change(leader=leader, to=[leader])
        lab.produce(leader, b"of %d" % leader, b"as well", acks=1)
    lab.change(leader=3)
    lab.cut = set()
    last = lab.produce(3, b"last")
    lab.pass_time(3_000)
    assert everywhere(lab) == [[b"a", b"of 3", b"as well", b"last"]] * 3
    assert code_of(last) is ErrorCode.NONE


def test_a_leader_epoch_without_records_does_not_hold_a_follower_up(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab.change(leader=2)
    lab.change(leader=1)
    answer = lab.produce(1, b"b")
    lab.pass_time(100)
    assert code_of(answer) is ErrorCode.NONE
    assert everywhere(lab) == [[b"a", b"b"]] * 3


def test_an_unclean_leader_makes_its_followers_forget(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab.cut = {(3, 1)}
    lab.forget_requests_to(lab[1])
    lab.pass_time(LAG_MS + 1)
    lab[1].partition().shrink_isr(now_ms=lab.clock.now_ms())
    lab.run()
    lab.produce(1, b"b")
    lab.run()
    lab.pass_time(500)
    assert [broker.values() for broker in lab.brokers.values()] == [[b"a", b"b"], [b"a", b"b"], [b"a"]]
    lab.change(leader=3, isr=(3,))
    lab.produce(3, b"c")
    lab.cut = set()
    lab.pass_time(2_000)
    assert everywhere(lab) == [[b"a", b"c"]] * 3
    assert lab[1].partition().high_watermark == 2


def test_an_empty_disk_is_filled(lab: ReplicationLab) -> None:
    for number in range(5):
        lab.produce(1, b"%d" % number)
        lab.run()
    lab[2].crash()
    shutil.rmtree(lab[2].directory)
    lab.register(2, fenced=True)
    lab.change(isr=(1, 3))
    lab.register(2, fenced=False, epoch=2)
    lab[2].start()
    lab.publish()
    assert lab[2].values() == []
    lab.pass_time(2_000)
    assert lab[2].values() == [b"%d" % number for number in range(5)]
    assert lab.state().isr == (1, 2, 3)


def test_an_older_disk_catches_up_and_what_it_alone_has_goes(lab: ReplicationLab, tmp_path: Path) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab[1].crash(clean=True)
    shutil.copytree(lab[1].directory, tmp_path / "older")
    lab[1].start()
    lab.change(leader=2)
    lab.produce(2, b"b")
    lab.pass_time(100)
    lab[1].crash()
    shutil.rmtree(lab[1].directory)
    shutil.copytree(tmp_path / "older", lab[1].directory)
    lab.change(isr=(2, 3))
    lab[1].start()
    assert lab[1].values() == [b"a"]
    lab.pass_time(2_000)
    assert everywhere(lab) == [[b"a", b"b"]] * 3


def test_a_follower_begins_anew_where_the_leaders_log_begins(lab: ReplicationLab) -> None:
    lab.produce(1, b"a")
    lab.run()
    lab[2].crash()
    lab.change(isr=(1, 3))
    for number in range(4):
        lab.produce(1, b"%d" % number)
        lab.run()
    partition = lab[1].partition()
    partition.delete_records_before(3, now_ms=0)
    lab[2].start()
    lab.pass_time(2_000)
    follower = lab[2].partition().log
    assert (follower.log_start_offset, follower.log_end_offset) == (3, 5)
    assert lab[2].values() == [b"2", b"3"]


def test_a_leaders_log_that_begins_within_a_batch(lab: ReplicationLab) -> None:
    """DeleteRecords has moved its start there: an empty follower takes the whole batch, and begins where it does."""
    lab.produce(1, b"a", b"b", b"c")
    lab.run()
    lab[2].crash()
    shutil.rmtree(lab[2].directory)
    lab.change(isr=(1, 3))
    lab[1].partition().delete_records_before(2, now_ms=0)
    lab[2].start()
    lab.pass_time(2_000)
    follower = lab[2].partition().log
    assert (follower.log_start_offset, follower.log_end_offset) == (2, 3)


def test_the_recovery_point_is_noted_before_anything_is_appended_to_a_truncated_log(lab: ReplicationLab) -> None:
    """Otherwise recovery would take what is appended now for what had reached the disk before."""
    lab.produce(1, b"a")
    lab.run()
    lab.cut = {(2, 1), (3, 1)}
    lab.forget_requests_to(lab[1])
    lab.produce(1, b"lost", acks=1)
    lab.change(leader=2, isr=(2, 3))
    lab.produce(2, b"b", b"c")
    steps: list[tuple[Then, int]] = []
    lab.on_step = lambda broker, then: (
        steps.append((then, broker.partition().log.log_end_offset)) if broker is lab[1] else None
    )
    lab.cut = set()
    lab.pass_time(1_000)
    checkpoint = steps.index((Then.CHECKPOINT, 1))
    assert all(end_offset <= 2 for _, end_offset in steps[:checkpoint])
    assert steps[-1][1] == 3


def test_one_checkpoint_for_all_logs_that_an_answer_truncates(tmp_path: Path) -> None:
    """It has the recovery points of all logs: one for each truncated log would take a failover of thousands minutes."""
    lab = ReplicationLab(tmp_path, 2, partition_count=20)
    lab.run()
    for index in range(20):
        lab[2].partition(index).append_from_leader(
            batch(b"lost"), leader_high_watermark=0, leader_log_start_offset=0, now_ms=0
        )
    steps: list[Then] = []
    lab.on_step = lambda _, then: steps.append(then)
    for index in range(20):
        lab.change(index, leader=1, tell=False)
    lab.publish()
    lab.pass_time(1_000)
    assert [lab[2].values(index) for index in range(20)] == [[]] * 20
    assert steps.count(Then.CHECKPOINT) == 1
    lab.close()


def test_without_leader_epochs_what_may_not_be_committed_goes(lab: ReplicationLab) -> None:
    """Its leader could not tell where the logs diverge. Logs of before KIP-101 have none, and damaged ones."""
    lab.produce(1, b"a")
    lab.run()
    lab.pass_time(500)
    lab.produce(1, b"b")
    lab.run()
    follower = lab[2].partition()
    assert (follower.log.log_end_offset, follower.high_watermark) == (2, 1)
    follower.log.leader_epochs.clear()
    lab.change(leader=3)
    assert follower.log.log_end_offset == 1
    lab.pass_time(100)
    assert everywhere(lab) == [[b"a", b"b"]] * 3
