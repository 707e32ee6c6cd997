"""A cluster whose brokers have several log.dirs: replicas move, and a disk fails, while others lead and follow."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio

from kafkapy.cluster import Cluster
from kafkapy.partitions.partition import Partition
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.uuid import parse_uuid
from tests.cluster.bounds import cluster_test
from tests.cluster.test_cluster import FAST, cluster, create, partition, produce, until
from tests.shell.running_node import connect
from tests.shell.several_disks import described, move, until_moved, where

SETTINGS = FAST | {"log.dirs": "a,b", "min.insync.replicas": "2"}


def replica(made: Cluster, node_id: int) -> Partition:
    return made.nodes[node_id].broker.partitions.replica("t", 0)


async def other_directory(made: Cluster, node_id: int) -> str:
    async with connect(made.nodes[node_id]) as client:
        return "b" if (await where(client))["t", 0] == "a" else "a"


async def move_on(made: Cluster, node_id: int, name: str) -> None:
    async with connect(made.nodes[node_id]) as client:
        directory = made.directory_of(node_id) / name
        assert await move(client, "t", directory) == ErrorCode.NONE


@cluster_test
async def test_replicas_move_while_they_lead_and_follow_and_their_leader_is_killed(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=SETTINGS) as made:
        await create(made, 1, "t")
        first = partition(made, 1, "t").leader
        stop, values = trio.Event(), [0]

        async def keep_producing() -> None:
            while not stop.is_set():
                with suppress(
                    OSError, EOFError, trio.BrokenResourceError
                ):  # the leader was killed meanwhile: it is sent again
                    await produce(made, "t", b"%d" % values[0])
                    values[0] += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_producing)
            targets = {node_id: await other_directory(made, node_id) for node_id in made.running}
            for node_id, name in targets.items():
                await move_on(made, node_id, name)
            await made.kill(first)
            for node_id in made.running:
                async with connect(made.nodes[node_id]) as client:
                    await until_moved(client, "t", targets[node_id])
            await until(lambda: all(partition(made, node, "t").leader not in (first, -1) for node in made.running))
            await made.start(first)
            async with connect(made.nodes[first]) as client:
                await until_moved(client, "t", targets[first])
            stop.set()
        await until(lambda: len(partition(made, first, "t").isr) == 3)
        ends = values[0]
        assert ends > 0
        await until(lambda: {replica(made, node).log.log_end_offset >= ends for node in made.running} == {True})
        for node_id, name in targets.items():
            node = made.nodes[node_id]
            (expected,) = [each.directory_id for each in node.directories.stores if each.directory.name == name]
            state = partition(made, first, "t")
            assert state.directories[state.replicas.index(node_id)] == parse_uuid(expected)
        leader = partition(made, first, "t").leader
        async with connect(made.nodes[leader]) as client:
            found = [int(value or b"-1") for value in await client.values("t")]
        assert sorted(set(found)) == list(range(ends)), "what was acknowledged is there"


@cluster_test
async def test_others_lead_what_was_in_a_directory_that_has_failed(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=SETTINGS) as made:
        await create(made, 1, "t")
        assert await produce(made, "t", b"first") == 0
        leader = partition(made, 1, "t").leader
        node = made.nodes[leader]
        if await other_directory(made, leader) == "b":  # the metadata log is in a
            await move_on(made, leader, "b")
            async with connect(node) as client:
                await until_moved(client, "t", "b")
        assert node.broker.partitions.directory_failed(made.directory_of(leader) / "b", "its disk has failed")
        await until(lambda: partition(made, leader, "t").leader not in (leader, -1))
        await until(lambda: leader not in partition(made, leader, "t").isr)
        assert await produce(made, "t", b"second") == 1
        assert leader in made.running
        async with connect(node) as client:
            assert (await described(client))["b"].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        # After a restart the disk is back: the replica follows, and joins the ISR.
        await made.stop(leader)
        await made.start(leader)
        await until(lambda: len(partition(made, leader, "t").isr) == 3)
        assert replica(made, leader).log.log_end_offset == 2
