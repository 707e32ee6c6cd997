"""Who votes, and how that changes: KIP-853, from kraft.version 0 to 1 and after."""

from __future__ import annotations

from collections import deque

import pytest

from kafkapy_controller.metadata_batches import read_batches
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.raft.description import describe
from kafkapy_controller.raft.messages import (
    AddVoter,
    BeginQuorumEpoch,
    FetchResult,
    RemoveVoter,
    UpdateVoter,
    VoterChangeResult,
)
from kafkapy_controller.raft.quorum import Answered, Append, Asked, NotAppended, Quorum, UpgradeQuorum
from kafkapy_controller.raft.roles import OBSERVER_SESSION_MS
from kafkapy_controller.voters import QuorumMembership, ReplicaKey
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.record_formats.metadata import NoOpRecord
from kafkapy_wire.uuid import ZERO_UUID
from tests.controller.quorum_lab import answers_of, ask, commit, fetch, key, leader, quorum, store, tick, voter


def code(core: Quorum, request: AddVoter | RemoveVoter | UpdateVoter) -> ErrorCode:
    result = ask(core, request)
    assert isinstance(result, VoterChangeResult)
    return result.error


@pytest.mark.parametrize(
    "request_",
    [
        AddVoter(voter(4)._replace(node_id=-1)),
        AddVoter(voter(4)._replace(directory_id=ZERO_UUID)),
        AddVoter(voter(4)._replace(endpoints=())),
        AddVoter(voter(4)._replace(endpoints=(voter(4).endpoints[0]._replace(name="OTHER"),))),
        AddVoter(voter(4)._replace(endpoints=voter(4).endpoints * 101)),
        RemoveVoter(ReplicaKey(2, ZERO_UUID)),
        RemoveVoter(ReplicaKey(-1, key(2).directory_id)),
        UpdateVoter(1, voter(2)._replace(endpoints=())),
        UpdateVoter(1, voter(2)._replace(endpoints=voter(2).endpoints * 101)),
        UpdateVoter(1, voter(2), (1, 0)),
        UpdateVoter(1, voter(2), (-1, 1)),
        UpdateVoter(1, voter(2), (0, 0)),
    ],
    ids=str,
)
def test_a_voter_that_nobody_could_find_is_invalid(request_: AddVoter | RemoveVoter | UpdateVoter) -> None:
    core = leader()
    assert code(core, request_) is ErrorCode.INVALID_REQUEST
    assert core.membership.voter_ids == [1, 2, 3]


def test_a_node_that_does_not_lead_says_that_first() -> None:
    core = quorum()
    for request in (AddVoter(voter(4)._replace(node_id=-1)), RemoveVoter(ReplicaKey(-1, ZERO_UUID))):
        assert code(core, request) is ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_voter_that_could_not_be_appended_is_refused_and_a_later_record_is_not_taken_for_it() -> None:
    core = leader()
    core.step(Asked("observer", fetch(core, 4)), core.now_ms)
    end_offset = core.log_end_offset
    assert answers_of(core.step(Asked("add", AddVoter(voter(4))), core.now_ms)) == {}
    refused = answers_of(core.step(NotAppended(end_offset), core.now_ms))["add"]
    assert isinstance(refused, VoterChangeResult)
    assert refused.error is ErrorCode.KAFKA_STORAGE_ERROR
    assert core.membership.voter_ids == [1, 2, 3]
    assert answers_of(core.step(Asked("again", AddVoter(voter(4))), core.now_ms)) == {}, "nothing stands in its way"


def test_a_voter_that_has_not_fetched_for_long_is_not_added() -> None:
    core = leader()
    core.step(Asked("observer", fetch(core, 4)), core.now_ms)
    core.step(Asked("voter", fetch(core, 2)), core.now_ms + OBSERVER_SESSION_MS)
    assert core.is_leader
    result = ask(core, AddVoter(voter(4)))
    assert isinstance(result, VoterChangeResult)
    assert result.error is ErrorCode.REQUEST_TIMED_OUT


def test_an_observer_that_does_not_fetch_is_no_longer_described_and_nor_is_a_voter_that_was_removed_when_dead() -> None:
    core = leader()
    core.step(Asked("observer", fetch(core, 4)), core.now_ms)

    def described(now_ms: int) -> tuple[list[int], list[int]]:
        description = describe(core, now_ms)
        assert description is not None
        return [each.node_id for each in description.voters], [each.node_id for each in description.observers]

    assert described(core.now_ms) == ([1, 2, 3], [4])
    seen_ms = core.now_ms
    store(core, core.step(Asked("remove", RemoveVoter(key(3))), core.now_ms))
    commit(core)
    assert described(core.now_ms) == ([1, 2], [4])
    assert described(seen_ms + OBSERVER_SESSION_MS - 1) == ([1, 2], [4])
    assert described(seen_ms + OBSERVER_SESSION_MS) == ([1, 2], [])


# From kraft.version 0 to 1


