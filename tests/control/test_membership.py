"""Brokers that are added to a running cluster and removed from it, without a client."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from compat_tests.ports import free_port
from kafkapy.client import reassignments
from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy.errors import StartupError
from kafkapy.testing import AsyncKafka, Kafka
from kafkapy_wire.errors import KafkaError

SECONDS_MAX = 90.0
QUICK = {"broker.session.timeout.ms": 1_000, "broker.heartbeat.interval.ms": 100}


@pytest.fixture(scope="module")
def of_module() -> Iterator[Kafka]:
    """Two brokers, and a controller of its own."""
    with Kafka(nodes=2, controllers=1, racks=("a", "b"), settings=QUICK, topics={"first": 2}, control=True) as kafka:
        yield kafka


@pytest.fixture
def kafka(of_module: Kafka) -> Iterator[Kafka]:
    of_module.reset()
    yield of_module
    assert of_module.take_bugs() == []


def ids(kafka: Kafka) -> list[int]:
    return [node.node_id for node in kafka.nodes()]


def replicas_of(kafka: Kafka, topic: str) -> list[tuple[int, ...]]:
    return [tuple(partition.replicas) for partition in kafka.topic(topic).partitions]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS_MAX:.0f} s: {what}"
        time.sleep(0.01)


def make_on(kafka: Kafka, topic: str, broker: int) -> int:
    """A topic with one partition that the broker alone has, and a record in each; its number."""
    kafka.create_topic(topic, 8, replicas=1)
    kafka.produce(topic, *[str(number) for number in range(80)])
    return replicas_of(kafka, topic).index((broker,))


def test_ids_are_above_those_of_the_start_and_free_again_when_removed(kafka: Kafka) -> None:
    assert [kafka.add_node(), kafka.add_node(rack="a")] == [4, 5]
    assert [(node.node_id, node.roles, node.rack) for node in kafka.nodes()][3:] == [
        (4, ("broker",), None),
        (5, ("broker",), "a"),
    ]
    kafka.remove_node(4)
    kafka.remove_node(2)
    assert ids(kafka) == [1, 3, 5]
    assert kafka.add_node() == 4
    assert kafka.bootstrap_servers == ",".join(node.address for node in kafka.nodes() if node.address)


def test_replication_factors_of_the_settings_stay_what_they_were(kafka: Kafka) -> None:
    kafka.add_node()
    kafka.create_topic("default")
    kafka.commit_offsets("shop", {("first", 0): 0})
    assert [len(replicas_of(kafka, name)[0]) for name in ("default", "__consumer_offsets")] == [2, 2]
    kafka.restart_node(4)
    kafka.create_topic("later")
    assert len(replicas_of(kafka, "later")[0]) == 2


def test_an_only_replica_is_moved_with_its_records(kafka: Kafka) -> None:
    kafka.add_node()
    make_on(kafka, "orders", 4)
    kafka.remove_node(4)
    assert {broker for replicas in replicas_of(kafka, "orders") for broker in replicas} == {1, 2}
    assert len(kafka.records("orders")) == 80


def test_replicas_move_into_other_racks_than_they_have_and_to_brokers_with_few(kafka: Kafka) -> None:
    kafka.add_node(rack="c")
    kafka.add_node(rack="a")
    kafka.create_topic("orders", 12, replicas=2)
    kafka.remove_node(4)
    rack = {1: "a", 2: "b", 5: "a"}
    assert all(len({rack[each] for each in replicas}) == 2 for replicas in replicas_of(kafka, "orders"))


def test_reassignments_under_way_to_a_broker_that_leaves_are_cancelled(kafka: Kafka) -> None:
    """One that adds the broker, and cannot be complete as its fetches wait."""
    kafka.add_node()
    kafka.add_node()
    number = make_on(kafka, "orders", 1)
    with kafka.faults.add(api="Fetch", sender="nodes", broker=1, topic="orders", hold="before") as fault:
        reassign(kafka, "orders", number, [4])
        fault.wait()
        assert set(replicas_of(kafka, "orders")[number]) == {1, 4}
        kafka.remove_node(4)
    assert replicas_of(kafka, "orders")[number] == (1,)


def reassign(kafka: Kafka, topic: str, number: int, replicas: list[int]) -> None:
    with Cluster(parse_bootstrap(kafka.bootstrap_servers), timeout_seconds=30) as cluster:
        assert reassignments.reassign(cluster, {(topic, number): replicas}) == {}


def make_at(kafka: Kafka, topic: str, replicas: list[int]) -> None:
    """A topic with one partition that these have."""
    kafka.create_topic(topic, 1, replicas=len(replicas))
    reassign(kafka, topic, 0, replicas)
    until(lambda: replicas_of(kafka, topic) == [tuple(replicas)], f"{topic} is at {replicas}")


def test_what_others_have_of_a_dead_broker_is_kept(kafka: Kafka) -> None:
    kafka.add_node()
    alone = make_on(kafka, "alone", 4)
    kafka.create_topic("shared", 6, replicas=2)
    kafka.produce("shared", *[str(number) for number in range(60)])
    kafka.kill_node(4)
    kafka.remove_node(4)
    assert ids(kafka) == [1, 2, 3]
    assert {frozenset(replicas) for replicas in replicas_of(kafka, "shared")} == {frozenset({1, 2})}
    assert len(kafka.records("shared")) == 60
    assert kafka.topic("alone").partitions[alone].leader not in (1, 2)


def test_what_cannot_be_removed_is_said(kafka: Kafka) -> None:
    with pytest.raises(LookupError, match="there is no node 9; there are 1, 2, 3"):
        kafka.remove_node(9)
    with pytest.raises(ValueError, match=r"node 3 is a controller, and the controllers .* stay the same: `stop_node`"):
        kafka.remove_node(3)
    with pytest.raises(ValueError, match="a rack has a name"):
        kafka.add_node(rack=" ")
    kafka.delete_topics("first")
    kafka.create_topic("orders", 2, replicas=2)
    with pytest.raises(ValueError, match=r"node 2 cannot be removed: orders-0 has replicas on the brokers \d, \d, and"):
        kafka.remove_node(2)
    kafka.add_node()
    kafka.pause_node(4)
    with pytest.raises(LookupError, match="node 4 is paused, so that it cannot stop in order"):
        kafka.remove_node(4)
    kafka.resume_node(4)
    kafka.delete_topics("orders")
    kafka.remove_node(1)
    kafka.remove_node(2)
    with pytest.raises(ValueError, match="node 4 is the only broker"):
        kafka.remove_node(4)


def test_moves_that_take_too_long_go_on(kafka: Kafka) -> None:
    kafka.add_node()
    make_on(kafka, "orders", 4)
    with (
        kafka.faults.add(api="Fetch", sender="nodes", broker=4, topic="orders", hold="before"),
        pytest.raises(TimeoutError, match=r"node 4 still has replicas of \d partitions \(orders-\d, .*\); the moves"),
    ):
        kafka.remove_node(4, timeout=0.3)
    kafka.remove_node(4)
    assert len(kafka.records("orders")) == 80


def is_in_sync(kafka: Kafka, topic: str, node_id: int) -> bool:
    return any(node_id in partition.isr for partition in kafka.topic(topic).partitions)


@contextmanager
def unheard(kafka: Kafka, node_id: int) -> Iterator[None]:
    """In the block the controller does not hear of a broker that runs."""
    client_id = f"node-{node_id}-heartbeat-channel"
    with kafka.faults.add(api="BrokerHeartbeat", sender="nodes", client_id=client_id, disconnect="before"):
        until(lambda: not is_in_sync(kafka, "first", node_id), f"node {node_id} is fenced")
        yield


def test_a_broker_that_is_fenced_for_a_while_is_waited_for(kafka: Kafka) -> None:
    kafka.add_node()
    kafka.create_topic("orders", 3, replicas=2)
    told = r"node 4 still has replicas of \d partitions .*; \w+-\d: the controller does not hear of node 2: heal cut"
    with unheard(kafka, 2), pytest.raises(TimeoutError, match=told):
        kafka.remove_node(4, timeout=0.3)
    kafka.remove_node(4)
    assert [set(replicas) for replicas in replicas_of(kafka, "orders")] == [{1, 2}] * 3


def test_a_move_to_the_only_other_broker_goes_on_while_that_is_fenced(kafka: Kafka) -> None:
    kafka.add_node()
    make_at(kafka, "orders", [1, 4])
    with kafka.faults.add(api="Fetch", sender="nodes", topic="orders", hold="before"):
        reassign(kafka, "orders", 0, [1, 2])
        told = r"the controller does not hear of node 2.*; the moves that were begun go on"
        with unheard(kafka, 2), pytest.raises(TimeoutError, match=told):
            kafka.remove_node(4, timeout=0.3)
        assert set(replicas_of(kafka, "orders")[0]) == {1, 2, 4}
    kafka.remove_node(4)
    assert replicas_of(kafka, "orders") == [(1, 2)]


def test_a_broker_that_is_killed_in_the_middle_may_be_started_again(kafka: Kafka) -> None:
    kafka.delete_topics("first")
    kafka.add_node()
    make_at(kafka, "orders", [1, 4])
    with (
        kafka.faults.add(api="Fetch", sender="nodes", topic="orders", hold="before"),
        ThreadPoolExecutor() as pool,
    ):
        removed = pool.submit(kafka.remove_node, 4, timeout=5)
        until(lambda: set(replicas_of(kafka, "orders")[0]) == {1, 2, 4} or removed.done(), "the move is begun")
        kafka.kill_node(2)
        with pytest.raises(TimeoutError, match="no other broker runs that could have one: add a node, start node 2; "):
            removed.result()
    kafka.start_node(2)
    kafka.remove_node(4)
    assert replicas_of(kafka, "orders") == [(1, 2)]


def test_a_move_into_another_rack_is_kept_while_its_broker_is_fenced(kafka: Kafka) -> None:
    """Nothing that was copied is thrown away for a broker of a rack that is taken."""
    kafka.add_node(rack="c")
    kafka.add_node(rack="a")
    make_at(kafka, "orders", [1, 4])
    with kafka.faults.add(api="Fetch", sender="nodes", topic="orders", hold="before"):
        reassign(kafka, "orders", 0, [1, 2])
        with unheard(kafka, 2), pytest.raises(TimeoutError, match="does not hear of node 2"):
            kafka.remove_node(4, timeout=0.3)
        assert set(replicas_of(kafka, "orders")[0]) == {1, 2, 4}
    kafka.remove_node(4)
    assert replicas_of(kafka, "orders") == [(1, 2)]


def test_moves_that_cannot_end_say_what_they_wait_for(kafka: Kafka) -> None:
    kafka.delete_topics("first")
    kafka.add_node()
    kafka.create_topic("orders", 1, replicas=3)
    kafka.kill_node(2)
    until(lambda: not is_in_sync(kafka, "orders", 2), "node 2 is fenced")
    reassign(kafka, "orders", 0, [1, 2])
    with pytest.raises(TimeoutError, match=r"orders-0: node 2 does not run: start it; the moves that were begun go on"):
        kafka.remove_node(4, timeout=0.3)
    kafka.start_node(2)
    kafka.remove_node(4)
    assert replicas_of(kafka, "orders") == [(1, 2)]


def test_who_could_have_a_replica_and_cannot_now_is_named(kafka: Kafka) -> None:
    kafka.add_node()
    kafka.create_topic("orders", 6, replicas=2)
    told = "no other broker runs that could have one: add a node, "
    kafka.pause_node(2)
    with pytest.raises(ValueError, match=f"{told}resume node 2, or see that"):
        kafka.remove_node(4)
    kafka.resume_node(2)
    kafka.stop_node(2)
    with pytest.raises(ValueError, match=f"{told}start node 2, or see that"):
        kafka.remove_node(4)


def test_nothing_is_stopped_while_no_controller_is_active(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka.add_node()
    kafka.create_topic("orders", 6, replicas=2)
    kafka.kill_node(3)
    monkeypatch.setattr("kafkapy.control.nodes.ANSWER_SECONDS", 0.5)
    with pytest.raises(TimeoutError, match="for an active controller; nodes that do not run: 3"):
        kafka.remove_node(4)
    monkeypatch.undo()
    assert kafka.nodes()[3].is_running
    kafka.start_node(3)
    kafka.remove_node(4)
    assert ids(kafka) == [1, 2, 3]


def test_a_broker_of_another_rack_that_is_fenced_for_a_while_is_waited_for(kafka: Kafka) -> None:
    kafka.delete_topics("first")
    kafka.add_node(rack="c")
    kafka.add_node(rack="a")
    kafka.create_topic("first", 12, replicas=2)
    with unheard(kafka, 2), pytest.raises(TimeoutError, match="does not hear of node 2"):
        kafka.remove_node(4, timeout=0.3)
    kafka.remove_node(4)
    rack = {1: "a", 2: "b", 5: "a"}
    for replicas in replicas_of(kafka, "first"):
        assert len({rack[each] for each in replicas}) == 2


def test_a_reset_leads_back_to_the_first_nodes(kafka: Kafka) -> None:
    before = kafka.bootstrap_servers
    for _ in range(2):
        kafka.add_node()
        kafka.remove_node(2)
        kafka.add_node()
        kafka.set_rack(1, "z")
        kafka.kill_node(5)
        kafka.create_topic("orders", 8, replicas=2)
        kafka.reset()
        assert [(node.node_id, node.rack, node.is_running) for node in kafka.nodes()] == [
            (1, "a", True),
            (2, "b", True),
            (3, None, True),
        ]
        assert kafka.bootstrap_servers == before
        assert kafka.topics() == ["first"]
    kafka.create_topic("orders", 8, replicas=2)
    assert {broker for replicas in replicas_of(kafka, "orders") for broker in replicas} == {1, 2}


def test_a_snapshot_has_the_nodes_of_its_time(kafka: Kafka) -> None:
    kafka.delete_topics("first")
    kafka.add_node(rack="d")
    make_on(kafka, "orders", 4)
    address = kafka.nodes()[3].address
    kafka.take_snapshot("with 4")
    kafka.remove_node(2)
    kafka.remove_node(4)
    assert ids(kafka) == [1, 3]
    kafka.take_snapshot("without")
    kafka.restore_snapshot("with 4")
    assert [(node.node_id, node.rack) for node in kafka.nodes()] == [(1, "a"), (2, "b"), (3, None), (4, "d")]
    assert kafka.nodes()[3].address == address
    assert len(kafka.records("orders")) == 80
    kafka.restore_snapshot("without")
    assert ids(kafka) == [1, 3]
    assert len(kafka.records("orders")) == 80


def ask(kafka: Kafka, operation: str, **arguments: object) -> object:
    request = urllib.request.Request(f"{kafka.control_url}/v1/{operation}", json.dumps(arguments).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_it_can_be_asked_by_http(kafka: Kafka) -> None:
    assert ask(kafka, "add_node", rack="d") == 4
    assert len(kafka.bootstrap_servers.split(",")) == 3  # told to whoever has the cluster in Python
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(kafka, "remove_node", node_id=3)
    assert (refused.value.code, json.load(refused.value)["error"]["kind"]) == (400, "ValueError")
    assert ask(kafka, "remove_node", node_id=4) is None
    assert ids(kafka) == [1, 2, 3]


def test_nodes_that_start_later_are_recorded_only_if_recording_was_asked_for() -> None:
    with Kafka(nodes=1, record=False) as kafka:
        kafka.add_node()
        kafka.restart_node(1)
        with Cluster(parse_bootstrap(kafka.bootstrap_servers), timeout_seconds=30) as cluster:
            assert cluster.broker_ids() == [1, 2]
        assert kafka.recorded().count() == 0


def test_the_awaited_face_of_a_process_hears_of_its_brokers() -> None:
    async def run() -> None:
        async with AsyncKafka(isolation="process") as kafka:
            assert await kafka.add_node() == 2
            assert kafka.bootstrap_servers.count(",") == 1
            await kafka.remove_node(2)
            assert kafka.bootstrap_servers.count(",") == 0
            with pytest.raises(ValueError, match="node 1 is a controller"):
                await kafka.remove_node(1)

    asyncio.run(run())


def free_neighbours() -> int:
    """A port that is free, as the next one is."""
    while True:
        port = free_port()
        with suppress(OSError), socket.create_server(("localhost", port + 1)):
            return port


def test_ports_of_added_brokers_follow_the_first_ones() -> None:
    port = free_neighbours()
    with Kafka(port=port, control=True) as kafka:
        with socket.create_server(("localhost", port + 1)):
            with pytest.raises(StartupError, match=f":{port + 1}"):
                kafka.add_node()
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(kafka, "add_node")
            assert (refused.value.code, json.load(refused.value)["error"]["kind"]) == (400, "StartupError")
        assert ids(kafka) == [1]
        assert kafka.add_node() == 2
        assert kafka.bootstrap_servers == f"localhost:{port},localhost:{port + 1}"
        kafka.create_topic("orders", 2, replicas=2)
        with pytest.raises(KafkaError):
            kafka.create_topic("more", 1, replicas=3)
