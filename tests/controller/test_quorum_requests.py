"""Requests and answers that no node of a quorum may send, or only in special circumstances."""

from __future__ import annotations

import pytest

from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.quorum_state import EPOCH_MAX, NOBODY, QuorumState
from kafkapy_controller.raft.messages import (
    BeginQuorumEpoch,
    EndQuorumEpoch,
    EpochResult,
    Fetch,
    FetchResult,
    Vote,
    VoteResult,
)
from kafkapy_controller.raft.quorum import Answered, Append, Asked, Effects, NotAppended, Quorum, Stop, Tick
from kafkapy_controller.raft.roles import Candidate, Follower, Unattached
from kafkapy_controller.raft.rpc import decode_request
from kafkapy_controller.voters import ReplicaKey
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages import end_quorum_epoch, vote
from kafkapy_wire.record_formats.metadata import NoOpRecord
from kafkapy_wire.records import split_batches
from kafkapy_wire.uuid import ZERO_UUID
from tests.controller.quorum_lab import answers_of, ask, candidate, fetch, key, leader, quorum, store, tick


def follower(epoch: int = 5, leader_id: int = 2) -> Quorum:
    core = quorum()
    ask(core, BeginQuorumEpoch(leader_id, epoch, core.me, ()))
    assert isinstance(core.role, Follower)
    return core


VOTE = Vote(5, key(2), key(1), last_epoch=4, log_end_offset=10, pre_vote=False)


@pytest.mark.parametrize(
    "request_",
    [
        VOTE._replace(last_epoch=5),
        VOTE._replace(last_epoch=-1),
        VOTE._replace(log_end_offset=-1),
        VOTE._replace(last_epoch=6, pre_vote=True),
        VOTE._replace(candidate=ReplicaKey(-1, ZERO_UUID)),
        VOTE._replace(epoch=EPOCH_MAX + 1),
    ],
    ids=str,
)
def test_a_vote_for_a_log_that_no_candidate_can_have_is_invalid_and_changes_nothing(request_: Vote) -> None:
    core = quorum()
    result = ask(core, request_)
    assert isinstance(result, VoteResult)
    assert (result.error, result.granted, core.epoch, core.voted) == (ErrorCode.INVALID_REQUEST, False, 0, None)


def test_a_pre_vote_may_be_for_the_epoch_of_the_last_record() -> None:
    result = ask(quorum(), VOTE._replace(last_epoch=5, pre_vote=True))
    assert isinstance(result, VoteResult)
    assert (result.error, result.granted) == (ErrorCode.NONE, True)


def test_a_vote_is_repeated_after_a_restart_that_has_forgotten_the_directory() -> None:
    """At kraft.version 0 the file of the quorum has no directory ids."""
    core = quorum(kraft_version=0, state=QuorumState(-1, 5, voted_id=2))
    again = ask(core, VOTE)
    other = ask(core, VOTE._replace(candidate=key(3)))
    assert isinstance(again, VoteResult)
    assert isinstance(other, VoteResult)
    assert (again.granted, other.granted) == (True, False)


def test_a_vote_is_not_repeated_for_another_directory() -> None:
    core = quorum(state=QuorumState(-1, 5, voted_id=2, voted_directory_id=key(3).directory_id))
    result = ask(core, VOTE)
    assert isinstance(result, VoteResult)
    assert not result.granted


@pytest.mark.parametrize("field", ["fetch_offset", "last_fetched_epoch", "epoch", "max_wait_ms"])
def test_a_fetch_with_a_negative_field_is_invalid_whoever_leads(field: str) -> None:
    for core in (leader(), follower()):
        result = ask(core, fetch(core, 3, **{field: -2}))
        assert isinstance(result, FetchResult)
        assert result.error is ErrorCode.INVALID_REQUEST


def looks_for_the_leader(core: Quorum) -> tuple[int, Fetch]:
    while True:
        for send in tick(core).sends:
            if isinstance(send.request, Fetch):
                return send.to, send.request


@pytest.mark.parametrize(("leader_id", "epoch"), [(-7, 9), (-1, 9), (1, 9)])
def test_an_answer_that_names_no_other_leader_makes_nobody_a_follower(leader_id: int, epoch: int) -> None:
    core = quorum()
    to, request = looks_for_the_leader(core)
    core.step(Answered(to, request, FetchResult(ErrorCode.FENCED_LEADER_EPOCH, leader_id, epoch)), core.now_ms)
    assert isinstance(core.role, Unattached)
    assert (core.epoch, core.leader_id) == (epoch, NOBODY)


def test_an_answer_with_an_epoch_beyond_all_is_no_answer_and_the_next_node_is_asked() -> None:
    core = quorum()
    to, request = looks_for_the_leader(core)
    core.step(Answered(to, request, FetchResult(ErrorCode.FENCED_LEADER_EPOCH, 2, EPOCH_MAX + 1)), core.now_ms)
    assert core.epoch == 0
    assert looks_for_the_leader(core)[0] != to


