"""The state of a node in the quorum, and the changes of its role: only `become_...` write `role`.

`voting.py`, `following.py` and `leading.py` handle messages and timers; callers use `quorum.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId, build_control_batch
from kafkapy_controller.quorum_state import EPOCH_MAX, NOBODY, QuorumState
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.roles import (
    Candidate,
    Follower,
    Leader,
    Prospective,
    Resigned,
    Role,
    Unattached,
    Votes,
)
from kafkapy_controller.voters import (
    MembershipHistory,
    QuorumMembership,
    ReplicaKey,
    Voter,
    leader_change_record,
    membership_records,
)
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from random import Random

    from kafkapy_controller.raft.messages import BeginQuorumEpoch, Endpoints, FetchSnapshot, Request, Result


class QuorumTimeouts(NamedTuple):
    """Kafka's `controller.quorum.*` settings, in ms."""

    election_ms: int = 1000
    fetch_ms: int = 2000
    backoff_ms: int = 20
    backoff_max_ms: int = 1000
    fetch_max_wait_ms: int = 500

    @property
    def quorum_ms(self) -> int:
        """A leader resigns if no majority fetches from it for this time, which is longer than the fetch timeout."""
        return self.fetch_ms * 3 // 2


class Send(NamedTuple):
    """To another node: its id, or -2, -3, ... for the first, second, ... bootstrap server."""

    to: int
    request: Request


class Answer(NamedTuple):
    """To a request. The caller adds the bytes: a Fetch's records from `records_from` on, or a part of a snapshot."""

    reply_to: object
    result: Result
    records_from: int | None = None
    part_of: FetchSnapshot | None = None


class SnapshotPart(NamedTuple):
    """Store `data` at `position` of the snapshot's unfinished file; when `is_last`, it takes the place of the log."""

    snapshot: SnapshotId
    position: int
    data: bytes
    size: int
    """Of the whole snapshot."""

    @property
    def is_last(self) -> bool:
        return self.position + len(self.data) == self.size


class Effects(NamedTuple):
    """What the caller owes the quorum state machine, in this order. When one fails, those after it must not happen:
    then each of `sends` is said with `Failed`, and whoever waits for one of `answers` must hear of it.

    1. Write `quorum_state` and make it durable: a vote that is forgotten might be given twice.
    2. Truncate the log to `truncate_to`.
    3. Store `snapshot_part`, durably if it is the last, or say `SnapshotNotStored`.
    4. Append `batch` (one or more batches), which begins at the log's end, and say `Appended`; once it is durable, say
       so with `Flushed`.
    5. Apply everything below `high_watermark`: it is committed, and no crash takes it back.
    6. `sends` and `answers` may leave.
    `rejected` is for the log: what the leader has sent, and why it was not taken.
    """

    quorum_state: QuorumState | None = None
    truncate_to: int | None = None
    snapshot_part: SnapshotPart | None = None
    batch: bytes | None = None
    high_watermark: int | None = None
    sends: tuple[Send, ...] = ()
    answers: tuple[Answer, ...] = ()
    rejected: str | None = None


NOTHING = Effects()


class Outbox:
    """The effects of the running step."""

    __slots__ = (
        "answers", "batch", "high_watermark", "quorum_state", "rejected", "sends", "snapshot_part", "truncate_to",
    )  # fmt: skip

    def __init__(self) -> None:
        self.quorum_state: QuorumState | None = None
        self.truncate_to: int | None = None
        self.snapshot_part: SnapshotPart | None = None
        self.batch: bytes | None = None
        self.high_watermark: int | None = None
        self.sends: list[Send] = []
        self.answers: list[Answer] = []
        self.rejected: str | None = None

    def effects(self) -> Effects:
        return Effects(
            self.quorum_state,
            self.truncate_to,
            self.snapshot_part,
            self.batch,
            self.high_watermark,
            tuple(self.sends),
            tuple(self.answers),
            self.rejected,
        )


