"""Streams groups that a worker thread assigns: what comes of it when the group is not what it was."""

from __future__ import annotations

import pytest
import trio

from tests.coordinators.streams_lab import StreamsLab, has_work_in_background

TASKS = 4_000


def large_lab() -> StreamsLab:
    lab = StreamsLab()
    lab.topic("in", TASKS)
    lab.topic("log", TASKS)
    return lab


async def test_a_group_that_changes_meanwhile_is_assigned_once_more() -> None:
    async with large_lab().running() as lab:
        epoch = lab.joins("stays").member_epoch
        lab.joins("goes")
        lab.beat("goes", -1)
        lab.joins("comes")
        await lab.assigned()
        group = lab.streams_group()
        assert (group.epoch, group.assignment_epoch) == (5, 2)
        assert {name: len(target.active["0"]) for name, target in group.targets.items()} == {"stays": TASKS}
        lab.beat("stays", epoch, active={}, standby={})
        await lab.assigned()
        assert group.assignment_epoch == 5
        half = TASKS // 2
        assert {name: len(target.active["0"]) for name, target in group.targets.items()} == {
            "stays": half,
            "comes": half,
        }


async def test_a_group_that_is_left_meanwhile_gets_nothing() -> None:
    async with large_lab().running() as lab:
        lab.joins("only")
        lab.beat("only", -1)
        await lab.assigned()
        assert lab.streams_group().targets == {}
        assert lab.described().group_state == "Empty"


async def test_a_coordinator_that_has_lost_the_group_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kafkapy.groups")
    async with large_lab().running() as lab:
        lab.joins("only")
        shards = [shard for _, shard in lab.groups._runtime.loaded_shards()]
        lab.groups.close()
        while any(map(has_work_in_background, shards)):
            await trio.lowlevel.checkpoint()
        await lab.restart()
        assert lab.streams_group().assignment_epoch == 1
    assert "assigned epoch" not in caplog.text
