"""Mistakes that an implementation of Raft could make, each planted in the core for the length of a `with`.

The simulation must find every one of them: that is how we know that it would find others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from kafkapy_controller.raft import following, leading, voting
from kafkapy_controller.raft.core import QuorumCore
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.messages import Fetch, Vote
from kafkapy_controller.raft.quorum import Quorum
from kafkapy_controller.raft.roles import Follower, Leader, Votes
from kafkapy_controller.voters import MembershipHistory, ReplicaKey

Plant = Callable[[], Any]


def _without_writing_it(method: str) -> Any:
    """`method` of the core with what it persists thrown away."""
    original = getattr(QuorumCore, method)

    def forgetful(core: QuorumCore, *arguments: Any) -> None:
        before = core.out.quorum_state
        original(core, *arguments)
        core.out.quorum_state = before

    return patch.object(QuorumCore, method, forgetful)


def _vote_twice() -> Any:
    def grants(core: QuorumCore, request: Vote) -> bool:
        up_to_date = core.is_up_to_date(request.last_epoch, request.log_end_offset)
        return voting._may_elect(core) and core.leader_id < 0 and up_to_date

    def vote_for(core: QuorumCore, candidate: Any) -> None:
        core.voted = None
        original(core, candidate)

    original = QuorumCore.vote_for
    return _both(patch.object(voting, "_grants_vote", grants), patch.object(QuorumCore, "vote_for", vote_for))


@contextmanager
def _both(one: Any, other: Any) -> Iterator[None]:
    with one, other:
        yield


def _vote_is_forgotten_within_the_epoch() -> Any:
    original = QuorumCore.become_unattached

    def become_unattached(core: QuorumCore, epoch: int) -> None:
        core.voted = None
        original(core, epoch)

    return patch.object(QuorumCore, "become_unattached", become_unattached)


def _commit_without_own_epoch() -> Any:
    original = QuorumCore.commit_majority

    def commit_majority(core: QuorumCore, leader: Leader) -> bool:
        kept, leader.epoch_start_offset = leader.epoch_start_offset, -1
        moved = original(core, leader)
        leader.epoch_start_offset = kept
        return moved

    return patch.object(QuorumCore, "commit_majority", commit_majority)


def _majority_offset(choose: Callable[[list[int]], int]) -> Any:
    def majority_offset(leader: Leader, me: Any, durable_offset: int, membership: Any) -> int:
        offsets = [
            durable_offset
            if voter.node_id == me.node_id
            else leader.progress_of(ReplicaKey(voter.node_id, voter.directory_id)).log_end_offset
            for voter in membership.voters
        ]
        return choose(sorted(offsets, reverse=True)) if offsets else -1

    return patch.object(Leader, "majority_offset", majority_offset)


def _count_unsynced() -> Any:
    original = Quorum._append

    def append(core: Quorum, batch: bytes, record_count: int) -> None:
        original(core, batch, record_count)
        core.durable_offset = core.log_end_offset

    return patch.object(Quorum, "_append", append)


def _acknowledge_before_the_disk() -> Any:
    return patch.object(QuorumCore, "may_fetch", lambda core, role: not role.fetching and not role.installing)


def _no_divergence() -> Any:
    def place(core: QuorumCore, request: Fetch) -> Any:
        return core.snapshot if request.fetch_offset < core.log_start_offset else None

    return patch.object(leading, "_divergence_or_snapshot", place)


def _divergence_by_offset_alone() -> Any:
    original = leading._divergence_or_snapshot

    def place(core: QuorumCore, request: Fetch) -> Any:
        epochs, offset = core.epochs, request.fetch_offset
        own = next((e for e in range(core.epoch, 0, -1) if epochs.end_of(e - 1).end_offset < offset), 0)
        return original(core, request._replace(last_fetched_epoch=own) if request.fetch_offset else request)

    return patch.object(leading, "_divergence_or_snapshot", place)


def _deposed_leader_goes_on() -> Any:
    """It neither hears of higher epochs nor notices that nobody fetches from it."""

    def tick(core: QuorumCore) -> None:
        if isinstance(core.role, Leader):
            core.role.quorum_deadline_ms = core.now_ms + 1_000_000
        original_tick(core)

    original_tick = leading.tick
    deaf = _both(_unless_leading("become_unattached"), _unless_leading("become_follower"))
    return _both(deaf, patch.object(leading, "tick", tick))


def _unless_leading(method: str) -> Any:
    original = getattr(QuorumCore, method)

    def become(core: QuorumCore, *arguments: Any) -> None:
        if not isinstance(core.role, Leader):
            original(core, *arguments)

    return patch.object(QuorumCore, method, become)


def _snapshot_one_short() -> Any:
    original = EpochHistory.begin_after

    def begin_after(history: EpochHistory, end_offset: int, epoch: int) -> None:
        original(history, end_offset - 1, epoch)

    return patch.object(EpochHistory, "begin_after", begin_after)


def _refusal_without(which: str) -> Any:
    original = leading._refusal_of_change

    def refusal(core: QuorumCore) -> Any:
        found = original(core)
        return None if found is not None and which in found[1] else found

    return patch.object(leading, "_refusal_of_change", refusal)


def _removed_leader_counts_itself() -> Any:
    original = Leader.majority_offset

    def majority_offset(leader: Leader, me: Any, durable_offset: int, membership: Any) -> int:
        if membership.votes(me):
            return original(leader, me, durable_offset, membership)
        offsets = [
            leader.progress_of(ReplicaKey(voter.node_id, voter.directory_id)).log_end_offset
            for voter in membership.voters
        ]
        offsets = sorted([durable_offset, *offsets], reverse=True)
        return offsets[len(membership.voters) // 2]

    return patch.object(Leader, "majority_offset", majority_offset)


def _no_fetch_timeout() -> Any:
    original = following.tick

    def tick(core: QuorumCore) -> None:
        if isinstance(core.role, Follower):
            core.role.fetch_deadline_ms = core.now_ms + 1_000_000
        original(core)

    return patch.object(following, "tick", tick)


def _late_answers_are_taken() -> Any:
    def awaiting(core: QuorumCore, from_id: int, request: Any) -> Any:
        if isinstance(core.role, Follower):
            core.role.fetching = False
            return core.role
        return None

    return patch.object(following, "_awaiting", awaiting)


def _epochs_are_not_truncated() -> Any:
    def truncate(history: EpochHistory, end_offset: int) -> None:
        history.end_offset = end_offset

    return patch.object(EpochHistory, "truncate", truncate)


def _quorum_of_one_less() -> Any:
    return patch.object(Votes, "majority", property(lambda votes: max(len(votes.voter_ids) // 2, 1)))


def _expect_everybody_at_the_end() -> Any:
    """A leader that commits only what all voters have: it stands still when one is gone."""
    return _majority_offset(lambda offsets: offsets[-1])


MUTATIONS: dict[str, Plant] = {
    "a vote is not persisted": lambda: _without_writing_it("vote_for"),
    "a candidate's epoch is not persisted": lambda: _without_writing_it("become_candidate"),
    "a higher epoch is not persisted": lambda: _without_writing_it("become_unattached"),
    "two votes in an epoch": _vote_twice,
    "a vote is forgotten within its epoch": _vote_is_forgotten_within_the_epoch,
    "a candidate with a shorter log is elected": lambda: patch.object(
        QuorumCore, "is_up_to_date", lambda core, last_epoch, log_end_offset: True
    ),
    "logs are compared by length alone": lambda: patch.object(
        QuorumCore, "is_up_to_date", lambda core, last_epoch, log_end_offset: log_end_offset >= core.log_end_offset
    ),
    "half of the voters elect": _quorum_of_one_less,
    "a commit is counted from an old epoch": _commit_without_own_epoch,
    "the high watermark is the leader's alone": lambda: _majority_offset(lambda offsets: offsets[0]),
    "a new leader tells the high watermark that it had as a follower": lambda: patch.object(
        QuorumCore, "told_high_watermark", lambda core: core.high_watermark
    ),
    "half of the voters commit": lambda: _majority_offset(lambda offsets: offsets[(len(offsets) - 1) // 2]),
    "all of the voters are needed to commit": _expect_everybody_at_the_end,
    "a leader counts what it has not synced": _count_unsynced,
    "a follower acknowledges what it has not synced": _acknowledge_before_the_disk,
    "a diverging log is not truncated": _no_divergence,
    "epochs of logs are not compared": _divergence_by_offset_alone,
    "epochs are not truncated with the log": _epochs_are_not_truncated,
    "a leader ignores a higher epoch": _deposed_leader_goes_on,
    "a snapshot is one offset short": _snapshot_one_short,
    "two changes of the voters at a time": lambda: _refusal_without("another change"),
    "voters change before the epoch has a commit": lambda: _refusal_without("committed nothing"),
    "a truncated change of the voters still holds": lambda: patch.object(
        MembershipHistory, "truncate", lambda history, end_offset: None
    ),
    "a removed leader counts itself": _removed_leader_counts_itself,
    "a follower waits for its leader for ever": _no_fetch_timeout,
    "late answers are taken for new ones": _late_answers_are_taken,
}

FIRST_SEED: dict[str, int] = {
    "two votes in an epoch": 6,
    "logs are compared by length alone": 77,
    "half of the voters elect": 2,
    "epochs are not truncated with the log": 5,
    "a leader ignores a higher epoch": 13,
    "a snapshot is one offset short": 9,
    "a truncated change of the voters still holds": 13,
    "a removed leader counts itself": 45,
    "voters change before the epoch has a commit": 44,
    "a follower waits for its leader for ever": 2,
}
"""Where the search begins, so that the suite is short; 0 where seed 0 finds it. `--mutations 100 --anew` tells."""
