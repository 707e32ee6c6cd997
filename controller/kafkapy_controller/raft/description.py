"""The data of DescribeQuorum: the quorum as its leader knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.raft.roles import Leader, Progress
from kafkapy_controller.voters import ReplicaKey, Voter
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from kafkapy_controller.raft.core import QuorumCore
    from kafkapy_wire.uuid import Uuid


class ReplicaProgress(NamedTuple):
    """The log end offset and times of one replica, as the leader knows them. Times in ms, -1: never."""

    node_id: int
    directory_id: Uuid
    log_end_offset: int
    last_fetch_ms: int
    last_caught_up_ms: int


class QuorumDescription(NamedTuple):
    """The quorum; observers are replicas that do not vote and have fetched lately."""

    leader_id: int
    epoch: int
    high_watermark: int
    voters: tuple[ReplicaProgress, ...]
    observers: tuple[ReplicaProgress, ...]
    endpoints: tuple[Voter, ...]
    """Where the voters are reached."""


def describe(core: QuorumCore, now_ms: int) -> QuorumDescription | None:
    """The description; None if this node does not lead. The leader itself is always caught up."""
    leader = core.role
    if not isinstance(leader, Leader):
        return None
    voters = []
    for voter in core.membership.voters:
        if voter.node_id == core.me.node_id:
            # Up to kraft.version 0 voters have no directory ids, as far as others are told.
            directory_id = voter.directory_id if core.membership.kraft_version else ZERO_UUID
            voters.append(ReplicaProgress(voter.node_id, directory_id, core.log_end_offset, now_ms, now_ms))
        else:
            key = ReplicaKey(voter.node_id, voter.directory_id)
            voters.append(_described(key, leader.progress_of(key)))
    observers = [
        _described(key, progress)
        for key, progress in leader.progress.items()
        if not core.membership.votes(key) and progress.fetches(now_ms)
    ]
    endpoints = core.membership.voters
    return QuorumDescription(
        core.me.node_id, core.epoch, core.told_high_watermark(), tuple(voters), tuple(observers), endpoints
    )


def _described(key: ReplicaKey, progress: Progress) -> ReplicaProgress:
    return ReplicaProgress(
        key.node_id, key.directory_id, progress.log_end_offset, progress.last_fetch_ms, progress.last_caught_up_ms
    )
