"""Elections: votes and pre-votes (KIP-595, KIP-996), and learning the epoch and leader from any message."""

from __future__ import annotations

from kafkapy_controller.quorum_state import EPOCH_MAX, NOBODY
from kafkapy_controller.raft.core import QuorumCore
from kafkapy_controller.raft.messages import (
    BeginQuorumEpoch,
    Endpoints,
    EndQuorumEpoch,
    EpochResult,
    Fetch,
    Vote,
    VoteResult,
)
from kafkapy_controller.raft.roles import Candidate, Follower, Leader, Prospective, Resigned, Unattached, Votes
from kafkapy_controller.voters import ReplicaKey, same_directory
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.uuid import ZERO_UUID

# Requests of others


def vote(core: QuorumCore, reply_to: object, request: Vote) -> None:
    def answer(error: ErrorCode, *, granted: bool = False) -> None:
        leader_id, epoch, endpoints = core.known_leader()
        core.answer(reply_to, VoteResult(error, leader_id, epoch, granted, endpoints))

    if not _may_be_asked(request):
        return answer(ErrorCode.INVALID_REQUEST)
    if request.epoch < core.epoch:
        return answer(ErrorCode.FENCED_LEADER_EPOCH)
    if request.candidate.node_id < 0:
        return answer(ErrorCode.INVALID_REQUEST)
    if not _is_me(core, request.voter):
        return answer(ErrorCode.INVALID_VOTER_KEY)
    if request.epoch > core.epoch:
        core.become_unattached(request.epoch)
    grants = _grants_pre_vote if request.pre_vote else _grants_vote
    granted = grants(core, request)
    if granted and not request.pre_vote and core.voted is None:
        core.vote_for(request.candidate)
    return answer(ErrorCode.NONE, granted=granted)


def _may_be_asked(request: Vote) -> bool:
    """Whether a candidate can have such a log: a vote is for an epoch that is newer than all records of it."""
    last_epoch_max = request.epoch if request.pre_vote else request.epoch - 1
    is_possible = 0 <= request.last_epoch <= last_epoch_max and request.log_end_offset >= 0
    return is_possible and request.epoch <= EPOCH_MAX


def _grants_vote(core: QuorumCore, request: Vote) -> bool:
    """Grant one vote an epoch, to a candidate whose log is not shorter. The epoch is the candidate's already."""
    if core.voted is not None:
        # After a restart at kraft.version 0 the directory is not known any more: the file does not have it.
        is_same = core.voted.directory_id in (ZERO_UUID, request.candidate.directory_id)
        is_same = is_same and core.voted.node_id == request.candidate.node_id
        return is_same and core.leader_id == NOBODY and _may_elect(core)
    if not _may_elect(core) or core.leader_id != NOBODY:
        return False
    return core.is_up_to_date(request.last_epoch, request.log_end_offset)


def _may_elect(core: QuorumCore) -> bool:
    return isinstance(core.role, Unattached | Prospective)


def _grants_pre_vote(core: QuorumCore, request: Vote) -> bool:
    """Refuse while there is a leader; a leader that this node has not heard of in its epoch may be gone."""
    if isinstance(core.role, Leader) or (isinstance(core.role, Follower) and core.role.has_fetched):
        return False
    return core.is_up_to_date(request.last_epoch, request.log_end_offset)


def begin_quorum_epoch(core: QuorumCore, reply_to: object, request: BeginQuorumEpoch) -> None:
    error = _refusal_of_leader(core, request.leader_id, request.epoch)
    if error is ErrorCode.NONE and not _is_me(core, request.voter):
        error = ErrorCode.INVALID_VOTER_KEY
    if error is ErrorCode.NONE:
        follow(core, request.leader_id, request.epoch, request.endpoints)
    _answer_epoch(core, reply_to, error)


def end_quorum_epoch(core: QuorumCore, reply_to: object, request: EndQuorumEpoch) -> None:
    error = _refusal_of_leader(core, request.leader_id, request.epoch)
    if error is ErrorCode.NONE:
        follow(core, request.leader_id, request.epoch, request.endpoints)
        if isinstance(core.role, Follower):
            # The leader itself has resigned. The first in its list has the longest log: it begins at once,
            # the others give it some time.
            core.role.has_fetched = False
            if core.may_stand:
                core.role.fetch_deadline_ms = core.now_ms + _succession_delay_ms(core, request.preferred_successors)
    _answer_epoch(core, reply_to, error)


def _succession_delay_ms(core: QuorumCore, successors: tuple[ReplicaKey, ...]) -> int:
    place = next((i for i, each in enumerate(successors) if each.node_id == core.me.node_id), len(successors))
    if place == 0:
        return 0
    delay_ms = min(core.timeouts.backoff_ms << place, core.timeouts.backoff_max_ms)
    return delay_ms + core.random.randrange(max(delay_ms, 1))


def _refusal_of_leader(core: QuorumCore, leader_id: int, epoch: int) -> ErrorCode:
    if epoch < core.epoch:
        return ErrorCode.FENCED_LEADER_EPOCH
    if leader_id < 0 or leader_id == core.me.node_id or epoch > EPOCH_MAX:
        return ErrorCode.INVALID_REQUEST
    if epoch == core.epoch and core.leader_id not in (NOBODY, leader_id):
        return ErrorCode.INVALID_REQUEST
    return ErrorCode.NONE


