"""A node after an unclean stop: what it shows, that it can be stopped meanwhile, and that the next start reads less."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import trio
import trio.testing

import kafkapy.node.broker_part
import kafkapy.node.node
from kafkapy.cli.progress import RecoveryProgress
from kafkapy.coordinators.group import GroupCoordinator
from kafkapy.errors import StartupError
from kafkapy.node import Node
from kafkapy.partitions.flushing import SETTLE_BYTES_MIN
from kafkapy.settings import Settings
from kafkapy_log import PartitionLog
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from tests.shell.running_node import Client, connect, running_node, trio_test

TOPICS = ("orders", "payments", "refunds")


def log_of(node: Node, topic: str) -> PartitionLog:
    return node.broker.partitions.leader(topic, 0).log


async def fill(client: Client) -> None:
    for topic in TOPICS:
        await client.create_topic(topic)
        await client.produce(topic, b"v" * SETTLE_BYTES_MIN)


def pretend_a_crash(directory: Path) -> None:
    """As if it had been killed: nothing tells that all is well, or where recovery may begin."""
    (directory / ".kafka_cleanshutdown").unlink()
    (directory / "recovery-point-offset-checkpoint").unlink()


async def checkpointed(directory: Path, entry: str) -> None:
    """Return when the recovery point is noted. The disk is waited for, and nothing tells when it is done."""
    path = directory / "recovery-point-offset-checkpoint"
    while not path.exists() or entry not in path.read_text():
        await trio.lowlevel.checkpoint()


@trio_test
async def test_what_was_recovered_need_not_be_read_again(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await fill(client)
    pretend_a_crash(tmp_path)
    async with running_node(tmp_path, durable=True) as node:
        assert log_of(node, "orders").recovery_point == 0
        for topic in TOPICS:
            await checkpointed(tmp_path, f"{topic} 0 1")
            assert log_of(node, topic).flushing.unsettled_bytes == 0


@trio_test
async def test_recovery_points_are_noted_soon_after_a_roll(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("orders", internal_segment_bytes="300")
        for _ in range(5):
            await client.produce("orders", b"v" * 200)
        await node.housekeeping.flush_what_is_due()
        await checkpointed(tmp_path, "orders 0 4")


@trio_test
async def test_large_logs_are_settled_while_the_node_runs(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await fill(client)
        await client.create_topic("small")
        await client.produce("small", b"v")
        await node.housekeeping.settle_logs()
        assert [log_of(node, topic).flushing.unsettled_bytes for topic in TOPICS] == [0, 0, 0]
        assert log_of(node, "small").recovery_point == 0
        await checkpointed(tmp_path, "refunds 0 1")


@trio_test
async def test_progress_is_told_and_a_stop_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await fill(client)
    pretend_a_crash(tmp_path)
    monkeypatch.setattr(kafkapy.node.broker_part, "RECOVERY_TURN_SECONDS", 0)
    told: list[tuple[int, int]] = []
    with trio.CancelScope() as scope:

        def tell(done: int, count: int) -> None:
            told.append((done, count))
            if done == 1:
                scope.cancel()

        node = Node(Settings({"listeners": "PLAINTEXT://127.0.0.1:0"}), tmp_path, durable=False)
        node.on_recovery = tell
        async with node.started():
            pytest.fail("was not interrupted")
    assert scope.cancelled_caught
    # The metadata log has been recovered before: without it nobody knows what the other directories are.
    assert told == [(0, 3), (1, 3)]
    assert not (tmp_path / ".kafka_cleanshutdown").exists()
    told.clear()
    node = Node(Settings({"listeners": "PLAINTEXT://127.0.0.1:0"}), tmp_path, durable=False)
    node.on_recovery = lambda done, count: told.append((done, count))
    async with node.started(), connect(node) as client:
        assert await client.values("orders") == [b"v" * SETTLE_BYTES_MIN]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert (tmp_path / ".kafka_cleanshutdown").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "before", "after"), [(io.StringIO(), "", "\n"), (Terminal(), "\r", "")])
def test_a_line_each_second(stream: io.StringIO, before: str, after: str) -> None:
    now = 0.0
    progress = RecoveryProgress(stream, lambda: now)
    for tenth in range(26):
        now = tenth / 10
        progress.tell(tenth * 100, 5_000)
    progress.tell(5_000, 5_000)
    text = "kafkapy: recovering after an unclean stop:"
    lines = [f"{text} {done} of 5,000 partitions" for done in ("1,000", "2,000", "5,000")]
    assert stream.getvalue().rstrip("\n") == after.join(before + line for line in lines)
    assert stream.getvalue().endswith("\n")


def test_a_quick_recovery_shows_nothing() -> None:
    stream = io.StringIO()
    progress = RecoveryProgress(stream, lambda: 0.0)
    progress.tell(0, 10)
    progress.tell(10, 10)
    assert stream.getvalue() == ""


def test_coordinators_that_take_long_to_load_do_not_keep_the_listeners_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = trio.Event()
    load = GroupCoordinator.load

    async def late(self: GroupCoordinator) -> None:
        await may_load.wait()
        await load(self)

    async def heartbeat(client: Client) -> ErrorCode:
        request = HeartbeatRequest(group_id="group", generation_id=1, member_id="member")
        return ErrorCode((await client.ask(request, HeartbeatResponse, 4)).error_code)

    async def describe(client: Client) -> ErrorCode:
        answer = await client.ask(DescribeGroupsRequest(groups=["group"]), DescribeGroupsResponse, 5)
        return ErrorCode(answer.groups[0].error_code)

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            request = FindCoordinatorRequest(key_type=0, coordinator_keys=["group"])
            await client.ask(request, FindCoordinatorResponse, 4)  # makes the topic
        monkeypatch.setattr(GroupCoordinator, "load", late)
        monkeypatch.setattr(kafkapy.node.node, "COORDINATORS_LOAD_SECONDS", 0)
        async with running_node(tmp_path) as node, connect(node) as client:
            assert await describe(client) == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
            assert await heartbeat(client) == ErrorCode.NONE, "the member keeps its place meanwhile, as in Apache Kafka"
            may_load.set()
            while await describe(client) == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                await trio.lowlevel.checkpoint()
            assert await heartbeat(client) == ErrorCode.UNKNOWN_MEMBER_ID

    run()


@trio_test
async def test_coordinators_that_cannot_be_loaded_end_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: GroupCoordinator) -> None:
        raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "offsets are gone")

    monkeypatch.setattr(GroupCoordinator, "load", fail)
    with pytest.raises(StartupError, match="offsets are gone"):
        async with running_node(tmp_path):
            pytest.fail("was started")
