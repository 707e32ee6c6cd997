"""Coordinators move with the leadership of their partitions: what is given up, loaded again, and never answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
import trio
import trio.testing

from kafkapy.coordinators.runtime import METADATA_WAIT_MS, partition_for
from kafkapy.coordinators.serving import LOAD_TURN_RECORDS_MAX
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics
from tests.coordinators.group_lab import (
    FIRST_LEADER_EPOCH,
    GROUP,
    NODE_ID,
    OTHER_NODE_ID,
    PARTITION_COUNT,
    SESSION_MS,
    GroupLab,
    MemoryLog,
    to_commit,
)
from tests.coordinators.test_commit_rule import commit_request
from tests.coordinators.test_missing_topics import code_of, requests_about_groups, requests_about_transactions
from tests.coordinators.transaction_lab import ID, TransactionLab

HERE = partition_for(GROUP, PARTITION_COUNT)
ELSEWHERE = (HERE + 1) % PARTITION_COUNT
NOT_COORDINATOR = ErrorCode.NOT_COORDINATOR
LOADING = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS


def group_in(partition: int) -> str:
    """A group of that partition."""
    return next(name for name in map(str, range(100)) if partition_for(name, PARTITION_COUNT) == partition)


def move_away(lab: GroupLab | TransactionLab, *partitions: int) -> None:
    """Another broker leads these partitions, in the next epoch of each."""
    lab.log.led_elsewhere.update(partitions)
    for partition in partitions:
        lab.log.leader_epochs[partition] += 1
        lab.log.marks[partition].refuse(KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))
    follow(lab)


def move_back(lab: GroupLab | TransactionLab, *partitions: int) -> None:
    lab.log.led_elsewhere.difference_update(partitions)
    for partition in partitions:
        lab.log.leader_epochs[partition] += 1
    follow(lab)


def follow(lab: GroupLab | TransactionLab) -> None:
    (lab.groups if isinstance(lab, GroupLab) else lab.transactions)._runtime.follow_leadership()


def lose_uncommitted(log: MemoryLog) -> None:
    """The leader in between did not have them: a follower's log is truncated to what it has."""
    for partition, mark in enumerate(log.marks):
        while log.end_offsets[partition] > mark.offset:
            log.batches[partition].pop()
            log.end_offsets[partition] -= 1


