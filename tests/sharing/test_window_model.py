"""A share partition under members that take, acknowledge, stall, leave and lie, with leaders that come and go.

Every step is compared with a model of single records. A record that a consumer was told is acknowledged never comes
again; none is lost; a delivery count says how often a record was delivered.
"""

from __future__ import annotations

from random import Random

import pytest

from kafkapy.sharing.acknowledging import AcknowledgeType, Change
from kafkapy.sharing.in_flight import Limits
from kafkapy.sharing.runs import RecordState
from kafkapy_wire.errors import ErrorCode, KafkaError
from tests.sharing.window_lab import WindowLab

MEMBERS = ("a", "b", "c")


class Model:
    """What clients know of each record."""

    def __init__(self) -> None:
        self.deliveries: dict[int, int] = {}
        self.done: set[int] = set()
        """Acknowledged, rejected, or given up, and that is stored."""
        self.holders: dict[int, tuple[str, float]] = {}

    def delivered(self, offset: int, member_id: str, count: int, until_ms: float) -> None:
        assert offset not in self.done, f"record {offset} is delivered again"
        self.deliveries[offset] = self.deliveries.get(offset, 0) + 1
        assert count <= self.deliveries[offset], f"record {offset}: delivery {count}, of {self.deliveries[offset]}"
        self.holders[offset] = (member_id, until_ms)


