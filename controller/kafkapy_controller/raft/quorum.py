"""One node of the quorum: `step(event, now_ms) -> Effects`.

The driver executes the effects of a step before it makes the next, and makes one with `Tick` when `deadline_ms`
has come. If a request is not answered, the driver makes a step with `Failed`, and the request is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId, build_encoded_batch, build_metadata_batch
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.quorum_state import EPOCH_MAX
from kafkapy_controller.raft.core import (
    NOTHING,
    Answer,
    Effects,
    Outbox,
    QuorumCore,
    QuorumTimeouts,
    Send,
    SnapshotPart,
)
from kafkapy_controller.raft.roles import Candidate, Follower, Leader, Prospective, Resigned, Unattached
from kafkapy_controller.voters import QuorumMembership
from kafkapy_wire.records import read_batch_header

if TYPE_CHECKING:
    from kafkapy_controller.raft.messages import Request, Result

__all__ = [
    "NOTHING", "Answer", "Answered", "Append", "AppendPrepared", "Appended", "Asked", "Effects", "Event", "Failed",
    "Flushed", "NotAppended", "Quorum", "QuorumTimeouts", "Send", "SnapshotInstalled", "SnapshotNotStored",
    "SnapshotPart", "SnapshotStored", "Start", "Stop", "Tick", "UpgradeQuorum",
]  # fmt: skip


class Start(NamedTuple):
    """The log has been read. A single voter leads at once."""


class Tick(NamedTuple):
    """Time has passed."""


class Asked(NamedTuple):
    """A request of another node, to be answered by an `Answer` with this `reply_to`, now or later."""

    reply_to: object
    request: Request


class Answered(NamedTuple):
    """The answer to `request`, which was sent to `from_id`."""

    from_id: int
    request: Request
    result: Result


class Failed(NamedTuple):
    """`request` was not answered: no connection, no answer in time, or an invalid one."""

    from_id: int
    request: Request


class Append(NamedTuple):
    """A leader's decision. Its records become one batch."""

    records: Sequence[MetadataRecord]
    metadata_version: int
    """The finalized level: it settles which record versions all replicas can read."""


class AppendPrepared(NamedTuple):
    """As `Append`, with a batch of `Quorum.prepare`; nothing was appended since."""

    batch: bytes
    record_count: int


class UpgradeQuorum(NamedTuple):
    """From kraft.version 0 to 1, which nothing speaks against (`Quorum.upgrade_refusal`)."""


class Appended(NamedTuple):
    """The log has the last `batch`: followers may fetch it."""


class NotAppended(NamedTuple):
    """The disk is full: the last `batch` was not appended, and the log ends at `end_offset`, as before."""

    end_offset: int


class Flushed(NamedTuple):
    """Entries below `end_offset` survive a crash of this node."""

    end_offset: int


class SnapshotInstalled(NamedTuple):
    """The downloaded snapshot has replaced the log; it has `membership`."""

    snapshot: SnapshotId
    membership: QuorumMembership


class SnapshotNotStored(NamedTuple):
    """The disk has refused the last `snapshot_part`: the download begins again, later."""


class SnapshotStored(NamedTuple):
    """This node has written a snapshot of what is committed; its log begins at `log_start_offset` now.

    `log_start_offset` is the end of `oldest`, the oldest snapshot that is kept, or 0 while nothing was deleted.
    """

    newest: SnapshotId
    oldest: SnapshotId
    log_start_offset: int


class Stop(NamedTuple):
    """The node stops cleanly."""


Event = (
    Start | Tick | Asked | Answered | Failed | Append | AppendPrepared | UpgradeQuorum | Appended | NotAppended
    | Flushed | SnapshotInstalled | SnapshotNotStored | SnapshotStored | Stop
)  # fmt: skip


