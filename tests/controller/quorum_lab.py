"""One node of a quorum of three, and what the two others say to it."""

from __future__ import annotations

from random import Random
from typing import Any

from kafkapy_controller.quorum_state import QuorumState
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.messages import Fetch, Request, Result, Vote, VoteResult
from kafkapy_controller.raft.quorum import (
    Answered,
    Appended,
    Asked,
    Effects,
    Flushed,
    Quorum,
    QuorumTimeouts,
    Start,
    Tick,
)
from kafkapy_controller.voters import MembershipHistory, QuorumMembership, ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.uuid import ZERO_UUID, random_uuid

DIRECTORIES = {node_id: random_uuid(Random(node_id)) for node_id in range(1, 6)}


def key(node_id: int) -> ReplicaKey:
    return ReplicaKey(node_id, DIRECTORIES[node_id])


def voter(node_id: int, *, is_static: bool = False) -> Voter:
    directory_id = ZERO_UUID if is_static else DIRECTORIES[node_id]
    return Voter(node_id, directory_id, (VoterEndpoint("CONTROLLER", "localhost", 9000 + node_id),))


def quorum(
    *,
    kraft_version: int = 1,
    node_id: int = 1,
    state: QuorumState | None = None,
    voter_ids: tuple[int, ...] = (1, 2, 3),
) -> Quorum:
    """Node `node_id`, started, with an empty log."""
    voters = tuple(voter(each, is_static=kraft_version == 0 and each != node_id) for each in voter_ids)
    core = Quorum(
        key(node_id),
        QuorumState() if state is None else state,
        MembershipHistory(QuorumMembership(kraft_version, voters)),
        EpochHistory(),
        timeouts=QuorumTimeouts(),
        random=Random(1),
        endpoints=voter(node_id).endpoints,
    )
    core.step(Start(), 0)
    return core


def ask(core: Quorum, request: Request, now_ms: int | None = None) -> Result:
    """The answer to a request that is answered at once."""
    return answers_of(core.step(Asked("asker", request), core.now_ms if now_ms is None else now_ms))["asker"]


def answers_of(effects: Effects) -> dict[object, Result]:
    return {answer.reply_to: answer.result for answer in effects.answers}


def tick(core: Quorum) -> Effects:
    """Let the time come when something is due."""
    deadline_ms = core.deadline_ms
    assert deadline_ms is not None
    return core.step(Tick(), max(deadline_ms, core.now_ms))


def store(core: Quorum, effects: Effects) -> None:
    """Do with the batch of a leader what its driver does."""
    assert effects.batch is not None
    core.step(Appended(), core.now_ms)
    core.step(Flushed(core.log_end_offset), core.now_ms)


def candidate(**options: int) -> Quorum:
    """A node that has asked for votes, which nobody has given."""
    core = quorum(**options)  # type: ignore[arg-type]
    while not (votes := [send for send in tick(core).sends if isinstance(send.request, Vote)]):
        pass
    granted = VoteResult(ErrorCode.NONE, -1, core.epoch, granted=True)
    core.step(Answered(votes[0].to, votes[0].request, granted), core.now_ms)
    return core


def leader(**options: int) -> Quorum:
    """A leader whose log is on its disk, and committed."""
    core = candidate(**options)
    request = Vote(core.epoch, core.me, key(2), core.epochs.last_epoch, core.log_end_offset, pre_vote=False)
    store(core, core.step(Answered(2, request, VoteResult(ErrorCode.NONE, -1, core.epoch, granted=True)), core.now_ms))
    assert core.is_leader
    commit(core)
    return core


def commit(core: Quorum, node_id: int = 2) -> None:
    """Another voter fetches all that the leader has."""
    core.step(Asked("fetch", fetch(core, node_id)), core.now_ms)
    assert core.high_watermark == core.log_end_offset


def fetch(core: Quorum, node_id: int, **fields: Any) -> Fetch:
    """What a node asks that has everything."""
    return Fetch(
        key(node_id), core.epoch, core.log_end_offset, core.epochs.last_epoch, core.high_watermark, 0
    )._replace(**fields)
