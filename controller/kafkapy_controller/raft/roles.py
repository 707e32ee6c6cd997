"""The roles of a node in the quorum. Each has just the state that belongs to it: none can be misread in another.

                 +----------------- higher epoch, from any role ------------------+
                 v                                                                |
    UNATTACHED --election timeout--> PROSPECTIVE --pre-votes of a majority--> CANDIDATE --votes of a majority--> LEADER
        |  ^                          ^   |                                       |                               |
        |  +--no leader is known------|---+--not granted in time                  +--election timeout--> PROSPECTIVE
        |                             |                                                                           |
        +--learns who leads--> FOLLOWER --fetch timeout--+                  RESIGNED <--stop, quorum lost, removed-+

An observer has no vote: it is UNATTACHED until it learns who leads, then FOLLOWER. Nobody is PROSPECTIVE, CANDIDATE,
LEADER or RESIGNED without a vote, but for a leader whose removal is not committed yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.quorum_state import NOBODY
from kafkapy_controller.raft.messages import Fetch, FetchResult, Result, VoterChangeResult
from kafkapy_controller.voters import QuorumMembership, ReplicaKey, same_directory
from kafkapy_wire.error_code import ErrorCode

CAUGHT_UP_WITHIN_MS = 3_600_000
"""A new voter must have been at the leader's log end within this time (Kafka's hour)."""


@dataclass(slots=True)
class Unattached:
    """Knows of no leader in this epoch, and looks for one among the bootstrap servers and voters."""

    election_deadline_ms: int
    look_at_ms: int
    """When to ask somebody for the leader again."""
    asked: int = 0
    """How often somebody was asked: the next one is asked next."""
    fetching: bool = False


@dataclass(slots=True)
class Votes:
    """Who has granted, of those who vote. `missing` are asked (again) at `ask_at_ms`."""

    voter_ids: frozenset[int]
    ask_at_ms: int
    granted: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    asking: set[int] = field(default_factory=set)

    @property
    def majority(self) -> int:
        return len(self.voter_ids) // 2 + 1

    @property
    def are_granted(self) -> bool:
        return len(self.granted) >= self.majority

    @property
    def are_rejected(self) -> bool:
        """The rest cannot make a majority any more."""
        return len(self.voter_ids) - len(self.rejected) < self.majority

    @property
    def missing(self) -> Iterable[int]:
        return sorted(self.voter_ids - self.granted - self.rejected - self.asking)

    def count(self, voter_id: int, granted: bool) -> None:
        self.asking.discard(voter_id)
        if voter_id in self.voter_ids:
            (self.granted if granted else self.rejected).add(voter_id)


@dataclass(slots=True)
class Prospective:
    """Asks whether it would be elected, before it disturbs a quorum that may well have a leader (KIP-996)."""

    votes: Votes
    election_deadline_ms: int


@dataclass(slots=True)
class Candidate:
    """Has voted for itself in this epoch and asks the others to."""

    votes: Votes
    election_deadline_ms: int


@dataclass(slots=True)
class SnapshotDownload:
    """A snapshot of the leader on its way here: bytes below `position` are stored."""

    snapshot: SnapshotId
    position: int = 0


@dataclass(slots=True)
class Follower:
    leader_id: int
    fetch_deadline_ms: int
    fetch_at_ms: int
    """When to fetch; meaningless while `fetching`."""
    fetching: bool = False
    installing: bool = False
    """The last part of a snapshot has come, and takes the log's place."""
    has_fetched: bool = False
    """The leader was there in this epoch: no pre-vote is granted against it."""
    download: SnapshotDownload | None = None
    leader_high_watermark: int = 0


@dataclass(slots=True)
class Resigned:
    """Has led this epoch, and will not again: told everybody, and waits for another leader or its election timeout."""

    election_deadline_ms: int
    unaware: set[int]
    """Voters that have not confirmed that they know."""


@dataclass(slots=True)
class Progress:
    """What the leader knows of another replica by its fetches. Times are in ms; -1: never."""

    log_end_offset: int = -1
    last_fetch_ms: int = -1
    last_caught_up_ms: int = -1
    leader_end_at_last_fetch: int = -1

    def fetched(self, fetch_offset: int, leader_end_offset: int, now_ms: int) -> None:
        """A replica was caught up at its previous fetch if it now has what the log had then."""
        if fetch_offset >= leader_end_offset:
            self.last_caught_up_ms = now_ms
        elif self.leader_end_at_last_fetch >= 0 and fetch_offset >= self.leader_end_at_last_fetch:
            self.last_caught_up_ms = max(self.last_caught_up_ms, self.last_fetch_ms)
        self.log_end_offset = fetch_offset
        self.leader_end_at_last_fetch = leader_end_offset
        self.last_fetch_ms = now_ms


@dataclass(slots=True)
class ParkedFetch:
    reply_to: object
    fetch: Fetch
    deadline_ms: int


@dataclass(slots=True)
class VoterChange:
    """Is appended and not committed. `reply_to` None: it was answered, or nobody asked."""

    end_offset: int
    reply_to: object | None
    deadline_ms: int


@dataclass(slots=True)
class Leader:
    epoch_start_offset: int
    """Entries of earlier epochs are committed with the first of this one, never by counting copies (Raft, 5.4.2)."""
    quorum_deadline_ms: int
    """Resign unless a majority has fetched by then."""
    begin_at_ms: int
    """When to tell voters that do not fetch who leads."""
    progress: dict[ReplicaKey, Progress] = field(default_factory=dict)
    parked: list[ParkedFetch] = field(default_factory=list)
    change: VoterChange | None = None
    fetched_voters: set[int] = field(default_factory=set)
    """Which voters have fetched since the quorum deadline was set."""
    beginning: set[int] = field(default_factory=set)
    """Voters with a BeginQuorumEpoch on its way."""

    def progress_of(self, replica: ReplicaKey) -> Progress:
        """Up to kraft.version 0 one that names no directory is the one that does, and the other way round."""
        for known, progress in self.progress.items():
            if known.node_id == replica.node_id and same_directory(known.directory_id, replica.directory_id):
                return progress
        return self.progress.setdefault(replica, Progress())

    def refusals(self, epoch: int) -> list[tuple[object, Result]]:
        """The answers to whoever waits at a node that leads no more: it has to ask somebody else."""
        error = ErrorCode.NOT_LEADER_OR_FOLLOWER
        refused: list[tuple[object, Result]] = [
            (parked.reply_to, FetchResult(error, NOBODY, epoch)) for parked in self.parked
        ]
        if self.change is not None and self.change.reply_to is not None:
            refused.append((self.change.reply_to, VoterChangeResult(error, "the leader has changed")))
        return refused

    def majority_offset(self, me: ReplicaKey, durable_offset: int, membership: QuorumMembership) -> int:
        """What a majority of the voters has on disk. A leader that is being removed does not count itself."""
        offsets = sorted(
            (durable_offset if voter.node_id == me.node_id and membership.votes(me)
             else self.progress_of(ReplicaKey(voter.node_id, voter.directory_id)).log_end_offset
             for voter in membership.voters),
            reverse=True,
        )  # fmt: skip
        return offsets[len(offsets) // 2]

    def is_caught_up(self, replica: ReplicaKey, now_ms: int) -> bool:
        last = self.progress_of(replica).last_caught_up_ms
        return last >= 0 and now_ms - last < CAUGHT_UP_WITHIN_MS


Role = Unattached | Prospective | Candidate | Leader | Follower | Resigned
