"""What a group keeps in memory when nobody is in it, or nothing happens in it."""

from __future__ import annotations

import sys

import pytest

from kafkapy.coordinators.framing import unframed
from kafkapy.coordinators.group.classic.group import ClassicGroup
from kafkapy.coordinators.group.offset_store import OffsetStore
from kafkapy.coordinators.group.offsets import Offsets
from kafkapy.coordinators.group.records import CommittedOffset, offset_commit, read_offset_commit
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_wire.uuid import random_uuid
from tests.coordinators.group_lab import GroupLab
from tests.memory import alone, traced

GROUP_COUNT = 500
TOPIC_ID = random_uuid()


def committed(offset: int, *, metadata: str = "", expire_timestamp_ms: int | None = None) -> CommittedOffset:
    return CommittedOffset(offset, 3, metadata, 1_700_000_000_000 + offset, expire_timestamp_ms, TOPIC_ID)


@alone
def test_an_empty_group_takes_few_bytes() -> None:
    with traced() as kept:
        groups = [ClassicGroup(f"group-{number}") for number in range(GROUP_COUNT)]
        assert kept() < 700 * len(groups)


@pytest.mark.parametrize(("partition_count", "bytes_max"), [(1, 550), (10, 180)])
@alone
def test_a_committed_offset_takes_few_bytes(partition_count: int, bytes_max: int) -> None:
    records: list[CoordinatorRecord] = [
        offset_commit(f"group-{group}", "events", partition, committed(group + round_))
        for round_ in range(3)
        for group in range(GROUP_COUNT)
        for partition in range(partition_count)
    ]

    def replay() -> Offsets:
        offsets = Offsets(CurrentSettings(Settings({})))
        for record in records:
            offsets.replay(read_offset_commit(*unframed(record.key), record.value), -1)
        return offsets

    replay()
    with traced() as kept:
        offsets = replay()
        assert kept() < bytes_max * GROUP_COUNT * partition_count
    assert offsets.committed.get("group-7", "events", 0) == committed(9)


@pytest.mark.parametrize("metadata", ["", "x", "größer, 更大"])
@pytest.mark.parametrize("expire_timestamp_ms", [None, 0, 2**63 - 1])
def test_an_offset_is_given_back_as_it_was(metadata: str, expire_timestamp_ms: int | None) -> None:
    store, offset = OffsetStore(), committed(2**62, metadata=metadata, expire_timestamp_ms=expire_timestamp_ms)
    store.put("g", "t", 5, offset)
    assert store.get("g", "t", 5) == offset
    assert store.of_group("g") == {"t": {5: offset}}
    assert list(store.of_topic("t")) == [("g", {5: offset})]


def test_a_store_keeps_nothing_of_what_was_removed() -> None:
    store = OffsetStore()
    for group in ("g", "h"):
        for partition in range(3):
            store.put(group, "t", partition, committed(1))
            store.put(group, "t", partition, committed(2))
    store.put("g", "u", 0, committed(1))
    store.remove("g", "t", 7)
    for partition in range(3):
        store.remove("g", "t", partition)
        store.remove("g", "t", partition)
    assert store.of_group("g") == {"u": {0: committed(1)}}
    assert [group for group, _ in store.of_topic("t")] == ["h"]
    for partition in range(3):
        store.remove("h", "t", partition)
    store.remove("g", "u", 0)
    assert (list(store.groups), list(store.topics), store.of_group("g"), list(store.of_topic("t"))) == ([], [], {}, [])
    assert not store._topics


async def test_a_group_at_rest_has_no_deadlines_but_sessions(lab: GroupLab) -> None:
    member_id, _ = await lab.stable_member()
    group = lab.group()
    assert (group.join_deadline, group.sync_deadline) == (None, None)
    assert list(group.all_deadlines()) == [group.members[member_id].session]
    lab.leave(member_id)
    assert lab.state() == "Empty"
    assert list(group.all_deadlines()) == []


async def test_a_group_that_is_empty_again_keeps_what_a_new_one_does(lab: GroupLab) -> None:
    def room(group: ClassicGroup) -> list[int]:
        dicts = (group.members, group.static_members, group.pending_joins, group.pending_syncs, group.supporters)
        return [sys.getsizeof(one) for one in dicts]

    member_id, _ = await lab.stable_member()
    assert room(lab.group()) > room(ClassicGroup("new"))
    lab.leave(member_id)
    assert room(lab.group()) == room(ClassicGroup("new"))
