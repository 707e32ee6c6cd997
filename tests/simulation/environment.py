"""The world of a simulated quorum: events in the order of their times, a network that fails, disks that forget."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId, read_batches
from kafkapy_controller.quorum_state import QuorumState
from kafkapy_controller.voters import QuorumMembership
from kafkapy_wire.records import Record, split_batches

SLOWEST_MS = 10_000
"""No message takes longer, so that none from the time of trouble comes when the world has been at peace for long."""


class Violation(AssertionError):
    """Something that Raft promises did not hold."""


class EventQueue:
    """Simulated time in ms: `run` calls what is due, in the order of times, then of entering."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.count = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = itertools.count()

    def after(self, delay_ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_ms + max(delay_ms, 0), next(self._sequence), act))

    def run(self, until_ms: int, after_each: Callable[[], None]) -> None:
        while self._events and self._events[0][0] <= until_ms:
            self.now_ms, _, act = heapq.heappop(self._events)
            act()
            self.count += 1
            after_each()
        self.now_ms = until_ms


@dataclass(slots=True)
class NetworkFaults:
    """Chances of one message, and its delay in ms."""

    loss: float = 0.0
    doubling: float = 0.0
    delay_ms: tuple[int, int] = (1, 5)
    slow: float = 0.0
    """The chance of a delay that is up to 100 times as long: later messages overtake it."""


class Network:
    """Delivers messages between nodes. `cut` holds the directed pairs that nothing passes."""

    def __init__(self, queue: EventQueue, random: Random) -> None:
        self.faults = NetworkFaults()
        self.cut: set[tuple[int, int]] = set()
        self._queue = queue
        self._random = random

    def deliver(self, sender: int, receiver: int, act: Callable[[], None]) -> None:
        times = 1
        if self._random.random() < self.faults.doubling:
            times = 2
        for _ in range(times):
            if self._random.random() < self.faults.loss:
                continue
            delay_ms = self._random.randint(*self.faults.delay_ms)
            if self._random.random() < self.faults.slow:
                delay_ms = min(delay_ms * self._random.randint(2, 100), SLOWEST_MS)
            self._queue.after(delay_ms, lambda: self._arrive(sender, receiver, act))

    def _arrive(self, sender: int, receiver: int, act: Callable[[], None]) -> None:
        if (sender, receiver) not in self.cut:
            act()


class Entry(NamedTuple):
    """One batch of a log."""

    base_offset: int
    end_offset: int
    epoch: int
    data: bytes


@cache
def control_records(batch: bytes) -> tuple[Record, ...]:
    return tuple(record for each in read_batches(batch) for record in each.control_records)


class Snapshot(NamedTuple):
    """All that the log had below its end: here the entries themselves, so that nothing can be faked."""

    snapshot_id: SnapshotId
    entries: tuple[Entry, ...]
    membership: QuorumMembership

    @property
    def data(self) -> bytes:
        return b"".join(entry.data for entry in self.entries)


@dataclass(slots=True)
class Disk:
    """What a node finds again. Entries beyond `durable_offset` may be gone after a crash."""

    quorum_state: QuorumState = field(default_factory=QuorumState)
    snapshot: Snapshot | None = None
    entries: list[Entry] = field(default_factory=list)
    durable_offset: int = 0

    @property
    def start_offset(self) -> int:
        if self.entries:
            return self.entries[0].base_offset
        return self.end_offset

    @property
    def end_offset(self) -> int:
        if self.entries:
            return self.entries[-1].end_offset
        return self.snapshot.snapshot_id.end_offset if self.snapshot is not None else 0

    def append(self, batch: bytes) -> None:
        for header, data in split_batches(batch):
            assert header.base_offset == self.end_offset, (header.base_offset, self.end_offset)
            entry = Entry(header.base_offset, header.last_offset + 1, header.partition_leader_epoch, bytes(data))
            self.entries.append(entry)

    def truncate(self, end_offset: int) -> None:
        while self.entries and self.entries[-1].base_offset >= end_offset:
            self.entries.pop()
        assert self.end_offset <= end_offset, "a log is cut between batches"
        self.durable_offset = min(self.durable_offset, self.end_offset)

    def read(self, offset: int, batches_max: int) -> bytes:
        first = next((i for i, entry in enumerate(self.entries) if entry.end_offset > offset), len(self.entries))
        return b"".join(entry.data for entry in self.entries[first : first + batches_max])

    def install(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.entries.clear()
        self.durable_offset = snapshot.snapshot_id.end_offset

    def store_snapshot(self, snapshot: Snapshot, start_offset: int) -> None:
        self.snapshot = snapshot
        self.entries = [entry for entry in self.entries if entry.base_offset >= start_offset]

    def lose_what_was_not_synced(self, random: Random) -> None:
        """A crash: any beginning of what was written since the last sync is there."""
        unsynced = sum(entry.end_offset > self.durable_offset for entry in self.entries)
        for _ in range(random.randint(0, unsynced)):
            self.entries.pop()
        self.durable_offset = self.end_offset

    def membership(self, first: QuorumMembership) -> QuorumMembership:
        """Who votes by the snapshot and the log after it."""
        membership = first if self.snapshot is None else self.snapshot.membership
        end_offset = 0 if self.snapshot is None else self.snapshot.snapshot_id.end_offset
        for entry in self.entries:
            if entry.base_offset >= end_offset:
                for record in control_records(entry.data):
                    membership = membership.replay(record)
        return membership

    def all_entries(self) -> list[Entry]:
        """From offset 0 on, the snapshot's included."""
        start = self.start_offset
        before = [] if self.snapshot is None else [e for e in self.snapshot.entries if e.base_offset < start]
        return before + self.entries
