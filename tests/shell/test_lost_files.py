"""A node whose files are taken away under it ends, and says what may be lost: nothing goes on into unlinked files."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Semaphore

import pytest
import trio.testing

import kafkapy_log.flush
from kafkapy.errors import ShutdownError
from kafkapy.partitions.disk_watch import LOSS_CHECK_INTERVAL_MS
from kafkapy_log import Flush
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.produce import ProduceResponse
from tests.shell.running_node import batch, connect, produce_request, running_node, trio_test, until_parked

Loss = Callable[[Path], None]


def delete_directory(data: Path) -> None:
    shutil.rmtree(data)


def delete_what_is_in_it(data: Path) -> None:
    for path in data.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def move_directory(data: Path) -> None:
    data.rename(data.with_name("elsewhere"))


def replace_directory(data: Path) -> None:
    data.rename(data.with_name("elsewhere"))
    data.mkdir()
    (data / ".lock").write_bytes(b"")


def delete_partition(data: Path) -> None:
    shutil.rmtree(data / "orders-0")


def move_partition(data: Path) -> None:
    (data / "orders-0").rename(data / "elsewhere")


def delete_segment(data: Path) -> None:
    (data / "orders-0" / f"{0:020d}.log").unlink()


def replace_segment(data: Path) -> None:
    path = data / "orders-0" / f"{0:020d}.log"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


LOSSES: list[tuple[Loss, str]] = [
    (delete_directory, "the data directory .* is gone"),
    (delete_what_is_in_it, ".lock is gone"),
    (move_directory, "the data directory .* is gone"),
    (replace_directory, "was replaced by another"),
    (delete_partition, "0.log is gone"),
    (move_partition, "0.log is gone"),
    (delete_segment, "0.log is gone"),
    (replace_segment, "0.log is gone"),
]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(("lose", "said"), LOSSES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_node_that_loses_its_files_ends_in_order(tmp_path: Path, lose: Loss, said: str, durable: bool) -> None:
    data = tmp_path / "data"

    @trio_test
    async def lose_them() -> None:
        async with running_node(data, durable=durable) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"first")
            node.clock.advance(LOSS_CHECK_INTERVAL_MS)
            await trio.testing.wait_all_tasks_blocked()
            assert not node.disk.failed.is_set()
            lose(data)
            await client.produce("orders", b"lost")
            node.clock.advance(LOSS_CHECK_INTERVAL_MS)
            await trio.sleep_forever()

    with pytest.raises(ShutdownError, match=f"{said}: what was acknowledged in the last 1 s may be lost"):
        lose_them()
    assert not (data / ".kafka_cleanshutdown").exists()


def test_nothing_is_written_into_a_directory_that_has_taken_the_place(tmp_path: Path) -> None:
    data = tmp_path / "data"

    @trio_test
    async def replace_it() -> None:
        async with running_node(data) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"first")
            replace_directory(data)
            node.clock.advance(LOSS_CHECK_INTERVAL_MS)
            await trio.sleep_forever()

    with pytest.raises(ShutdownError, match="replaced by another"):
        replace_it()
    assert [path.name for path in data.iterdir()] == [".lock"]


@pytest.mark.parametrize("lose", [delete_partition, delete_segment])
@trio_test
async def test_records_that_were_lost_while_the_node_was_down_are_missed(
    tmp_path: Path, lose: Loss, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        for _ in range(3):
            await client.produce("orders", b"lost")
    lose(tmp_path)
    for _ in range(2):
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.produce("orders", b"more")
    said = [record.getMessage() for record in caplog.records if "were committed" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("orders-0: its log ends at offset 0, although records below offset 3 were committed")


@trio_test
async def test_what_was_lost_of_a_partition_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"lost")
    (tmp_path / "replication-offset-checkpoint").write_text("0\n2\ngone 0 7\norders 0 1\n")
    delete_partition(tmp_path)
    async with running_node(tmp_path) as node:
        assert node.directories.lost() == [("orders", 0)]


@trio_test
async def test_a_segment_that_is_gone_is_missed_and_not_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty file in its place would read as a segment without records at the next start."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", segment_bytes="1048576")
        for _ in range(5):
            await client.produce("orders", bytes(600_000))
    closed = tmp_path / "orders-0" / f"{1:020d}.log"
    closed.unlink()
    async with running_node(tmp_path) as node, connect(node) as client:
        assert (await client.fetch("orders", 0)).error_code == ErrorCode.NONE
        assert caplog.records == []
        for _ in range(3):
            assert (await client.fetch("orders", 1)).error_code == ErrorCode.NONE
        assert "orders-0: no file holds the records from offset 1 to 1" in caplog.records.pop().getMessage()
        assert caplog.records == []
        second = tmp_path / "orders-0" / f"{3:020d}.log"
        second.unlink()
        assert (await client.fetch("orders", 3)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert not closed.exists()
        assert not second.exists()
        assert await client.produce("orders", b"more") == 5


@trio_test
async def test_damage_is_told_where_it_is_met_once_for_each_partition(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a clean stop nothing is read before somebody asks for it."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        for partition in (0, 1):
            for _ in range(200):
                await client.produce("orders", bytes(100), partition=partition)
    for partition in (0, 1):
        path = tmp_path / f"orders-{partition}" / f"{0:020d}.log"
        data = bytearray(path.read_bytes())
        data[100 : len(data) // 2] = b"\xde" * (len(data) // 2 - 100)
        path.write_bytes(data)
    async with running_node(tmp_path) as node, connect(node) as client:
        with caplog.at_level(logging.ERROR):
            for partition in (0, 1):
                for _ in range(2):
                    answer = await client.fetch("orders", 5, partition)
                    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert [record.getMessage().split(":")[0] for record in caplog.records] == [
            "cannot read orders-0",
            "cannot read orders-1",
        ]
        caplog.clear()
        node.clock.advance(60_000)
        wanted = ListOffsetsPartition(partition_index=0, timestamp=500)
        request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="orders", partitions=[wanted])])
        found = (await client.ask(request, ListOffsetsResponse)).topics[0].partitions[0]
        if found.error_code:
            assert "cannot read orders-0" in caplog.text
        assert (await client.produce_batch("orders", batch([b"more"]))).error_code == ErrorCode.NONE


@trio_test
async def test_what_a_recovery_cuts_off_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.create_topic("others")
        for _ in range(3):
            await client.produce("orders", b"acknowledged")
            await client.produce("others", b"acknowledged")
    (tmp_path / ".kafka_cleanshutdown").unlink()
    for name, position in (("orders", 150), ("others", -1)):
        path = tmp_path / f"{name}-0" / f"{0:020d}.log"
        data = bytearray(path.read_bytes())
        if name == "others":
            del data[-1]
        else:
            data[position] ^= 1
        path.write_bytes(data)
    (tmp_path / "recovery-point-offset-checkpoint").write_bytes(b"0\n0\n")
    with caplog.at_level(logging.INFO):
        async with running_node(tmp_path) as node, connect(node) as client:
            assert await client.values("orders") == [b"acknowledged"]
            assert await client.values("others") == [b"acknowledged"] * 2
    lines = {record.levelname: record.getMessage() for record in caplog.records if record.name == "kafkapy.disk"}
    assert lines.keys() == {"WARNING", "INFO"}
    (stray,) = strays(tmp_path, "orders")
    for fact in ("orders-0: damaged at byte", f"{0:020d}.log", "the CRC of", "offset 1 now", str(stray)):
        assert fact in lines["WARNING"]
    assert "others-0: cut off" in lines["INFO"]
    assert strays(tmp_path, "others") == []


def strays(data: Path, topic: str) -> list[Path]:
    return list(data.glob(f"{topic}-0.*-stray"))


@trio_test
async def test_a_topic_that_is_deleted_during_a_flush_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory is taken off the disk while a worker thread has still to write a file there."""
    may_go_on = Semaphore(0)
    sync_all = kafkapy_log.flush.sync_all
    errors: list[OSError | None] = []

    def late(flushes: list[Flush], *, fsync: bool) -> list[OSError | None]:
        assert may_go_on.acquire(timeout=60)
        errors.extend(sync_all(flushes, fsync=fsync))
        return errors

    async with running_node(tmp_path, durable=True) as node, connect(node) as client, connect(node) as admin:
        await admin.create_topic("orders", flush_messages="1")
        monkeypatch.setattr(kafkapy_log.flush, "sync_all", late)
        await client.send(produce_request("orders", batch([b"value"])), 12)
        await until_parked(node)
        await admin.delete_topic("orders")
        await node.housekeeping.remove_deleted()
        may_go_on.release(10)
        answer = (await client.receive(ProduceResponse)).responses[0].partition_responses[0]
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        while not errors:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(errors[0], FileNotFoundError)
        assert not node.disk.failed.is_set()
        assert strays(tmp_path, "orders") == []