class QuorumCore:
    """State and roles. All modules of this package read the attributes; only steps write them."""

    def __init__(
        self,
        me: ReplicaKey,
        state: QuorumState,
        members: MembershipHistory,
        epochs: EpochHistory,
        *,
        timeouts: QuorumTimeouts,
        random: Random,
        endpoints: Endpoints = (),
        bootstrap_count: int = 0,
        snapshot: SnapshotId | None = None,
        may_vote: bool = True,
        auto_join: bool = False,
    ) -> None:
        self.me = me
        self.members = members
        self.epochs = epochs
        self.timeouts = timeouts
        self.random = random
        self.endpoints = endpoints
        self.bootstrap_count = bootstrap_count
        self.snapshot = snapshot
        self.may_vote = may_vote
        self.auto_join = auto_join
        """Whether this node asks to become a voter (KIP-1186), if it may vote."""
        self.epoch = max(state.leader_epoch, epochs.last_epoch)
        self.voted: ReplicaKey | None = None
        self.leader_id = NOBODY
        if state.leader_epoch == self.epoch:
            self.leader_id = state.leader_id
            if state.voted_id != NOBODY:
                self.voted = ReplicaKey(state.voted_id, state.voted_directory_id)
        self.leader_endpoints: Endpoints = ()
        self.durable_offset = epochs.end_offset
        """How far this node's own log is on its disk: what it counts of itself, and acknowledges to its leader."""
        self.high_watermark = snapshot.end_offset if snapshot is not None else 0
        self.log_start_offset = self.high_watermark
        self.log_start_epoch = snapshot.epoch if snapshot is not None else 0
        self.now_ms = 0
        self.is_stopping = False
        self.out = Outbox()
        self.role: Role = Unattached(election_deadline_ms=0, look_at_ms=0)

    # What it knows

    @property
    def membership(self) -> QuorumMembership:
        return self.members.latest

    @property
    def may_stand(self) -> bool:
        """Whether this node may stand for election: it is a voter in a membership that may still be the committed one.

        A node whose removal may be in its log only must be able to: of two voters, the other cannot be elected
        without its vote, and its log is shorter (Ongaro's thesis, 4.2.2). Its own vote does not count then.
        """
        is_voter = self.may_vote and any(each.votes(self.me) for each in self.members.since(self.high_watermark))
        return is_voter and self.may_stand_again

    @property
    def may_stand_again(self) -> bool:
        """Whether there may be another epoch that this node begins: it does not stop, and is not at the last one."""
        return not self.is_stopping and self.epoch < EPOCH_MAX

    @property
    def other_voters(self) -> list[Voter]:
        return [voter for voter in self.membership.voters if voter.node_id != self.me.node_id]

    @property
    def log_end_offset(self) -> int:
        return self.epochs.end_offset

    @property
    def is_durable(self) -> bool:
        """Whether the whole log is on the disk."""
        return self.durable_offset >= self.log_end_offset

    def is_up_to_date(self, last_epoch: int, log_end_offset: int) -> bool:
        """Whether a candidate's log has all records of this one: only then may it lead (Raft, 5.4.1)."""
        return (last_epoch, log_end_offset) >= (self.epochs.last_epoch, self.log_end_offset)

    def known_leader(self) -> tuple[int, int, Endpoints]:
        """Leader id, epoch and address, which are in every result."""
        if isinstance(self.role, Leader):
            return self.me.node_id, self.epoch, self.endpoints
        return self.leader_id, self.epoch, self.leader_endpoints

    def told_high_watermark(self) -> int:
        """What a leader says that is committed; -1 until it has committed a record of its own epoch.

        Before, a follower may know a higher one, and one of Apache Kafka ends when its leader's high watermark falls.
        """
        assert isinstance(self.role, Leader), self.role
        return self.high_watermark if self.high_watermark > self.role.epoch_start_offset else -1

    def election_timeout_ms(self) -> int:
        return self.timeouts.election_ms + self.random.randrange(self.timeouts.election_ms)

    def places_to_ask(self) -> list[int]:
        """The nodes to ask for the leader."""
        bootstrap = [-2 - index for index in range(self.bootstrap_count)]
        return bootstrap or [voter.node_id for voter in self.other_voters]

    # What is done

    def send(self, to: int, request: Request) -> None:
        self.out.sends.append(Send(to, request))

    def answer(self, reply_to: object, result: Result) -> None:
        self.out.answers.append(Answer(reply_to, result))

    def append(self, batch: bytes, record_count: int) -> None:
        """Append at the log's end, in this epoch."""
        assert self.out.batch is None, "one batch a step"
        self.out.batch = batch
        self.epochs.append(self.epoch, self.log_end_offset, self.log_end_offset + record_count)

    def commit(self, high_watermark: int) -> None:
        assert self.high_watermark <= high_watermark <= self.log_end_offset, (high_watermark, self.log_end_offset)
        self.high_watermark = high_watermark
        self.out.high_watermark = high_watermark

    def commit_majority(self, leader: Leader) -> bool:
        """Commit what a majority has, once that includes a record of this epoch; False: no more than before."""
        offset = leader.majority_offset(self.me, self.durable_offset, self.membership)
        if offset <= leader.epoch_start_offset or offset <= self.high_watermark:
            return False
        self.commit(offset)
        return True

    def may_fetch(self, role: Follower) -> bool:
        """A Fetch acknowledges everything below its offset: not before that is on the disk."""
        return not role.fetching and not role.installing and self.is_durable

    def change_members(self, offset: int, membership: QuorumMembership) -> None:
        if membership != self.membership:
            self.members.add(offset, membership)

    def _persist(self) -> None:
        """Write the epoch, its leader and this node's vote; an observer does, too, as in Apache Kafka."""
        voted = self.voted if self.voted is not None else ReplicaKey(NOBODY, ZERO_UUID)
        self.out.quorum_state = QuorumState(self.leader_id, self.epoch, voted.node_id, voted.directory_id)

    # Roles

    def become_unattached(self, epoch: int) -> None:
        """No leader of `epoch` is known. In a higher epoch this node has not voted yet."""
        assert epoch >= self.epoch, (epoch, self.epoch)
        if epoch > self.epoch:
            self.voted = None
        self._refuse_waiting()
        self.epoch = epoch
        self.leader_id = NOBODY
        self.leader_endpoints = ()
        self.role = Unattached(self.now_ms + self.election_timeout_ms(), look_at_ms=self.now_ms)
        self._persist()

    def vote_for(self, candidate: ReplicaKey) -> None:
        """Vote for this replica in this epoch. The voter then waits a whole election timeout for the outcome."""
        assert self.voted is None or self.voted == candidate, (self.voted, candidate)
        assert self.leader_id == NOBODY, "the epoch has a leader"
        self.voted = candidate
        self.role = Unattached(self.now_ms + self.election_timeout_ms(), look_at_ms=self.now_ms)
        self._persist()

    def become_prospective(self) -> None:
        assert self.may_stand, "only voters stand for election"
        self._refuse_waiting()
        self.role = Prospective(self._own_votes(), self.now_ms + self.election_timeout_ms())

    def become_candidate(self) -> None:
        assert self.may_stand, "only voters stand for election"
        self._refuse_waiting()
        self.epoch += 1
        self.voted = self.me
        self.leader_id = NOBODY
        self.leader_endpoints = ()
        self.role = Candidate(self._own_votes(), self.now_ms + self.election_timeout_ms())
        self._persist()

    def _own_votes(self) -> Votes:
        votes = Votes(frozenset(self.membership.voter_ids), ask_at_ms=self.now_ms)
        votes.count(self.me.node_id, granted=True)
        return votes

    def become_leader(self) -> None:
        """Lead the epoch in which this node was elected."""
        assert isinstance(self.role, Candidate), self.role
        assert self.role.votes.are_granted, self.role
        granted = sorted(self.role.votes.granted)
        self.leader_id = self.me.node_id
        self.leader_endpoints = self.endpoints
        now_ms = self.now_ms
        self.role = Leader(self.log_end_offset, quorum_deadline_ms=now_ms + self.timeouts.quorum_ms, begin_at_ms=now_ms)
        records = [leader_change_record(self.me.node_id, self.membership.voter_ids, now_ms, granting_ids=granted)]
        if self.log_end_offset == 0 and self.membership.kraft_version > 0:
            # The bootstrap snapshot 0-0 says so too, but it is not replicated: the log has to (KIP-853).
            records += membership_records(self.membership, now_ms)
            self.members.add(len(records) - 1, self.membership)
        self.append(build_control_batch(records, base_offset=self.log_end_offset, epoch=self.epoch), len(records))
        self._persist()

    def become_follower(self, leader_id: int, epoch: int, endpoints: Endpoints) -> None:
        assert epoch >= self.epoch, (epoch, self.epoch)
        assert leader_id != self.me.node_id, "nobody follows itself"
        assert epoch > self.epoch or self.leader_id in (NOBODY, leader_id), (
            f"epoch {epoch} has two leaders, {self.leader_id} and {leader_id}"
        )
        if epoch > self.epoch:
            self.voted = None
        self._refuse_waiting()
        self.epoch = epoch
        self.leader_id = leader_id
        self.leader_endpoints = endpoints
        self.role = Follower(
            leader_id,
            self.now_ms + self.timeouts.fetch_ms,
            fetch_at_ms=self.now_ms,
            voter_change_at_ms=self.now_ms + self.timeouts.fetch_ms,
        )
        self._persist()

    def become_resigned(self) -> None:
        """Stop leading in this epoch, and tell the voters, those with the longest logs first."""
        assert isinstance(self.role, Leader), self.role
        leader = self.role
        others = [ReplicaKey(voter.node_id, voter.directory_id) for voter in self.other_voters]
        others.sort(key=lambda other: -leader.progress_of(other).log_end_offset)
        self._refuse_waiting()
        self.role = Resigned(self.now_ms + self.election_timeout_ms())
        if not others:
            return
        from kafkapy_controller.raft.messages import EndQuorumEpoch

        farewell = EndQuorumEpoch(self.me.node_id, self.epoch, tuple(others), self.endpoints)
        for other in others:
            self.send(other.node_id, farewell)

    def _refuse_waiting(self) -> None:
        """Refuse the requests that wait at the role that ends."""
        if isinstance(self.role, Leader):
            for reply_to, result in self.role.refusals(self.epoch):
                self.answer(reply_to, result)

    def begin_epoch_at(self, voter: Voter) -> BeginQuorumEpoch:
        from kafkapy_controller.raft.messages import BeginQuorumEpoch

        return BeginQuorumEpoch(
            self.me.node_id, self.epoch, ReplicaKey(voter.node_id, voter.directory_id), self.endpoints
        )

    def refusal_for_epoch(self, epoch: int) -> ErrorCode:
        """The error of a request that only the leader of `epoch` may answer; NONE if this node leads it."""
        if epoch < self.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if epoch > self.epoch:
            return ErrorCode.UNKNOWN_LEADER_EPOCH
        if not isinstance(self.role, Leader):
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        return ErrorCode.NONE