async def test_parked_requests_of_a_group_that_moves_are_refused(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    joined = (await lab.join(member_id)).answer
    follower = await lab.join(instance_id="second")
    assert follower.parked
    move_away(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert follower.answer.error_code == NOT_COORDINATOR
    assert follower.answer.member_id, "it keeps the id that it was given, as in Apache Kafka"
    assert lab.heartbeat(member_id, joined.generation_id) == NOT_COORDINATOR


async def test_a_parked_sync_of_a_group_that_moves_is_refused(lab: GroupLab) -> None:
    first = (await lab.join(instance_id="one")).answer
    second = await lab.join(instance_id="two")
    again = await lab.join(first.member_id, instance_id="one")
    waiting = await lab.sync(second.answer.member_id, again.answer.generation_id, instance_id="two")
    assert waiting.parked
    move_away(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert waiting.answer.error_code == NOT_COORDINATOR


async def test_nothing_is_written_for_a_group_that_has_moved(lab: GroupLab) -> None:
    """Neither by the timers of its members, nor by those that a refused answer sets anew."""
    member_id = await lab.new_member_id()
    joined = (await lab.join(member_id)).answer
    lab.log.commits_at_once = False
    synced = await lab.sync(member_id, joined.generation_id, {member_id: b"all"})
    move_away(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert synced.answer.error_code == NOT_COORDINATOR
    written = len(lab.log.records())
    for _ in range(5):
        lab.advance(100 * SESSION_MS)
    assert len(lab.log.records()) == written


async def test_a_group_that_comes_back_is_as_the_log_says(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    await lab.commit(5, member_id=member_id, generation_id=generation_id)
    move_away(lab, HERE)
    move_back(lab, HERE)
    assert lab.heartbeat(member_id, generation_id) == LOADING
    await trio.testing.wait_all_tasks_blocked()
    assert lab.heartbeat(member_id, generation_id) == ErrorCode.NONE
    assert lab.committed() == 5
    lab.advance(SESSION_MS + 1)
    assert lab.state() == "Empty", "its sessions run from when it was loaded"


async def test_a_leader_that_stays_in_the_next_epoch_disturbs_nobody(lab: GroupLab) -> None:
    """As a reassignment makes it; Apache Kafka's groups go on, too."""
    member_id, generation_id = await lab.stable_member()
    second = await lab.join(instance_id="second")
    lab.log.leader_epochs[HERE] += 1
    follow(lab)
    await trio.testing.wait_all_tasks_blocked()
    assert second.parked
    assert lab.heartbeat(member_id, generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    assert lab.groups._runtime.leader_epoch(HERE) == FIRST_LEADER_EPOCH + 1


async def test_a_leader_that_has_missed_an_epoch_loads_again(lab: GroupLab) -> None:
    """Another broker may have led in between."""
    member_id, generation_id = await lab.stable_member()
    second = await lab.join(instance_id="second")
    assert second.parked
    lab.log.leader_epochs[HERE] += 2
    follow(lab)
    await trio.testing.wait_all_tasks_blocked()
    assert second.answer.error_code == NOT_COORDINATOR
    assert (lab.state(), lab.heartbeat(member_id, generation_id)) == ("Stable", ErrorCode.NONE)


async def test_a_change_of_the_topic_that_changes_no_leader_disturbs_nobody(lab: GroupLab) -> None:
    await lab.stable_member()
    shard = lab.groups._runtime.shard(HERE)
    follow(lab)
    await trio.testing.wait_all_tasks_blocked()
    assert lab.groups._runtime.shard(HERE) is shard


async def test_requests_about_groups_elsewhere(lab: GroupLab) -> None:
    await lab.commit(1)
    move_away(lab, HERE)
    codes = {what: code_of(ask) for what, ask in requests_about_groups(lab).items()}
    assert codes == dict.fromkeys(codes, NOT_COORDINATOR)


async def test_lists_have_what_is_led_here(lab: GroupLab) -> None:
    here, elsewhere = group_in(HERE), group_in(ELSEWHERE)
    await lab.commit(1, group_id=here)
    await lab.commit(1, group_id=elsewhere)
    move_away(lab, ELSEWHERE)
    await trio.testing.wait_all_tasks_blocked()
    assert [group.group_id for group in lab.groups.list_groups((), ()).result()] == [here]
    assert lab.groups.coordinator_of(here) == NODE_ID
    assert lab.groups.coordinator_of(elsewhere) == OTHER_NODE_ID
    move_away(lab, HERE)
    assert lab.groups.list_groups((), ()).result() == []


async def test_a_list_that_loses_a_partition_while_it_waits_is_to_be_asked_again(lab: GroupLab) -> None:
    """Clients do that for COORDINATOR_LOAD_IN_PROGRESS; NOT_COORDINATOR is no answer to a list in Apache Kafka."""
    await lab.commit(1)
    lab.log.commits_at_once = False
    request = commit_request(2)
    lab.groups.commit_offsets(request, to_commit(request), 9)
    listed = lab.groups.list_groups((), ())
    move_away(lab, HERE)
    with pytest.raises(KafkaError) as refused:
        listed.result()
    assert refused.value.code is LOADING


async def test_requests_about_transactional_ids_elsewhere() -> None:
    lab = TransactionLab()
    await lab.init()
    move_away(lab, *range(PARTITION_COUNT))
    codes = {what: code_of(ask) for what, ask in requests_about_transactions(lab).items()}
    assert codes == dict.fromkeys(codes, NOT_COORDINATOR)
    assert await lab.transactions.list(None, frozenset(), -1, None) == []
    assert lab.transactions.coordinator_of(ID) == OTHER_NODE_ID


async def test_what_was_appended_and_lost_is_undone(lab: GroupLab) -> None:
    await lab.commit(1)
    lab.log.commits_at_once = False
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=2)
    request = OffsetCommitRequest(
        group_id=GROUP,
        generation_id_or_member_epoch=-1,
        topics=[OffsetCommitRequestTopic(name="t", partitions=[partition])],
    )
    committed = lab.groups.commit_offsets(request, to_commit(request), 9)
    fetched = lab.groups.fetch_offsets(
        GROUP, [OffsetFetchRequestTopics(name="t", partition_indexes=[0])], require_stable=False
    )
    move_away(lab, HERE)
    for answer in (committed, fetched):
        with pytest.raises(KafkaError) as refused:
            answer.result()
        assert refused.value.code is NOT_COORDINATOR
    lose_uncommitted(lab.log)
    move_back(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert lab.committed() == 1


async def test_what_was_loaded_is_answered_once_it_is_committed(lab: GroupLab) -> None:
    """The new leader has records that the old one has not committed: it may lose them in its turn."""
    await lab.commit(1)
    lab.log.commits_at_once = False
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=2)
    request = OffsetCommitRequest(
        group_id=GROUP,
        generation_id_or_member_epoch=-1,
        topics=[OffsetCommitRequestTopic(name="t", partitions=[partition])],
    )
    lab.groups.commit_offsets(request, to_commit(request), 9)
    move_away(lab, HERE)
    move_back(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    fetched = lab.groups.fetch_offsets(
        GROUP, [OffsetFetchRequestTopics(name="t", partition_indexes=[0])], require_stable=False
    )
    assert not fetched.settled
    lab.log.commit()
    assert fetched.result()[0].partitions[0].committed_offset == 2


class WatchedLog(MemoryLog):
    """Counts the batches that are read, and calls `when_read` with the number of each."""

    reads = 0
    when_read: Callable[[int], None] | None = None

    def read_batches(self, partition: int) -> Iterator[memoryview]:
        for batch in super().read_batches(partition):
            self.reads += 1
            if self.when_read is not None:
                self.when_read(self.reads)
            yield batch


async def test_a_load_that_is_overtaken_is_dropped(lab: GroupLab) -> None:
    lab.log = log = WatchedLog()
    lab.groups = groups = lab._coordinator()
    await groups.when_ready(GROUP).wait()
    for offset in range(LOAD_TURN_RECORDS_MAX + 10):
        await lab.commit(offset)
    move_away(lab, HERE)
    log.reads = 0
    log.when_read = lambda count: move_away(lab, HERE) if count == 5 else None
    move_back(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert log.reads == LOAD_TURN_RECORDS_MAX, "it stops after the turn in which it was overtaken"
    assert HERE not in dict(groups._runtime.loaded_shards())
    assert await lab.commit() == NOT_COORDINATOR
    log.when_read = None
    move_back(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert lab.committed() == LOAD_TURN_RECORDS_MAX + 9


class BrokenLog(MemoryLog):
    broken = False

    def read_batches(self, partition: int) -> Iterator[memoryview]:
        if self.broken and partition == HERE:
            raise OSError("Input/output error")
        return super().read_batches(partition)


async def test_a_partition_that_the_disk_refuses_is_tried_again_in_the_next_term(
    lab: GroupLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.log = log = BrokenLog()
    lab.groups = lab._coordinator()
    await lab.groups.when_ready(GROUP).wait()
    await lab.commit(3)
    move_away(lab, HERE)
    log.broken = True
    with caplog.at_level(logging.ERROR):
        move_back(lab, HERE)
        await trio.testing.wait_all_tasks_blocked()
    assert await lab.commit() == NOT_COORDINATOR
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"cannot read __consumer_offsets-{HERE} (Input/output error)")
    log.broken = False
    move_away(lab, HERE)
    move_back(lab, HERE)
    await trio.testing.wait_all_tasks_blocked()
    assert lab.committed() == 3


class RemoteLog(MemoryLog):
    """Its topic is created by another node, and this broker hears of it when told."""

    async def create_topic(self) -> None:
        self.creations += 1


async def test_a_topic_that_another_node_creates_is_waited_for(lab: GroupLab) -> None:
    lab.log = log = RemoteLog()
    lab.groups = groups = lab._coordinator()
    ready = groups.when_ready(GROUP)
    await trio.testing.wait_all_tasks_blocked()
    assert (log.creations, ready.settled) == (1, False)
    await MemoryLog.create_topic(log)
    log.led_elsewhere.add(HERE)
    groups._runtime.follow_leadership()
    assert ready.settled, "another broker loads it"
    assert groups.coordinator_of(GROUP) == OTHER_NODE_ID


async def test_a_topic_that_does_not_come_is_not_waited_for_long(lab: GroupLab) -> None:
    lab.log = RemoteLog()
    lab.groups = groups = lab._coordinator()
    ready = groups.when_ready(GROUP)
    await trio.testing.wait_all_tasks_blocked()
    lab.advance(METADATA_WAIT_MS)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(KafkaError) as refused:
        ready.result()
    assert refused.value.code is ErrorCode.COORDINATOR_NOT_AVAILABLE


async def prepared(lab: TransactionLab) -> ProducerIdAndEpoch:
    """A commit is decided, and the broker loses its leadership before the decision is committed."""
    producer = await lab.init()
    lab.add(producer, 0)
    lab.log.commits_at_once = False
    ending = lab.transactions.end(ID, producer, commit=True, client_version=2)
    move_away(lab, *range(PARTITION_COUNT))
    with pytest.raises(KafkaError) as refused:
        ending.result()
    assert refused.value.code is NOT_COORDINATOR
    return producer


async def test_markers_of_a_loaded_decision_wait_until_it_is_committed() -> None:
    lab = TransactionLab()
    await prepared(lab)
    move_back(lab, *range(PARTITION_COUNT))
    await lab.transactions.load()
    assert lab.markers.written == []
    lab.log.commit()
    ((_, _, marker),) = lab.markers.written
    assert marker.coordinator_epoch == lab.log.leader_epochs[partition_for(ID, PARTITION_COUNT)]
    lab.log.commit()
    assert lab.state() == "CompleteCommit"


async def test_a_decision_that_is_committed_late_is_carried_out_all_the_same() -> None:
    lab = TransactionLab()
    await prepared(lab)
    move_back(lab, *range(PARTITION_COUNT))
    await lab.transactions.load()
    lab.clock.advance(60_000)
    lab.log.commit()
    assert lab.markers.written == []
    await lab.transactions.abort_timed_out()
    assert len(lab.markers.written) == 1


async def test_a_decision_that_was_lost_is_none() -> None:
    lab = TransactionLab()
    await prepared(lab)
    lose_uncommitted(lab.log)
    move_back(lab, *range(PARTITION_COUNT))
    await lab.transactions.load()
    assert (lab.state(), lab.markers.written) == ("Ongoing", [])


async def test_a_transaction_that_moves_while_it_ends_is_ended_by_the_new_coordinator() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0, 1)
    lab.markers.refuse["t", 1] = ErrorCode.NOT_ENOUGH_REPLICAS
    await lab.end(producer)
    assert lab.state() == "PrepareCommit"
    first_epoch = FIRST_LEADER_EPOCH
    move_away(lab, *range(PARTITION_COUNT))
    lab.markers.refuse.clear()
    lab.clock.advance(60_000)
    assert [index for _, index, _ in lab.markers.written] == [0], "nothing more is written here"
    move_back(lab, *range(PARTITION_COUNT))
    await lab.transactions.load()
    assert lab.state() == "CompleteCommit"
    assert [(index, marker.coordinator_epoch) for _, index, marker in lab.markers.written] == [
        (0, first_epoch),
        (0, first_epoch + 2),
        (1, first_epoch + 2),
    ]


async def test_the_records_of_an_id_that_has_moved_do_not_expire_here() -> None:
    lab = TransactionLab()
    await lab.init()
    move_away(lab, *range(PARTITION_COUNT))
    written = len(lab.log.records(ID))
    lab.clock.advance(100 * 24 * 3_600_000)
    lab.transactions.remove_expired()
    await lab.transactions.abort_timed_out()
    assert len(lab.log.records(ID)) == written
