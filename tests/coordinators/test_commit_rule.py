"""The high watermark releases: what a coordinator has decided is answered when it is committed, and what its log has
refused has changed nothing.
"""

from __future__ import annotations

import pytest
import trio.testing

from kafkapy.coordinators.group.classic.group_record import empty_generation
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics
from tests.coordinators.group_lab import GROUP, REBALANCE_MS, SESSION_MS, GroupLab, to_commit
from tests.coordinators.transaction_lab import ID, TIMEOUT_MS, TransactionLab

STATIC_PAIR = ("one", "two")


def commit_request(offset: int) -> OffsetCommitRequest:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    return OffsetCommitRequest(
        group_id=GROUP,
        generation_id_or_member_epoch=-1,
        topics=[OffsetCommitRequestTopic(name="t", partitions=[partition])],
    )


async def test_an_offset_commit_is_answered_once_it_is_committed(lab: GroupLab) -> None:
    await lab.groups.when_ready(GROUP).wait()
    lab.log.commits_at_once = False
    request = commit_request(5)
    pending = lab.groups.commit_offsets(request, to_commit(request), 9)
    assert not pending.settled
    lab.log.commit()
    assert pending.result()[0].partitions == [(0, ErrorCode.NONE)]


async def test_a_reader_does_not_see_what_is_not_committed(lab: GroupLab) -> None:
    """It waits: what it is told must not come undone."""
    await lab.commit(1)
    lab.log.commits_at_once = False
    request = commit_request(2)
    lab.groups.commit_offsets(request, to_commit(request), 9)
    asked = OffsetFetchRequestTopics(name="t", partition_indexes=[0])
    fetched = lab.groups.fetch_offsets(GROUP, [asked], require_stable=False)
    listed = lab.groups.list_groups((), ())
    assert (fetched.settled, listed.settled) == (False, False)
    lab.log.commit()
    assert fetched.result()[0].partitions[0].committed_offset == 2
    assert [group.group_id for group in listed.result()] == [GROUP]


async def test_a_commit_that_takes_too_long_is_answered(lab: GroupLab) -> None:
    await lab.commit(1)
    lab.log.commits_at_once = False
    request = commit_request(2)
    pending = lab.groups.commit_offsets(request, to_commit(request), 9)
    lab.advance(5_000)
    assert pending.settled
    with pytest.raises(KafkaError) as refused:
        pending.result()
    assert refused.value.code is ErrorCode.COORDINATOR_NOT_AVAILABLE
    lab.log.commit()
    assert lab.committed() == 2, "it stands all the same"


async def test_offsets_commit_timeout_ms_is_how_long_that_is(lab: GroupLab) -> None:
    lab.use_settings(offsets_commit_timeout_ms=70)
    await lab.groups.when_ready(GROUP).wait()
    await lab.commit(1)
    lab.log.commits_at_once = False
    request = commit_request(2)
    pending = lab.groups.commit_offsets(request, to_commit(request), 9)
    lab.advance(69)
    assert not pending.settled
    lab.advance(1)
    assert pending.settled