RECORDS: list[MetadataRecord] = [NoOpRecord()]
CHANGED = VoterChangeResult(ErrorCode.NONE, None, 2, 0)


def said_to_leader(core: Quorum, epoch: int) -> list[UpdateVoter]:
    """What it says of itself within a minute, while node 2 leads, answers its fetches, and refuses nothing."""
    said: list[UpdateVoter] = []
    begun = core.step(Asked("begun", BeginQuorumEpoch(2, epoch, core.me, ())), core.now_ms)
    until_ms, sends = core.now_ms + 60_000, deque(begun.sends)
    while core.now_ms < until_ms:
        if not sends:
            sends += tick(core).sends
            continue
        to, request = sends.popleft()
        result = CHANGED if isinstance(request, UpdateVoter) else FetchResult(ErrorCode.NONE, 2, epoch)
        if isinstance(request, UpdateVoter):
            said.append(request)
        sends += core.step(Answered(to, request, result), core.now_ms + 400).sends
    return said


def test_a_static_voter_tells_each_leader_once_where_it_is_and_what_it_supports() -> None:
    core = quorum(kraft_version=0)
    for epoch in (5, 6):
        assert said_to_leader(core, epoch) == [UpdateVoter(epoch, voter(1), (0, 1))]


def test_a_static_voter_is_remembered_and_not_written() -> None:
    core = leader(kraft_version=0)
    end_offset = core.log_end_offset
    assert code(core, UpdateVoter(core.epoch, voter(2))) is ErrorCode.NONE
    assert code(core, UpdateVoter(core.epoch, voter(4))) is ErrorCode.VOTER_NOT_FOUND
    assert code(core, AddVoter(voter(4))) is ErrorCode.UNSUPPORTED_VERSION
    assert core.log_end_offset == end_offset
    assert core.membership.voter(2) == voter(2, is_static=True)


def test_the_quorum_is_upgraded_once_every_voter_has_said_that_it_supports_that() -> None:
    core = leader(kraft_version=0)
    assert code(core, UpdateVoter(core.epoch, voter(2))) is ErrorCode.NONE
    assert "not all of the voters support it" in (core.upgrade_refusal() or "")
    assert code(core, UpdateVoter(core.epoch, voter(3), (0, 0))) is ErrorCode.NONE
    assert "not all of the voters support it" in (core.upgrade_refusal() or "")
    assert code(core, UpdateVoter(core.epoch, voter(3))) is ErrorCode.NONE
    assert core.upgrade_refusal() is None
    effects = core.step(UpgradeQuorum(), core.now_ms)
    store(core, effects)
    upgraded = QuorumMembership(1, (voter(1), voter(2), voter(3)))
    assert core.membership == upgraded
    assert effects.batch is not None
    (batch,) = read_batches(effects.batch)
    membership = QuorumMembership(0, ())
    for record in batch.control_records:
        membership = membership.replay(record)
    assert membership == upgraded, "as others read it"
    assert code(core, RemoveVoter(key(3))) is ErrorCode.REQUEST_TIMED_OUT, "one change at a time"
    commit(core)
    assert answers_of(core.step(Asked("remove", RemoveVoter(key(3))), core.now_ms)) == {}
    assert core.membership.voter_ids == [1, 2]


def test_an_upgrade_that_is_truncated_leaves_a_static_quorum() -> None:
    core = leader(kraft_version=0)
    for node_id in (2, 3):
        assert code(core, UpdateVoter(core.epoch, voter(node_id))) is ErrorCode.NONE
    end_offset = core.log_end_offset
    core.step(UpgradeQuorum(), core.now_ms)
    core.step(NotAppended(end_offset), core.now_ms)
    assert core.membership.kraft_version == 0
    assert code(core, AddVoter(voter(4))) is ErrorCode.UNSUPPORTED_VERSION


# Disks


def test_a_replica_that_does_not_say_which_disk_it_has_does_not_count_as_the_voter() -> None:
    core = leader()
    store(core, core.step(Append(RECORDS, 30), core.now_ms))
    committed = core.high_watermark
    for directory_id in (ZERO_UUID, key(4).directory_id):
        stranger = fetch(core, 2)._replace(replica=ReplicaKey(2, directory_id))
        core.step(Asked("stranger", stranger), core.now_ms)
        assert core.high_watermark == committed < core.log_end_offset
        assert not core.membership.votes(stranger.replica)
    commit(core)


def test_after_an_upgrade_only_the_disk_that_votes_counts() -> None:
    core = leader(kraft_version=0)
    for node_id in (2, 3):
        assert code(core, UpdateVoter(core.epoch, voter(node_id))) is ErrorCode.NONE
    store(core, core.step(UpgradeQuorum(), core.now_ms))
    for directory_id in (ZERO_UUID, key(4).directory_id):
        core.step(Asked("stranger", fetch(core, 2)._replace(replica=ReplicaKey(2, directory_id))), core.now_ms)
        assert core.high_watermark < core.log_end_offset
    commit(core)
