"""The roles of a node in the quorum. Each class has only the state of its role.

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
from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.quorum_state import NOBODY
from kafkapy_controller.voters import QuorumMembership, ReplicaKey, Voter, same_directory
from kafkapy_wire.error_code import ErrorCode

if TYPE_CHECKING:
    from kafkapy_controller.raft.messages import Fetch, Result, UpdateVoter

OBSERVER_SESSION_MS = 300_000
"""A replica without a vote that has not fetched for so long is gone, as in Apache Kafka."""

REPLICAS_MAX = 1_000
"""Replicas that a leader remembers: anybody can fetch under any id."""


class Unattached:
    """Knows of no leader in this epoch, and looks for one among the bootstrap servers and voters."""

    __slots__ = ("asked", "election_deadline_ms", "fetching", "look_at_ms")

    def __init__(self, election_deadline_ms: int, look_at_ms: int) -> None:
        self.election_deadline_ms = election_deadline_ms
        self.look_at_ms = look_at_ms
        """When to ask somebody for the leader again."""
        self.asked = 0
        """How often somebody was asked: the next one is asked next."""
        self.fetching = False


class Votes:
    """The votes of an election. Voters in `missing` are asked (again) at `ask_at_ms`."""

    __slots__ = ("ask_at_ms", "asking", "granted", "rejected", "voter_ids")

    def __init__(self, voter_ids: frozenset[int], ask_at_ms: int) -> None:
        self.voter_ids = voter_ids
        self.ask_at_ms = ask_at_ms
        self.granted: set[int] = set()
        self.rejected: set[int] = set()
        self.asking: set[int] = set()

    @property
    def majority(self) -> int:
        return len(self.voter_ids) // 2 + 1

    @property
    def are_granted(self) -> bool:
        return len(self.granted) >= self.majority

    @property
    def are_rejected(self) -> bool:
        """Whether a majority is not possible any more."""
        return len(self.voter_ids) - len(self.rejected) < self.majority

    @property
    def missing(self) -> Iterable[int]:
        return sorted(self.voter_ids - self.granted - self.rejected - self.asking)

    def count(self, voter_id: int, granted: bool) -> None:
        self.asking.discard(voter_id)
        if voter_id in self.voter_ids:
            (self.granted if granted else self.rejected).add(voter_id)


class Prospective:
    """Asks whether it would be elected, so that it does not disturb a quorum that has a leader (KIP-996)."""

    __slots__ = ("election_deadline_ms", "votes")

    def __init__(self, votes: Votes, election_deadline_ms: int) -> None:
        self.votes = votes
        self.election_deadline_ms = election_deadline_ms


class Candidate:
    """Has voted for itself in this epoch and asks the others to."""

    __slots__ = ("election_deadline_ms", "votes")

    def __init__(self, votes: Votes, election_deadline_ms: int) -> None:
        self.votes = votes
        self.election_deadline_ms = election_deadline_ms


class SnapshotDownload:
    """A snapshot that is being fetched from the leader: bytes below `position` are stored."""

    __slots__ = ("position", "size", "snapshot")

    def __init__(self, snapshot: SnapshotId) -> None:
        self.snapshot = snapshot
        self.position = 0
        self.size = 0
        """Of the whole snapshot, as the first part has said it."""


class Follower:
    __slots__ = (
        "download",
        "fetch_at_ms",
        "fetch_deadline_ms",
        "fetching",
        "has_fetched",
        "has_said",
        "installing",
        "leader_high_watermark",
        "leader_id",
        "voter_change_at_ms",
    )

    def __init__(self, leader_id: int, fetch_deadline_ms: int, fetch_at_ms: int, voter_change_at_ms: int) -> None:
        self.leader_id = leader_id
        self.fetch_deadline_ms = fetch_deadline_ms
        self.fetch_at_ms = fetch_at_ms
        """When to fetch; meaningless while `fetching`."""
        self.voter_change_at_ms = voter_change_at_ms
        """When to ask the leader for a change of the voters that concerns this node, if one is needed then."""
        self.fetching = False
        self.installing = False
        """The last part of a snapshot has come, and takes the log's place."""
        self.has_fetched = False
        """The leader was there in this epoch: no pre-vote is granted against it."""
        self.has_said = False
        """The leader knows what this voter has to say of itself."""
        self.download: SnapshotDownload | None = None
        self.leader_high_watermark = 0


class Resigned:
    """Has led this epoch and resigned: waits for another leader or its election timeout."""

    __slots__ = ("election_deadline_ms",)

    def __init__(self, election_deadline_ms: int) -> None:
        self.election_deadline_ms = election_deadline_ms


