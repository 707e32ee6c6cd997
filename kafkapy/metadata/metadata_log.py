"""The log of `__cluster_metadata-0` and the shell of the quorum that keeps it: it does what `Quorum.step` asks for.

Records are synced before they are counted; in an ephemeral directory they count at once. One task syncs (`run`):
records appended during one fsync share the next. At each commit the images are published first, then the high
watermark releases the answers that wait for it, and then the quorum's messages leave.

A node that leads decides (`append`), others follow. `on_leading` and `on_resigned` tell its controller.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import trio

from kafkapy.high_watermark import HighWatermark
from kafkapy.metadata.metadata_sync import MetadataSync
from kafkapy.metadata.quorum_answers import QuorumAnswers
from kafkapy.metadata.replica_waits import ReplicaWaits
from kafkapy.pending import Pending
from kafkapy.turns import Turn
from kafkapy_controller.quorum_state import NOBODY, encode_quorum_state
from kafkapy_controller.raft.quorum import (
    Append,
    Appended,
    AppendPrepared,
    Asked,
    Effects,
    Failed,
    Flushed,
    NotAppended,
    SnapshotNotStored,
    Start,
    Stop,
    Tick,
    UpgradeQuorum,
)
from kafkapy_controller.raft.roles import Leader
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_log import StorageError
from kafkapy_log.durable_files import replace_file
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from kafkapy.clock import Clock, Timer
    from kafkapy.metadata.loader import MetadataLoader
    from kafkapy.metadata.quorum_network import QuorumNetwork
    from kafkapy.metadata.snapshots import SnapshotFiles
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.raft.core import SnapshotPart
    from kafkapy_controller.raft.description import QuorumDescription
    from kafkapy_controller.raft.messages import Request, Result
    from kafkapy_controller.raft.quorum import Event, Quorum
    from kafkapy_log import PartitionLog

logger = logging.getLogger("kafkapy.controller")

METADATA_DIRECTORY = f"{CLUSTER_METADATA_TOPIC}-0"
QUORUM_STATE_FILE = "quorum-state"


def not_controller(leader_id: int, node_id: int) -> KafkaError:
    """NOT_CONTROLLER, in Apache Kafka's words: administrators see from them whom to ask."""
    if leader_id in (NOBODY, node_id):
        return KafkaError(ErrorCode.NOT_CONTROLLER, "No controller appears to be active.")
    return KafkaError(ErrorCode.NOT_CONTROLLER, f"The active controller appears to be node {leader_id}.")


