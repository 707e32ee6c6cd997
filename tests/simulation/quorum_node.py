"""A node of a simulated quorum: executes what its `Quorum` asks for, on a disk and a network that may fail."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.messages import FetchResult, FetchSnapshotResult, Request, Result
from kafkapy_controller.raft.quorum import (
    Answer,
    Answered,
    Append,
    Appended,
    Asked,
    Effects,
    Event,
    Failed,
    Flushed,
    NotAppended,
    Quorum,
    QuorumTimeouts,
    Send,
    SnapshotInstalled,
    SnapshotPart,
    SnapshotStored,
    Start,
    Stop,
    Tick,
)
from kafkapy_controller.raft.roles import Follower
from kafkapy_controller.voters import MembershipHistory, QuorumMembership, ReplicaKey
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.record_formats.metadata import NoOpRecord
from tests.simulation.environment import Disk, EventQueue, Network, Snapshot, Violation, control_records

REQUEST_TIMEOUT_MS = 1500
SNAPSHOT_PART_BYTES = 300
FETCH_BATCHES_MAX = 3


class Caller(NamedTuple):
    """Where an answer goes; `generation` tells the process that asked from its successor."""

    node_id: int
    generation: int
    request_id: int
    request: Request


class QuorumNode:
    """`disk` outlives the process; everything else is gone with a crash."""

    def __init__(
        self,
        key: ReplicaKey,
        first_members: QuorumMembership,
        queue: EventQueue,
        network: Network,
        nodes: dict[int, QuorumNode],
        random: Random,
        timeouts: QuorumTimeouts,
        *,
        may_vote: bool = True,
    ) -> None:
        self.key = key
        self.first_members = first_members
        self.timeouts = timeouts
        self.may_vote = may_vote
        self.disk = Disk()
        self.disk_is_full = False
        self.fsync_ms = (1, 5)
        self._clock_rate = 1.0
        self._clock_set: tuple[int, int] = (0, 0)  # what it showed at which simulated time
        self.quorum: Quorum | None = None
        self.generation = 0
        self.is_paused = False
        self.results: dict[object, Result] = {}
        self.trace: Callable[[str], None] = lambda _text: None
        self.sending: Callable[[QuorumNode, Request | Result, Request | None], None] = lambda _node, _what, _to: None
        """Called with each request, and each result with the request that it answers, before it leaves."""
        self._queue = queue
        self._network = network
        self._nodes = nodes
        self._random = random
        self._requests = 0
        self._awaited: dict[int, tuple[int, Request]] = {}
        self._held: list[Callable[[], None]] = []
        self._tick_at_ms: int | None = None
        self._part = bytearray()
        self._steps_to_live: int | None = None
        self._die: Callable[[], None] = lambda: None
        self._syncing: int | None = None  # what is durable when the sync that is under way ends

    @property
    def node_id(self) -> int:
        return self.key.node_id

    @property
    def now_ms(self) -> int:
        """By its own clock, which never goes back but may go fast, slow, or leap."""
        shown_ms, at_ms = self._clock_set
        return shown_ms + int((self._queue.now_ms - at_ms) * self._clock_rate)

    def turn_clock(self, *, leap_ms: int, rate: float) -> None:
        """As when a machine was asleep, and drifts."""
        self._clock_set = (self.now_ms + leap_ms, self._queue.now_ms)
        self._clock_rate = rate
        if self.quorum is not None:
            self._tick_at_ms = None
            self._arm()

    # Life

    def start(self) -> None:
        assert self.quorum is None
        snapshot = self.disk.snapshot
        end_offset = self.disk.end_offset
        epochs = [] if snapshot is None else [(snapshot.snapshot_id.epoch, snapshot.snapshot_id.end_offset - 1)]
        epochs += [(entry.epoch, entry.base_offset) for entry in self.disk.entries]
        if snapshot is not None and self.disk.start_offset < snapshot.snapshot_id.end_offset:
            epochs = [(entry.epoch, entry.base_offset) for entry in self.disk.all_entries()]
        members = MembershipHistory(self.first_members)
        if snapshot is not None:
            members = MembershipHistory(snapshot.membership, snapshot.snapshot_id.end_offset - 1)
        for entry in self.disk.entries:
            for record in control_records(entry.data):
                changed = members.latest.replay(record)
                if changed != members.latest and record.offset > members.latest_offset:
                    members.add(record.offset, changed)
        self.quorum = Quorum(
            self.key,
            self.disk.quorum_state,
            members,
            EpochHistory(epochs, end_offset=end_offset),
            timeouts=self.timeouts,
            random=self._random,
            bootstrap_count=len(self._nodes) if not self.first_members.voters else 0,
            snapshot=None if snapshot is None else snapshot.snapshot_id,
            may_vote=self.may_vote,
        )
        self.quorum.log_start_offset = self.disk.start_offset
        if snapshot is not None and self.disk.start_offset:
            start = self.disk.start_offset
            self.quorum.log_start_epoch = next(e.epoch for e in self.disk.all_entries() if e.end_offset == start)
        self.step(Start())

    def start_unless_running(self) -> None:
        if self.quorum is None:
            self.start()

    def crash(self) -> None:
        self.quorum = None
        self.generation += 1
        self.is_paused = False
        self._held.clear()
        self._awaited.clear()
        self._syncing = None
        self._steps_to_live = None
        self._tick_at_ms = None
        self.results.clear()
        self.disk.lose_what_was_not_synced(self._random)

    def replace_disk(self, key: ReplicaKey) -> None:
        assert self.quorum is None
        self.key = key
        self.disk = Disk()

    def stop(self) -> None:
        self.step(Stop())

    def resume(self) -> None:
        self.is_paused = False
        held, self._held = self._held, []
        for act in held:
            act()

    # Steps

    def step(self, event: Event) -> bool:
        """Returns False if the disk refused what the quorum wanted to append."""
        assert self.quorum is not None
        effects = self.quorum.step(event, self.now_ms)
        done = self._execute(effects)
        self._arm()
        if self._steps_to_live is not None:
            self._steps_to_live -= 1
            if self._steps_to_live <= 0:
                self._steps_to_live = None
                self._queue.after(0, self._die)
        return done

    def die_after(self, steps: int, die: Callable[[], None]) -> None:
        """Call `die` after so many steps: a crash between any two of them."""
        self._steps_to_live, self._die = steps, die

    def _execute(self, effects: Effects) -> bool:
        assert self.quorum is not None
        if effects.quorum_state is not None:
            self.disk.quorum_state = effects.quorum_state
        if effects.truncate_to is not None:
            self._truncate(effects.truncate_to)
        if effects.batch is not None:
            if self.disk_is_full:
                self._truncate(self.disk.end_offset)
                self.step(NotAppended(self.disk.end_offset))
                for send in effects.sends:
                    self.step(Failed(send.to, send.request))
                return False
            self.disk.append(effects.batch)
            assert self.disk.end_offset == self.quorum.log_end_offset
            self._sync_later()
        self._send(effects)
        if effects.snapshot_part is not None:
            self._store_part(effects.snapshot_part)
        if effects.batch is not None and self.quorum.is_leader:
            self.step(Appended())
        return True

    def _send(self, effects: Effects) -> None:
        for send in effects.sends:
            self._ask(send)
        for answer in effects.answers:
            self._answer(answer)

    def _truncate(self, end_offset: int) -> None:
        self.disk.truncate(end_offset)
        if self._syncing is not None:
            self._syncing = min(self._syncing, end_offset)

    def _sync_later(self) -> None:
        """One sync at a time, of all that was there when it began; the next takes what came meanwhile."""
        if self._syncing is not None:
            return
        generation = self.generation
        self._syncing = self.disk.end_offset

        def synced() -> None:
            if generation != self.generation or self.quorum is None:
                return
            assert self._syncing is not None
            # What was truncated since, and replaced, is not durable.
            durable_offset = self.disk.durable_offset = max(self.disk.durable_offset, self._syncing)
            self._syncing = None
            if durable_offset < self.disk.end_offset:
                self._sync_later()
            self._when_running(lambda: self.step(Flushed(durable_offset)))

        self._queue.after(self._random.randint(*self.fsync_ms), synced)

    def _store_part(self, part: SnapshotPart) -> None:
        if part.position == 0:
            self._part.clear()
        assert len(self._part) == part.position
        self._part += part.data
        if not part.is_last:
            return
        disk = Disk()
        disk.append(bytes(self._part))
        members = disk.membership(self.first_members)
        snapshot = Snapshot(part.snapshot, tuple(disk.entries), members)
        assert disk.end_offset == part.snapshot.end_offset
        self.disk.install(snapshot)
        self.step(SnapshotInstalled(part.snapshot, members))

    def take_snapshot(self, *, delete: bool) -> None:
        """Of all that is committed."""
        quorum = self.quorum
        assert quorum is not None
        end_offset = quorum.high_watermark
        entries = [entry for entry in self.disk.all_entries() if entry.end_offset <= end_offset]
        if not entries or (self.disk.snapshot is not None and end_offset <= self.disk.snapshot.snapshot_id.end_offset):
            return
        snapshot = Snapshot(SnapshotId(end_offset, entries[-1].epoch), tuple(entries), quorum.members.at(end_offset))
        start_offset = end_offset if delete else self.disk.start_offset
        oldest = snapshot.snapshot_id if delete else SnapshotId(start_offset, quorum.log_start_epoch)
        self.disk.store_snapshot(snapshot, start_offset)
        self.step(SnapshotStored(snapshot.snapshot_id, oldest, start_offset))

    def append(self) -> int | None:
        """A leader's decision of one record: the offset that it gets, or None."""
        quorum = self.quorum
        if quorum is None or not quorum.is_leader or self.is_paused:
            return None
        offset = quorum.log_end_offset
        return offset if self.step(Append([NoOpRecord()], metadata_version=30)) else None

    # Time

    def _arm(self) -> None:
        deadline_ms = self.quorum.deadline_ms if self.quorum is not None else None
        if deadline_ms is None:
            return
        at_ms = self._queue.now_ms + max(int((deadline_ms - self.now_ms) / self._clock_rate) + 1, 1)
        if self._tick_at_ms is not None and self._queue.now_ms < self._tick_at_ms <= at_ms:
            return
        self._tick_at_ms = at_ms
        generation = self.generation

        def tick() -> None:
            if generation != self.generation or self.quorum is None or self._tick_at_ms != at_ms:
                return
            self._tick_at_ms = None
            self._when_running(lambda: self.step(Tick()))

        self._queue.after(at_ms - self._queue.now_ms, tick)

    def _when_running(self, act: Callable[[], object]) -> None:
        """A paused process does it all when it goes on."""
        generation = self.generation

        def still() -> None:
            if generation == self.generation and self.quorum is not None:
                act()

        if self.is_paused:
            self._held.append(still)
        else:
            still()

    # Messages

    def _ask(self, send: Send) -> None:
        receiver_id = send.to if send.to >= 0 else sorted(self._nodes)[-2 - send.to]
        self._requests += 1
        request_id, generation = self._requests, self.generation
        self.sending(self, send.request, None)
        self._awaited[request_id] = (send.to, send.request)
        self._queue.after(REQUEST_TIMEOUT_MS, lambda: self._timed_out(generation, request_id))
        receiver = self._nodes.get(receiver_id)
        if receiver is None:
            return
        caller = Caller(self.node_id, generation, request_id, send.request)
        self._network.deliver(self.node_id, receiver_id, lambda: receiver.receive(caller, send.request))

    def receive(self, caller: object, request: Request) -> None:
        if self.quorum is not None:
            self._when_running(lambda: self.step(Asked(caller, request)))

    def _answer(self, answer: Answer) -> None:
        result = self._with_data(answer)
        if not isinstance(answer.reply_to, Caller):
            self.results[answer.reply_to] = result
            return
        caller = answer.reply_to
        self.sending(self, result, caller.request)
        asker = self._nodes[caller.node_id]
        self._network.deliver(self.node_id, caller.node_id, lambda: asker.receive_answer(caller, result))

    def _with_data(self, answer: Answer) -> Result:
        result = answer.result
        if answer.records_from is not None:
            assert isinstance(result, FetchResult)
            return result._replace(records=self.disk.read(answer.records_from, FETCH_BATCHES_MAX))
        if answer.part_of is not None:
            assert isinstance(result, FetchSnapshotResult)
            snapshot, position = self.disk.snapshot, answer.part_of.position
            if snapshot is None or snapshot.snapshot_id != answer.part_of.snapshot:
                return result._replace(error=ErrorCode.SNAPSHOT_NOT_FOUND)
            data = snapshot.data
            part = data[position : position + SNAPSHOT_PART_BYTES]
            return result._replace(size=len(data), position=position, data=part)
        return result

    def receive_answer(self, caller: Caller, result: Result) -> None:
        if caller.generation != self.generation or self.quorum is None:
            return

        def take() -> None:
            awaited = self._awaited.pop(caller.request_id, None)
            if awaited is not None:
                to, request = awaited
                self._check_told(to, result)
                self.step(Answered(to, request, result))

        self._when_running(take)

    def _check_told(self, leader_id: int, result: Result) -> None:
        """A follower of Apache Kafka ends when its leader tells a high watermark below the one that it knows."""
        assert self.quorum is not None
        role = self.quorum.role
        if not isinstance(result, FetchResult) or not isinstance(role, Follower) or role.leader_id != leader_id:
            return
        if result.error is ErrorCode.NONE and result.epoch == self.quorum.epoch and result.high_watermark >= 0:
            known = self.quorum.high_watermark
            if result.high_watermark < known:
                raise Violation(
                    f"leader {leader_id} tells node {self.node_id}, which knows {known} as committed, "
                    f"the high watermark {result.high_watermark}"
                )

    def _timed_out(self, generation: int, request_id: int) -> None:
        if generation != self.generation or self.quorum is None:
            return

        def fail() -> None:
            awaited = self._awaited.pop(request_id, None)
            if awaited is not None:
                self.step(Failed(*awaited))

        self._when_running(fail)
