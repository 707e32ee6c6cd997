"""The KRaft quorum (KIP-595, KIP-853) as a pure state machine: `step(event, now_ms) -> Effects`.

For now a quorum of one: its voter elects itself in a new epoch when it starts, and an entry is committed when it is
durable. Votes of others, fetches of followers and the timers of both will be further events, what is sent to them
further effects; callers already keep to the order of effects that they will need.

    UNATTACHED --Start--> LEADER --Stop--> RESIGNED        (no way back: the next start is a new epoch)

Who calls: the metadata log, which executes the effects of a step before it makes the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from kafkapy_controller.metadata_batches import build_control_batch, build_encoded_batch, build_metadata_batch
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.quorum_state import NOBODY, QuorumState
from kafkapy_controller.voters import QuorumMembership, Voter, leader_change_record, membership_records
from kafkapy_wire.records import read_batch_header
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Role(Enum):
    UNATTACHED = "unattached"
    LEADER = "leader"
    RESIGNED = "resigned"


class Start(NamedTuple):
    """The log has been read: whatever it holds is where this node stands."""


class Append(NamedTuple):
    """A leader's decision. Its records become one batch."""

    records: Sequence[MetadataRecord]
    metadata_version: int
    """The finalized level: it settles which record versions all replicas can read."""


class AppendPrepared(NamedTuple):
    """The same, with a batch that `Quorum.prepare` has made; nothing was appended since."""

    batch: bytes
    record_count: int


class NotAppended(NamedTuple):
    """The disk had no room for the batch of the last `Append`: the log ends at `end_offset`, as it did before."""

    end_offset: int


class Flushed(NamedTuple):
    """Entries below `end_offset` survive a crash of this node."""

    end_offset: int


class Stop(NamedTuple):
    """The node goes away in good order."""


Event = Start | Append | AppendPrepared | NotAppended | Flushed | Stop


class Effects(NamedTuple):
    """What the caller owes the quorum state machine, in this order.

    1. Write `quorum_state` and make it durable.
    2. Append `batch`, which begins at the log's end; once it is durable, say so with `Flushed`.
    3. Apply everything below `high_watermark`: it is committed, and no crash takes it back.
    """

    quorum_state: QuorumState | None = None
    batch: bytes | None = None
    high_watermark: int | None = None


NOTHING = Effects()


class ReplicaProgress(NamedTuple):
    """How far one replica of the metadata log is, as its leader knows it. Times in ms since the epoch, -1: never."""

    node_id: int
    directory_id: Uuid
    log_end_offset: int
    last_fetch_ms: int
    last_caught_up_ms: int


class QuorumDescription(NamedTuple):
    """The quorum as its leader sees it."""

    leader_id: int
    epoch: int
    high_watermark: int
    voters: tuple[ReplicaProgress, ...]
    observers: tuple[ReplicaProgress, ...]
    endpoints: tuple[Voter, ...]
    """Where the voters are reached."""


class Quorum:
    def __init__(
        self, node_id: int, state: QuorumState, membership: QuorumMembership, *, log_end_offset: int, last_epoch: int
    ) -> None:
        """`last_epoch` is that of the last batch in the log: an epoch begins above it and above the file's.

        Raises ValueError: the node is not the only voter.
        """
        if membership.voter_ids != [node_id]:
            raise ValueError(f"node {node_id} cannot lead alone: the quorum's voters are {membership.voter_ids}")
        self.node_id = node_id
        self.membership = membership
        self.role = Role.UNATTACHED
        self.epoch = max(state.leader_epoch, last_epoch)
        self.leader_id = NOBODY
        self.log_end_offset = log_end_offset
        self.high_watermark = 0

    def prepare(self, encoded_records: Sequence[bytes], now_ms: int) -> bytes:
        """The batch of a leader's large decision, for `AppendPrepared`: it changes nothing yet."""
        return build_encoded_batch(encoded_records, base_offset=self.log_end_offset, epoch=self.epoch, now_ms=now_ms)

    def step(self, event: Event, now_ms: int) -> Effects:
        match self.role:
            case Role.UNATTACHED:
                return self._step_unattached(event, now_ms)
            case Role.LEADER:
                return self._step_leader(event, now_ms)
            case Role.RESIGNED:
                assert isinstance(event, Flushed), event
                return NOTHING

    def _step_unattached(self, event: Event, now_ms: int) -> Effects:
        assert isinstance(event, Start), event
        # A candidate writes its vote for itself before it counts it. With one voter that vote is the majority, so that
        # the file may say at once who leads: losing the step between leaves nobody who could have seen the epoch.
        return self._become_leader(self.epoch + 1, now_ms)

    def _become_leader(self, epoch: int, now_ms: int) -> Effects:
        self.role = Role.LEADER
        self.epoch = epoch
        self.leader_id = self.node_id
        records = [leader_change_record(self.node_id, self.membership.voter_ids, now_ms)]
        if self.log_end_offset == 0 and self.membership.kraft_version > 0:
            # The bootstrap snapshot 0-0 says so too, but it is not replicated: the log has to (KIP-853).
            records += membership_records(self.membership, now_ms)
        batch = build_control_batch(records, base_offset=self.log_end_offset, epoch=epoch)
        self.log_end_offset += len(records)
        return Effects(self.quorum_state, batch)

    @property
    def quorum_state(self) -> QuorumState:
        return QuorumState(self.leader_id, self.epoch, voted_id=NOBODY, voted_directory_id=ZERO_UUID)

    def describe(self, now_ms: int) -> QuorumDescription | None:
        """None: this node does not lead. A leader is always as far as itself."""
        if self.role is not Role.LEADER:
            return None
        voters = tuple(
            [
                ReplicaProgress(voter.node_id, voter.directory_id, self.log_end_offset, now_ms, now_ms)
                for voter in self.membership.voters
            ]
        )
        return QuorumDescription(self.leader_id, self.epoch, self.high_watermark, voters, (), self.membership.voters)

    def _step_leader(self, event: Event, now_ms: int) -> Effects:
        match event:
            case Append(records, metadata_version):
                batch = build_metadata_batch(
                    records, metadata_version, base_offset=self.log_end_offset, epoch=self.epoch, now_ms=now_ms
                )
                self.log_end_offset += len(records)
                return Effects(batch=batch)
            case AppendPrepared(batch, record_count):
                assert read_batch_header(batch).base_offset == self.log_end_offset, "something was appended in between"
                self.log_end_offset += record_count
                return Effects(batch=batch)
            case NotAppended(end_offset):
                assert self.high_watermark <= end_offset <= self.log_end_offset, (event, self.log_end_offset)
                self.log_end_offset = end_offset
                return NOTHING
            case Flushed(end_offset):
                assert self.high_watermark <= end_offset <= self.log_end_offset, (event, self.log_end_offset)
                self.high_watermark = end_offset  # this node is the majority
                return Effects(high_watermark=end_offset)
            case Stop():
                self.role = Role.RESIGNED
                return NOTHING
            case Start():
                raise AssertionError("a quorum starts once")
