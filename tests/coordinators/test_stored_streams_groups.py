"""Streams groups from what a log may hold: compacted, damaged, or written by somebody who is no coordinator."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
import trio.testing

from kafkapy.coordinators.group.epochs import LAST_EPOCH
from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.records import GroupMetadata
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import partition_for
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages import streams_group_heartbeat as messages
from kafkapy_wire.records import NewRecord, build_batch
from tests.coordinators.group_lab import GROUP, PARTITION_COUNT
from tests.coordinators.streams_lab import StreamsLab, subtopology, told, topology

SEEDS = range(150)
Stored = tuple[bytes, bytes | None]


def history(lab: StreamsLab, random: Random) -> None:
    """A group that some members have joined and left."""
    lab.topic("in", 4)
    lab.topic("log", 4)
    lab.topology = topology(
        subtopology("0", "in", changelogs=["log"], sinks=["between"]), subtopology("1", repartitions={"between": 2})
    )
    lab.topic("between", 2)
    lab.configure({"streams.num.standby.replicas": "1"})
    epochs: dict[str, int] = {}
    owned: dict[str, messages.StreamsGroupHeartbeatResponse] = {}
    for _ in range(30):
        member_id = random.choice("abcd")
        static: dict[str, Any] = {"instance_id": "i"} if member_id == "a" else {}
        if member_id not in epochs:
            endpoint = messages.StreamsGroupHeartbeatRequestEndpoint(host=member_id, port=80)
            answer = lab.joins(member_id, user_endpoint=endpoint, process_id=random.choice("pq"), **static)
        elif random.random() < 0.15:
            answer = lab.beat(member_id, random.choice((-1, -2)) if static else -1, **static)
            del epochs[member_id]
            continue
        else:
            has = owned[member_id]
            answer = lab.beat(
                member_id,
                epochs[member_id],
                active=told(has.active_tasks),
                standby=told(has.standby_tasks),
                **static,
            )
        if answer.error_code:
            epochs.pop(member_id, None)
            continue
        epochs[member_id] = answer.member_epoch
        if answer.active_tasks is not None:
            owned[member_id] = answer


def stored_in(lab: StreamsLab) -> list[Stored]:
    return [(record.key or b"", record.value) for record in lab.log.records()]


async def load(lab: StreamsLab, stored: Iterable[Stored]) -> None:
    """A coordinator without records finds these."""
    partition = partition_for(GROUP, PARTITION_COUNT)
    batches = [build_batch([NewRecord(1, *record)], base_offset=offset) for offset, record in enumerate(stored)]
    lab.log.batches[partition] = batches
    lab.log.end_offsets[partition] = len(batches)
    lab.log.commit()
    await lab.restart()


def state(lab: StreamsLab) -> dict[str, object]:
    group = lab.streams_group()
    return {
        "metadata": group.metadata,
        "assignment": (group.assignment_epoch, group.assigned_at_ms),
        "topology": group.topology and group.topology.value,
        "targets": group.targets,
        "members": group.members,
        "static members": group.static_members,
        "active": group.owners.active,
    }


def compacted(stored: list[Stored]) -> list[Stored]:
    """The newest record of each key, where it was. Tombstones are gone, too, after a while."""
    newest = {key: index for index, (key, _) in enumerate(stored)}
    return [record for index, record in enumerate(stored) if newest[record[0]] == index and record[1] is not None]


@pytest.mark.parametrize("seed", range(20))
async def test_a_compacted_log_tells_the_same(seed: int) -> None:
    async with StreamsLab().running() as lab, StreamsLab().running() as another:
        history(lab, Random(seed))
        before = state(lab)
        await load(another, compacted(stored_in(lab)))
        after = state(another)
        for what, value in before.items():
            assert after[what] == value, what


def changed(random: Random, record: Stored) -> Stored:
    """The record with something wrong in it."""
    key, value = record
    match random.randrange(5):
        case 0:
            return key, _flipped(random, value or b"")
        case 1:
            return _flipped(random, key), value
        case 2:
            return key, (value or b"")[: random.randrange(len(value or b"") + 1)]
        case 3:
            return key, random.choice((None, b"", random.randbytes(random.randrange(40))))
        case _:
            return random.choice((17, 19, 20, 21, 22, 23)).to_bytes(2) + key[2:], value


def _flipped(random: Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(random.randint(1, 3) if flipped else 0):
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return bytes(flipped)


async def live_on(lab: StreamsLab) -> None:
    """Everything that clients and timers may do with what was loaded: it is answered, whatever the answer."""
    for member_id in "abc":
        for epoch in (0, 1, 5):
            answer = lab.joins(member_id) if epoch == 0 else lab.beat(member_id, epoch, active={"0": {1}})
            assert ErrorCode(answer.error_code) is not ErrorCode.CORRUPT_MESSAGE
    await lab.commit(6, member_id="a", generation_id=1, topic="in")
    lab.groups.list_groups((), ()).result()
    if lab.groups.type_of(GROUP) is not None and lab.streams_group().topology is not None:
        lab.described()
    lab.topic("in", 5)
    lab.beat("a", 2)
    lab.advance(70_000)
    await trio.testing.wait_all_tasks_blocked()
    lab.beat("b", -1)
    lab.advance(400_000)
    assert lab.state() in ("Empty", "none")
    lab.groups.delete_group(GROUP).result()
    assert lab.state() == "none"


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_coordinator_loads_and_lives_with_any_records(seed: int) -> None:
    random = Random(seed)
    async with StreamsLab().running() as lab, StreamsLab().running() as another:
        history(lab, random)
        real = stored_in(lab)
        some = random.sample(real, random.randint(1, len(real)))
        for topic in ("in", "log", "between"):
            another.topic(topic, 4)
        await load(another, [changed(random, record) if random.random() < 0.3 else record for record in some])
        await live_on(another)


async def test_a_group_in_its_last_epoch_can_be_left_and_deleted() -> None:
    async with StreamsLab().running() as lab:
        lab.topic("in", 1)
        lab.topic("log", 1)
        written: list[CoordinatorRecord] = [
            records.group(GROUP, GroupMetadata(LAST_EPOCH)),
            records.target_epoch(GROUP, LAST_EPOCH, 0),
        ]
        await load(lab, [(record.key, record.value) for record in written])
        for member_id in "ab":
            assert lab.joins(member_id).member_epoch == LAST_EPOCH
        assert lab.beat("a", LAST_EPOCH, active={}).active_tasks is None, "nothing is assigned any more"
        assert lab.beat("a", -1).error_code == ErrorCode.NONE
        lab.advance(45_000)
        assert lab.state() == "Empty"
        assert lab.groups.delete_group(GROUP).result() is ErrorCode.NONE
