"""One replica on this broker with its role, and what it does as leader.

The leader appends records of clients and coordinators, tracks the offset of each follower, moves the high watermark,
and proposes the ISR to the controller (KIP-497, KIP-966). What a follower does is in `replica.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.high_watermark import HighWatermark
from kafkapy.partitions.followers import Followers
from kafkapy.partitions.live_brokers import UNKNOWN_BROKER_EPOCH
from kafkapy.partitions.replica import Replica, Role
from kafkapy_log import UNGUARDED, StorageError, Verification
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.followers import IsrProposal
    from kafkapy.partitions.replica import SharedParts
    from kafkapy.settings import TopicSettings
    from kafkapy_controller.image import PartitionImage, TopicImage
    from kafkapy_log import AppendResult, PartitionLog
    from kafkapy_log.append_validation import CheckedBatch
    from kafkapy_wire.message import RecordBytes
    from kafkapy_wire.records.building import BuiltBatch

FLUSH_MESSAGES_NEVER = 2**63 - 1

# What the controller refuses a proposed ISR with. It has changed nothing, and the next fetch may propose it again:
NOT_CHANGED = (ErrorCode.INELIGIBLE_REPLICA, ErrorCode.OPERATION_NOT_ATTEMPTED)
# It knows of a change that this leader has yet to hear of, or will never take the proposal:
KNOWN_BETTER = (
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.INVALID_UPDATE_VERSION,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NEW_LEADER_ELECTED,
)


class Partition(Replica):
    """One replica with its role: a leader appends, tracks its followers, and keeps the ISR. Only the event loop uses it
    and its log.
    """

    __slots__ = (
        "_flush_asked",
        "_flusher",
        "_followers",
        "_low_watermark",
        "epoch_start_offset",
        "leader_id",
        "leads",
        "partition_epoch",
        "replicas",
        "settings",
    )

    def __init__(
        self,
        topic: TopicImage,
        index: int,
        state: PartitionImage,
        log: PartitionLog,
        settings: TopicSettings,
        shared: SharedParts,
        *,
        now_ms: int,
        high_watermark: int = 0,
    ) -> None:
        """`high_watermark` comes from the checkpoint: a leader with followers begins with it."""
        super().__init__(topic, index, log, shared, high_watermark=high_watermark)
        self._flusher: Flusher | None = None  # where flush.messages asks for it
        self._flush_asked = False  # an append waits for an fsync; later appends wait for it, too
        self.epoch_start_offset = log.log_end_offset
        """Where the leader epoch of this leader begins."""
        self._followers: Followers | None = None  # of a leader that is not the only replica
        self._low_watermark: HighWatermark | None = None  # while DeleteRecords waits for followers
        self.settings = settings
        self.leads = False
        """Whether `role` is LEADER: asked for with every request."""
        self.leader_id = -1
        self.partition_epoch = -1
        self.replicas: tuple[int, ...] = ()
        self.become(state, now_ms=now_ms)

    # -- state that others read

    @property
    def is_under_min_isr(self) -> bool:
        """Whether the ISR is below min.insync.replicas, which counts at most as the number of replicas."""
        followers = self._followers
        return followers is not None and self._is_too_few(len(followers.isr))

    @property
    def had_too_few_acks(self) -> bool:
        """Whether what was committed just now is in fewer replicas than min.insync.replicas."""
        followers = self._followers
        return followers is not None and self._is_too_few(len(followers.maximal_isr))

    def _is_too_few(self, in_sync: int) -> bool:
        return in_sync < self.settings.min_insync_replicas and in_sync < len(self.replicas)

    @property
    def followers(self) -> Followers | None:
        """Of a leader: what it knows of its followers, for reading. None if it has none, or follows."""
        return self._followers

    # -- roles

    def become(self, state: PartitionImage, *, now_ms: int) -> None:
        """Take the role that the metadata gives this broker, with the ISR and in the leader epoch of `state`.

        Metadata that is older than what the controller has answered to this leader is ignored.
        """
        if state.partition_epoch < self.partition_epoch:
            return
        self.partition_epoch = state.partition_epoch
        self.replicas = state.replicas
        self.leader_id = state.leader
        if state.leader == self._shared.node_id:
            self._lead(state, now_ms)
        else:
            self._follow(state)

    def _lead(self, state: PartitionImage, now_ms: int) -> None:
        self.role, self.leads = Role.LEADER, True
        followers: Followers | None = None
        if len(state.replicas) > 1:
            shared = self._shared
            followers = self._followers or Followers(shared.node_id, shared.brokers, shared.lag_time_max_ms)
            followers.lead(state)
        self._followers = followers
        is_news = True
        if state.leader_epoch > self.leader_epoch:
            is_news = not self._shared.keeps_fenced_fetches
            self.leader_epoch = state.leader_epoch
            self.epoch_start_offset = end_offset = self.log.log_end_offset
            self.log.leader_epochs.assign(state.leader_epoch, end_offset)
            if followers is not None:
                followers.begin_epoch(now_ms)
        if not self._flush_asked:
            self.stored.advance(self.log.log_end_offset)
        self._advance(now_ms)
        if is_news:
            self._tell_watchers()
        self._tell_append_watchers()

    def _follow(self, state: PartitionImage) -> None:
        self.role, self.leads = Role.FOLLOWER, False
        self.leader_epoch = max(self.leader_epoch, state.leader_epoch)
        self._followers = None
        self._flush_asked = False
        self._lose_lead(KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))

    def retire(self, code: ErrorCode) -> None:
        """The partition was deleted, moved to other brokers, or is offline: refuse the requests that wait for it."""
        self.role, self.leads = Role.FOLLOWER, False
        self.leader_id = -1
        self._followers = None
        self._lose_lead(KafkaError(code))

    def _lose_lead(self, error: KafkaError) -> None:
        self._refuse_waiting(error)
        low_watermark, self._low_watermark = self._low_watermark, None
        if low_watermark is not None:
            low_watermark.refuse(error)
        self._tell_watchers()
        self._tell_append_watchers()

    def _refuse_waiting(self, error: KafkaError) -> None:
        self.stored.refuse(error)
        self.committed.refuse(error)

    # -- appending as leader

    def append_produced(
        self,
        batches: RecordBytes | CheckedBatch,
        *,
        now_ms: int,
        request_version: int,
        verification: Verification = Verification.NONE,
        guard: object = UNGUARDED,
        at_once: bool = True,
    ) -> AppendResult:
        """Append a client's batch. Raises KafkaError; then nothing was stored.

        With `at_once` it may raise TakesLong, and nothing was stored: call it again with what `looking.check_beside`
        returns for the batch.
        """
        try:
            result = self.log.append_as_leader(
                batches,
                leader_epoch=self.leader_epoch,
                now_ms=now_ms,
                api_version=request_version,
                at_once=at_once,
                verification=verification,
                guard=guard,
            )
        except StorageError as error:
            self._shared.disk.note_disk_error(self.log, error)
            raise
        self._appended(result.last_offset + 1, now_ms)
        return result

    def append_internal(
        self, batch: BuiltBatch, *, now_ms: int, transaction_version: int = 0, below_min_isr: bool = False
    ) -> AppendResult:
        """Append a batch that a coordinator of this cluster built. Raises KafkaError; then nothing was stored.

        `transaction_version` is a marker's. With `below_min_isr` it is appended although too few replicas are in sync.
        """
        if self.role is not Role.LEADER:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if self.is_under_min_isr and not below_min_isr:
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        try:
            result = self.log.append_built(
                batch, leader_epoch=self.leader_epoch, now_ms=now_ms, transaction_version=transaction_version
            )
        except StorageError as error:
            self._shared.disk.note_disk_error(self.log, error)
            raise
        self._appended(result.last_offset + 1, now_ms)
        return result

    def _appended(self, end_offset: int, now_ms: int) -> None:
        if self._shared.disk.refusing:
            self._shared.disk.accepted(self.log.topic_partition)
        if self._flusher is not None and (
            self._flush_asked or self.log.flushing.unflushed_record_count >= self.settings.flush_messages
        ):
            self._flush_asked = True
            self._flusher.ask(self.log, then=self._flushed)
            self._tell_append_watchers()
            return
        if end_offset <= self.stored.offset:
            return  # a duplicate of an idempotent producer
        self.stored.advance(end_offset)
        if self._followers is None:
            self.committed.advance(end_offset)
            if self._watchers:
                self._tell_watchers()
        else:
            self._commit(now_ms)
            self._tell_append_watchers()

    # -- flush.messages

    def use_flusher(self, flusher: Flusher | None) -> None:
        """Have `flusher` sync what is appended, if the topic has flush.messages."""
        self._flusher = flusher if self.settings.flush_messages < FLUSH_MESSAGES_NEVER else None
        if self._flusher is None and self._flush_asked:
            self._flush_asked = False
            self._store(self.log.log_end_offset)

    def _flushed(self, error: KafkaError | None) -> None:
        """Called when the flush that an append asked for has ended; `error` says that it failed."""
        if error is not None:
            self._refuse_waiting(error)
            return
        if not self._flush_asked:
            return
        if self.log.flushing.unflushed_record_count < self.settings.flush_messages:
            self._flush_asked = False
            self._store(self.log.log_end_offset)
        else:  # enough was appended during the flush to need another, and `_appended` has asked for it
            self._store(max(self.stored.offset, self.log.recovery_point))

    @property
    def must_flush(self) -> bool:
        """Of a follower: whether flush.messages asks for a flush before it tells the leader what it has."""
        return self._flusher is not None and (
            self.log.flushing.unflushed_record_count >= self.settings.flush_messages and not self.log.has_failed
        )

    def use_log(self, log: PartitionLog) -> None:
        """The replica has moved to another log directory: `log` there has all of its records."""
        self.log = log
        self.flush_if_due()
        self._tell_watchers()
        self._tell_append_watchers()

    def flush_if_due(self) -> None:
        """Ask again after a failed flush; otherwise the records stay invisible until the next append."""
        if self._flusher is not None and self._flush_asked:
            self._flusher.ask(self.log, then=self._flushed)

    def _store(self, offset: int) -> None:
        self.stored.advance(offset)
        self._commit(None)

    # -- followers

    def check_follower(self, replica_id: int, current_leader_epoch: int = -1) -> Followers:
        """What is known of the followers, of which a broker that fetches must be one.

        Raises KafkaError: as far as this leader knows, it has no replica of this partition in this epoch
        (UNKNOWN_LEADER_EPOCH, or NOT_LEADER_OR_FOLLOWER if it names no epoch).
        """
        followers = self._followers
        if followers is None or replica_id not in followers:
            names_epoch = current_leader_epoch >= 0
            raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH if names_epoch else ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return followers

    def follower_fetched(
        self,
        replica_id: int,
        fetch_offset: int,
        *,
        now_ms: int,
        log_start_offset: int = -1,
        broker_epoch: int = UNKNOWN_BROKER_EPOCH,
        current_leader_epoch: int = -1,
    ) -> None:
        """A follower asks for records from `fetch_offset`, so it has all records below; its log begins at
        `log_start_offset`. Raises KafkaError as `check_follower` does; NOT_LEADER_OR_FOLLOWER, too, if the fetch comes
        from an earlier run of the broker.
        """
        followers = self.check_follower(replica_id, current_leader_epoch)
        if self._shared.brokers.is_stale(replica_id, broker_epoch):
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        has_moved = followers.fetched(
            replica_id,
            fetch_offset,
            end_offset=self.log.log_end_offset,
            log_start_offset=log_start_offset,
            broker_epoch=broker_epoch,
            now_ms=now_ms,
        )
        if self._low_watermark is not None:
            self._note_low_watermark(self._low_watermark)
        if followers.proposal is None and self.may_join_isr(replica_id):
            self._propose_isr(followers, (*followers.isr, replica_id))
        if has_moved:
            self._commit(now_ms)

    def shrink_isr(self, *, now_ms: int) -> None:
        """Propose an ISR without the members that were not caught up for replica.lag.time.max.ms, if there are any."""
        followers = self._followers
        if followers is not None and followers.proposal is None and (late := self.out_of_sync(now_ms=now_ms)):
            self._propose_isr(followers, [replica for replica in followers.isr if replica not in late])

    def leave_out(self, replica_id: int) -> None:
        """Propose an ISR without a follower, unless it is not in it, or another proposal is not answered yet."""
        followers = self._followers
        if followers is not None and followers.proposal is None and replica_id in followers.isr:
            self._propose_isr(followers, [replica for replica in followers.isr if replica != replica_id])

    def out_of_sync(self, *, now_ms: int) -> list[int]:
        """Members of the ISR that were not caught up for replica.lag.time.max.ms."""
        return [] if self._followers is None else self._followers.out_of_sync(self.log.log_end_offset, now_ms)

    def may_join_isr(self, replica_id: int) -> bool:
        """Whether a follower may join the ISR: it has reached the high watermark and the start of this leader epoch."""
        followers = self._followers
        return (
            followers is not None
            and followers.may_join(replica_id, max(self.committed.offset, self.epoch_start_offset))
            and (self.topic, self.index, replica_id) not in self._shared.kept_out
        )

    def _propose_isr(self, followers: Followers, isr: Iterable[int]) -> None:
        changes = self._shared.isr_changes
        if changes is not None:
            # In the order of their ids, as Apache Kafka does: clients are shown the ISR as its leader has proposed it.
            proposal = followers.propose(
                sorted(isr), leader_epoch=self.leader_epoch, partition_epoch=self.partition_epoch
            )
            changes.submit(self, proposal)

    def isr_changed(
        self, proposal: IsrProposal, *, isr: tuple[int, ...], leader_epoch: int, partition_epoch: int, now_ms: int
    ) -> None:
        """The controller has answered a proposal with the ISR that holds now. Ignored if newer metadata came before."""
        followers = self._followers
        if followers is None or followers.proposal is not proposal:
            return
        if leader_epoch != self.leader_epoch or partition_epoch < self.partition_epoch:
            return  # the metadata will say who leads, and with which ISR
        followers.isr, followers.proposal = isr, None
        self.partition_epoch = partition_epoch
        self._commit(now_ms)

    def isr_refused(self, proposal: IsrProposal, code: int) -> bool:
        """The controller has refused a proposal. Returns whether to ask again.

        Where it knows better, this leader waits for the metadata that says so; until then it proposes nothing.
        """
        followers = self._followers
        if followers is None or followers.proposal is not proposal:
            return False
        if code in NOT_CHANGED:
            followers.proposal = None
            return False
        return code not in KNOWN_BETTER

    def when_deleted(self, offset: int, release: Callable[[KafkaError | None], None]) -> None:
        """Call `release(None)` once all live replicas begin at `offset` or above, `release(error)` if this broker stops
        leading before.
        """
        if self._low_watermark is None:
            self._low_watermark = HighWatermark(-1)
        low_watermark = self._low_watermark
        self._note_low_watermark(low_watermark)
        low_watermark.release_at(offset, release)

    @property
    def low_watermark(self) -> int:
        """The lowest log start offset of the live replicas."""
        start = self.log.log_start_offset
        return start if self._followers is None else self._followers.low_watermark(start)

    def _note_low_watermark(self, low_watermark: HighWatermark) -> None:
        low_watermark.advance(max(low_watermark.offset, self.low_watermark))

    def _commit(self, now_ms: int | None) -> None:
        """Move the high watermark, and tell the watchers if it has moved."""
        before = self.committed.offset
        self._advance(now_ms)
        if self.committed.offset != before:
            self._tell_watchers()

    def _advance(self, now_ms: int | None) -> None:
        """Move the high watermark to the end of what all of the ISR have, and those that are about to join it."""
        followers = self._followers
        if followers is None:
            self.committed.advance(self.stored.offset)
            return
        if self.is_under_min_isr:  # with fewer, what is committed might be lost with them (KIP-966)
            return
        end_offset = self.log.log_end_offset
        offset = followers.committable(self.stored.offset, end_offset, now_ms)
        assert offset <= end_offset, f"{self}: committed to {offset} of {end_offset}"
        if offset > self.committed.offset:
            self.committed.advance(offset)