class Progress:
    """What the leader knows of another replica by its fetches. Times are in ms; -1: never."""

    __slots__ = ("high_watermark", "last_caught_up_ms", "last_fetch_ms", "leader_end_at_last_fetch", "log_end_offset")

    def __init__(self) -> None:
        self.log_end_offset = -1
        self.high_watermark = -1
        """The replica has applied everything below, by its last fetch (KIP-1166)."""
        self.last_fetch_ms = -1
        self.last_caught_up_ms = -1
        self.leader_end_at_last_fetch = -1

    def fetched(self, fetch_offset: int, leader_end_offset: int, now_ms: int) -> None:
        """A replica was caught up at its previous fetch if it now has what the log had then."""
        if fetch_offset >= leader_end_offset:
            self.last_caught_up_ms = now_ms
        elif self.leader_end_at_last_fetch >= 0 and fetch_offset >= self.leader_end_at_last_fetch:
            self.last_caught_up_ms = max(self.last_caught_up_ms, self.last_fetch_ms)
        self.log_end_offset = fetch_offset
        self.leader_end_at_last_fetch = leader_end_offset
        self.last_fetch_ms = now_ms

    def fetches(self, now_ms: int) -> bool:
        """Whether the replica has been there lately."""
        return self.last_fetch_ms >= 0 and now_ms - self.last_fetch_ms < OBSERVER_SESSION_MS


class ParkedFetch(NamedTuple):
    reply_to: object
    fetch: Fetch
    deadline_ms: int


class VoterChange:
    """A change of the voters that is appended and not committed. `reply_to` None: no request waits for it."""

    __slots__ = ("deadline_ms", "end_offset", "reply_to")

    def __init__(self, end_offset: int, reply_to: object | None, deadline_ms: int) -> None:
        self.end_offset = end_offset
        self.reply_to = reply_to
        self.deadline_ms = deadline_ms


class Leader:
    __slots__ = (
        "begin_at_ms",
        "beginning",
        "change",
        "epoch_start_offset",
        "fetched_voters",
        "parked",
        "progress",
        "quorum_deadline_ms",
        "said",
    )

    def __init__(self, epoch_start_offset: int, quorum_deadline_ms: int, begin_at_ms: int) -> None:
        self.epoch_start_offset = epoch_start_offset
        """Entries of earlier epochs are committed with the first of this one, not by counting copies (Raft, 5.4.2)."""
        self.quorum_deadline_ms = quorum_deadline_ms
        """Resign unless a majority has fetched by then."""
        self.begin_at_ms = begin_at_ms
        """When to tell voters that do not fetch who leads."""
        self.progress: dict[ReplicaKey, Progress] = {}
        self.parked: list[ParkedFetch] = []
        self.change: VoterChange | None = None
        self.fetched_voters: set[int] = set()
        """Which voters have fetched since the quorum deadline was set."""
        self.beginning: set[int] = set()
        """Voters with a BeginQuorumEpoch on its way."""
        self.said: dict[int, UpdateVoter] = {}
        """What voters of kraft.version 0 have said of themselves."""

    def progress_of(self, replica: ReplicaKey) -> Progress:
        """The progress of a replica. At kraft.version 0 a missing directory id equals every id."""
        for known, progress in self.progress.items():
            if known.node_id == replica.node_id and same_directory(known.directory_id, replica.directory_id):
                return progress
        if len(self.progress) >= REPLICAS_MAX:
            del self.progress[min(self.progress, key=lambda known: self.progress[known].last_fetch_ms)]
        return self.progress.setdefault(replica, Progress())

    def note_directories(self, voters: Iterable[Voter]) -> None:
        """Until now the progress of a node was that of any of its disks."""
        for voter in voters:
            key = ReplicaKey(voter.node_id, voter.directory_id)
            progress = self.progress_of(key)
            self.progress = {known: each for known, each in self.progress.items() if each is not progress}
            self.progress[key] = progress

    def have_applied(self, node_ids: Iterable[int], end_offset: int) -> bool:
        """Whether these nodes have said by a fetch that they have applied everything below `end_offset`."""
        offsets: dict[int, int] = {}
        for known, progress in self.progress.items():
            offsets[known.node_id] = max(offsets.get(known.node_id, -1), progress.high_watermark)
        return all(offsets.get(node_id, -1) >= end_offset for node_id in node_ids)

    def refusals(self, epoch: int) -> list[tuple[object, Result]]:
        """Refusals of the requests that wait at a former leader: their senders must find the new one."""
        if not self.parked and self.change is None:
            return []
        from kafkapy_controller.raft.messages import FetchResult, VoterChangeResult

        error = ErrorCode.NOT_LEADER_OR_FOLLOWER
        refused: list[tuple[object, Result]] = [
            (parked.reply_to, FetchResult(error, NOBODY, epoch)) for parked in self.parked
        ]
        if self.change is not None and self.change.reply_to is not None:
            refused.append((self.change.reply_to, VoterChangeResult(error, "the leader has changed")))
        return refused

    def majority_offset(self, me: ReplicaKey, durable_offset: int, membership: QuorumMembership) -> int:
        """The offset up to which a majority of voters has records on disk. A leader under removal is not counted."""
        offsets = sorted(
            (durable_offset if voter.node_id == me.node_id and membership.votes(me)
             else self.progress_of(ReplicaKey(voter.node_id, voter.directory_id)).log_end_offset
             for voter in membership.voters),
            reverse=True,
        )  # fmt: skip
        return offsets[len(offsets) // 2]

    def is_caught_up(self, replica: ReplicaKey, now_ms: int) -> bool:
        """Whether the replica may become a voter: it is there, and has had the whole log once."""
        progress = self.progress_of(replica)
        return progress.last_caught_up_ms >= 0 and progress.fetches(now_ms)


Role = Unattached | Prospective | Candidate | Leader | Follower | Resigned
