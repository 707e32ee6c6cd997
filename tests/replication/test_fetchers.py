"""The tasks that fetch: one for each broker, begun and ended as leaders move; what fails costs a while and a line."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.bugs import Bugs
from kafkapy.partitions.checkpoints import Checkpoints
from kafkapy.partitions.flushing import Flusher
from kafkapy.peers import PeerUnavailable
from kafkapy.pending import Pending
from kafkapy.replication import Replication
from kafkapy.replication.fetcher import Fetcher, Then
from kafkapy.replication.fetchers import LINGER_MS
from kafkapy.replication.replication import ASK_AGAIN_MS
from kafkapy.settings import Settings
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_partition import AlterPartitionRequest
from tests.partitions.partition_lab import batch
from tests.replication.replication_lab import ANSWERS, BACKOFF_MS, LAG_MS, VERSIONS, LabBroker, ReplicationLab, code_of
from tests.shell.running_node import trio_test


class Network:
    """A lab whose brokers replicate by their own tasks, and what these ask of other brokers and the controller."""

    def __init__(self, directory: Path, **given: str) -> None:
        self.bugs = Bugs()
        self.down: set[int] = set()
        self.purposes: set[tuple[int, str]] = set()
        self.controller_is_there = True
        self.replications: list[Replication] = []
        settings = {name.replace("_", "."): value for name, value in given.items()}
        self.lab = ReplicationLab(directory, given=settings, replicate=self._replicate)

    def _replicate(self, broker: LabBroker) -> None:
        self.replications.append(
            Replication(
                broker.id,
                broker.settings,
                broker.lab.clock,
                broker.partitions,
                Checkpoints(broker.directories, broker.partitions, broker.disk),
                broker.flusher,
                broker.disk,
                self.bugs,
                liveness_clock=broker.lab.clock,
                sources=self,
                controller=self,
                broker_epoch=lambda: broker.epoch,
            )
        )

    # -- as the connections to other brokers, and to the controller

    def broker(self, broker_id: int, purpose: str) -> Source:
        self.purposes.add((broker_id, purpose))
        if broker_id in self.down:
            raise PeerUnavailable(f"broker {broker_id} is not running")
        return Source(self.lab[broker_id], purpose)

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        assert isinstance(request, AlterPartitionRequest)
        if not self.controller_is_there:
            raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, f"no controller within {timeout_ms} ms")
        answer = self.lab.alter_partition(request)
        self.lab.publish()
        return answer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.lab.clock.run)
            for broker in self.lab.brokers.values():
                nursery.start_soon(broker.flusher.run)
            for replication in self.replications:
                nursery.start_soon(replication.run)
            await self.settle()
            yield
            nursery.cancel_scope.cancel()

    async def settle(self) -> None:
        """Until nothing is left to be done without time passing."""
        for _ in range(5):
            await trio.testing.wait_all_tasks_blocked(0.005)

    async def pass_time(self, milliseconds: int) -> None:
        self.lab.clock.advance(milliseconds)
        await self.settle()


class Source:
    """A connection to one broker."""

    def __init__(self, broker: LabBroker, purpose: str) -> None:
        self._broker = broker
        self._purpose = purpose

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        assert timeout_ms == 30_000, "replica.socket.timeout.ms"
        version = VERSIONS[type(request)]
        answer = self._broker.handle(request, version, self._purpose)
        if isinstance(answer, Pending):
            answer = await answer.wait()
        await trio.lowlevel.checkpoint()
        return decode(ANSWERS[type(request)], encode(answer, version), version)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path)
    yield network
    network.lab.close()


@trio_test
async def test_followers_fetch_and_move_with_their_leader(network: Network) -> None:
    lab = network.lab
    async with network.running():
        first = lab.produce(1, b"a")
        await network.settle()
        lab.change(leader=2)
        second = lab.produce(2, b"b")
        await network.settle()
        await network.pass_time(10)  # a leader that has yet to hear of it is asked again soon
        assert [code_of(first), code_of(second)] == [ErrorCode.NONE, ErrorCode.NONE]
        assert [broker.values() for broker in lab.brokers.values()] == [[b"a", b"b"]] * 3
    assert network.bugs.count == 0


@trio_test
async def test_a_leader_that_is_down_costs_one_line_and_is_asked_ever_less_often(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kafkapy.replication")
    network.down = {1}
    async with network.running():
        for _ in range(10):
            await network.pass_time(BACKOFF_MS)
        assert caplog.text.count("cannot fetch from broker 1: broker 1 is not running") == 2, "each follower says so"
        network.down = set()
        await network.pass_time(BACKOFF_MS)
        answer = network.lab.produce(1, b"a")
        await network.settle()
        assert code_of(answer) is ErrorCode.NONE
        assert caplog.text.count("fetching from broker 1 again") == 2


@trio_test
async def test_a_bug_costs_a_while_and_not_the_replication(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Fetcher.take

    def failing(*_: object, **__: object) -> Iterator[Then]:
        raise ZeroDivisionError("a mistake")

    async with network.running():
        monkeypatch.setattr(Fetcher, "take", failing)
        answer = network.lab.produce(1, b"a")
        await network.settle()
        assert network.bugs.count == 2, "of each follower one"
        monkeypatch.setattr(Fetcher, "take", take)
        await network.pass_time(BACKOFF_MS)
        assert code_of(answer) is ErrorCode.NONE


@trio_test
async def test_several_fetchers_share_the_partitions_of_a_broker(tmp_path: Path) -> None:
    network = Network(tmp_path, num_replica_fetchers="3")
    lab = network.lab
    async with network.running():
        state = lab.state()
        topic = lab.image.topics["orders"]._replace(partitions=(state,) * 12)
        lab.image = lab.image._replace(topics={"orders": topic}, topics_by_id={topic.topic_id: topic})
        lab.publish()
        await network.settle()
        answers = [lab.produce(1, b"a", index=index) for index in range(12)]
        await network.pass_time(5)
        assert {code_of(answer) for answer in answers} == {ErrorCode.NONE}
        assert network.purposes == {(1, f"replica-fetcher-{number}") for number in range(3)}
    lab.close()


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
@trio_test
async def test_num_replica_fetchers_changes_while_the_brokers_run(tmp_path: Path, before: int, after: int) -> None:
    network = Network(tmp_path, num_replica_fetchers=str(before))
    lab = network.lab
    async with network.running():
        state = lab.state()
        topic = lab.image.topics["orders"]._replace(partitions=(state,) * 10)
        lab.image = lab.image._replace(topics={"orders": topic}, topics_by_id={topic.topic_id: topic})
        lab.publish()
        await network.settle()
        for broker in lab.brokers.values():
            broker.settings.change(Settings({"node.id": str(broker.id), "num.replica.fetchers": str(after)}))
        await network.pass_time(1_000)
        network.purposes.clear()
        answers = [lab.produce(1, b"a", index=index) for index in range(10)]
        await network.pass_time(5)
        assert {code_of(answer) for answer in answers} == {ErrorCode.NONE}
        assert network.purposes == {(1, f"replica-fetcher-{number}") for number in range(after)}
    lab.close()


@trio_test
async def test_a_task_ends_when_nothing_is_left_to_fetch_and_begins_again(network: Network) -> None:
    lab = network.lab
    async with network.running():
        lab.change(leader=2)
        await network.settle()
        await network.pass_time(500)  # the last fetch from broker 1 is answered
        await network.pass_time(LINGER_MS)
        lab.change(leader=1)
        answer = lab.produce(1, b"a")
        await network.pass_time(10)
        assert code_of(answer) is ErrorCode.NONE


@trio_test
async def test_nothing_is_appended_to_a_truncated_log_while_its_recovery_point_cannot_be_noted(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = network.lab
    async with network.running():
        lab.produce(1, b"a")
        await network.settle()
    partition = lab[3].partition()
    partition.append_from_leader(
        batch(b"lost", base_offset=1), leader_high_watermark=0, leader_log_start_offset=0, now_ms=0
    )
    write = Checkpoints.write
    refused = 0

    async def refuse(_: Checkpoints) -> None:
        nonlocal refused
        refused += 1
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoints, "write", refuse)
    lab.change(leader=2)
    answer = lab.produce(2, b"b")
    async with network.running():
        await network.pass_time(BACKOFF_MS)
        assert refused >= 1
        assert (lab[3].values(), code_of(answer)) == ([b"a"], None)
        monkeypatch.setattr(Checkpoints, "write", write)
        for _ in range(3):
            await network.pass_time(BACKOFF_MS)
        assert (lab[3].values(), code_of(answer)) == ([b"a", b"b"], ErrorCode.NONE)


@trio_test
async def test_the_isr_shrinks_and_grows_as_soon_as_there_is_a_controller(network: Network) -> None:
    lab = network.lab
    async with network.running():
        network.controller_is_there = False
        network.down = {1}
        answer = lab.produce(1, b"a")
        for _ in range(4):
            await network.pass_time(LAG_MS // 2 + 1)
        assert (lab.state().isr, code_of(answer)) == ((1, 2, 3), None)
        network.controller_is_there = True
        await network.pass_time(ASK_AGAIN_MS)
        assert (lab.state().isr, code_of(answer)) == ((1,), ErrorCode.NONE)
        network.down = set()
        for _ in range(4):
            await network.pass_time(BACKOFF_MS)
        assert sorted(lab.state().isr) == [1, 2, 3]


@trio_test
async def test_a_follower_tells_what_it_has_after_the_fsync_that_flush_messages_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Apache Kafka, whose followers sync within the append: acks=all then means that all have synced."""
    network = Network(tmp_path, log_flush_interval_messages="1")
    lab = network.lab
    flushed = Flusher.flushed
    waiting = trio.Event()

    async def slow(self: Flusher) -> None:
        await flushed(self)
        if self is lab[3].flusher:
            await waiting.wait()

    monkeypatch.setattr(Flusher, "flushed", slow)
    async with network.running():
        answer = lab.produce(1, b"a")
        while [broker.values() for broker in lab.brokers.values()] != [[b"a"]] * 3:  # threads sync meanwhile
            await network.settle()
        await network.settle()
        assert code_of(answer) is None
        waiting.set()
        await answer.wait()
        assert code_of(answer) is ErrorCode.NONE
        assert lab[3].partition().log.flushing.unflushed_record_count == 0
    lab.close()
