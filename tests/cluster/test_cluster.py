"""Three nodes in one process: they form, replicate, lose a node and take it back, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import rmtree

import pytest
import trio

from kafkapy.cluster import OWN_SETTINGS, Cluster, Member, members_of
from kafkapy.errors import StartupError
from kafkapy.metadata.broker_lifecycle import BrokerLifecycle
from kafkapy.network.listeners import bind
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy.settings.given import GivenTopic
from kafkapy.settings.listeners import Listener
from kafkapy.testing import Kafka
from kafkapy_controller.image import PartitionImage
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.uuid import random_uuid, uuid_text
from tests.cluster.bounds import cluster_test
from tests.shell.running_node import Client, batch, connect, produce_request

FAST = {
    "broker.heartbeat.interval.ms": "100",
    "broker.session.timeout.ms": "1200",
    "controller.quorum.fetch.timeout.ms": "800",
    "controller.quorum.request.timeout.ms": "1000",
    "replica.lag.time.max.ms": "1200",
}
"""Failures are noticed soon, and a busy machine is not taken for one."""


@asynccontextmanager
async def cluster(
    directory: Path,
    members: list[Member] | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    durable: bool = False,
) -> AsyncIterator[Cluster]:
    made = Cluster(directory, members or members_of(3), settings=settings, host="127.0.0.1", durable=durable)
    async with made.started():
        yield made


def active(made: Cluster) -> int | None:
    """The node whose controller is active."""
    found = [
        node_id for node_id, node in made.nodes.items() if node_id in made.running and node.parts.controller.is_active
    ]
    return found[0] if found else None


async def until_active(made: Cluster) -> int:
    await until(lambda: active(made) is not None)
    found = active(made)
    assert found is not None
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a state of several nodes, some of which may be restarted meanwhile."""
    while not condition():  # noqa: ASYNC110  # no single event stands for it
        await trio.sleep(0.01)


def partition(made: Cluster, node_id: int, topic: str) -> PartitionImage:
    """The topic's first partition as a node knows it."""
    return made.nodes[node_id].parts.metadata.image.topics[topic].partitions[0]


async def create(made: Cluster, node_id: int, topic: str, **configs: str) -> None:
    """By a request to one node, which may not be the controller."""
    async with connect(made.nodes[node_id]) as client:
        asked = CreatableTopic(name=topic, num_partitions=1, replication_factor=3)
        answer = await client.ask(CreateTopicsRequest(topics=[asked], timeout_ms=10_000), CreateTopicsResponse)
        assert answer.topics[0].error_code == ErrorCode.NONE, answer


async def produce(made: Cluster, topic: str, value: bytes) -> int:
    """With acks=all, to whoever leads; its offset."""
    while True:
        any_node = next(iter(made.running))
        leader = partition(made, any_node, topic).leader
        if leader in made.running:
            async with connect(made.nodes[leader]) as client:
                answer = await client.produce_batch(topic, batch([value]))
                if answer.error_code == ErrorCode.NONE:
                    return answer.base_offset
                assert answer.error_code in (
                    ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_ENOUGH_REPLICAS,
                    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode.REQUEST_TIMED_OUT,
                ), answer  # fmt: skip
        await trio.sleep(0.01)


@cluster_test
async def test_a_topic_can_be_used_on_every_broker_when_it_is_created(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings={"metadata.max.idle.interval.ms": "0"}) as made:
        for count, node_id in enumerate(made.nodes, 1):
            await create(made, node_id, f"t{count}")
            for other in made.nodes.values():
                async with connect(other) as client:
                    asked = MetadataRequest(topics=[MetadataRequestTopic(name=f"t{count}")])
                    answer = await client.ask(asked, MetadataResponse)
                    assert [broker.node_id for broker in answer.brokers] == [1, 2, 3]
                    assert answer.topics[0].error_code == ErrorCode.NONE
                    assert sorted(answer.topics[0].partitions[0].isr_nodes) == [1, 2, 3]
            leader = partition(made, node_id, f"t{count}").leader
            async with connect(made.nodes[leader]) as client:
                assert await client.produce(f"t{count}", b"first") == 0
        images = {node.parts.metadata.image.offset: node.parts.metadata.image for node in made.nodes.values()}
        assert len(images) == 1


