"""A cluster whose nodes have changed while it ran is started again: with the same nodes, and it says so."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.cli.ready import Announcement
from kafkapy.cluster import CHANGED_MEMBERS_FILE, Cluster, members_of
from kafkapy.control.clocks import NodeClocks
from kafkapy.control.members import cut_link, heal_link, kill_node, list_nodes, restart_node, start_node
from kafkapy.control.membership import add_node, remove_node
from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, ControlledNodes
from kafkapy.control.records import produce, read_records
from kafkapy.control.state import reset
from kafkapy.control.topics import create_topic, describe_topic
from kafkapy.control.values import NewRecord, NotYet
from kafkapy.errors import StartupError
from kafkapy.faults import FaultEngine
from kafkapy.recording import Recording
from kafkapy.testing import Kafka
from tests.shell.running_node import trio_test

SETTINGS = {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "100"}


@asynccontextmanager
async def started(
    directory: Path, nodes: int = 2, controllers: int | None = 1, racks: tuple[str, ...] = ("a", "b")
) -> AsyncIterator[ControlledNodes]:
    """As `kafkapy cluster --nodes 2 --controllers 1 --racks a,b --data-dir DIRECTORY`."""
    clocks = NodeClocks()
    members = members_of(nodes, controllers, racks)
    cluster = Cluster(directory, members, settings=SETTINGS, new_clock=clocks.new)
    async with cluster.started():
        yield ControlledNodes(cluster, clocks, FaultEngine(), Recording(), directory / "snapshots")


async def seen(nodes: ControlledNodes) -> list[tuple[int, str | None]]:
    return [(each.node_id, each.rack) for each in await list_nodes(nodes)]


async def until_fenced(nodes: ControlledNodes, node_id: int) -> None:
    while not nodes.newest_image.brokers[node_id].fenced:  # noqa: ASYNC110  # nobody sets an event for it
        await trio.sleep(LOOK_AGAIN_SECONDS)


def told(cluster: Cluster, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> str:
    with Announcement(as_json=as_json).made_of_cluster(cluster):
        return capsys.readouterr().out


@trio_test
async def test_a_node_that_was_added_is_started_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with started(tmp_path, 1, None, ("a",)) as nodes:
        assert await add_node(nodes, "b") == 2
        await create_topic(nodes, "orders", 4, 1)
        await produce(nodes, "orders", [NewRecord(value=b"%d" % number) for number in range(40)])
        assert {each.replicas for each in (await describe_topic(nodes, "orders")).partitions} == {(1,), (2,)}
    async with started(tmp_path, 1, None, ("a",)) as nodes:
        assert await seen(nodes) == [(1, "a"), (2, "b")]
        assert len(await read_records(nodes, "orders")) == 40
        assert nodes.node(2).settings.now.given["default.replication.factor"] == "1"
        assert isinstance(nodes.cluster, Cluster)
        assert (
            "node 2 was added while the cluster ran, so it has started, too; `kafkapy control remove_node node_id=2` "
            "takes it away\n"
        ) in told(nodes.cluster, capsys, as_json=False)
        line = json.loads(told(nodes.cluster, capsys, as_json=True))
        assert (line["added_nodes"], line["removed_nodes"]) == ([2], [])
        assert [node["node_id"] for node in line["nodes"]] == [1, 2]
        await reset(nodes)
        assert await seen(nodes) == [(1, "a"), (2, "b")]
        await remove_node(nodes, 2)
    assert not (tmp_path / CHANGED_MEMBERS_FILE).exists()
    async with started(tmp_path, 1, None, ("a",)) as nodes:
        assert await seen(nodes) == [(1, "a")]
        assert not (tmp_path / "node-2").exists()


@trio_test
async def test_a_node_that_was_removed_is_not_started_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with started(tmp_path) as nodes:
        assert await add_node(nodes) == 4
        await remove_node(nodes, 1)
    async with started(tmp_path) as nodes:
        assert await seen(nodes) == [(2, "b"), (3, None), (4, None)]
        assert isinstance(nodes.cluster, Cluster)
        assert "node 1 was removed while the cluster ran, so it has not started; " in told(
            nodes.cluster, capsys, as_json=False
        )


@trio_test
async def test_other_numbers_of_nodes_are_refused_where_one_was_added(tmp_path: Path) -> None:
    async with started(tmp_path) as nodes:
        await add_node(nodes)
    expected = (
        f"{tmp_path} is of a cluster of the nodes 1, 2, 3, and while it ran brokers were added (4) and removed (none): "
        "start it with the same numbers of nodes and controllers as before, and these changes hold"
    )
    for others in (1, 3, 4):
        with pytest.raises(StartupError) as refused:
            async with started(tmp_path, others):
                pass
        assert str(refused.value) == expected


WRONG_NODES = (
    4,
    {"node_id": "4", "rack": None},
    {"node_id": True, "rack": None},
    *({"node_id": 4, "rack": rack} for rack in (5, "", "two\nlines", "\ud800")),
)


def changes_with(*added: object, removed: tuple[int, ...] = ()) -> bytes:
    return json.dumps({"started_with": [1, 2, 3], "added": added, "removed": removed}).encode()


NODE_4 = {"node_id": 4, "rack": None}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", *map(changes_with, WRONG_NODES), changes_with(NODE_4, NODE_4)],
)
def test_a_damaged_list_of_changes_is_said_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / CHANGED_MEMBERS_FILE).write_bytes(content)

    async def start() -> None:
        async with started(tmp_path):
            pass

    with pytest.raises(StartupError) as refused:
        trio.run(start)
    assert f"{tmp_path / CHANGED_MEMBERS_FILE} does not say which nodes were added" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (changes_with(removed=(3,)), "removes one that is a controller"),
        (changes_with(removed=(7,)), "removes one that is a controller or that there is not"),
        (changes_with({"node_id": 2, "rack": None}), "adds a node that there is"),
        (changes_with(removed=(1, 2)), "removes every broker"),
    ],
)
def test_changes_that_cannot_have_been_are_refused(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / CHANGED_MEMBERS_FILE).write_bytes(content)

    async def start() -> None:
        async with started(tmp_path):
            pass

    with pytest.raises(StartupError, match=told):
        trio.run(start)


@trio_test
async def test_a_node_that_is_gone_is_not_kept_by_the_recording(tmp_path: Path) -> None:
    async with started(tmp_path) as nodes:
        for node in nodes.running():
            nodes.record(node)
        for _ in range(3):
            await remove_node(nodes, await add_node(nodes))
            await restart_node(nodes, 1)
        assert len(nodes.recording._taps) == 3


@trio_test
async def test_a_broker_that_hears_of_nothing_hinders_no_removal(tmp_path: Path) -> None:
    async with started(tmp_path, 1, None, ("a",)) as nodes:
        cut, leaving = await add_node(nodes), await add_node(nodes)
        await cut_link(nodes, cut, 1)
        await create_topic(nodes, "orders", 3, 1)
        await remove_node(nodes, leaving)
        await heal_link(nodes, cut, 1)
        await nodes.follow()
        assert await seen(nodes) == [(1, "a"), (2, None)]


@trio_test
async def test_a_broker_that_is_registered_and_no_node_of_the_cluster_is_not_waited_for(tmp_path: Path) -> None:
    async with started(tmp_path) as nodes:
        await create_topic(nodes, "orders", 1, 2)
        stranger = await add_node(nodes)
        await kill_node(nodes, stranger)
        nodes.change_members([each for each in nodes.cluster.members if each.node_id != stranger])
        await until_fenced(nodes, stranger)
        with pytest.raises(ValueError, match="no other broker runs that could have one: add a node, or see"):
            await remove_node(nodes, 2)


@trio_test
async def test_a_broker_that_another_call_starts_is_waited_for(tmp_path: Path) -> None:
    async with started(tmp_path) as nodes:
        leaving = await add_node(nodes)
        await create_topic(nodes, "orders", 6, 2)
        await kill_node(nodes, 2)
        await until_fenced(nodes, 2)
        with pytest.raises(ValueError, match="no other broker runs"):
            await remove_node(nodes, leaving)
        async with trio.open_nursery() as nursery:
            async with nodes.changing_one(2):
                nursery.start_soon(start_node, nodes, 2)
                with pytest.raises(NotYet, match="another call starts or stops node 2"):
                    await remove_node(nodes, leaving, 0.1)
            await remove_node(nodes, leaving)
        assert {frozenset(each.replicas) for each in (await describe_topic(nodes, "orders")).partitions} == {
            frozenset({1, 2})
        }


@trio_test
async def test_a_call_that_has_waited_for_a_removed_node_does_nothing_to_the_next_of_its_id(tmp_path: Path) -> None:
    async with started(tmp_path) as nodes, trio.open_nursery() as nursery:
        assert await add_node(nodes) == 4
        await kill_node(nodes, 4)
        refused: list[str] = []

        async def start_again() -> None:
            with pytest.raises(LookupError) as error:
                await start_node(nodes, 4)
            refused.append(str(error.value))

        lock = nodes.changing[4]
        async with lock:
            nursery.start_soon(start_again)
            while not lock.statistics().tasks_waiting:
                await trio.lowlevel.checkpoint()
            members = nodes.cluster.members
            nodes.change_members(members[:-1])
            nodes.change_members(members)
        async with nodes.changing_one(4):
            while not refused:
                await trio.lowlevel.checkpoint()
        assert refused == ["node 4 was removed"]
        assert 4 not in nodes.cluster.running


@trio_test
async def test_a_directory_of_no_node_is_told_and_its_id_is_not_given_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "node-4").mkdir()
    with caplog.at_level(logging.WARNING, "kafkapy.cluster"):
        async with started(tmp_path) as nodes:
            assert await add_node(nodes) == 5
    assert caplog.messages == [f"{tmp_path / 'node-4'} belongs to no node of this cluster: what is there is not served"]


def test_a_kafka_begins_with_the_directory_of_such_a_cluster(tmp_path: Path) -> None:
    @trio_test
    async def use() -> None:
        async with started(tmp_path) as nodes:
            await add_node(nodes, "c")
            await remove_node(nodes, 2)
            await create_topic(nodes, "orders", 4, 2)

    use()
    with Kafka(nodes=2, controllers=1, racks=("a", "b"), directory=tmp_path, settings=SETTINGS) as kafka:
        for _ in range(2):
            assert [(node.node_id, node.rack) for node in kafka.nodes()] == [(1, "a"), (3, None), (4, "c")]
            assert kafka.topics() == ["orders"]
            assert kafka.add_node() == 5
            kafka.remove_node(4)
            kafka.reset()
        assert kafka.take_bugs() == []