class MetadataLog:
    """Appends what its leader decides and says when it is committed. The log store closes `log`."""

    def __init__(
        self,
        directory: Path,
        log: PartitionLog,
        quorum: Quorum,
        loader: MetadataLoader,
        snapshots: SnapshotFiles,
        clock: Clock,
        *,
        fsync: bool,
    ) -> None:
        self.log = log
        """To be read only."""
        self.network: QuorumNetwork | None = None
        """Who sends to the other nodes of the quorum; None while there are none."""
        self.on_leading: Callable[[], None] = _nothing
        """Called when this node leads and its published image has everything that former leaders have appended."""
        self.on_resigned: Callable[[], None] = _nothing
        """Called when this node does not lead any more, before waiting answers are refused with NOT_CONTROLLER."""
        self.on_quorum_record: Callable[[], None] = _nothing
        """Called when the quorum has appended a record of its own to the log that this node decides about."""
        self.on_truncated: Callable[[], None] = _nothing
        """Called when the log was cut, before anything is appended: its recovery point is to be noted on the disk."""
        self.failed = trio.Event()
        """The node must stop: the log or the quorum cannot go on. `failure` says why."""
        self.failure: Exception | None = None
        self.replica_waits = ReplicaWaits(quorum, clock)
        self._directory = directory
        self._quorum = quorum
        self._loader = loader
        self._snapshots = snapshots
        self._clock = clock
        self._fsync = fsync
        self._answers = QuorumAnswers(log, snapshots, self._tell_disk)
        self._high_watermark = HighWatermark(0)
        self._disk: DiskWatch | None = None
        self._sync = MetadataSync(log, self._flushed, self._not_flushed, fsync=fsync)
        self._nursery: trio.Nursery | None = None  # while `run` runs
        self._is_busy = False  # a part of a snapshot is stored, or a long log is loaded: events wait for it
        self._waiting: deque[Event] = deque()
        self._timer: Timer | None = None
        self._rejected: str | None = None  # what was said last of records that were not taken
        self._led_epoch = NOBODY  # the epoch that this node leads, as far as others have been told
        self._has_told_leading = False

    def report_to(self, disk: DiskWatch) -> None:
        """Report disk errors to this from now on. Before, a disk error ends the start with its own message."""
        self._disk = disk

    @property
    def clock(self) -> Clock:
        """Of the node."""
        return self._clock

    @property
    def node_id(self) -> int:
        return self._quorum.me.node_id

    @property
    def leader_id(self) -> int:
        return self._quorum.leader_id

    @property
    def is_leader(self) -> bool:
        return self._quorum.is_leader

    @property
    def epoch(self) -> int:
        """The epoch of the quorum."""
        return self._quorum.epoch

    @property
    def kraft_version(self) -> int:
        """By all records of the log, committed or not."""
        return self._quorum.membership.kraft_version

    @property
    def end_offset(self) -> int:
        return self._quorum.log_end_offset

    @property
    def high_watermark(self) -> int:
        """Records below it are committed."""
        return self._high_watermark.offset

    @property
    def quorum(self) -> Quorum:
        """To be read only."""
        return self._quorum

    def leader_address(self) -> tuple[str, int] | None:
        """Where another node that leads is reached; None while no leader is known, or this node leads."""
        quorum = self._quorum
        if quorum.leader_id in (NOBODY, quorum.me.node_id):
            return None
        for endpoint in quorum.leader_endpoints:
            return endpoint.host, endpoint.port
        return None if self.network is None else self.network.address_of(quorum.leader_id)

    def describe_quorum(self) -> QuorumDescription | None:
        """The state of the quorum; None if this node does not lead."""
        from kafkapy_controller.raft.description import describe

        return describe(self._quorum, self._clock.now_ms())

    # Steps

    def start(self) -> None:
        """Take part in the quorum. The only voter leads a new epoch at once. Raises KafkaError, OSError."""
        if self._fsync:  # the quorum counts on all of the log, also on what a killed process wrote and has not synced
            self.log.flushing.flush()
        self._execute(self._quorum.step(Start(), self._clock.now_ms()), sync=False)
        if self._note_leadership():
            self.flush()
        self._arm()

    def ask(self, request: Request) -> Pending[Result]:
        """The quorum's answer to a request of another node."""
        answer: Pending[Result] = Pending()
        self.step(Asked(answer, request))
        if not answer.settled and self.failure is not None:
            answer.refuse(KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "the controller of this node has stopped"))
        return answer

    def step(self, event: Event) -> None:
        """Have the quorum take an event, and do what it asks for. If that fails, the node must stop: see `failed`."""
        if self.failure is not None:
            return
        if self._is_busy:
            self._waiting.append(event)
            return
        try:
            effects = self._quorum.step(event, self._clock.now_ms())
            try:
                self._execute(effects, sync=True)
            except StorageError as error:
                if not self._undo_append(error, effects):
                    raise
                return
            if self._note_leadership():
                self._sync.ask()
            self._arm()
            self.replica_waits.note_step()
        except Exception as error:  # StorageError, QuorumBroken, BrokenMetadata, OSError, or a mistake of ours
            self._fail(error)

    def _undo_append(self, error: StorageError, effects: Effects) -> bool:
        """Whether the disk is full, so that the batch of `effects` was not appended, and may be tried again later."""
        self._tell_disk(error)
        if self.log.has_failed or self.log.log_end_offset >= self._quorum.log_end_offset:
            return False
        self._execute(self._quorum.step(NotAppended(self.log.log_end_offset), self._clock.now_ms()), sync=True)
        self._note_leadership()
        self._arm()
        for answer in effects.answers:
            assert isinstance(answer.reply_to, Pending)
            answer.reply_to.refuse(error)
        for send in effects.sends:
            self.step(Failed(send.to, send.request))
        return True

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self.failed.set()
        self._high_watermark.refuse(KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"the metadata log has failed: {error}"))

    def _execute(self, effects: Effects, *, sync: bool) -> None:
        """Do what a step asks for. With `sync`, it was no decision: ask for an fsync of what is appended."""
        if effects.quorum_state is not None:
            membership = self._quorum.membership
            content = encode_quorum_state(effects.quorum_state, membership.kraft_version, membership.voter_ids)
            replace_file(self._directory / QUORUM_STATE_FILE, content.encode(), fsync=self._fsync)
        if effects.truncate_to is not None:
            self.log.truncate_to(effects.truncate_to, now_ms=self._clock.now_ms())
            assert self.log.log_end_offset == self._quorum.log_end_offset
            self.on_truncated()
        if effects.rejected is not None and effects.rejected != self._rejected:
            logger.warning("%s: they are fetched again", effects.rejected)
            self._rejected = effects.rejected
        if effects.batch is not None:
            # The batch is appended unchanged: the quorum has set, or checked, its offsets and epoch.
            self.log.append_as_follower(effects.batch, now_ms=self._clock.now_ms())
            assert self.log.log_end_offset == self._quorum.log_end_offset
            if sync and self._has_told_leading and self._quorum.is_leader:
                self.on_quorum_record()
        if effects.high_watermark is not None:
            turn, loading = Turn(), self._loader.load(effects.high_watermark)
            for _ in loading:
                if turn.is_over and self._nursery is not None:
                    self._is_busy = True
                    self._nursery.start_soon(self._load_the_rest, loading, effects, sync)
                    return
        self._finish(effects, sync=sync)

    async def _load_the_rest(self, loading: Iterator[None], effects: Effects, sync: bool) -> None:
        """What is left of a step whose records take longer than a turn to load."""
        turn = Turn()
        try:
            for _ in loading:
                await turn.share()
            self._is_busy = False
            self._finish(effects, sync=sync)
            if self._note_leadership():
                self._sync.ask()
            self._arm()
            self._take_waiting()
        except Exception as error:  # as in `step`
            self._fail(error)
        except BaseException:  # cancelled: what is left is loaded with the next step, if there is one
            self._is_busy = False
            raise

    def _take_waiting(self) -> None:
        """Take the events that have come meanwhile."""
        waiting, self._waiting = self._waiting, deque()
        while waiting:
            self.step(waiting.popleft())

    def _finish(self, effects: Effects, *, sync: bool) -> None:
        """The last effects of a step: everything below the high watermark is published."""
        if effects.high_watermark is not None:
            self._high_watermark.advance(effects.high_watermark)
        if effects.snapshot_part is not None:
            assert self._nursery is not None, "a snapshot comes while the log runs"
            self._is_busy = True
            self._nursery.start_soon(self._store_part, effects.snapshot_part, effects)
            return
        self._let_leave(effects)
        if effects.batch is not None:
            if self._quorum.is_leader and self.network is not None:
                self._execute(self._quorum.step(Appended(), self._clock.now_ms()), sync=sync)
            if sync:
                self._sync.ask()

    def _let_leave(self, effects: Effects) -> None:
        for send in effects.sends:
            assert self.network is not None, f"nobody is there to send {send} to"
            self.network.send(send)
        for answer in effects.answers:
            self._answers.give(answer, self._nursery)

    async def _store_part(self, part: SnapshotPart, effects: Effects) -> None:
        """Store a part of the leader's snapshot; with the last one it takes the place of the log."""
        from kafkapy.metadata.snapshot_install import install, receive

        try:
            content = await trio.to_thread.run_sync(receive, part, self._snapshots, self._loader)
        except StorageError as error:
            self._tell_disk(error)
            next_event: Event | None = SnapshotNotStored()
        except Exception as error:  # BrokenMetadata: what the leader has sent cannot be read
            self._fail(error)
            return
        else:
            self._let_leave(effects)
            next_event = None
            if content is not None:
                try:
                    next_event = install(content, self._snapshots, self.log, self._loader, self._clock.now_ms())
                except (StorageError, OSError) as error:
                    self._fail(error)
                    return
                self.on_truncated()
        self._is_busy = False
        if next_event is not None:
            self._waiting.appendleft(next_event)
        self._take_waiting()

    def _note_leadership(self) -> bool:
        """Tell the controller when this node begins to lead, once it may decide, and when it ends.

        Returns whether it has begun, and has perhaps appended something. Raises KafkaError KAFKA_STORAGE_ERROR.
        """
        quorum = self._quorum
        led_epoch = quorum.epoch if quorum.is_leader else NOBODY
        if led_epoch != self._led_epoch:
            if self._led_epoch != NOBODY:
                logger.info("no longer leads the quorum: epoch %d is over", self._led_epoch)
                self.on_resigned()
                self._loader.forget_decided()
                self._high_watermark.refuse(not_controller(self.leader_id, self.node_id))
            self._led_epoch = led_epoch
            self._has_told_leading = False
            if led_epoch != NOBODY:
                logger.debug("leads the quorum in epoch %d at offset %d", led_epoch, quorum.log_end_offset)
        role = quorum.role
        if self._is_busy or self._has_told_leading or not isinstance(role, Leader):
            return False
        if self._loader.next_offset < role.epoch_start_offset:
            return False
        self.on_leading()
        self._has_told_leading = True
        return True

    def _arm(self) -> None:
        deadline_ms = self._quorum.deadline_ms
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline_ms is not None and self.failure is None:
            self._timer = self._clock.call_later(max(deadline_ms - self._clock.now_ms(), 0), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.step(Tick())

    # Appending

    def resign(self) -> None:
        """Stop leading: further appends are refused."""
        self.step(Stop())

    def append(self, records: Sequence[MetadataRecord], metadata_version: int) -> None:
        """Append the records as one batch.

        Raises KafkaError: KAFKA_STORAGE_ERROR, and then the log is as it was; NOT_CONTROLLER, this node does not lead.
        """
        self._append(Append(records, metadata_version))

    def prepare(self, encoded_records: Sequence[bytes]) -> AppendPrepared:
        """A batch for `append_prepared`, good for as long as nothing else is appended."""
        return AppendPrepared(self._quorum.prepare(encoded_records, self._clock.now_ms()), len(encoded_records))

    def append_prepared(self, prepared: AppendPrepared) -> None:
        """As `append`."""
        self._append(prepared)

    def upgrade_quorum(self) -> None:
        """From kraft.version 0 to 1: the log says who votes from now on. As `append`."""
        self._append(UpgradeQuorum())

    def _append(self, event: Append | AppendPrepared | UpgradeQuorum) -> None:
        if self.failure is not None or not self._quorum.is_leader:
            raise not_controller(self.leader_id, self.node_id)
        effects = self._quorum.step(event, self._clock.now_ms())
        try:
            self._execute(effects, sync=False)
        except StorageError as error:
            self._undo_append(error, effects)
            raise
        self._arm()
        if self._disk is not None and self._disk.refusing:
            self._disk.accepted(self.log.topic_partition)

    # Committing

    def when_committed(self, release: Callable[[KafkaError | None], None]) -> None:
        """Ask for an fsync, and call `release(None)` once everything appended so far is committed.

        `release(error)` is called with KAFKA_STORAGE_ERROR if the flush has failed (if the error passes and a later
        flush succeeds, the records are committed nevertheless), and with NOT_CONTROLLER if this node does not lead any
        more (then nobody knows what becomes of the records). `release` must neither wait nor raise.
        """
        end_offset = self._quorum.log_end_offset
        self._high_watermark.release_at(end_offset, release)
        if self._high_watermark.offset < end_offset:
            self._sync.ask()

    def flush(self) -> None:
        """Sync all appended records. Blocks the event loop. Raises KafkaError KAFKA_STORAGE_ERROR."""
        self._sync.flush()

    async def run(self) -> None:
        """Sync appended records until cancelled. Before and afterwards `when_committed` syncs at once, and blocks."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._sync.run()
            finally:
                self._nursery = None

    def _flushed(self, end_offset: int) -> None:
        self.step(Flushed(end_offset))

    def _not_flushed(self, error: StorageError) -> None:
        self._tell_disk(error)
        self._high_watermark.refuse(error)

    def _tell_disk(self, error: StorageError) -> None:
        if self._disk is not None:
            self._disk.note_disk_error(self.log, error)


def _nothing() -> None:
    """The default of `on_leading` and `on_resigned`."""