async def test_assignments_leave_once_they_are_committed(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    joined = (await lab.join(member_id)).answer
    lab.log.commits_at_once = False
    synced = await lab.sync(member_id, joined.generation_id, {member_id: b"all"})
    again = await lab.sync(member_id, joined.generation_id)
    assert (synced.parked, again.parked) == (True, True)
    lab.log.commit()
    assert synced.answer.assignment == again.answer.assignment == b"all"


async def test_a_rebalance_before_the_assignment_is_committed(lab: GroupLab) -> None:
    """The assignment is of no use any more, and its commit finds nobody who waits."""
    first = await lab.new_member_id()
    joined = (await lab.join(first)).answer
    second = await lab.new_member_id()
    lab.log.commits_at_once = False
    synced = await lab.sync(first, joined.generation_id, {first: b"all"})
    await lab.join(second)
    assert synced.answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    lab.log.commit()
    assert lab.state() == "PreparingRebalance"


async def test_a_refused_static_join_leaves_the_old_member_in_place(lab: GroupLab) -> None:
    """As Apache Kafka reverts it. Once, the old member was fenced although nobody had taken its place."""
    first, second, generation_id = await lab.stable_pair(instance_ids=STATIC_PAIR)
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    refused = await lab.join(instance_id="two")
    assert refused.answer.error_code == ErrorCode.NOT_COORDINATOR
    assert lab.heartbeat(second, generation_id, instance_id="two") == ErrorCode.NONE
    assert lab.heartbeat(first, generation_id, instance_id="one") == ErrorCode.NONE
    assert {member.member_id for member in lab.describe().members} == {first, second}
    lab.log.refuse_appends_with = None
    joined = (await lab.join(instance_id="two")).answer
    assert (joined.error_code, joined.generation_id) == (ErrorCode.NONE, generation_id)
    assert lab.heartbeat(second, generation_id, instance_id="two") == ErrorCode.FENCED_INSTANCE_ID


async def test_the_old_static_member_is_fenced_once_the_new_one_is_committed(lab: GroupLab) -> None:
    _, second, _ = await lab.stable_pair(instance_ids=STATIC_PAIR)
    lab.log.commits_at_once = False
    joined = await lab.join(instance_id="two")
    assert joined.parked
    lab.log.commit()
    assert joined.answer.error_code == ErrorCode.NONE
    assert joined.answer.member_id != second


async def test_a_refused_sync_leaves_the_group_waiting_for_its_leader(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    joined = (await lab.join(member_id)).answer
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    refused = await lab.sync(member_id, joined.generation_id, {member_id: b"all"})
    assert refused.answer.error_code == ErrorCode.NOT_COORDINATOR
    assert lab.state() == "CompletingRebalance"
    assert lab.group().pending_syncs.keys() == {member_id}
    lab.log.refuse_appends_with = None
    synced = await lab.sync(member_id, joined.generation_id, {member_id: b"all"})
    assert synced.answer.assignment == b"all"


async def test_a_refused_leave_leaves_the_member_in(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    assert lab.leave(member_id) == ErrorCode.NOT_COORDINATOR
    assert lab.heartbeat(member_id, generation_id) == ErrorCode.NONE
    assert (lab.state(), lab.group().generation_id) == ("Stable", generation_id)
    lab.log.refuse_appends_with = None
    assert lab.leave(member_id) == ErrorCode.NONE
    assert (lab.state(), lab.group().generation_id) == ("Empty", generation_id + 1)


async def test_the_end_of_a_session_comes_again_while_the_log_refuses_it(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    lab.advance(SESSION_MS)
    assert lab.state() == "Stable"
    assert member_id in lab.group().members
    lab.log.refuse_appends_with = None
    lab.advance(1_000)
    assert (lab.state(), lab.group().generation_id) == ("Empty", generation_id + 1)


async def test_the_end_of_a_join_phase_comes_again_while_the_log_refuses_it(lab: GroupLab) -> None:
    """A rebalance to which nobody comes back leaves an empty group; a disk that is full must not leave it stuck."""
    member_id, generation_id = await lab.stable_member()
    other = await lab.new_member_id()
    parked = await lab.join(other)
    assert (parked.parked, lab.state()) == (True, "PreparingRebalance")
    lab.group().remove(other)
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    lab.advance(REBALANCE_MS)
    assert lab.state() == "PreparingRebalance"
    lab.log.refuse_appends_with = None
    lab.advance(SESSION_MS)
    await trio.testing.wait_all_tasks_blocked()
    assert (lab.state(), lab.group().generation_id) == ("Empty", generation_id + 1)
    assert member_id not in lab.group().members


async def test_the_record_of_an_empty_group_is_what_the_group_becomes(lab: GroupLab) -> None:
    """It is written before the group changes, from what it will be."""
    member_id, _ = await lab.stable_member()
    before = empty_generation(lab.group(), lab.clock.now_ms())
    lab.leave(member_id)
    stored = lab.log.records()[-1]
    assert (stored.key, stored.value and stored.value[:-8]) == (before.key, before.value and before.value[:-8])


async def test_a_transaction_is_ended_in_steps_that_are_committed_one_by_one() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0)
    lab.log.commits_at_once = False
    ending = lab.transactions.end("orders", producer, commit=True, client_version=2)
    assert lab.markers.written == [], "no marker before the decision is committed"
    lab.log.commit()
    assert len(lab.markers.written) == 1
    assert not ending.settled, "no answer before its end is committed"
    lab.log.commit()
    assert ending.result().epoch == producer.epoch + 1


async def test_a_new_producer_id_is_told_once_it_is_committed() -> None:
    lab = TransactionLab()
    first = await lab.init()
    lab.log.commits_at_once = False
    second = lab.transactions.init_producer_id("orders", 1_000, None)
    assert not second.settled
    lab.log.commit()
    assert second.result().epoch == first.epoch + 1


@pytest.mark.parametrize("comes_late", [False, True])
async def test_a_transaction_whose_decision_is_committed_after_all_is_ended(comes_late: bool) -> None:
    """The producer has heard an error by then; the decision stands, and its markers must come."""
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0)
    lab.log.commits_at_once = False
    ending = lab.transactions.end(ID, producer, commit=True, client_version=2)
    if comes_late:
        lab.clock.advance(5_000)
    else:
        lab.log.refuse_waiting(ErrorCode.KAFKA_STORAGE_ERROR)
    with pytest.raises(KafkaError):
        ending.result()
    await lab.transactions.abort_timed_out()
    assert lab.markers.written == [], "no marker before the decision is committed"
    lab.log.commit()
    await lab.transactions.abort_timed_out()
    assert len(lab.markers.written) == 1
    lab.log.commit()
    assert lab.state() == "CompleteCommit"


async def test_the_last_epoch_of_a_producer_is_known_while_its_record_is_not_committed() -> None:
    """It is in no record; a retried InitProducerId is told from a fenced one by it."""
    lab = TransactionLab()
    first = await lab.init()
    lab.log.commits_at_once = False
    lab.transactions.init_producer_id(ID, TIMEOUT_MS, first)
    retried = lab.transactions.init_producer_id(ID, TIMEOUT_MS, first)
    lab.log.commit()
    assert retried.result().epoch == first.epoch + 1


@pytest.mark.parametrize("takes_too_long", [False, True])
async def test_a_sync_whose_assignment_is_not_committed_is_answered(lab: GroupLab, takes_too_long: bool) -> None:
    """Its append was taken. Every member that waits hears of it, whether its request came before or after."""
    member_id = await lab.new_member_id()
    joined = (await lab.join(member_id)).answer
    lab.log.commits_at_once = False
    synced = await lab.sync(member_id, joined.generation_id, {member_id: b"all"})
    again = await lab.sync(member_id, joined.generation_id)
    if takes_too_long:
        lab.advance(5_000)
    else:
        lab.log.refuse_waiting(ErrorCode.KAFKA_STORAGE_ERROR)
    await trio.testing.wait_all_tasks_blocked()
    expected = ErrorCode.COORDINATOR_NOT_AVAILABLE if takes_too_long else ErrorCode.NOT_COORDINATOR
    assert (synced.answer.error_code, again.answer.error_code) == (expected, expected)
    lab.log.commit()
    synced = await lab.sync(member_id, joined.generation_id)
    assert synced.answer.assignment == b"all"


async def test_a_static_join_that_is_not_committed_is_answered(lab: GroupLab) -> None:
    await lab.stable_pair(instance_ids=STATIC_PAIR)
    lab.log.commits_at_once = False
    joined = await lab.join(instance_id="two")
    lab.log.refuse_waiting(ErrorCode.KAFKA_STORAGE_ERROR)
    await trio.testing.wait_all_tasks_blocked()
    assert joined.answer.error_code == ErrorCode.NOT_COORDINATOR