@cluster_test
async def test_given_topics_have_their_replicas_when_the_cluster_serves(tmp_path: Path) -> None:
    """The node that makes them may be up before the others, and need not be the active controller."""
    given = [GivenTopic("a", 2, 3, {}), GivenTopic("b", 1, 1, {"retention.ms": "1000"})]
    made = Cluster(tmp_path, members_of(3), host="127.0.0.1", topics=given)
    for _ in range(3):  # the second and third start find them
        async with made.started():
            image = made.nodes[1].parts.metadata.image
            assert sorted(image.topics) == ["a", "b"]
            assert [sorted(found.replicas) for found in image.topics["a"].partitions] == [[1, 2, 3]] * 2


@cluster_test
async def test_what_was_acknowledged_outlives_every_broker_in_turn(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=FAST) as made:
        await create(made, 1, "t")
        values = []
        for round_number in range(3):
            values.append(b"before %d" % round_number)
            await produce(made, "t", values[-1])
            leader = partition(made, next(iter(made.running)), "t").leader
            await made.kill(leader)
            values.append(b"after %d" % round_number)
            await produce(made, "t", values[-1])
            await made.start(leader)
            await until(lambda: len(partition(made, next(iter(made.running)), "t").isr) == 3)
        leader = partition(made, 1, "t").leader
        async with connect(made.nodes[leader]) as client:
            assert await client.values("t") == values


@cluster_test
async def test_a_new_controller_goes_on_where_the_killed_one_was(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=FAST) as made:
        await create(made, 2, "before")
        first = await until_active(made)
        await made.kill(first)
        second = await until_active(made)
        assert second != first
        metadata = made.nodes[second].parts.metadata
        assert "before" in metadata.image.topics
        await until(lambda: metadata.image.brokers[first].fenced)
        other = next(node_id for node_id in made.running if node_id != second)
        async with connect(made.nodes[other]) as client:
            asked = CreatableTopic(name="after", num_partitions=1, replication_factor=2)
            answer = await client.ask(CreateTopicsRequest(topics=[asked], timeout_ms=10_000), CreateTopicsResponse)
            assert answer.topics[0].error_code == ErrorCode.NONE, answer
        await made.start(first)
        await until(lambda: "after" in made.nodes[first].parts.metadata.image.topics)


@cluster_test
async def test_a_broker_that_comes_back_with_an_empty_disk_catches_up_and_leads(tmp_path: Path) -> None:
    """Its directory has a new id, and a replica counts as offline until the metadata has it there."""
    async with cluster(tmp_path, members_of(2, controllers=1), FAST, durable=True) as made:
        asked = CreatableTopic(name="t", num_partitions=1, replication_factor=2)
        async with connect(made.nodes[1]) as client:
            answer = await client.ask(CreateTopicsRequest(topics=[asked], timeout_ms=10_000), CreateTopicsResponse)
            assert answer.topics[0].error_code == ErrorCode.NONE, answer
        await produce(made, "t", b"first")
        await made.stop(2)
        rmtree(tmp_path / "node-2")
        node = await made.start(2)
        await until(lambda: len(partition(made, 1, "t").isr) == 2)
        own = node.parts.metadata.image.brokers[2].log_dirs[0]
        await until(lambda: own in partition(made, 1, "t").directories)
        await made.stop(1)
        assert await produce(made, "t", b"second") == 1
        async with connect(made.nodes[2]) as client:
            assert await client.values("t") == [b"first", b"second"]


