"""Running nodes write snapshots of the metadata, start from them, and hand them to nodes that were away."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.clock import WallClock
from kafkapy.errors import ShutdownError
from kafkapy.metadata.snapshots import SnapshotFiles
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.core import SnapshotPart
from kafkapy_log import StorageError
from tests.shell.running_node import connect, running_node, trio_test

CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
# Every change is followed by a snapshot, and only the last one is kept, so that the log begins after it.
OFTEN = {"metadata.log.max.record.bytes.between.snapshots": "1", "metadata.max.retention.ms": "0"}
FAST = {
    "controller.quorum.election.timeout.ms": "200",
    "controller.quorum.fetch.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "100",
    "broker.session.timeout.ms": "2000",
}
METADATA = "__cluster_metadata-0"


def snapshots(directory: Path) -> list[SnapshotId]:
    return sorted(filter(None, (SnapshotId.parse(path.name) for path in (directory / METADATA).iterdir())))


@trio_test
async def test_a_node_alone_writes_snapshots_and_starts_from_them(tmp_path: Path) -> None:
    async with running_node(tmp_path, OFTEN) as node, connect(node) as client:
        ids = {name: await client.create_topic(name, 2) for name in ("orders", "gone")}
        await client.produce("orders", b"kept")
        await client.delete_topic("gone")
        log = node.metadata_log.log
        await until(lambda: log.log_start_offset == log.log_end_offset and len(snapshots(tmp_path)) == 1)
        (kept,) = snapshots(tmp_path)
        assert kept.end_offset == log.log_start_offset
        assert not node.bugs.count
    for _ in range(2):
        async with running_node(tmp_path, OFTEN) as node, connect(node) as client:
            image = node.parts.metadata.image
            assert {name: topic.topic_id for name, topic in image.topics.items()} == {"orders": ids["orders"]}
            assert await client.values("orders") == [b"kept"]


class Three:
    """Three nodes, each broker and controller; their controllers' ports are bound once, so that each may come back."""

    def __init__(self, directory: Path, sockets: Mapping[int, socket.socket], given: Mapping[str, str]) -> None:
        self.directory = directory
        self._ports = {node_id: sock.getsockname()[1] for node_id, sock in sockets.items()}
        self._given = given

    @classmethod
    @contextmanager
    def at(cls, directory: Path, given: Mapping[str, str]) -> Iterator[Three]:
        with ExitStack() as stack:
            sockets = {}
            for node_id in (1, 2, 3):
                # Another one holds the port while its node is down, and lets the node have it, too.
                sock = stack.enter_context(socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                sock.bind(("127.0.0.1", 0))
                sockets[node_id] = sock
            yield cls(directory, sockets, given)

    def directory_of(self, node_id: int) -> Path:
        return self.directory / str(node_id)

    @asynccontextmanager
    async def node(self, node_id: int) -> AsyncIterator[Node]:
        voters = ",".join(f"{each}@127.0.0.1:{port}" for each, port in self._ports.items())
        settings = {
            "node.id": str(node_id),
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:{self._ports[node_id]}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": voters,
            **FAST,
            **self._given,
        }
        at_controllers = socket.socket()
        at_controllers.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        at_controllers.setblocking(False)
        at_controllers.bind(("127.0.0.1", self._ports[node_id]))
        node = Node(
            Settings(settings),
            self.directory_of(node_id),
            durable=False,
            clock=WallClock(),
            cluster_id=CLUSTER_ID,
            sockets={"CONTROLLER": at_controllers},
        )
        async with node.started():
            yield node


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # no event says so
        await trio.sleep(0.002)


async def caught_up(node: Node, other: Node) -> None:
    """Return when `node` has published all that `other` has committed by now."""
    wanted = other.metadata_log.high_watermark
    await until(lambda: node.parts.metadata.image.offset >= wanted - 1)


async def cut_beyond(offset: int, *nodes: Node) -> None:
    """Return when the metadata log of each node begins above `offset`, so that no leader has what was before."""
    await until(lambda: all(node.metadata_log.log.log_start_offset > offset for node in nodes))


@asynccontextmanager
async def together(three: Three, *node_ids: int) -> AsyncIterator[list[Node]]:
    """The nodes, started at the same time: a quorum needs two of them."""
    nodes: dict[int, Node] = {}
    stop = trio.Event()

    async def run(node_id: int, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with three.node(node_id) as node:
            nodes[node_id] = node
            task_status.started()
            await stop.wait()

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as starting:
            for node_id in node_ids:
                starting.start_soon(nursery.start, run, node_id)
        try:
            yield [nodes[node_id] for node_id in node_ids]
        finally:
            stop.set()


@trio_test
async def test_a_node_that_was_away_gets_a_snapshot_while_it_runs(tmp_path: Path) -> None:
    with Three.at(tmp_path, OFTEN) as three:
        async with together(three, 1, 2) as (one, two), connect(one) as client:
            async with three.node(3) as third:
                await client.create_topic("gone")
                await client.create_topic("kept")
                await caught_up(third, one)
                assert {"gone", "kept"} <= third.parts.metadata.image.topics.keys()
                end_offset = third.metadata_log.end_offset
            await client.delete_topic("gone")
            await client.create_topic("new", 3)
            await cut_beyond(end_offset, one, two)
            async with three.node(3) as third:
                await caught_up(third, one)
                topics = third.parts.metadata.image.topics
                assert "gone" not in topics
                assert {"kept", "new"} <= topics.keys()
                assert third.metadata_log.log.log_start_offset > end_offset
                await client.create_topic("later")
                await caught_up(third, one)
                assert "later" in third.parts.metadata.image.topics
                assert not third.bugs.count
            assert not one.bugs.count


@trio_test
async def test_a_new_node_without_any_metadata_gets_a_snapshot(tmp_path: Path) -> None:
    with Three.at(tmp_path, OFTEN) as three:
        async with together(three, 1, 2) as (one, two), connect(one) as client:
            await client.create_topic("orders", 5)
            await cut_beyond(0, one, two)
            async with three.node(3) as third:
                await caught_up(third, one)
                assert len(third.parts.metadata.image.topics["orders"].partitions) == 5
                assert third.metadata_log.log.log_start_offset > 0
                assert snapshots(three.directory_of(3))[0].end_offset > 0


@trio_test
async def test_a_disk_that_refuses_a_part_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[SnapshotPart] = []
    store_part = SnapshotFiles.store_part

    def refuse_once(self: SnapshotFiles, part: SnapshotPart) -> None:
        if not refused:
            refused.append(part)
            raise StorageError(self.part_path(part.snapshot), OSError(28, "No space left on device"))
        store_part(self, part)

    monkeypatch.setattr(SnapshotFiles, "store_part", refuse_once)
    with Three.at(tmp_path, OFTEN) as three:
        async with together(three, 1, 2) as (one, two), connect(one) as client:
            await client.create_topic("orders")
            await cut_beyond(0, one, two)
            async with three.node(3) as third:
                await caught_up(third, one)
                assert len(refused) == 1
                assert "orders" in third.parts.metadata.image.topics


@trio_test
async def test_a_poisoned_snapshot_stops_the_node_that_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_part = SnapshotFiles.store_part

    def damaged(self: SnapshotFiles, part: SnapshotPart) -> None:
        data = bytearray(part.data)
        data[len(data) // 2] ^= 1
        store_part(self, part._replace(data=bytes(data)))

    monkeypatch.setattr(SnapshotFiles, "store_part", damaged)
    with Three.at(tmp_path, OFTEN) as three:
        async with together(three, 1, 2) as (one, two), connect(one) as client:
            await client.create_topic("orders")
            await cut_beyond(0, one, two)
            with pytest.raises(ShutdownError) as stopped:
                async with three.node(3) as third:
                    await caught_up(third, one)
            message = str(stopped.value)
            assert ".checkpoint.part cannot be read (the batch at offset" in message
            assert "start it again and it fetches the leader's snapshot again" in message
            assert not snapshots(three.directory_of(3)) or snapshots(three.directory_of(3)) == [SnapshotId(0, 0)]
            await client.create_topic("more")  # the others go on
