"""Nodes that are paused, moved to other racks, and left out of ISRs, met by unmodified clients."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from kafkapy.testing import AsyncKafka, Kafka, KafkaStopped
from kafkapy_wire.errors import ErrorCode, KafkaError

confluent_kafka = pytest.importorskip("confluent_kafka")
admin = pytest.importorskip("confluent_kafka.admin")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")

API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, 7, -1)


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Kafka]:
    settings = {
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 100,
        "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    }
    with Kafka(nodes=3, racks=("a", "b", "c"), settings=settings) as kafka:
        yield kafka


def isr_of(kafka: Kafka) -> set[int]:
    return set(kafka.topic("orders").partitions[0].isr)


# -- pause


def test_a_paused_node_keeps_its_connections_and_answers_later(kafka: Kafka) -> None:
    host, port = kafka.bootstrap_servers.split(":")
    before = socket.create_connection((host, int(port)), PATIENCE_SECONDS)
    kafka.pause_node(1)
    with before, socket.create_connection((host, int(port)), PATIENCE_SECONDS) as after:  # the system accepts it
        for client in (before, after):
            client.sendall(API_VERSIONS_REQUEST)
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(8)
        [node] = kafka.nodes()
        assert (node.is_running, node.is_paused) == (True, True)
        with pytest.raises(LookupError):
            kafka.topics()
        kafka.resume_node(1)
        for client in (before, after):
            client.settimeout(PATIENCE_SECONDS)
            assert client.recv(8)[4:] == struct.pack(">i", 7)
    assert not kafka.nodes()[0].is_paused
    with pytest.raises(LookupError, match="node 1 is not paused"):
        kafka.resume_node(1)


def test_timers_of_a_paused_node_do_not_fire(kafka: Kafka) -> None:
    """A member is not thrown out while nobody can hear it; the session is over when the node goes on."""
    kafka.produce("orders", "1 tea")
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "shop", "session.timeout.ms": 10_000}
    )
    try:
        consumer.subscribe(["orders"])
        consumer.poll(0)
        kafka.wait_for_group("shop", 1, timeout=PATIENCE_SECONDS)
        kafka.clock.freeze()
        kafka.pause_node(1)
        kafka.clock.advance(20)
        kafka.resume_node(1)
        kafka.clock.release()
        kafka.wait_for_group("shop", 0, state="Empty", timeout=PATIENCE_SECONDS)
    finally:
        consumer.close()


def test_aiokafka_waits_for_a_paused_node(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)

    async def run() -> None:
        face = AsyncKafka.of(kafka)
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
        async with producer, asyncio.timeout(PATIENCE_SECONDS):
            await producer.send_and_wait("orders", b"first")
            await face.pause_node(1)
            sending = asyncio.ensure_future(producer.send_and_wait("orders", b"second"))
            done, _ = await asyncio.wait([sending], timeout=0.3)
            assert not done
            await face.resume_node(1)
            assert (await sending).offset == 1

    asyncio.run(run())
    assert [record.value for record in kafka.records("orders")] == [b"first", b"second"]


def test_a_paused_leader_is_replaced_after_its_session(kafka_cluster: Kafka) -> None:
    kafka_cluster.create_topic("orders", 1, replicas=3, settings={"min.insync.replicas": 2})
    kafka_cluster.produce("orders", "first")
    leader = kafka_cluster.topic("orders").partitions[0].leader
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka_cluster.bootstrap_servers, "acks": "all", "socket.timeout.ms": 1_000}
    )
    kafka_cluster.pause_node(leader)
    producer.produce("orders", b"second")
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert kafka_cluster.topic("orders").partitions[0].leader != leader
    assert isr_of(kafka_cluster) == {1, 2, 3} - {leader}
    kafka_cluster.resume_node(leader)
    eventually(lambda: isr_of(kafka_cluster) == {1, 2, 3}, "all are in sync")
    assert [record.value for record in kafka_cluster.records("orders")] == [b"first", b"second"]


def test_a_paused_controller_is_replaced(kafka_cluster: Kafka) -> None:
    [active] = [node.node_id for node in kafka_cluster.nodes() if node.is_active_controller]
    kafka_cluster.pause_node(active)
    kafka_cluster.create_topic("orders", 1)  # by another
    client = admin.AdminClient({"bootstrap.servers": kafka_cluster.bootstrap_servers, "socket.timeout.ms": 1_000})
    assert "orders" in client.list_topics(timeout=PATIENCE_SECONDS).topics
    kafka_cluster.resume_node(active)
    eventually(lambda: sum(node.is_active_controller for node in kafka_cluster.nodes()) == 1, "there is one controller")


def test_paused_nodes_are_killed_but_not_stopped_in_order(kafka_cluster: Kafka) -> None:
    kafka_cluster.pause_node(2)
    with pytest.raises(LookupError, match="node 2 is paused, so that it cannot stop in order"):
        kafka_cluster.stop_node(2)
    kafka_cluster.kill_node(2)
    kafka_cluster.start_node(2)
    assert [(node.is_running, node.is_paused) for node in kafka_cluster.nodes()] == [(True, False)] * 3
    kafka_cluster.pause_node(3)
    kafka_cluster.reset()
    assert not any(node.is_paused for node in kafka_cluster.nodes())


def test_a_kafka_with_paused_nodes_stops() -> None:
    with Kafka(nodes=2) as kafka:
        kafka.pause_node(1)
        kafka.pause_node(2)
    with pytest.raises((KafkaStopped, RuntimeError)):
        kafka.nodes()


# -- racks


def racks_seen_by_clients(kafka: Kafka) -> list[dict[int, str | None]]:
    client = admin.AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    described = client.describe_cluster(request_timeout=PATIENCE_SECONDS).result()
    other = kafka_python.KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        brokers = other.describe_cluster()["brokers"]
    finally:
        other.close()

    async def ask() -> dict[int, str | None]:
        third = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
        async with third:
            return {broker.nodeId: broker.rack for broker in third.client.cluster.brokers()}

    return [
        {node.id: node.rack for node in described.nodes},
        {each.get("node_id", each.get("broker_id")): each["rack"] for each in brokers},
        asyncio.run(ask()),
    ]


def test_clients_and_placement_see_another_rack(kafka_cluster: Kafka) -> None:
    connected = kafka_cluster.connections()
    kafka_cluster.set_rack(3, "b")
    assert racks_seen_by_clients(kafka_cluster) == [{1: "a", 2: "b", 3: "b"}] * 3
    kafka_cluster.create_topic("spread", 20, replicas=2)
    assert all(1 in partition.replicas for partition in kafka_cluster.topic("spread").partitions)
    assert set(connected) <= set(kafka_cluster.connections())
    kafka_cluster.restart_node(3)
    assert racks_seen_by_clients(kafka_cluster)[0] == {1: "a", 2: "b", 3: "b"}
    kafka_cluster.set_rack(3)
    assert [node.rack for node in kafka_cluster.nodes()] == ["a", "b", None]
    kafka_cluster.reset()
    assert racks_seen_by_clients(kafka_cluster)[0] == {1: "a", 2: "b", 3: "c"}


def test_a_consumer_is_sent_to_the_broker_that_has_moved_to_its_rack(kafka_cluster: Kafka) -> None:
    kafka_cluster.create_topic("orders", 1, replicas=3)
    kafka_cluster.produce("orders", "1 tea")
    follower = next(each for each in (1, 2, 3) if each != kafka_cluster.topic("orders").partitions[0].leader)
    kafka_cluster.set_rack(follower, "here")
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka_cluster.bootstrap_servers, "group.id": "shop", "client.rack": "here",
         "client.id": "here", "auto.offset.reset": "earliest"}
    )  # fmt: skip
    try:
        consumer.assign([confluent_kafka.TopicPartition("orders", 0, confluent_kafka.OFFSET_BEGINNING)])
        end = time.monotonic() + PATIENCE_SECONDS
        while (message := consumer.poll(0.2)) is None:
            assert time.monotonic() < end
        assert message.value() == b"1 tea"
        kafka_cluster.wait_for_requests("Fetch", client="here", node=follower, timeout=PATIENCE_SECONDS)
    finally:
        consumer.close()


def test_a_lone_node_moves_to_a_rack(kafka: Kafka) -> None:
    kafka.set_rack(1, "a")
    assert racks_seen_by_clients(kafka) == [{1: "a"}] * 3
    kafka.restart_node(1)
    assert racks_seen_by_clients(kafka)[0] == {1: "a"}
    kafka.reset()
    assert racks_seen_by_clients(kafka)[0] == {1: None}


def test_wrong_racks_and_brokers_are_refused(kafka_cluster: Kafka) -> None:
    with pytest.raises(LookupError, match="there is no broker 9; there are 1, 2, 3"):
        kafka_cluster.set_rack(9, "a")
    with pytest.raises(ValueError, match="a rack has a name"):
        kafka_cluster.set_rack(1, " ")
    kafka_cluster.stop_node(3)
    kafka_cluster.set_rack(3, "z")
    kafka_cluster.start_node(3)
    assert racks_seen_by_clients(kafka_cluster)[0] == {1: "a", 2: "b", 3: "z"}


# -- ISRs


def isrs_seen_by_clients(kafka: Kafka) -> list[set[int]]:
    client = admin.AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    other = kafka_python.KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        [described] = other.describe_topics(["orders"])
    finally:
        other.close()
    partition = described["partitions"][0]
    return [
        set(client.list_topics("orders", timeout=PATIENCE_SECONDS).topics["orders"].partitions[0].isrs),
        set(partition.get("isr_nodes", partition.get("isr"))),
    ]


def test_a_follower_stays_out_of_the_isr_until_it_may_join(kafka_cluster: Kafka) -> None:
    kafka_cluster.create_topic("orders", 1, replicas=3, settings={"min.insync.replicas": 3})
    leader = kafka_cluster.topic("orders").partitions[0].leader
    follower = next(each for each in (1, 2, 3) if each != leader)
    kafka_cluster.shrink_isr("orders", 0, follower)
    assert isrs_seen_by_clients(kafka_cluster) == [{1, 2, 3} - {follower}] * 2
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka_cluster.bootstrap_servers, "acks": "all", "retries": 0, "enable.idempotence": False}
    )
    errors: list[Any] = []
    producer.produce("orders", b"refused", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert [error.name() for error in errors] == ["NOT_ENOUGH_REPLICAS"]
    other = next(each for each in (1, 2, 3) if each not in (leader, follower))
    kafka_cluster.move_leader("orders", 0, other)  # its new leader leaves it out, too
    kafka_cluster.restart_node(other)
    eventually(lambda: isr_of(kafka_cluster) == {1, 2, 3} - {follower}, "the follower is out of sync")
    kafka_cluster.expand_isr("orders", 0, follower)
    eventually(lambda: isr_of(kafka_cluster) == {1, 2, 3}, "all are in sync again")
    producer.produce("orders", b"taken", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert errors[1:] == [None]
    assert [record.value for record in kafka_cluster.records("orders")] == [b"taken"]


def test_who_cannot_be_left_out_is_said(kafka_cluster: Kafka) -> None:
    kafka_cluster.create_topic("orders", 1, replicas=2)
    partition = kafka_cluster.topic("orders").partitions[0]
    [follower] = set(partition.replicas) - {partition.leader}
    [stranger] = {1, 2, 3} - set(partition.replicas)
    for broker, what in ((partition.leader, "leads"), (stranger, "has no replica of")):
        with pytest.raises(LookupError, match=rf"broker {broker} {what} orders-0: its followers are {follower}"):
            kafka_cluster.shrink_isr("orders", 0, broker)
    with pytest.raises(LookupError, match=rf"broker {follower} is not kept out of the ISR of orders-0"):
        kafka_cluster.expand_isr("orders", 0, follower)
    with pytest.raises(LookupError, match="there is no topic 'odrers' \\(did you mean 'orders'\\?\\)"):
        kafka_cluster.shrink_isr("odrers", 0, follower)
    kafka_cluster.shrink_isr("orders", 0, follower)
    kafka_cluster.pause_node(follower)
    kafka_cluster.resume_node(follower)
    assert isr_of(kafka_cluster) == {partition.leader}
    with pytest.raises(KafkaError) as refused:
        kafka_cluster.move_leader("orders", 0, follower)
    assert refused.value.code in (ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)