@cluster_test
async def test_a_node_that_stops_in_order_hands_its_partitions_over(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        await create(made, 1, "t")
        await produce(made, "t", b"first")
        leader = partition(made, 1, "t").leader
        await made.stop(leader)
        other = next(iter(made.running))
        state = partition(made, other, "t")
        assert state.leader in made.running
        assert leader not in state.isr
        assert await produce(made, "t", b"second") == 1


@cluster_test
async def test_the_controller_knows_a_stop_in_order_from_a_kill(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a kill a broker may have lost records, and is no eligible leader any more (KIP-966)."""
    caplog.set_level("INFO", "kafkapy.controller")
    async with cluster(tmp_path) as made:
        await made.stop(3)
        await made.start(3)
        assert "; its last run had ended in order" in caplog.text
        assert "; its last run did not end in order" not in caplog.text
        await made.kill(3)
        await made.start(3)
        assert "; its last run did not end in order" in caplog.text


@cluster_test
async def test_a_cluster_that_does_not_get_all_its_ports_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[socket.socket] = []

    def bind_two(listener: Listener) -> socket.socket:
        if len(got) == 2:
            raise StartupError("the port is taken")
        got.append(bind(listener))
        return got[-1]

    monkeypatch.setattr("kafkapy.network.listeners.bind", bind_two)
    with pytest.raises(StartupError, match="the port is taken"):
        async with cluster(tmp_path):
            pass
    assert [sock.fileno() for sock in got] == [-1, -1]


@cluster_test
async def test_it_comes_back_after_all_have_stopped(tmp_path: Path) -> None:
    async with cluster(tmp_path, durable=True) as made:
        await create(made, 1, "t")
        await produce(made, "t", b"first")
        cluster_id = made.cluster_id
    async with cluster(tmp_path, durable=True) as made:
        assert made.cluster_id == cluster_id
        assert await produce(made, "t", b"second") == 1
        leader = partition(made, 1, "t").leader
        async with connect(made.nodes[leader]) as client:
            assert await client.values("t") == [b"first", b"second"]


@cluster_test
async def test_a_broker_says_whether_its_last_run_ended_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that did not may have lost records, so that it is no eligible leader any more (KIP-966)."""
    caplog.set_level("INFO", "kafkapy.controller")
    async with cluster(tmp_path, settings=FAST, durable=True) as made:
        await made.stop(3)
        await made.start(3)
        assert "broker 3 has registered" in caplog.text
        assert "its last run had ended in order" in caplog.text
        await made.kill(3)
        await made.start(3)
        assert "its last run did not end in order" in caplog.text


@cluster_test
async def test_a_broker_whose_files_are_gone_does_not_say_that_its_last_run_ended_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be eligible to lead without records."""
    caplog.set_level("INFO", "kafkapy.controller")
    async with cluster(tmp_path, settings=FAST) as made:
        await create(made, 1, "t")
        await produce(made, "t", b"first")
        await until(lambda: made.nodes[3].broker.partitions.replica("t", 0).high_watermark == 1)
        await made.stop(3)
        rmtree(tmp_path / "node-3" / "t-0")
        caplog.clear()
        await made.start(3)
        assert "its last run did not end in order" in caplog.text
        await until(lambda: set(partition(made, 1, "t").isr) == {1, 2, 3})


@pytest.mark.parametrize("clean", [False, True])
@cluster_test
async def test_a_broker_that_has_lost_its_metadata_gets_it_again(
    clean: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It has never voted, and the controllers say which topics there are."""
    async with cluster(tmp_path, members_of(1, controllers=1), FAST, durable=True) as made:
        async with connect(made.nodes[1]) as client:
            await client.create_topic("t")
            await client.produce("t", b"first")
        await (made.stop(1) if clean else made.kill(1))
        rmtree(tmp_path / "node-1" / "__cluster_metadata-0")
        node = await made.start(1)
        assert "this broker gets the metadata from the controllers again" in caplog.text
        async with connect(node) as client:
            assert await client.values("t") == [b"first"]
            assert await client.produce("t", b"second") == 1


@cluster_test
async def test_a_controller_that_has_lost_its_metadata_does_not_start(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=FAST) as made:
        await create(made, 1, "t")
        await until(lambda: (tmp_path / "node-3" / "t-0").exists())
        await made.stop(3)
        rmtree(tmp_path / "node-3" / "__cluster_metadata-0")
        with pytest.raises(StartupError, match="another directory, which the other nodes fill"):
            await made.start(3)


@cluster_test
async def test_controllers_can_have_nodes_of_their_own(tmp_path: Path) -> None:
    members = members_of(2, controllers=1, racks=("a", "b"))
    async with cluster(tmp_path, members) as made, connect(made.nodes[1]) as client:
        described = await client.ask(DescribeClusterRequest(), DescribeClusterResponse)
        assert [(broker.broker_id, broker.rack) for broker in described.brokers] == [(1, "a"), (2, "b")]
        asked = DescribeQuorumRequestTopicData(
            topic_name="__cluster_metadata", partitions=[DescribeQuorumRequestPartitionData(partition_index=0)]
        )
        quorum = await client.ask(DescribeQuorumRequest(topics=[asked]), DescribeQuorumResponse)
        state = quorum.topics[0].partitions[0]
        assert (state.leader_id, [each.replica_id for each in state.current_voters]) == (3, [3])
        assert sorted(each.replica_id for each in state.observers) == [1, 2]
        # Clients send requests for the controller to a broker, which forwards them: node 3 serves no clients.
        metadata = await client.ask(MetadataRequest(topics=[]), MetadataResponse)
        assert (described.controller_id, metadata.controller_id) == (1, 1)


@cluster_test
async def test_a_minority_answers_what_it_knows_and_refuses_the_rest_in_time(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=FAST) as made:
        await create(made, 1, "t")
        await produce(made, "t", b"first")
        leader = partition(made, 1, "t").leader
        for other in set(made.running) - {leader}:
            await made.kill(other)
        async with connect(made.nodes[leader]) as client:
            assert await client.values("t") == [b"first"]
            known = await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), MetadataResponse)
            assert known.topics[0].error_code == ErrorCode.NONE
            late = produce_request("t", batch([b"second"]))
            late.timeout_ms = 300
            answer = (await client.ask(late, ProduceResponse, 12)).responses[0].partition_responses[0]
            assert answer.error_code in (ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_ENOUGH_REPLICAS)
            await until(lambda: not made.nodes[leader].parts.controller.is_active)
            asked = CreateTopicsRequest(topics=[CreatableTopic(name="u", num_partitions=1)], timeout_ms=300)
            created = await client.ask(asked, CreateTopicsResponse)
            assert created.topics[0].error_code == ErrorCode.REQUEST_TIMED_OUT
            assert await client.values("t") == [b"first"]
        await made.start(next(each.node_id for each in made.members if each.node_id not in made.running))
        assert await produce(made, "t", b"third") in (1, 2)


