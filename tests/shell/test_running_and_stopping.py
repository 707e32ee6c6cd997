"""A node starts once and whole or not at all, gives back what it took, and lets its user's exceptions through."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from kafkapy.errors import ShutdownError, StartupError
from kafkapy.housekeeping import Housekeeping
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy_log import LogStore
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from tests.shell.running_node import batch, connect, fetch_request, port_of, running_node, trio_test, until_parked


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def names(directory: Path, pattern: str) -> list[str]:
    return [path.name for path in directory.glob(pattern)]


class Oops(Exception):
    """Raised by the block of a test."""


@trio_test
async def test_what_the_block_raises_comes_out_as_it_is(tmp_path: Path) -> None:
    reason = ValueError("the reason")
    with pytest.raises(Oops) as caught:
        async with running_node(tmp_path) as node:
            raise Oops from reason
    assert caught.value.__cause__ is reason
    assert (tmp_path / ".kafka_cleanshutdown").exists()
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port_of(node))


@trio_test
async def test_a_cancelled_block_leaves_clean_logs(tmp_path: Path) -> None:
    with trio.move_on_after(60) as scope:
        async with running_node(tmp_path):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert (tmp_path / ".kafka_cleanshutdown").exists()


@trio_test
async def test_logs_that_are_not_kept_are_closed_as_they_are(tmp_path: Path) -> None:
    """Nothing is written at the end into a directory that is deleted next, and nothing stays open."""

    def files() -> dict[Path, int]:
        return {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}

    settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0"})
    before = open_descriptors()
    async with Node(settings, tmp_path, durable=False, kept=False).started() as node, connect(node) as client:
        await client.create_topic("orders", 20)
        for partition in range(20):
            await client.produce("orders", b"a", partition=partition)
        served = files()
    metadata = {path for path in served if path.parent.name == "__cluster_metadata-0"}
    ended = files()
    assert {path: ended[path] for path in ended if path not in metadata} == {
        path: served[path] for path in served if path not in metadata
    }
    assert open_descriptors() == before


@trio_test
async def test_a_node_is_started_once(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        with pytest.raises(RuntimeError, match="started once"):
            async with node.started():
                pass
    with pytest.raises(RuntimeError, match="started once"):
        async with node.started():
            pass


@trio_test
async def test_a_start_that_fails_half_way_gives_everything_back(tmp_path: Path) -> None:
    async with running_node(tmp_path / "warm-up"):
        pass
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listeners = f"A://127.0.0.1:0,B://127.0.0.1:{port}"
        settings = {
            "listeners": listeners,
            "listener.security.protocol.map": "A:PLAINTEXT,B:PLAINTEXT",
            "inter.broker.listener.name": "A",
        }
        with pytest.raises(StartupError, match=f"127.0.0.1:{port} is taken"):
            async with running_node(tmp_path / "ports", settings):
                pass
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartupError, match="cannot use the data directory"):
        async with running_node(tmp_path / "file" / "data"):
            pass
    async with running_node(tmp_path / "used"):
        with pytest.raises(StartupError, match="in use"):
            async with running_node(tmp_path / "used"):
                pass
    assert open_descriptors() == before


@trio_test
async def test_a_disk_that_fails_at_the_end_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = open_descriptors()
    with pytest.raises(ShutdownError, match="No space left on device"):
        async with running_node(tmp_path):
            monkeypatch.setattr(LogStore, "write_checkpoints", fail)
    with pytest.raises(Oops):
        async with running_node(tmp_path):
            raise Oops
    monkeypatch.undo()
    assert open_descriptors() == before
    async with running_node(tmp_path):
        pass


@trio_test
async def test_a_bug_in_a_background_task_ends_the_node_with_that_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep_house(_housekeeping: Housekeeping) -> None:
        raise Oops

    monkeypatch.setattr(Housekeeping, "run", keep_house)
    with pytest.raises(Oops):
        async with running_node(tmp_path):
            await trio.sleep_forever()


@trio_test
async def test_a_stop_does_not_wait_for_parked_requests(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await until_parked(node)
        assert [connection.busy for connection in node.server.connections].count(True) == 1
        began = trio.current_time()
        node.stopping.set()
        assert await client.closed_by_broker()
        assert trio.current_time() - began < 5


@trio_test
async def test_a_request_under_way_at_a_stop_is_answered(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await until_parked(node)
        node.stopping.set()
        node.broker.partitions.leader("orders", 0).append_produced(
            batch([b"late"]), now_ms=node.clock.now_ms(), request_version=12
        )
        response = await client.receive(FetchResponse)
        assert response.responses[0].partitions[0].high_watermark == 1
        assert await client.closed_by_broker()


@trio_test
async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        topic_id = await client.create_topic("orders", 3, max_message_bytes="4321")
        for partition in range(3):
            await client.produce("orders", b"a", b"b", partition=partition)
        cluster_id = node.broker.cluster_id
    async with running_node(tmp_path) as node, connect(node) as client:
        assert node.broker.cluster_id == cluster_id
        image = node.broker.metadata.image
        assert image.topics["orders"].topic_id == topic_id
        assert image.resource_configs(2, "orders") == {"max.message.bytes": "4321"}
        for partition in range(3):
            assert await client.values("orders", partition) == [b"a", b"b"]
        assert await client.produce("orders", b"c") == 2


@trio_test
async def test_committed_offsets_are_there_after_a_restart(tmp_path: Path) -> None:
    committed = OffsetCommitRequest(
        group_id="a-group",
        topics=[
            OffsetCommitRequestTopic(
                name="orders",
                partitions=[
                    OffsetCommitRequestPartition(partition_index=0, committed_offset=2, committed_metadata="m")
                ],
            )
        ],
    )
    wanted = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="a-group", topics=None)])
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b")
        coordinators = await client.ask(FindCoordinatorRequest(coordinator_keys=["a-group"]), FindCoordinatorResponse)
        assert coordinators.coordinators[0].error_code == ErrorCode.NONE
        response = await client.ask(committed, OffsetCommitResponse, 9)
        assert response.topics[0].partitions[0].error_code == ErrorCode.NONE
    for clean in (True, False):
        if not clean:
            (tmp_path / ".kafka_cleanshutdown").unlink()
        async with running_node(tmp_path) as node, connect(node) as client:
            (group,) = (await client.ask(wanted, OffsetFetchResponse, 9)).groups
            (answer,) = group.topics[0].partitions
            assert (answer.committed_offset, answer.metadata) == (2, "m")


@trio_test
async def test_a_topic_made_by_a_metadata_request_is_there_at_once_and_for_good(tmp_path: Path) -> None:
    request = MetadataRequest(topics=[MetadataRequestTopic(name="orders")], allow_auto_topic_creation=True)
    async with running_node(tmp_path, {"num.partitions": "3"}) as node, connect(node) as client:
        (topic,) = (await client.ask(request, MetadataResponse)).topics
        assert (topic.error_code, len(topic.partitions)) == (ErrorCode.NONE, 3)
        assert await client.produce("orders", b"a", partition=2) == 0
    async with running_node(tmp_path, {"auto.create.topics.enable": "false"}) as node, connect(node) as client:
        assert await client.values("orders", 2) == [b"a"]
        request.topics = [MetadataRequestTopic(name="others")]
        (topic,) = (await client.ask(request, MetadataResponse)).topics
        assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@trio_test
async def test_a_recovered_log_follows_the_settings_of_its_topic(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", max_message_bytes="100")
        await client.produce("orders", b"small")
    (tmp_path / ".kafka_cleanshutdown").unlink()
    async with running_node(tmp_path) as node, connect(node) as client:
        assert not node.directories.had_clean_shutdown
        answer = await client.produce_batch("orders", batch([b"x" * 200]))
        assert answer.error_code == ErrorCode.MESSAGE_TOO_LARGE
        assert await client.values("orders") == [b"small"]


@trio_test
async def test_topics_without_metadata_are_not_taken_for_deleted_ones(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"precious")
    metadata = tmp_path / "__cluster_metadata-0"
    (tmp_path / "elsewhere").mkdir()
    metadata.rename(tmp_path / "elsewhere" / "metadata")
    for _ in range(2):
        with pytest.raises(StartupError, match=r"missing or empty.*orders.*restore it"):
            async with running_node(tmp_path):
                pass
    (tmp_path / "elsewhere" / "metadata").rename(metadata)
    async with running_node(tmp_path) as node, connect(node) as client:
        assert await client.values("orders") == [b"precious"]


@trio_test
async def test_an_emptied_metadata_log_is_not_a_new_one(tmp_path: Path) -> None:
    async with running_node(tmp_path):
        pass
    (log,) = (tmp_path / "__cluster_metadata-0").glob("*.log")
    log.write_bytes(b"")
    with pytest.raises(StartupError, match="missing or empty"):
        async with running_node(tmp_path):
            pass


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("position", [0, 30, 400, -20])
def test_garbage_in_the_metadata_log_never_costs_records(tmp_path: Path, position: int, clean: bool) -> None:
    """Refused, or started without the topics that are behind the garbage; their files stay either way."""
    write_garbage_into_metadata(tmp_path, position, clean)

    @trio_test
    async def start() -> None:
        with suppress(StartupError):
            async with running_node(tmp_path):
                pass

    start()
    files = list(tmp_path.glob("orders-0*/*.log"))
    assert len(files) == 1
    assert b"precious" in files[0].read_bytes()


def write_garbage_into_metadata(directory: Path, position: int, clean: bool) -> None:
    @trio_test
    async def fill() -> None:
        async with running_node(directory) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"precious")

    fill()
    (log,) = (directory / "__cluster_metadata-0").glob("*.log")
    content = bytearray(log.read_bytes())
    start = position % len(content)
    content[start : start + 15] = b"\xde\xad\xbe\xef garbage !!"
    log.write_bytes(content)
    if not clean:
        (directory / ".kafka_cleanshutdown").unlink()


@trio_test
async def test_a_log_whose_topic_is_unknown_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"precious")
        copy = (tmp_path / "orders-0" / "partition.metadata").read_bytes()
    stray = tmp_path / "unknown-0"
    stray.mkdir()
    (stray / "partition.metadata").write_bytes(copy)
    with caplog.at_level(logging.WARNING):
        async with running_node(tmp_path) as node:
            assert ("unknown", 0) not in node.directories
    assert "no topic for unknown-0" in caplog.text
    assert len(names(tmp_path, "unknown-0.*-stray")) == 1
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("unknown")
        assert await client.values("unknown") == []


@trio_test
async def test_deleted_directories_leave_the_disk(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"gone")
        await client.delete_topic("orders")
        assert len(names(tmp_path, "orders-0.*-delete")) == 1
        await node.housekeeping.remove_deleted()
        assert names(tmp_path, "orders-0*") == []


@trio_test
async def test_a_deletion_delay_of_zero_leaves_time_for_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    async def count(_housekeeping: Housekeeping) -> None:
        nonlocal rounds
        rounds += 1

    monkeypatch.setattr(Housekeeping, "remove_deleted", count)
    async with running_node(tmp_path, {"log.segment.delete.delay.ms": "0"}):
        await trio.sleep(0.25)
    assert rounds <= 3


@trio_test
async def test_a_failing_chore_is_logged_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = [OSError(errno.EIO, "I/O error"), Oops()]
    done = trio.Event()

    async def chore(_housekeeping: Housekeeping) -> None:
        if failures:
            raise failures.pop(0)
        done.set()

    monkeypatch.setattr(Housekeeping, "write_checkpoints", chore)
    async with running_node(tmp_path) as node:
        while not done.is_set():
            node.clock.advance(5_000)
            await trio.lowlevel.checkpoint()
    assert "chore failed and will be tried again" in caplog.text
    assert "internal error in chore" in caplog.text


@trio_test
async def test_checkpoints_are_written_while_it_runs(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b")
        await node.housekeeping.write_checkpoints()
        assert "orders 0 2" in (tmp_path / "replication-offset-checkpoint").read_text()


def test_signals_are_left_alone_by_a_node_in_a_library(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    @trio_test
    async def run() -> None:
        async with Node(Settings({"listeners": "PLAINTEXT://127.0.0.1:0"}), tmp_path).started():
            assert signal.getsignal(signal.SIGTERM) == before

    run()