def _answer_epoch(core: QuorumCore, reply_to: object, error: ErrorCode) -> None:
    leader_id, epoch, endpoints = core.known_leader()
    core.answer(reply_to, EpochResult(error, leader_id, epoch, endpoints))


def _is_me(core: QuorumCore, voter: ReplicaKey) -> bool:
    """Whether a request is for this node with this disk; one that names no voter is for whoever gets it."""
    if voter.node_id == NOBODY:
        return True
    return voter.node_id == core.me.node_id and same_directory(voter.directory_id, core.me.directory_id)


# The epoch and leader in any result


def learn(core: QuorumCore, leader_id: int, epoch: int, endpoints: Endpoints) -> bool:
    """Learn epoch and leader from another node. Returns whether this node is still in the same epoch."""
    leader_id = max(leader_id, NOBODY)
    if epoch > core.epoch:
        if leader_id in (NOBODY, core.me.node_id):
            core.become_unattached(epoch)
        else:
            core.become_follower(leader_id, epoch, endpoints)
        return False
    if epoch == core.epoch and leader_id not in (NOBODY, core.me.node_id) and core.leader_id == NOBODY:
        # A node that knows a leader ignores this: a Prospective doubts its leader, and the other node need not.
        core.become_follower(leader_id, epoch, endpoints)
    return True


def follow(core: QuorumCore, leader_id: int, epoch: int, endpoints: Endpoints) -> None:
    """A message of the leader of `epoch`: follow it, unless this node does already."""
    if isinstance(core.role, Follower) and (core.epoch, core.leader_id) == (epoch, leader_id):
        core.leader_endpoints = endpoints or core.leader_endpoints
    else:
        core.become_follower(leader_id, epoch, endpoints)


# Results of own requests


def voted(core: QuorumCore, from_id: int, request: Vote, result: VoteResult) -> None:
    if not learn(core, result.leader_id, result.epoch, result.endpoints):
        return
    votes = _votes_of(core, request)
    if votes is None or result.epoch < core.epoch:
        return
    votes.count(from_id, result.granted)
    elect(core)


def vote_failed(core: QuorumCore, from_id: int, request: Vote) -> None:
    votes = _votes_of(core, request)
    if votes is not None:
        votes.asking.discard(from_id)
        votes.ask_at_ms = core.now_ms + core.timeouts.backoff_ms


def _votes_of(core: QuorumCore, request: Vote) -> Votes | None:
    """The votes of the election that has sent this request; None if it is over."""
    if request.epoch != core.epoch or not isinstance(core.role, Prospective | Candidate):
        return None
    if isinstance(core.role, Prospective) != request.pre_vote:
        return None
    return core.role.votes


def elect(core: QuorumCore) -> None:
    """Take the next role if the votes are enough; a single voter leads at once."""
    if isinstance(core.role, Prospective) and core.role.votes.are_granted:
        core.become_candidate()
    if isinstance(core.role, Candidate) and core.role.votes.are_granted:
        core.become_leader()
    elif isinstance(core.role, Prospective) and core.role.votes.are_rejected:
        give_up(core)


def give_up(core: QuorumCore) -> None:
    """The election has failed: follow the former leader, if any, or wait for another."""
    if core.leader_id not in (NOBODY, core.me.node_id):
        core.become_follower(core.leader_id, core.epoch, core.leader_endpoints)
    else:
        core.become_unattached(core.epoch)


# Timers


def tick(core: QuorumCore) -> None:
    """Do what is due in elections."""
    role, now_ms = core.role, core.now_ms
    if isinstance(role, Unattached) and core.may_stand and now_ms >= role.election_deadline_ms:
        core.become_prospective()
    elif isinstance(role, Prospective) and now_ms >= role.election_deadline_ms:
        give_up(core)
    elif isinstance(role, Candidate) and now_ms >= role.election_deadline_ms:
        core.become_prospective()
    elif isinstance(role, Resigned) and core.may_stand_again and now_ms >= role.election_deadline_ms:
        # It may neither vote nor lead again in the epoch that it has led: begin the next epoch.
        core.become_unattached(core.epoch + 1)
    elect(core)
    if isinstance(core.role, Prospective | Candidate):
        _ask_for_votes(core, core.role)
    elif isinstance(core.role, Unattached):
        _look_for_the_leader(core, core.role)


def _ask_for_votes(core: QuorumCore, role: Prospective | Candidate) -> None:
    if core.now_ms < role.votes.ask_at_ms:
        return
    for voter in core.other_voters:
        if voter.node_id in role.votes.missing:
            role.votes.asking.add(voter.node_id)
            core.send(
                voter.node_id,
                Vote(
                    core.epoch,
                    core.me,
                    ReplicaKey(voter.node_id, voter.directory_id),
                    core.epochs.last_epoch,
                    core.log_end_offset,
                    pre_vote=isinstance(role, Prospective),
                ),
            )


def _look_for_the_leader(core: QuorumCore, role: Unattached) -> None:
    places = core.places_to_ask()
    if role.fetching or core.now_ms < role.look_at_ms or not places or not core.is_durable:
        return
    role.fetching = True
    place = places[role.asked % len(places)]
    role.asked += 1
    core.send(
        place,
        Fetch(core.me, core.epoch, core.log_end_offset, core.epochs.last_epoch, core.high_watermark, max_wait_ms=0),
    )