@cluster_test
async def test_a_record_that_cannot_be_read_ends_a_node_in_order_and_is_named(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        leader = await until_active(made)
        log = made.nodes[leader].metadata_log
        offset = log.end_offset
        log.append_prepared(log.prepare([b"\1\xff\x7f\0nobody knows it"]))
        log.when_committed(lambda _error: None)
        await until(lambda: bool(made.failures))
        for node_id, failure in made.failures.items():
            assert f"node-{node_id}/__cluster_metadata-0/00000000000000000000.log" in str(failure)
            assert f"offset {offset}" in str(failure)


@cluster_test
async def test_a_node_that_ends_while_it_hands_over_does_not_keep_the_cluster_from_stopping(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        await until_active(made)
        for node_id in (2, 3):
            await made.kill(node_id)
        lifecycle = made.nodes[1]._broker_part.lifecycle
        assert lifecycle is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.stop)
            await until(lambda: lifecycle._is_stopping)
            await made.kill(1)
    assert not made.running


@cluster_test
async def test_a_broker_can_be_connected_to_when_it_asks_to_be_unfenced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller may make it lead at once, and followers and clients come."""
    ready = BrokerLifecycle.ready
    connected = []

    def connect_and_be_ready(lifecycle: BrokerLifecycle) -> None:
        (endpoint,) = lifecycle._registration.endpoints
        with socket.socket() as sock:
            connected.append(sock.connect_ex((endpoint.host, endpoint.port)))
        ready(lifecycle)

    monkeypatch.setattr(BrokerLifecycle, "ready", connect_and_be_ready)
    async with cluster(tmp_path, members_of(2, controllers=1)):
        assert connected == [0, 0]


@cluster_test
async def test_a_node_whose_disk_fails_hands_over_what_it_leads(tmp_path: Path) -> None:
    """Otherwise its partitions would have no leader until its session ends."""
    async with cluster(tmp_path, settings={"broker.session.timeout.ms": "600000"}) as made:
        await create(made, 1, "t")
        first = partition(made, 1, "t").leader
        assert await produce(made, "t", b"first") == 0
        other = next(node_id for node_id in made.running if node_id != first)
        made.nodes[first].disk.lost("the data directory is gone", made.nodes[first].data_directory)
        await until(lambda: partition(made, other, "t").leader not in (first, -1))
        await until(lambda: first in made.failures)
        assert "the data directory is gone" in str(made.failures[first])
        assert await produce(made, "t", b"second") == 1


@cluster_test
async def test_a_standalone_controller_takes_brokers_and_voters_in(tmp_path: Path) -> None:
    """As after `kafka-storage format --standalone`: others find it by controller.quorum.bootstrap.servers (KIP-853)."""
    cluster_id = uuid_text(random_uuid())

    def node(node_id: int, roles: str, bootstrap: str, **more: str) -> Node:
        listeners = {"broker": "PLAINTEXT://127.0.0.1:0", "controller": "CONTROLLER://127.0.0.1:0"}
        settings = {
            "node.id": str(node_id),
            "process.roles": roles,
            "listeners": ",".join(listeners[role] for role in roles.split(",")),
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": bootstrap,
            "controller.quorum.election.timeout.ms": "100",
            **FAST,
            **more,
        }
        return Node(Settings(settings), tmp_path / str(node_id), durable=False, cluster_id=cluster_id)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    first = node(
        1, "broker,controller", f"127.0.0.1:{port}", listeners=f"PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:{port}"
    )
    async with first.started():
        joining = {"controller.quorum.auto.join.enable": "true"}
        second = node(2, "broker,controller", f"127.0.0.1:{port}", **joining)
        third = node(3, "broker", f"127.0.0.1:{port}")
        async with second.started(), third.started():
            quorum = first.metadata_log.quorum
            await until(lambda: quorum.membership.voter_ids == [1, 2])
            await until(lambda: second.metadata_log.quorum.membership.voter_ids == [1, 2])
            assert sorted(first.parts.metadata.image.brokers) == [1, 2, 3]
            assert third.metadata_log.quorum.membership.voter_ids == [1, 2]
            async with connect(third) as client:
                asked = CreatableTopic(name="t", num_partitions=1, replication_factor=3)
                answer = await client.ask(CreateTopicsRequest(topics=[asked], timeout_ms=10_000), CreateTopicsResponse)
                assert answer.topics[0].error_code == ErrorCode.NONE, answer
            # The broker beside the first controller has a session with the second one, too.
            heard: list[int] = []
            beat = second.parts.controller.brokers.heartbeat

            async def note(request: BrokerHeartbeatRequest) -> BrokerHeartbeatResponse:
                heard.append(request.broker_id)
                return await beat(request)

            second.parts.controller.brokers.heartbeat = note  # type: ignore[method-assign]  # it only listens
            await until(lambda: second.parts.controller.is_active or first.metadata_log.is_leader)
            if not second.parts.controller.is_active:
                first.metadata_log.resign()
            await until(lambda: 1 in heard)


@cluster_test
async def test_a_controller_registers_again_when_its_registration_is_taken_away(tmp_path: Path) -> None:
    async with cluster(tmp_path, members_of(1, controllers=3)) as made:
        leader = await until_active(made)
        controllers, metadata = made.nodes[leader].parts.controller, made.nodes[leader].parts.metadata
        await until(lambda: sorted(metadata.image.controllers) == [2, 3, 4])
        other = next(node_id for node_id in (2, 3, 4) if node_id != leader)
        before = metadata.image.controllers[other]
        await controllers.unregister_controller(other).wait()
        await until(lambda: metadata.image.controllers.get(other) == before)


@cluster_test
async def test_a_move_that_is_taken_back_leaves_nothing(tmp_path: Path) -> None:
    """Throttled, it would take minutes. The new replicas are given up while they copy."""
    slow = {"follower.replication.throttled.rate": "1000", "leader.replication.throttled.rate": "1000"}
    async with cluster(tmp_path, settings=slow) as made, connect(made.nodes[1]) as client:
        asked = CreatableTopic(
            name="t",
            assignments=[CreatableReplicaAssignment(partition_index=0, broker_ids=[1])],
            num_partitions=-1,
            replication_factor=-1,
            configs=[
                CreatableTopicConfig(name=f"{side}.replication.throttled.replicas", value="*")
                for side in ("leader", "follower")
            ],
        )
        answer = await client.ask(CreateTopicsRequest(topics=[asked], timeout_ms=10_000), CreateTopicsResponse)
        assert answer.topics[0].error_code == ErrorCode.NONE
        for _ in range(100):
            await client.produce("t", bytes(10_000))
        for _ in range(2):
            await reassign(client, [2, 3])
            assert partition(made, 1, "t").adding_replicas == (2, 3)
            await until(lambda: all((tmp_path / f"node-{node_id}" / "t-0").exists() for node_id in (2, 3)))
            await reassign(client, None)
            await until(lambda: all(partition(made, node_id, "t").replicas == (1,) for node_id in (1, 2, 3)))
            for node_id in (1, 2, 3):
                state = partition(made, node_id, "t")
                assert state[1:3] == ((1,), 1)
                assert (state.adding_replicas, state.removing_replicas) == ((), ())
            for node_id in (2, 3):
                assert not (tmp_path / f"node-{node_id}" / "t-0").exists()
        assert await client.produce("t", b"last") == 100


async def reassign(client: Client, replicas: list[int] | None) -> None:
    """Move the first partition of t there; with None take the move back."""
    asked = ReassignablePartition(partition_index=0, replicas=replicas)
    request = AlterPartitionReassignmentsRequest(
        topics=[ReassignableTopic(name="t", partitions=[asked])], timeout_ms=10_000
    )
    answer = await client.ask(request, AlterPartitionReassignmentsResponse)
    assert answer.responses[0].partitions[0].error_code == ErrorCode.NONE


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_what_a_cluster_sets_at_each_node_cannot_be_given(name: str) -> None:
    """It would be passed over, and a cluster that was to have TLS would have none."""
    with pytest.raises(ValueError, match=f"{name} is set for each node: leave it out; "):
        Kafka(settings={name: "x"})
