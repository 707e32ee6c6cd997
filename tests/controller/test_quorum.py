"""The quorum of one: it leads a new epoch each time it starts, and commits what is durable."""

from __future__ import annotations

from random import Random

import pytest

from kafkapy_controller.metadata_batches import read_batches
from kafkapy_controller.quorum_state import NOBODY, QuorumState, decode_quorum_state, encode_quorum_state
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.quorum import (
    NOTHING,
    Append,
    Effects,
    Flushed,
    NotAppended,
    Quorum,
    QuorumTimeouts,
    Start,
    Stop,
)
from kafkapy_controller.voters import MembershipHistory, QuorumMembership, ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import ControlRecordType, read_control_record_type, split_batches
from kafkapy_wire.uuid import random_uuid

ME = ReplicaKey(1, random_uuid())
VOTER = Voter(1, ME.directory_id, (VoterEndpoint("CONTROLLER", "localhost", 9093),))


def quorum(
    *,
    kraft_version: int = 1,
    voters: tuple[Voter, ...] = (VOTER,),
    epoch: int = 0,
    end_offset: int = 0,
    last_epoch: int = 0,
) -> Quorum:
    epochs = [(last_epoch, 0)] if end_offset else []
    return Quorum(
        ME,
        QuorumState(leader_epoch=epoch),
        MembershipHistory(QuorumMembership(kraft_version, voters)),
        EpochHistory(epochs, end_offset=end_offset),
        timeouts=QuorumTimeouts(),
        random=Random(1),
    )


def control_types(effects: Effects) -> list[ControlRecordType]:
    assert effects.batch is not None
    (batch,) = read_batches(effects.batch)
    return [read_control_record_type(record.key) for record in batch.control_records]


def test_the_first_leader_of_a_new_cluster_writes_who_votes() -> None:
    core = quorum()
    effects = core.step(Start(), now_ms=5)
    assert effects.quorum_state == QuorumState(1, 1, voted_id=1, voted_directory_id=ME.directory_id)
    assert control_types(effects) == [
        ControlRecordType.LEADER_CHANGE,
        ControlRecordType.KRAFT_VERSION,
        ControlRecordType.KRAFT_VOTERS,
    ]
    assert (core.is_leader, core.epoch, core.leader_id, core.log_end_offset) == (True, 1, 1, 3)


def test_up_to_kraft_version_0_the_voters_are_not_in_the_log() -> None:
    assert control_types(quorum(kraft_version=0).step(Start(), 5)) == [ControlRecordType.LEADER_CHANGE]


@pytest.mark.parametrize(("epoch", "last_epoch"), [(4, 3), (3, 4), (4, 4)])
def test_a_new_epoch_is_above_all_that_was_seen(epoch: int, last_epoch: int) -> None:
    core = quorum(epoch=epoch, last_epoch=last_epoch, end_offset=10)
    effects = core.step(Start(), 5)
    assert core.epoch == 5
    assert control_types(effects) == [ControlRecordType.LEADER_CHANGE]
    assert effects.batch is not None
    ((header, _),) = split_batches(effects.batch)
    assert (header.base_offset, header.partition_leader_epoch, header.is_control) == (10, 5, True)


def test_a_decision_is_one_batch_and_committed_when_durable() -> None:
    core = quorum()
    core.step(Start(), 5)
    effects = core.step(Append([m.NoOpRecord(), m.NoOpRecord()], 30), now_ms=6)
    assert effects.high_watermark is None
    assert effects.batch is not None
    (batch,) = read_batches(effects.batch)
    assert (batch.base_offset, batch.last_offset, batch.epoch) == (3, 4, 1)
    assert core.high_watermark == 0
    assert core.step(Flushed(3), 7) == Effects(high_watermark=3)
    assert core.step(Flushed(5), 8).high_watermark == core.high_watermark == 5


def test_a_batch_that_was_not_appended_leaves_its_offsets_to_the_next() -> None:
    core = quorum()
    core.step(Start(), 5)
    core.step(Flushed(3), 5)
    core.step(Append([m.NoOpRecord(), m.NoOpRecord()], 30), now_ms=6)
    assert core.step(NotAppended(3), 7) == NOTHING
    effects = core.step(Append([m.NoOpRecord()], 30), now_ms=8)
    assert effects.batch is not None
    (batch,) = read_batches(effects.batch)
    assert (batch.base_offset, batch.last_offset, core.log_end_offset) == (3, 3, 4)


def test_a_quorum_that_has_resigned_decides_nothing() -> None:
    core = quorum()
    core.step(Start(), 5)
    assert core.step(Stop(), 6) == NOTHING
    assert core.step(Flushed(3), 7) == NOTHING
    with pytest.raises(AssertionError):
        core.step(Append([m.NoOpRecord()], 30), 8)


def test_of_two_voters_none_leads_before_the_other_has_voted() -> None:
    core = quorum(voters=(VOTER, VOTER._replace(node_id=2)))
    effects = core.step(Start(), 5)
    assert effects.batch is None
    assert not core.is_leader
    assert core.leader_id == NOBODY


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"leaderId":1,"leaderEpoch":"x","votedId":-1}'])
def test_a_damaged_quorum_state_is_malformed(text: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_quorum_state(text)


def test_quorum_state_keeps_the_vote() -> None:
    state = QuorumState(leader_id=-1, leader_epoch=7, voted_id=3, voted_directory_id=random_uuid())
    assert decode_quorum_state(encode_quorum_state(state, 1, [1, 2, 3])) == state
