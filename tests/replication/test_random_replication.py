"""Replication under random faults, seeded: no acknowledged record is lost, and replicas agree on what is committed.

Brokers crash, lose their disks, are cut off one way or both, hear of metadata late; leaders are elected from the ISR,
which the controller of the lab changes as Kafka's does.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from kafkapy.pending import Pending
from kafkapy_wire.errors import ErrorCode, KafkaError
from tests.replication.replication_lab import LAG_MS, NOBODY, LabBroker, ReplicationLab, code_of, records_of

PARTITIONS = 2
EVENTS = 250
QUIET_MS_MAX = 5_000


class RandomRun:
    """One run with a seed; `trace` says what happened."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.lab = ReplicationLab(
            directory,
            partition_count=PARTITIONS,
            topic_settings={"min.insync.replicas": "2", "internal.segment.bytes": "2000"},
        )
        self.trace: list[str] = []
        self.produced = 0
        self.waiting: list[tuple[int, bytes, Pending[Any]]] = []
        self.acknowledged: list[dict[bytes, int]] = [{} for _ in range(PARTITIONS)]

    def run(self, events: int) -> None:
        kinds = [
            (self.produce, 30),
            (self.step, 40),
            (self.let_pass, 8),
            (self.tell, 8),
            (self.cut, 2),
            (self.heal, 8),
            (self.crash, 3),
            (self.restart, 8),
            (self.lose_disk, 1),
            (self.elect, 4),
            (self.delete_records, 1),
        ]
        for number in range(events):
            (event,) = self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
            self.trace.append(f"{number}: {event.__name__} {event() or ''}")
            self.note_acknowledged()
            self.check_offsets()
            if not number % 10:
                self.check_records()
        self.quieten()

    # -- what happens

    def live(self) -> list[LabBroker]:
        return [broker for broker in self.lab.brokers.values() if broker.live]

    def any_live(self) -> LabBroker | None:
        live = self.live()
        return self.random.choice(live) if live else None

    def produce(self) -> str:
        """To the leader, or to one that still believes that it leads."""
        index = self.random.randrange(PARTITIONS)
        leaders = [broker for broker in self.live() if broker.partition(index).leads]
        if not leaders:
            return "nobody leads"
        broker = self.random.choice(leaders)
        self.produced += 1
        value = b"%d" % self.produced
        answer = self.lab.produce(
            broker.id, value, *[b"x" * self.random.randrange(200)] * self.random.randrange(3), index=index
        )
        self.waiting.append((index, value, answer))
        return f"{value.decode()} to {broker.id}, partition {index}: {code_of(answer)}"

    def step(self) -> str:
        broker = self.any_live()
        self.lab.clock.drain()
        if broker is not None:
            self.lab.step(broker, publish=self.random.random() < 0.5)
        return "" if broker is None else str(broker.id)

    def let_pass(self) -> str:
        milliseconds = self.random.choice((10, 100, 600, LAG_MS))
        self.lab.clock.advance(milliseconds)
        for broker in self.live():
            for partition in broker.partitions.opened():
                partition.shrink_isr(now_ms=self.lab.clock.now_ms())
        return str(milliseconds)

    def tell(self) -> str:
        broker = self.any_live()
        if broker is not None:
            self.lab.publish([broker.id])
        return "" if broker is None else str(broker.id)

    def cut(self) -> str:
        one, other = self.random.sample(sorted(self.lab.brokers), 2)
        self.lab.cut.add((one, other))
        if self.random.random() < 0.5:
            self.lab.cut.add((other, one))
        return str(self.lab.cut)

    def heal(self) -> str:
        self.lab.cut.clear()
        return ""

    def crash(self) -> str:
        broker = self.any_live()
        if broker is None or len(self.live()) < 2:
            return "not"
        broker.crash(clean=self.random.random() < 0.3)
        self.fence(broker.id)
        return str(broker.id)

    def fence(self, broker_id: int) -> None:
        """The controller notices: the broker leaves ISRs where others are in them, and leads no more."""
        self.lab.register(broker_id, fenced=True)
        for index in range(PARTITIONS):
            state = self.lab.state(index)
            isr = tuple(replica for replica in state.isr if replica != broker_id) or state.isr
            changes: dict[str, Any] = {"isr": isr} if isr != state.isr else {}
            if state.leader == broker_id:
                able = [replica for replica in isr if self.lab[replica].live]
                changes["leader"] = able[0] if able else NOBODY
            if changes:
                self.lab.change(index, tell=False, **changes)

    def restart(self) -> str:
        down = [broker for broker in self.lab.brokers.values() if not broker.live]
        if not down:
            return "none is down"
        broker = self.random.choice(down)
        self.unfence(broker)
        return str(broker.id)

    def unfence(self, broker: LabBroker) -> None:
        self.lab.register(broker.id, fenced=False, epoch=self.lab.image.brokers[broker.id].epoch + 1)
        for index in range(PARTITIONS):
            state = self.lab.state(index)
            if state.leader == NOBODY and broker.id in state.isr:
                self.lab.change(index, tell=False, leader=broker.id)
        broker.start()

    def lose_disk(self) -> str:
        """Of a broker that no partition needs: nobody else may have what it alone has."""
        able = [
            broker
            for broker in self.live()
            if all(
                len([r for r in self.lab.state(index).isr if r != broker.id and self.lab[r].live]) > 0
                for index in range(PARTITIONS)
            )
        ]
        if not able:
            return "none can be spared"
        broker = self.random.choice(able)
        broker.crash()
        self.fence(broker.id)
        shutil.rmtree(broker.directory)
        return str(broker.id)

    def elect(self) -> str:
        index = self.random.randrange(PARTITIONS)
        state = self.lab.state(index)
        able = [replica for replica in state.isr if self.lab[replica].live]
        if not able:
            return "nobody"
        leader = self.random.choice(able)
        self.lab.change(index, tell=False, leader=leader)
        return f"{leader} of {index}"

    def delete_records(self) -> str:
        index = self.random.randrange(PARTITIONS)
        leader = self.leader(index)
        if leader is None:
            return "nobody"
        partition = leader.partition(index)
        offset = self.random.randint(partition.log.log_start_offset, partition.high_watermark)
        partition.delete_records_before(offset, now_ms=self.lab.clock.now_ms())
        return f"{index} before {offset}"

    # -- what must hold

    def leader(self, index: int) -> LabBroker | None:
        """The broker that leads by the newest metadata, and knows it."""
        state = self.lab.state(index)
        if state.leader == NOBODY or not self.lab[state.leader].live:
            return None
        broker = self.lab[state.leader]
        partition = broker.partition(index)
        return broker if partition.leads and partition.leader_epoch == state.leader_epoch else None

    def note_acknowledged(self) -> None:
        still = []
        for index, value, answer in self.waiting:
            if not answer.settled:
                still.append((index, value, answer))
            elif code_of(answer) is ErrorCode.NONE:
                self.acknowledged[index][value] = answer.result().responses[0].partition_responses[0].base_offset
        self.waiting = still

    def check_offsets(self) -> None:
        for broker in self.live():
            for partition in broker.partitions.opened():
                log = partition.log
                assert log.log_start_offset <= partition.high_watermark <= log.log_end_offset, (
                    str(partition),
                    broker.id,
                )

    def check_records(self) -> None:
        for index in range(PARTITIONS):
            logs = {}
            for broker in self.live():
                try:
                    partition = broker.partition(index)
                except KafkaError:
                    continue
                logs[broker.id] = (partition, {record.offset: record.value for record in records_of(partition)})
            leader = self.leader(index)
            if leader is not None:
                partition, records = logs[leader.id]
                for value, offset in self.acknowledged[index].items():
                    if offset >= partition.log.log_start_offset:
                        assert records.get(offset) == value, f"{value!r} was acknowledged at {offset} of {index}"
            self.check_agreement(logs)

    def check_agreement(self, logs: dict[int, tuple[Any, dict[int, bytes | None]]]) -> None:
        for one, (partition, records) in logs.items():
            for other, (other_partition, other_records) in logs.items():
                if one < other:
                    start = max(partition.log.log_start_offset, other_partition.log.log_start_offset)
                    end = min(partition.high_watermark, other_partition.high_watermark)
                    for offset in range(start, end):
                        assert records.get(offset) == other_records.get(offset), (str(partition), one, other, offset)

    def quieten(self) -> None:
        """Without faults all replicas come into sync, with equal logs."""
        self.lab.cut.clear()
        for broker in self.lab.brokers.values():
            if not broker.live:
                self.unfence(broker)
        for index in range(PARTITIONS):
            state = self.lab.state(index)
            if state.leader == NOBODY:
                self.lab.change(index, tell=False, leader=state.isr[0])
        self.lab.publish()
        for _ in range(QUIET_MS_MAX // 500):
            self.lab.pass_time(500)
            if all(self.is_in_sync(index) for index in range(PARTITIONS)):
                break
        self.note_acknowledged()
        self.check_records()
        for index in range(PARTITIONS):
            assert self.is_in_sync(index), f"partition {index} after {QUIET_MS_MAX} quiet ms: {self.lab.state(index)}"

    def is_in_sync(self, index: int) -> bool:
        """Whether all replicas are in the ISR, and have and know as committed all that the leader has."""
        ends = {
            offset
            for broker in self.live()
            for offset in (broker.partition(index).log.log_end_offset, broker.partition(index).high_watermark)
        }
        return sorted(self.lab.state(index).isr) == [1, 2, 3] and len(ends) == 1


def run(directory: Path, seed: int, events: int = EVENTS) -> RandomRun:
    running = RandomRun(directory, seed)
    try:
        running.run(events)
    except BaseException as error:
        error.add_note(f"seed {seed}\n" + "\n".join(running.trace[-60:]))
        raise
    finally:
        running.lab.close()
    return running


@pytest.mark.parametrize("seed", range(12))
def test_no_acknowledged_record_is_lost_and_replicas_agree(seed: int, tmp_path: Path) -> None:
    run(tmp_path, seed)
