"""AlterReplicaLogDirs: replicas move to another log directory while they are used, and whatever ends the node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from kafkapy.node import Node
from kafkapy_log import LogStore, StorageError
from kafkapy_wire.errors import ErrorCode
from tests.shell.running_node import BROKER, Client, batch, bytes_of, connect, trio_test
from tests.shell.several_disks import described, disks, logs_in, move, partitions_of, until_moved, where
from tests.shell.test_log_directories import directory_id, state_of

RATE = "replica.alter.log.dirs.io.max.bytes.per.second"


async def filled(client: Client, count: int = 20) -> list[bytes | None]:
    """The topic `orders`, whose replica is in `a`, with several segments."""
    await client.create_topic("orders", 1, segment_bytes="1048576", retention_ms="-1")
    values: list[bytes | None] = [b"%d " % number * 30_000 for number in range(count)]
    for value in values:
        assert value is not None
        await client.produce("orders", value)
    assert (await where(client))["orders", 0] == "a"
    return values


@trio_test
async def test_a_replica_moves_with_its_records(tmp_path: Path) -> None:
    for durable in (False, True):
        directory = tmp_path / str(durable)
        async with disks(directory, durable=durable) as node, connect(node) as client:
            values = await filled(client)
            assert await move(client, "orders", directory / "b") == ErrorCode.NONE
            await until_moved(client, "orders", "b")
            assert await client.values("orders") == values
            assert state_of(node, "orders").directories == (directory_id(node, "b"),)
            assert (logs_in(directory / "a"), logs_in(directory / "b")) == ([], ["orders-0"])
            await client.produce("orders", b"more")
            assert await move(client, "orders", directory / "b") == ErrorCode.NONE  # it is there
        async with disks(directory, durable=durable) as node, connect(node) as client:
            assert await client.values("orders") == [*values, b"more"]
            assert (await where(client))["orders", 0] == "b"
            assert await move(client, "orders", directory / "a") == ErrorCode.NONE
            await until_moved(client, "orders", "a")
            assert await client.values("orders") == [*values, b"more"]


@trio_test
async def test_what_is_produced_and_deleted_meanwhile_moves_along(tmp_path: Path) -> None:
    async with disks(tmp_path) as node, connect(node) as client, connect(node) as producer, connect(node) as consumer:
        await filled(client)
        offsets: list[int] = []
        stop = trio.Event()

        async def produce() -> None:
            while not stop.is_set():
                offsets.append(await producer.produce("orders", b"%d" % len(offsets)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce)
            for name in ("b", "a", "b"):
                await move(client, "orders", tmp_path / name)
                await until_moved(client, "orders", name)
                partition = node.broker.partitions.leader("orders", 0)
                partition.delete_records_before(20 + len(offsets) // 2, now_ms=0)
            stop.set()
        assert offsets == list(range(20, 20 + len(offsets)))
        start = await consumer.offset("orders", -2)
        assert start >= 20
        assert await consumer.values("orders") == [b"%d" % (offset - 20) for offset in range(start, 20 + len(offsets))]


@trio_test
async def test_the_copy_is_shown_and_throttled(tmp_path: Path) -> None:
    """replica.alter.log.dirs.io.max.bytes.per.second, in alter.log.dirs.replication.quota.window.num windows of
    alter.log.dirs.replication.quota.window.size.seconds.
    """
    windows = {
        "alter.log.dirs.replication.quota.window.num": "2",
        "alter.log.dirs.replication.quota.window.size.seconds": "3600",
    }
    async with disks(tmp_path, windows) as node, connect(node) as client:
        values = await filled(client)
        await client.alter_config(BROKER, "1", RATE, "1")
        await move(client, "orders", tmp_path / "b")
        while True:
            found = await described(client)
            copy = partitions_of(found["b"])["orders", 0]
            if copy.partition_size:
                break
            await trio.sleep(0.005)
        for _ in range(3):
            await trio.testing.wait_all_tasks_blocked()
        shown = partitions_of((await described(client))["b"])["orders", 0]
        assert (shown.is_future_key, shown.partition_size) == (True, copy.partition_size)
        assert 0 < shown.offset_lag < len(values)
        assert not partitions_of(found["a"])["orders", 0].is_future_key
        (name,) = logs_in(tmp_path / "b")
        assert name.startswith("orders-0.")
        assert name.endswith("-future")
        await client.alter_config(BROKER, "1", RATE, str(1 << 40))
        await until_moved(client, "orders", "b")
        assert await client.values("orders") == values


async def begun(client: Client, directory: Path) -> list[bytes | None]:
    """A move to `b` that will not end."""
    values = await filled(client)
    await client.alter_config(BROKER, "1", RATE, "0")
    await move(client, "orders", directory / "b")
    while not partitions_of((await described(client))["b"])["orders", 0].partition_size:  # noqa: ASYNC110
        await trio.sleep(0.005)
    return values


@trio_test
async def test_a_move_can_be_given_up(tmp_path: Path) -> None:
    async with disks(tmp_path, names=("a", "b", "c")) as node, connect(node) as client:
        values = await begun(client, tmp_path)
        assert await move(client, "orders", tmp_path / "c") == ErrorCode.NONE
        assert logs_in(tmp_path / "b") == []
        assert len(logs_in(tmp_path / "c")) == 1
        assert await move(client, "orders", tmp_path / "a") == ErrorCode.NONE
        assert (logs_in(tmp_path / "a"), logs_in(tmp_path / "c")) == (["orders-0"], [])
        assert await client.values("orders") == values


@trio_test
async def test_a_topic_is_deleted_while_it_moves(tmp_path: Path) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        await begun(client, tmp_path)
        await client.delete_topic("orders")
        assert (logs_in(tmp_path / "a"), logs_in(tmp_path / "b")) == ([], [])
        await client.create_topic("orders")
        assert await client.values("orders") == []


@trio_test
async def test_what_cannot_move_says_why(tmp_path: Path) -> None:
    async with disks(tmp_path, {"cordoned.log.dirs": str(tmp_path / "b")}) as node, connect(node) as client:
        name = "n" * 249
        for topic in ("orders", name):
            await client.create_topic(topic)
        for topic, directory, expected in (
            ("orders", tmp_path / "elsewhere", ErrorCode.LOG_DIR_NOT_FOUND),
            ("orders", tmp_path / "b", ErrorCode.INVALID_REPLICA_ASSIGNMENT),
            ("unknown", tmp_path / "a", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
            (name, tmp_path / "elsewhere", ErrorCode.INVALID_TOPIC_EXCEPTION),
            ("orders", tmp_path / "a", ErrorCode.NONE),
        ):
            assert await move(client, topic, directory) == expected
        await client.alter_config(BROKER, "1", "cordoned.log.dirs", "")
        # What is not there yet goes where it was to move, however many are there.
        await client.create_topic("others", 4)
        assert await move(client, "later", tmp_path / "b") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert await move(client, "later", tmp_path / "b", 1) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        await client.create_topic("later", 2)
        assert [(await where(client))["later", index] for index in (0, 1)] == ["b", "b"]


async def killed_while_moving(directory: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> list[bytes | None]:
    """A node is killed at this stage of a move to `b`."""
    async with disks(directory) as node, connect(node) as client:
        node.kept = False
        if stage == "copying":
            return await begun(client, directory)
        values = await filled(client)
        refused = trio.Event()

        def refuse(store: LogStore, topic: str, partition: int) -> None:
            refused.set()
            raise StorageError(f"{topic}-{partition}", OSError("the node is killed here"))

        with monkeypatch.context() as patch:
            patch.setattr(LogStore, "promote" if stage == "assigned" else "delete", refuse)
            await move(client, "orders", directory / "b")
            await refused.wait()
            assert state_of(node, "orders").directories == (directory_id(node, "b"),)
            await client.produce("orders", b"last")
            return [*values, b"last"]


def lose_nothing(_directory: Path) -> None:
    pass


def lose_the_replica(directory: Path) -> None:
    """The disk of `a` is lost but for the metadata: the copy is all there is."""
    (directory / "a" / "orders-0").rename(directory / "lost")


@pytest.mark.parametrize("stage", ["copying", "assigned", "renamed"])
@pytest.mark.parametrize("lose", [lose_nothing, lose_the_replica])
def test_a_node_that_is_killed_while_it_moves_a_replica_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, lose: Callable[[Path], Any]
) -> None:
    @trio_test
    async def run() -> None:
        values = await killed_while_moving(tmp_path, monkeypatch, stage)
        if stage == "renamed":
            assert (tmp_path / "a" / "orders-0").is_dir()
            assert (tmp_path / "b" / "orders-0").is_dir()
        lose(tmp_path)
        async with disks(tmp_path) as node, connect(node) as client:
            if stage == "copying":
                await client.alter_config(BROKER, "1", RATE, str(1 << 40))
            await until_moved(client, "orders", "b")
            found = await client.values("orders")
            is_whole = lose is lose_nothing or stage == "renamed"
            assert found == values if is_whole else found == values[: len(found)]
            assert found
            await client.produce("orders", b"after")
            while state_of(node, "orders").directories != (directory_id(node, "b"),):  # noqa: ASYNC110
                await trio.sleep(0.005)
        async with disks(tmp_path) as node, connect(node) as client:
            assert await client.values("orders") == [*found, b"after"]
            assert (logs_in(tmp_path / "b"), (await where(client))["orders", 0]) == (["orders-0"], "b")

    run()


@trio_test
async def test_a_copy_whose_disk_fails_leaves_the_replica_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        values = await begun(client, tmp_path)
        assert node.broker.partitions.directory_failed(tmp_path / "b", "its disk has failed")
        assert await client.values("orders") == values
        await client.produce("orders", b"more")
        assert (await described(client))["b"].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert await move(client, "orders", tmp_path / "b") == ErrorCode.KAFKA_STORAGE_ERROR


@trio_test
async def test_a_replica_whose_disk_fails_is_served_from_its_copy_only_when_that_was_assigned(tmp_path: Path) -> None:
    async with disks(tmp_path, names=("c", "a", "b"), metadata="c") as node, connect(node) as client:
        await client.create_topic("first")
        values = await filled(client)
        await client.alter_config(BROKER, "1", RATE, "0")
        await move(client, "orders", tmp_path / "b")
        assert node.broker.partitions.directory_failed(tmp_path / "a", "its disk has failed")
        assert (await client.produce_batch("orders", batch([b"x"]))).error_code == ErrorCode.KAFKA_STORAGE_ERROR
    async with disks(tmp_path, names=("c", "a", "b"), metadata="c") as node, connect(node) as client:
        await client.alter_config(BROKER, "1", RATE, str(1 << 40))
        await until_moved(client, "orders", "b")
        assert await client.values("orders") == values


async def consume_one(node: Node) -> bytes | None:
    async with connect(node) as consumer:
        return (await consumer.values("orders"))[-1]


@trio_test
async def test_a_fetch_that_waits_goes_on_after_the_move(tmp_path: Path) -> None:
    async with disks(tmp_path) as node, connect(node) as client, connect(node) as consumer:
        values = await filled(client)
        waited: list[bytes] = []

        async def wait() -> None:
            data = await consumer.fetch("orders", len(values), max_wait_ms=60_000)
            waited.append(bytes_of(data))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            await move(client, "orders", tmp_path / "b")
            await until_moved(client, "orders", "b")
            await client.produce("orders", b"news")
        assert waited
        assert await consume_one(node) == b"news"