class Quorum(QuorumCore):
    """One node of the quorum."""

    def prepare(self, encoded_records: Sequence[bytes], now_ms: int) -> bytes:
        """The batch of a leader's large decision, for `AppendPrepared`; no state changes."""
        return build_encoded_batch(encoded_records, base_offset=self.log_end_offset, epoch=self.epoch, now_ms=now_ms)

    def upgrade_refusal(self) -> str | None:
        """Of a leader at kraft.version 0: why it cannot go to 1; None: it can."""
        from kafkapy_controller.raft.leading import upgrade_refusal

        return upgrade_refusal(self)

    @property
    def is_leader(self) -> bool:
        return isinstance(self.role, Leader)

    def step(self, event: Event, now_ms: int) -> Effects:
        """Raises QuorumBroken: this node must not go on."""
        self.now_ms = now_ms
        self.out = Outbox()
        self._take(event)
        deadline_ms = self.deadline_ms
        is_due = deadline_ms is not None and deadline_ms <= now_ms
        if is_due and not isinstance(event, Append | AppendPrepared | UpgradeQuorum):
            # After a decision its sends would have to wait for the append.
            self._tick()
        return self.out.effects()

    @property
    def deadline_ms(self) -> int | None:
        """When the next `Tick` is due; None if no timer runs."""
        role = self.role
        match role:
            case Unattached():
                due = [role.election_deadline_ms] if self.may_stand else []
                if not role.fetching and self.places_to_ask() and self.is_durable:
                    due.append(role.look_at_ms)
            case Prospective() | Candidate():
                due = [role.election_deadline_ms]
                if role.votes.missing:
                    due.append(role.votes.ask_at_ms)
            case Follower():
                from kafkapy_controller.raft.following import voter_change

                due = [role.fetch_deadline_ms]
                if voter_change(self) is not None:
                    due.append(role.voter_change_at_ms)
                if self.may_fetch(role):
                    due.append(role.fetch_at_ms)
            case Resigned():
                due = [role.election_deadline_ms] if self.may_stand_again else []
            case Leader():
                due = [parked.deadline_ms for parked in role.parked]
                if role.change is not None and role.change.reply_to is not None:
                    due.append(role.change.deadline_ms)
                if self.other_voters:
                    due += [role.quorum_deadline_ms, role.begin_at_ms]
        return min(due, default=None)

    def _tick(self) -> None:
        from kafkapy_controller.raft import following, leading, voting

        voting.tick(self)
        following.tick(self)
        leading.tick(self)

    def _take(self, event: Event) -> None:
        match event:
            case Start():
                self._start()
            case Tick():
                pass
            case Asked(reply_to, request):
                self._asked(reply_to, request)
            case Answered(from_id, request, result):
                self._answered(from_id, request, result)
            case Failed(from_id, request):
                self._failed(from_id, request)
            case Append(records, metadata_version):
                self._append(
                    build_metadata_batch(
                        records,
                        metadata_version,
                        base_offset=self.log_end_offset,
                        epoch=self.epoch,
                        now_ms=self.now_ms,
                    ),
                    len(records),
                )
            case AppendPrepared(batch, record_count):
                assert read_batch_header(batch).base_offset == self.log_end_offset, "something was appended in between"
                self._append(batch, record_count)
            case UpgradeQuorum():
                from kafkapy_controller.raft import leading

                leading.upgrade(self)
            case Appended():
                if isinstance(self.role, Leader) and self.role.parked:
                    from kafkapy_controller.raft import leading

                    leading.answer_waiting_fetches(self, self.role)
            case NotAppended(end_offset):
                self._not_appended(end_offset)
            case Flushed(end_offset):
                self._flushed(end_offset)
            case SnapshotInstalled(snapshot, membership):
                from kafkapy_controller.raft import following

                following.installed(self, snapshot, membership)
            case SnapshotNotStored():
                from kafkapy_controller.raft import following

                following.not_stored(self)
            case SnapshotStored(newest, oldest, log_start_offset):
                self._snapshot_stored(newest, oldest, log_start_offset)
            case Stop():
                self.is_stopping = True
                if isinstance(self.role, Leader):
                    self.become_resigned()
                elif isinstance(self.role, Prospective | Candidate):
                    from kafkapy_controller.raft import voting

                    voting.give_up(self)

    def _start(self) -> None:
        if self.may_stand and not self.other_voters:
            # A candidate writes its vote for itself before it counts it. With one voter that vote is the majority, so
            # that the file may say at once who leads: losing the step between leaves nobody who could have seen it.
            self.become_candidate()
            self.become_leader()
            return
        if self.leader_id == self.me.node_id and self.may_stand_again:
            # What it knew as the leader of this epoch is gone, and nobody leads an epoch twice.
            self.become_unattached(self.epoch + 1)
            return
        voted = self.voted
        self.become_unattached(self.epoch)
        assert self.voted == voted

    def _append(self, batch: bytes, record_count: int) -> None:
        assert isinstance(self.role, Leader), "only the leader decides"
        self.append(batch, record_count)

    def _not_appended(self, end_offset: int) -> None:
        """The batch was not stored: undo it, as if it had not been decided or fetched."""
        assert self.high_watermark <= end_offset <= self.log_end_offset, (end_offset, self.log_end_offset)
        self.epochs.truncate(end_offset)
        self.members.truncate(end_offset)
        role = self.role
        if isinstance(role, Follower):
            role.fetch_at_ms = self.now_ms + self.timeouts.backoff_max_ms
        elif isinstance(role, Leader):
            from kafkapy_controller.raft import leading

            leading.change_not_appended(self, role, end_offset)
            if end_offset <= role.epoch_start_offset:
                self.become_resigned()  # it could not append its first record as leader

    def _flushed(self, end_offset: int) -> None:
        self.durable_offset = max(self.durable_offset, min(end_offset, self.log_end_offset))
        if isinstance(self.role, Leader):
            if self.commit_majority(self.role) and not self._is_alone(self.role):
                from kafkapy_controller.raft import leading

                leading.committed(self, self.role)
        elif isinstance(self.role, Follower):
            from kafkapy_controller.raft import following

            following.flushed(self, self.role)

    def _is_alone(self, leader: Leader) -> bool:
        """Whether nobody else has a part in this quorum: what others need is not even imported then."""
        return not self.other_voters and self.membership.votes(self.me) and not leader.parked and leader.change is None

    def _snapshot_stored(self, newest: SnapshotId, oldest: SnapshotId, log_start_offset: int) -> None:
        if self.snapshot is not None and newest < self.snapshot:
            return  # one of the leader's, which is later, has taken the log's place before this was said
        assert newest.end_offset <= self.high_watermark, (newest, self.high_watermark)
        assert log_start_offset in (0, oldest.end_offset), (log_start_offset, oldest)
        self.snapshot = newest
        self.log_start_offset = log_start_offset
        self.log_start_epoch = oldest.epoch

    def _asked(self, reply_to: object, request: Request) -> None:
        from kafkapy_controller.raft import leading, voting
        from kafkapy_controller.raft.messages import (
            AddVoter,
            BeginQuorumEpoch,
            EndQuorumEpoch,
            Fetch,
            FetchSnapshot,
            RemoveVoter,
            UpdateVoter,
            Vote,
        )

        match request:
            case Vote():
                voting.vote(self, reply_to, request)
            case BeginQuorumEpoch():
                voting.begin_quorum_epoch(self, reply_to, request)
            case EndQuorumEpoch():
                voting.end_quorum_epoch(self, reply_to, request)
            case Fetch():
                leading.fetch(self, reply_to, request)
            case FetchSnapshot():
                leading.fetch_snapshot(self, reply_to, request)
            case AddVoter():
                leading.add_voter(self, reply_to, request)
            case RemoveVoter():
                leading.remove_voter(self, reply_to, request)
            case UpdateVoter():
                leading.update_voter(self, reply_to, request)

    def _answered(self, from_id: int, request: Request, result: Result) -> None:
        from kafkapy_controller.raft import following, leading, voting
        from kafkapy_controller.raft.messages import (
            AddVoter,
            BeginQuorumEpoch,
            EndQuorumEpoch,
            EpochResult,
            Fetch,
            FetchResult,
            FetchSnapshot,
            FetchSnapshotResult,
            RemoveVoter,
            UpdateVoter,
            Vote,
            VoterChangeResult,
            VoteResult,
        )

        if result.epoch > EPOCH_MAX:
            self._failed(from_id, request)
            return
        match request, result:
            case Vote(), VoteResult():
                voting.voted(self, from_id, request, result)
            case BeginQuorumEpoch() | EndQuorumEpoch(), EpochResult():
                leading.epoch_answered(self, from_id, request, result)
            case Fetch(), FetchResult():
                following.fetched(self, from_id, request, result)
            case FetchSnapshot(), FetchSnapshotResult():
                following.fetched_snapshot(self, from_id, request, result)
            case UpdateVoter(), VoterChangeResult():
                following.voter_updated(self, from_id, request, result)
            case AddVoter() | RemoveVoter(), VoterChangeResult():
                pass  # the log tells whether the voters have changed; if not, the request is repeated
            case _:
                raise AssertionError(f"{result} does not answer {request}")

    def _failed(self, from_id: int, request: Request) -> None:
        from kafkapy_controller.raft import following, leading, voting
        from kafkapy_controller.raft.messages import (
            AddVoter,
            BeginQuorumEpoch,
            EndQuorumEpoch,
            Fetch,
            FetchSnapshot,
            RemoveVoter,
            UpdateVoter,
            Vote,
        )

        match request:
            case Vote():
                voting.vote_failed(self, from_id, request)
            case BeginQuorumEpoch() | EndQuorumEpoch():
                leading.epoch_answered(self, from_id, request, None)
            case Fetch() | FetchSnapshot():
                following.failed(self, from_id, request)
            case AddVoter() | RemoveVoter() | UpdateVoter():
                pass  # it is repeated
            case _:
                raise AssertionError(f"a node of the quorum does not send {request}")
