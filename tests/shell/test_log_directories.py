"""A node with several log.dirs: where replicas go, what of a directory fails, and what the metadata says of it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import trio

from kafkapy.errors import ShutdownError, StartupError
from kafkapy.metadata.broker_lifecycle import BrokerLifecycle
from kafkapy.node import Node
from kafkapy_controller.image import NO_LEADER, PartitionImage
from kafkapy_log import LogStore, StoreError
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.uuid import parse_uuid
from tests.shell.running_node import BROKER, Client, batch, connect, trio_test
from tests.shell.several_disks import described, disks, logs_in, partitions_of, where

BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


def state_of(node: Node, topic: str, index: int = 0) -> PartitionImage:
    return node.parts.metadata.image.topics[topic].partitions[index]


def directory_id(node: Node, name: str) -> bytes:
    return next(parse_uuid(store.directory_id) for store in node.directories.stores if store.directory.name == name)


@trio_test
async def test_new_replicas_go_where_the_fewest_are(tmp_path: Path) -> None:
    async with disks(tmp_path, names=("a", "b", "c")) as node, connect(node) as client:
        await client.create_topic("orders", 5)
        found = await where(client)
        assert [list(found.values()).count(name) for name in "abc"] == [2, 2, 1]
        for index in range(5):
            await client.produce("orders", b"%d" % index, partition=index)
        await client.delete_topic("orders")
        await client.create_topic("payments", 3)
        assert sorted((await where(client)).values()) == ["a", "b", "c"]
        for index in range(3):
            await client.produce("payments", b"%d" % index, partition=index)
        before = await where(client)
    async with disks(tmp_path, names=("a", "b", "c")) as node, connect(node) as client:
        assert await where(client) == before
        assert [await client.values("payments", index) for index in range(3)] == [[b"0"], [b"1"], [b"2"]]
        assert len({each.directory_id for each in node.directories.stores}) == 3


@trio_test
async def test_the_metadata_gets_to_know_where_each_replica_is(tmp_path: Path) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        found = await where(client)
        broker = node.parts.metadata.image.brokers[1]
        assert set(broker.log_dirs) == {directory_id(node, "a"), directory_id(node, "b")}
        for index in range(2):
            expected = directory_id(node, found["orders", index])
            while state_of(node, "orders", index).directories != (expected,):  # noqa: ASYNC110
                await trio.sleep(0.005)
            assert state_of(node, "orders", index).leader == 1
    # Nothing was ever written to them: the metadata alone says where they belong.
    async with disks(tmp_path) as node, connect(node) as client:
        assert await where(client) == found


@trio_test
async def test_the_metadata_log_may_be_in_a_directory_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        async with disks(tmp_path, {"metadata.log.dir": "apart"}, metadata="apart") as node, connect(node) as client:
            if not (tmp_path / "apart" / ".kafka_cleanshutdown").exists() and not node.parts.metadata.image.topics:
                await client.create_topic("orders", 2)
                await client.produce("orders", b"a")
            assert await client.values("orders") == [b"a"]
            assert set(await described(client)) == {"a", "b"}
    assert (tmp_path / "apart" / "__cluster_metadata-0").is_dir()
    assert not logs_in(tmp_path / "apart")
    with pytest.raises(StartupError, match="metadata log"):
        async with disks(tmp_path, names=("a", "b", "apart"), metadata="a"):
            pass


@trio_test
async def test_a_directory_that_is_in_use_by_another_node_ends_the_start(tmp_path: Path) -> None:
    async with disks(tmp_path):
        with pytest.raises(StartupError, match="in use by another broker"):
            async with disks(tmp_path, names=("c", "b"), metadata="c"):
                pass


@trio_test
async def test_a_disk_that_is_not_mounted_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
    (tmp_path / "b").rename(tmp_path / "unmounted")
    with pytest.raises(StartupError, match=r"b has no meta.properties, although .*a was in use: mount its disk"):
        async with disks(tmp_path):
            pass
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "__cluster_metadata-0")
    with pytest.raises(StartupError, match=r"have the same directory.id"):
        async with disks(tmp_path):
            pass


async def fail_directory(client: Client, monkeypatch: pytest.MonkeyPatch, topic: str, partition: int) -> None:
    """The disk under the replica refuses a write for good."""
    write = os.pwrite

    def fail(fd: int, *rest: Any) -> int:
        if f"{topic}-{partition}/" in str(Path(f"/proc/self/fd/{fd}").readlink()):
            raise BROKEN
        return write(fd, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        answer = await client.produce_batch(topic, batch([b"refused"]), partition)
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR


async def metadata_of(client: Client, topic: str) -> dict[int, tuple[int, int, list[int]]]:
    """By partition: error, leader, offline replicas."""
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
    (found,) = (await client.ask(asked, MetadataResponse)).topics
    return {each.partition_index: (each.error_code, each.leader_id, each.offline_replicas) for each in found.partitions}


@trio_test
async def test_a_directory_that_fails_takes_only_its_partitions_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with disks(tmp_path) as node, connect(node) as client, connect(node) as other:
        await client.create_topic("orders", 4)
        for index in range(4):
            await client.produce("orders", b"%d" % index, partition=index)
        found = await where(client)
        lost = [index for index in range(4) if found["orders", index] == "b"]
        kept = [index for index in range(4) if found["orders", index] == "a"]
        lost_id = directory_id(node, "b")
        await fail_directory(client, monkeypatch, "orders", lost[0])
        for index in lost:
            assert (await client.produce_batch("orders", batch([b"x"]), index)).error_code in (
                ErrorCode.KAFKA_STORAGE_ERROR,
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
            )
            assert (await other.fetch("orders", 0, index)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        for index in kept:
            await client.produce("orders", b"more", partition=index)
            assert await client.values("orders", index) == [b"%d" % index, b"more"]
        results = await described(client)
        assert results["b"].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert not results["b"].topics
        assert [index for _, index in partitions_of(results["a"])] == kept
        while lost_id in node.parts.metadata.image.brokers[1].log_dirs:  # noqa: ASYNC110
            await trio.sleep(0.005)
        for index, (error, leader, offline) in (await metadata_of(client, "orders")).items():
            gone = index in lost
            assert (error, leader, offline) == (5, NO_LEADER, [1]) if gone else (0, 1, [])
        # What is new goes where it can, and a topic that is deleted can be made again.
        await client.create_topic("payments", 2)
        await client.delete_topic("orders")
        await client.create_topic("orders", 1)
        assert set((await where(client)).values()) == {"a"}
        (line,) = [each for each in caplog.messages if "is offline" in each]
        assert line.startswith(f"the log directory {tmp_path / 'b'} is offline, with 2 replicas: its disk has failed")
    caplog.clear()
    async with disks(tmp_path) as node, connect(node) as client:
        assert await client.values("orders") == []
        assert sorted(logs_in(tmp_path / "a")) == ["orders-0"]
        assert all(name.endswith("-stray") for name in logs_in(tmp_path / "b"))


@trio_test
async def test_the_records_of_a_failed_directory_are_there_when_the_disk_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        for index in range(2):
            await client.produce("orders", b"%d" % index, partition=index)
        (lost,) = [index for (_, index), name in (await where(client)).items() if name == "b"]
        await fail_directory(client, monkeypatch, "orders", lost)
        while state_of(node, "orders", lost).leader != NO_LEADER:  # noqa: ASYNC110
            await trio.sleep(0.005)
    # At the next start the disk cannot be read: the node serves what is in the other directory.
    (tmp_path / "b").rename(tmp_path / "disk")
    (tmp_path / "b").write_bytes(b"no directory")
    async with disks(tmp_path) as node, connect(node) as client:
        assert await client.values("orders", 1 - lost) == [b"%d" % (1 - lost)]
        assert (await metadata_of(client, "orders"))[lost] == (5, NO_LEADER, [1])
        assert (await client.produce_batch("orders", batch([b"x"]), lost)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert (await described(client))["b"].error_code == ErrorCode.KAFKA_STORAGE_ERROR
    (tmp_path / "b").unlink()
    (tmp_path / "disk").rename(tmp_path / "b")
    async with disks(tmp_path) as node, connect(node) as client:
        assert await client.values("orders", lost) == [b"%d" % lost]
        assert (await metadata_of(client, "orders"))[lost] == (0, 1, [])


@trio_test
async def test_a_node_ends_with_the_directory_of_its_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ShutdownError, match=r"the disk under .*/a has failed"):  # noqa: PT012  # where it is raised
        async with disks(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders", 2)
            (index,) = [index for (_, index), name in (await where(client)).items() if name == "a"]
            await fail_directory(client, monkeypatch, "orders", index)
            await trio.sleep_forever()


@trio_test
async def test_a_directory_that_cannot_be_recovered_is_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        node.kept = False
        await client.create_topic("orders", 2)
        for index in range(2):
            await client.produce("orders", b"%d" % index, partition=index)
        (lost,) = [index for (_, index), name in (await where(client)).items() if name == "b"]

    recover = LogStore.recover

    def fail(store: LogStore, *arguments: Any) -> None:
        if store.directory.name == "b":
            raise StoreError("its disk cannot be read")
        recover(store, *arguments)

    monkeypatch.setattr(LogStore, "recover", fail)
    async with disks(tmp_path) as node, connect(node) as client:
        assert await client.values("orders", 1 - lost) == [b"%d" % (1 - lost)]
        assert (await metadata_of(client, "orders"))[lost] == (5, NO_LEADER, [1])
        assert f"the log directory {tmp_path / 'b'} is offline: its disk cannot be read" in caplog.messages


@trio_test
async def test_a_node_ends_if_the_controller_does_not_hear_of_a_failed_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """log.dir.failure.timeout.ms"""
    monkeypatch.setattr(BrokerLifecycle, "_say_directories", lambda *_: None)
    settings = {"log.dir.failure.timeout.ms": "20"}
    with pytest.raises(ShutdownError, match=r"does not take the news that the log directory .*/b is offline"):  # noqa: PT012
        async with disks(tmp_path, settings) as node:
            assert node.broker.partitions.directory_failed(tmp_path / "b", "its disk has failed")
            await trio.sleep_forever()


@trio_test
async def test_checkpoints_that_cannot_be_written_take_only_their_directory_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with disks(tmp_path, names=("a", "b", "c")) as node, connect(node) as client:
        await client.create_topic("orders", 3)
        for index in range(3):
            await client.produce("orders", b"a", partition=index)
        replace = LogStore.replace_checkpoints

        def fail(store: LogStore, files: list[tuple[str, bytes]]) -> None:
            if store.directory.name == "b":
                raise BROKEN
            replace(store, files)

        monkeypatch.setattr(LogStore, "replace_checkpoints", fail)
        await node.housekeeping.write_checkpoints()
        assert [store.directory.name for store in node.directories.stores] == ["a", "c"]
        assert b"orders" in (tmp_path / "c" / "replication-offset-checkpoint").read_bytes()
        assert (await described(client))["b"].error_code == ErrorCode.KAFKA_STORAGE_ERROR


@trio_test
async def test_a_directory_that_was_deleted_is_offline(tmp_path: Path) -> None:
    async with disks(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        for index in range(2):
            await client.produce("orders", b"a", partition=index)
        shutil.rmtree(tmp_path / "b")
        await node.housekeeping.look_for_lost_files()
        assert (await described(client))["b"].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert not node.disk.failed.is_set()


@trio_test
async def test_a_cordoned_directory_gets_no_new_replicas(tmp_path: Path) -> None:
    """cordoned.log.dirs (KIP-1066)"""
    async with disks(tmp_path, {"cordoned.log.dirs": str(tmp_path / "a")}) as node, connect(node) as client:
        await client.create_topic("orders", 3)
        assert set((await where(client)).values()) == {"b"}
        cordoned = {name: result.is_cordoned for name, result in (await described(client)).items()}
        assert cordoned == {"a": True, "b": False}
        await client.alter_config(BROKER, "1", "cordoned.log.dirs", "*")
        expected = {directory_id(node, name) for name in "ab"}
        while set(node.parts.metadata.image.brokers[1].cordoned_log_dirs or ()) != expected:  # noqa: ASYNC110
            await trio.sleep(0.005)
        topic = CreatableTopic(name="refused", num_partitions=1, replication_factor=1)
        (answer,) = (await client.ask(CreateTopicsRequest(topics=[topic]), CreateTopicsResponse)).topics
        assert answer.error_code == ErrorCode.INVALID_REPLICATION_FACTOR
        await client.alter_config(BROKER, "1", "cordoned.log.dirs", "")
        while node.parts.metadata.image.brokers[1].cordoned_log_dirs != ():  # noqa: ASYNC110
            await trio.sleep(0.005)
        await client.create_topic("payments", 2)
        assert (await where(client))["payments", 0] == "a"
