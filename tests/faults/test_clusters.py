"""One engine for all nodes of a cluster: who is met there, and that nodes do not meet the faults of clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from kafkapy.cluster import Cluster, members_of
from kafkapy.faults import FaultEngine
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.produce import ProduceResponse
from tests.cluster.bounds import cluster_test
from tests.cluster.test_cluster import FAST, create, partition, until
from tests.shell.running_node import batch, connect, fetch_request, produce_request


@asynccontextmanager
async def cluster_with_faults(directory: Path, nodes: int = 3) -> AsyncIterator[tuple[FaultEngine, Cluster]]:
    engine = FaultEngine()
    made = Cluster(directory, members_of(nodes), settings=FAST, host="127.0.0.1", durable=False, faults=engine)
    async with made.started():
        yield engine, made
        assert sum(node.bugs.count for node in made.nodes.values()) == engine.bugs.count == 0


@cluster_test
async def test_faults_of_clients_and_of_followers(tmp_path: Path) -> None:
    async with cluster_with_faults(tmp_path) as (engine, made):
        await create(made, 1, "orders")
        leader = partition(made, 1, "orders").leader
        followers = [node_id for node_id in made.running if node_id != leader]
        async with connect(made.nodes[leader]) as client, connect(made.nodes[leader]) as other:
            broken = engine.add({"api": "Fetch", "topic": "orders", "error": "KAFKA_STORAGE_ERROR"})
            await client.produce("orders", b"replicated")  # with acks=all: followers have it
            answer = await client.ask(fetch_request({"orders": {0: 0}}), FetchResponse, 12)
            assert answer.responses[0].partitions[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert broken.fired == 1
            engine.clear()
            stuck = engine.add(
                {"api": "Fetch", "sender": "nodes", "broker": leader, "topic": "orders", "hold": "before"}
            )
            waits = produce_request("orders", batch([b"waits"]))
            waits.timeout_ms = 20_000
            await other.send(waits, 12)
            await stuck.wait_held(len(followers))
            await until(lambda: set(partition(made, leader, "orders").isr) == {leader})
            assert (await other.receive(ProduceResponse)).responses[0].partition_responses[0].error_code == 0
            stuck.release()
            await until(lambda: len(partition(made, leader, "orders").isr) == 3)
            assert await client.values("orders") == [b"replicated", b"waits"]


@cluster_test
async def test_one_broker_is_met_and_the_others_are_not(tmp_path: Path) -> None:
    async with cluster_with_faults(tmp_path, 2) as (engine, made):
        fault = engine.add({"api": "Metadata", "broker": 2, "disconnect": "before"})
        for node_id in (1, 2):
            async with connect(made.nodes[node_id]) as client:
                await client.send(MetadataRequest(topics=[]))
                assert await client.closed_by_broker() == (node_id == 2)
        assert fault.fired == 1
        await made.kill(2)
        await made.start(2)
        async with connect(made.nodes[2]) as client:  # a node that comes back meets it, too
            await client.send(MetadataRequest(topics=[]))
            assert await client.closed_by_broker()
        engine.clear()


@cluster_test
async def test_requests_between_nodes_of_a_controller_s_listener(tmp_path: Path) -> None:
    async with cluster_with_faults(tmp_path) as (engine, made):
        lost = engine.add({"api": "BrokerHeartbeat", "disconnect": "before", "times": 3, "must_fire": True})
        forwarded = engine.add({"api": "Envelope", "disconnect": "before", "times": 1})
        refused = engine.add({"api": "CreateTopics", "topic": "orders", "error": "POLICY_VIOLATION"})
        await lost.wait_fired(3)
        not_active = next(node for node in made.nodes.values() if not node.parts.controller.is_active)
        async with connect(not_active) as client:
            asked = [CreatableTopic(name=name, num_partitions=1, replication_factor=2) for name in ("orders", "new")]
            answer = await client.ask(CreateTopicsRequest(topics=asked, timeout_ms=10_000), CreateTopicsResponse)
            codes = {topic.name: topic.error_code for topic in answer.topics}
            assert codes == {"orders": ErrorCode.POLICY_VIOLATION, "new": 0}
            assert (forwarded.fired, refused.fired) == (1, 1)
        assert engine.unfired == ()


@cluster_test
async def test_stale_metadata_after_a_leader_has_moved(tmp_path: Path) -> None:
    async with cluster_with_faults(tmp_path) as (engine, made):
        await create(made, 1, "orders")
        before = partition(made, 1, "orders").leader
        stale = engine.add({"api": "Metadata", "stale_metadata": True})
        await made.stop(before)
        await until(lambda: partition(made, min(made.running), "orders").leader not in (before, -1))
        now = partition(made, min(made.running), "orders").leader
        with trio.fail_after(10):
            async with connect(made.nodes[min(made.running)]) as client:
                for leader in (before, now):
                    answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
                    assert answer.topics[0].partitions[0].leader_id == leader
                    if leader == before:
                        engine.remove(stale.id)