class Simulation:
    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.limits = Limits(
            max_delivery_count=random.choice((2, 3, 5, 10)),
            max_record_locks=random.choice((10, 25, 100)),
            lock_duration_ms=100,
            has_dead_letter_queue=random.random() < 0.5,
        )
        self.lab = WindowLab(self._batches(), self.limits)
        self.model = Model()
        self.pending: list[tuple[Change, dict[int, int]]] = []
        self.restarts = 0

    def _batches(self) -> list[tuple[int, int]]:
        batches, offset = [], 0
        for _ in range(self.random.randrange(3, 20)):
            last = offset + self.random.randrange(12)
            batches.append((offset, last))
            offset = last + 1
        return batches

    def step(self) -> None:
        if self.random.random() < 0.01:  # the group's settings are changed
            self.limits = self.lab.limits = self.limits._replace(
                max_delivery_count=self.random.choice((1, 2, 3, 5, 10)),
                has_dead_letter_queue=self.random.random() < 0.5,
            )
        choice = self.random.random()
        if choice < 0.35:
            self.acquire()
        elif choice < 0.7:
            self.acknowledge()
        elif choice < 0.8:
            self.settle()
        elif choice < 0.87:
            self.lab.advance(self.random.choice((10, 60, 150)))
            self._forget_expired()
        elif choice < 0.93:
            self.leave()
        elif choice < 0.96:
            self.restart()
        elif choice < 0.98:
            if self.lab.letters:
                self.lab.bury()
        else:
            self.lie()
        self.check()

    def acquire(self, member_id: str | None = None) -> int:
        member_id = member_id or self.random.choice(MEMBERS)
        acquired = self.lab.acquire(
            member_id,
            max_records=self.random.choice((1, 3, 10, 500)),
            batch_size=self.random.choice((1, 5, 500)),
            strict=self.random.random() < 0.3,
            read_batches=self.random.choice((1, 3, 100)),
        )
        for each in acquired:
            for offset in range(each.first_offset, each.last_offset + 1):
                assert offset not in self.model.holders, f"record {offset} has two owners"
                until_ms = self.lab.now_ms + self.limits.lock_duration_ms
                self.model.delivered(offset, member_id, each.delivery_count, until_ms)
        return sum(each.record_count for each in acquired)

    def acknowledge(self) -> None:
        """Some of what a member has, in one request; stored now or later."""
        member_id = self.random.choice(MEMBERS)
        types = {
            offset: self.random.choice((0, 1, 1, 1, 2, 3, 4))
            for offset, (holder, _) in sorted(self.model.holders.items())
            if holder == member_id and self.random.random() < 0.7
        }
        if not types:
            return
        change = self.lab.begin(member_id, *_as_batches(types, self.random))
        for offset, kind in types.items():
            if kind == AcknowledgeType.RENEW:
                self.model.holders[offset] = (member_id, self.lab.now_ms + self.limits.lock_duration_ms)
            else:
                del self.model.holders[offset]
        given_up = {offset: kind for offset, kind in types.items() if kind != AcknowledgeType.RENEW}
        self.pending.append((change, given_up))
        if self.random.random() < 0.7:
            self.settle()

    def settle(self) -> None:
        """The coordinator answers the oldest write, or cannot."""
        if not self.pending:
            return
        change, types = self.pending.pop(0)
        if self.random.random() < 0.2:
            if self.random.random() < 0.3:  # the answer is lost, and the write is not
                self.lab.store(change.batches)
            self.lab.fail(change)
            self._learn_owners()
            return
        self.lab.finish(change)
        for offset, kind in types.items():
            if kind != AcknowledgeType.RELEASE or self.model.deliveries[offset] >= 10**9:
                self.model.done.add(offset)

    def leave(self) -> None:
        member_id = self.random.choice(MEMBERS)
        self.lab.leave(member_id)
        for offset in [offset for offset, (holder, _) in self.model.holders.items() if holder == member_id]:
            del self.model.holders[offset]

    def restart(self) -> None:
        self.restarts += 1
        self.pending.clear()
        self.model.holders.clear()
        self.lab.restart()

    def lie(self) -> None:
        """A member acknowledges what it does not have: refused, and nothing has changed."""
        before = self._states()
        offset = self.random.randrange(self.lab.log[-1][1] + 5)
        last_offset = offset + self.random.choice((0, 0, 1, 4))
        member_id = self.random.choice((*MEMBERS, "nobody"))
        if any(self.model.holders.get(each, ("", 0))[0] == member_id for each in range(offset, last_offset + 1)):
            return
        if last_offset < self.lab.window.start_offset:
            assert not self.lab.begin(member_id, (offset, last_offset, 1)).batches
        else:
            with pytest.raises(KafkaError) as refused:
                self.lab.begin(member_id, (offset, last_offset, 1))
            assert refused.value.code in (ErrorCode.INVALID_RECORD_STATE, ErrorCode.INVALID_REQUEST)
        start_offset = self.lab.window.start_offset  # may have moved over what is complete
        assert self._states() == {offset: state for offset, state in before.items() if offset >= start_offset} or (
            self._states() == before
        )

    def _states(self) -> dict[int, tuple[RecordState, int, str]]:
        return {
            offset: (run.state, run.delivery_count, run.member_id)
            for run in self.lab.window.runs()
            for offset in range(run.first_offset, run.last_offset + 1)
        }

    def _forget_expired(self) -> None:
        for offset, (_, until_ms) in list(self.model.holders.items()):
            if until_ms <= self.lab.now_ms:
                del self.model.holders[offset]

    def _learn_owners(self) -> None:
        """After a failed write the records are back with their members, unless their locks have expired."""
        for offset, (state, _, member_id) in self._states().items():
            if state is RecordState.ACQUIRED and offset not in self.model.holders:
                run = self.lab.window.batches[self.lab.window.index_at(offset)].run_at(offset)
                assert run.lock_until_ms is not None
                self.model.holders[offset] = (member_id, run.lock_until_ms)

    # -- invariants

    def check(self) -> None:
        window = self.lab.window
        states = self._states()
        for offset, (holder, _) in self.model.holders.items():
            if offset >= window.start_offset:
                assert states[offset][0] is RecordState.ACQUIRED
                assert states[offset][2] == holder
        complete = sum(state.is_terminal for offset, (state, _, _) in states.items() if offset >= window.start_offset)
        assert window.delivery_complete_count == complete
        previous = -1
        for batch in window.batches:
            assert batch.first_offset > previous
            assert [batch.first_offset, batch.last_offset] == [batch.runs[0].first_offset, batch.runs[-1].last_offset]
            for run in batch.runs:
                assert run.first_offset == max(previous + 1, batch.first_offset)
                assert run.first_offset <= run.last_offset
                previous = run.last_offset
        count = window.record_count
        assert count <= self.limits.max_record_locks + 12, f"{count} records hold locks"

    def finish(self) -> None:
        """In the end consumers that do their work get everything that is left."""
        while self.pending:
            change, types = self.pending.pop(0)
            self.lab.finish(change)
            self.model.done.update(offset for offset, kind in types.items() if kind != AcknowledgeType.RELEASE)
        for member_id in MEMBERS:
            self.lab.leave(member_id)
        while self.lab.letters:
            self.lab.bury()
        self.model.holders.clear()
        end = self.lab.log[-1][1]
        for _ in range(20 * (end + 1)):
            if self.lab.window.start_offset > end:
                break
            while self.lab.letters:
                self.lab.bury()
            self.acquire("a")
            mine = {offset: 1 for offset, _ in sorted(self.model.holders.items())}
            if mine:
                self.lab.acknowledge("a", *_as_batches(mine, self.random))
                self.model.done.update(mine)
                self.model.holders.clear()
        assert self.lab.window.start_offset == end + 1, f"records are lost: {self.lab.window.batches}"
        never = [offset for offset in range(end + 1) if offset not in self.model.deliveries]
        assert not never, f"never delivered: {never}"


def _as_batches(types: dict[int, int], random: Random) -> list[tuple[int, int, int | list[int]]]:
    """The offsets as a client sends them: ranges of one type, or with one type for each record."""
    batches: list[tuple[int, int, int | list[int]]] = []
    by_record = random.random() < 0.5
    for offset, kind in types.items():
        if batches and batches[-1][1] + 1 == offset:
            first, _, last_types = batches[-1]
            if by_record and isinstance(last_types, list):
                batches[-1] = (first, offset, [*last_types, kind])
                continue
            if last_types == kind:
                batches[-1] = (first, offset, kind)
                continue
        batches.append((offset, offset, [kind] if by_record else kind))
    return batches


@pytest.mark.parametrize("seed", range(250))
def test_nothing_acknowledged_comes_again_and_nothing_is_lost(seed: int) -> None:
    simulation = Simulation(seed)
    for _ in range(120):
        simulation.step()
    simulation.finish()
