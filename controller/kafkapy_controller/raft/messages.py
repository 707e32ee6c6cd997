"""The messages between the nodes of a quorum: Kafka's RPCs, without fields that only Kafka's encoding needs.

Each request has its own result type. `rpc.py` converts them to Kafka's messages and back; a node
without others never imports it. Epochs are the quorum's; offsets are of `__cluster_metadata-0`.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.quorum_state import NOBODY
from kafkapy_controller.raft.epoch_history import EpochEnd
from kafkapy_controller.voters import LATEST_KRAFT_VERSION, ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.error_code import ErrorCode

Endpoints = tuple[VoterEndpoint, ...]

FETCH_BYTES_MAX = 8 << 20
"""Of one Fetch or FetchSnapshot: as much as Apache Kafka's nodes ask for (KafkaRaftClient.MAX_FETCH_SIZE_BYTES)."""


class Vote(NamedTuple):
    """Vote (API key 52). A pre-vote asks whether a vote would be granted, and changes no epoch (KIP-996)."""

    epoch: int
    candidate: ReplicaKey
    voter: ReplicaKey
    last_epoch: int
    log_end_offset: int
    pre_vote: bool


class VoteResult(NamedTuple):
    error: ErrorCode
    leader_id: int
    epoch: int
    granted: bool
    endpoints: Endpoints = ()


class BeginQuorumEpoch(NamedTuple):
    """BeginQuorumEpoch (53): a new leader tells the voters that did not come to it by themselves."""

    leader_id: int
    epoch: int
    voter: ReplicaKey
    endpoints: Endpoints


class EndQuorumEpoch(NamedTuple):
    """EndQuorumEpoch (54): the leader resigns; `preferred_successors` may begin elections at once, the first first."""

    leader_id: int
    epoch: int
    preferred_successors: tuple[ReplicaKey, ...]
    endpoints: Endpoints


class EpochResult(NamedTuple):
    """The answer to BeginQuorumEpoch and EndQuorumEpoch."""

    error: ErrorCode
    leader_id: int
    epoch: int
    endpoints: Endpoints = ()


class Fetch(NamedTuple):
    """Fetch (1) of `__cluster_metadata-0`. Everything below `fetch_offset` is durable at the replica."""

    replica: ReplicaKey
    epoch: int
    fetch_offset: int
    last_fetched_epoch: int
    high_watermark: int
    max_wait_ms: int


class FetchResult(NamedTuple):
    """At most one of `diverging`, `snapshot` and `records` is set.

    A replica whose log differs from the leader's truncates to `diverging`; one whose next record the leader has
    deleted fetches `snapshot` first.
    """

    error: ErrorCode
    leader_id: int
    epoch: int
    high_watermark: int = -1
    diverging: EpochEnd | None = None
    snapshot: SnapshotId | None = None
    records: bytes = b""
    endpoints: Endpoints = ()


class FetchSnapshot(NamedTuple):
    """FetchSnapshot (59): bytes of a snapshot from `position` on (KIP-630)."""

    replica: ReplicaKey
    epoch: int
    snapshot: SnapshotId
    position: int
    max_bytes: int = FETCH_BYTES_MAX


class FetchSnapshotResult(NamedTuple):
    error: ErrorCode
    leader_id: int
    epoch: int
    size: int = 0
    position: int = 0
    data: bytes = b""
    endpoints: Endpoints = ()


class AddVoter(NamedTuple):
    """AddRaftVoter (80). With `ack_when_committed` false the answer leaves as soon as the change is appended."""

    voter: Voter
    ack_when_committed: bool = True
    timeout_ms: int = 30_000


class RemoveVoter(NamedTuple):
    """RemoveRaftVoter (81)."""

    voter: ReplicaKey
    timeout_ms: int = 30_000


class UpdateVoter(NamedTuple):
    """UpdateRaftVoter (82): a voter tells the leader its endpoints, its directory, and what it supports."""

    epoch: int
    voter: Voter
    kraft_versions: tuple[int, int] = (0, LATEST_KRAFT_VERSION)
    """The lowest and the highest kraft.version that the voter supports."""


class VoterChangeResult(NamedTuple):
    """The answer to the three above."""

    error: ErrorCode
    message: str | None = None
    leader_id: int = NOBODY
    epoch: int = 0
    endpoints: Endpoints = ()


Request = Vote | BeginQuorumEpoch | EndQuorumEpoch | Fetch | FetchSnapshot | AddVoter | RemoveVoter | UpdateVoter
Result = VoteResult | EpochResult | FetchResult | FetchSnapshotResult | VoterChangeResult