@pytest.mark.parametrize(
    "request_", [BeginQuorumEpoch(2, EPOCH_MAX + 1, key(1), ()), EndQuorumEpoch(2, EPOCH_MAX + 1, (), ())]
)
def test_nobody_leads_an_epoch_beyond_all(request_: BeginQuorumEpoch | EndQuorumEpoch) -> None:
    result = ask(quorum(), request_)
    assert isinstance(result, EpochResult)
    assert (result.error, result.epoch) == (ErrorCode.INVALID_REQUEST, 0)


def test_at_the_last_epoch_nobody_stands_for_election() -> None:
    core = follower(EPOCH_MAX)
    for now_ms in range(0, 60_000, 500):
        core.step(Tick(), now_ms)
        assert isinstance(core.role, Follower | Unattached)
    assert core.epoch == EPOCH_MAX


def test_a_node_that_stops_stands_for_no_election() -> None:
    core = candidate()
    assert isinstance(core.role, Candidate)
    epoch = core.epoch
    core.step(Stop(), core.now_ms)
    for later_ms in range(0, 60_000, 500):
        core.step(Tick(), core.now_ms + later_ms)
    assert isinstance(core.role, Unattached)
    assert core.epoch == epoch


def test_end_quorum_epoch_of_version_0_names_the_successors_too() -> None:
    partition = end_quorum_epoch.EndQuorumEpochRequestPartitionData(
        leader_id=2, leader_epoch=5, preferred_successors=[3, 1]
    )
    topic = end_quorum_epoch.EndQuorumEpochRequestTopicData(topic_name="__cluster_metadata", partitions=[partition])
    message = end_quorum_epoch.EndQuorumEpochRequest(topics=[topic])
    request = decode_request(decode(type(message), encode(message, 0), 0))
    assert request == EndQuorumEpoch(2, 5, (ReplicaKey(3, ZERO_UUID), ReplicaKey(1, ZERO_UUID)), ())
    core = follower(5, 2)
    core.step(Tick(), core.now_ms)
    ask(core, request)
    assert isinstance(core.role, Follower), "the first in the list begins at once, the second a moment later"


@pytest.mark.parametrize(("topic", "index"), [("orders", 0), ("__cluster_metadata", 1), ("", 0)])
def test_a_message_about_another_partition_is_none_of_the_quorum(topic: str, index: int) -> None:
    partition = vote.VoteRequestPartitionData(partition_index=index, replica_epoch=5)
    message = vote.VoteRequest(topics=[vote.VoteRequestTopicData(topic_name=topic, partitions=[partition])])
    with pytest.raises(MalformedMessage):
        decode_request(message)


# Records that a follower cannot take


def fetching(core: Quorum) -> Fetch:
    request = None
    while request is None:
        request = next((send.request for send in tick(core).sends if isinstance(send.request, Fetch)), None)
    return request


def first_batch() -> bytes:
    """Of epoch 1, at offset 0."""
    core = candidate()
    request = Vote(core.epoch, core.me, key(2), 0, 0, pre_vote=False)
    effects = core.step(Answered(2, request, VoteResult(ErrorCode.NONE, -1, core.epoch, granted=True)), core.now_ms)
    assert effects.batch is not None
    return effects.batch


def taken(core: Quorum, records: bytes) -> Effects:
    request = fetching(core)
    result = FetchResult(ErrorCode.NONE, 2, core.epoch, high_watermark=0, records=records)
    return core.step(Answered(2, request, result), core.now_ms)


def test_damaged_records_are_not_taken_and_are_fetched_again_after_a_while() -> None:
    batch = bytearray(first_batch())
    batch[-1] ^= 1
    core = follower()
    effects = taken(core, bytes(batch))
    assert effects.batch is None
    assert effects.rejected is not None
    assert "damaged" in effects.rejected
    asked_ms = core.now_ms
    assert fetching(core).fetch_offset == 0
    assert core.now_ms - asked_ms >= core.timeouts.backoff_ms
    effects = taken(core, first_batch())
    assert effects.batch == first_batch()


def test_records_of_a_later_epoch_than_the_leaders_are_not_taken() -> None:
    ((_, batch),) = split_batches(first_batch())
    core = follower(epoch=1)
    forged = bytearray(batch)
    forged[12:16] = (2).to_bytes(4, "big")  # the epoch stands before what the CRC covers
    effects = taken(core, bytes(forged))
    assert effects.batch is None
    assert "epoch 2" in (effects.rejected or "")
    assert core.epoch == 1


def test_the_answers_of_a_leader_that_cannot_append_are_given_all_the_same() -> None:
    """A fetch waits, and its time is up just when the disk refuses a batch."""
    records: list[MetadataRecord] = [NoOpRecord()]
    core = leader()
    core.step(Asked("parked", fetch(core, 3, max_wait_ms=50)), core.now_ms)
    end_offset = core.log_end_offset
    core.step(Append(records, 30), core.now_ms)
    effects = core.step(NotAppended(end_offset), core.now_ms + 50)
    assert "parked" in answers_of(effects)
    store(core, core.step(Append(records, 30), core.now_ms))
